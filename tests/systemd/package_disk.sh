# Run inside a booted system, from /src: the state has its own disk, which is full. Revoked permits still take effect; journal and
# status say so, and it heals.
say() { echo "== $* ($(date +%T))"; }
fail() { echo "FAILED: $*"; df /var/lib/svm-agent; ls -la /var/lib/svm-agent; journalctl -o short-precise -u svm-agent --no-pager | tail -40; exit 1; }
until_true() { for _ in $(seq 150); do if eval "$1"; then return; fi; sleep 0.1; done; fail "in vain: $1"; }
fill() { dd if=/dev/zero of=/var/lib/svm-agent/ballast bs=4k 2> /dev/null || true; }
publish() { svm-vendor --ledger ledger publish published > /dev/null; }

# The published documents, at port 8090.
serve() {
  cat > /srv/vendor/httpd <<'SH'
#!/bin/sh
read -r method path rest
while read -r line && [ "$line" != "$(printf '\r')" ]; do :; done
file=/srv/vendor/published${path%%\?*}
if [ -f "$file" ]; then printf 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %s\r\n\r\n' "$(stat -c %s "$file")"; cat "$file"
else printf 'HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'; fi
SH
  chmod +x /srv/vendor/httpd
  socat TCP-LISTEN:8090,bind=127.0.0.1,fork,reuseaddr EXEC:/srv/vendor/httpd 2> /dev/null &
  until_true 'curl -s -o /dev/null http://127.0.0.1:8090/'
}

say "install"
mkdir -p /var/lib/svm-agent
mount -t tmpfs -o size=8m,mode=700 tmpfs /var/lib/svm-agent
cd /src
dpkg -i svm-collector_*.deb > /dev/null 2>&1
printf '[tokens]\nrequired = false\n' > /etc/svm-collector/collector.toml && systemctl restart svm-collector
mkdir -p /etc/svm-agent/conf.d
printf '[source]\nurl = "http://127.0.0.1:8090"\n[destinations.console]\nurl = "http://127.0.0.1:8480/v1/events"\n' > /etc/svm-agent/conf.d/console.toml
eval "$INSTALL" > /dev/null 2>&1
[ "$(stat -c %a:%U /var/lib/svm-agent)" = 700:svm-agent ] || fail "the state folder"
mkdir -p /srv/vendor && cd /srv/vendor
svm-vendor --ledger ledger --signing-key key.pem keygen --iss provider.example --name Example > /dev/null
svm-vendor --ledger ledger --signing-key key.pem issue --key-id SUB-1 --days 30 --grace-days 7 --devices 10 > /dev/null
publish
install -m 644 ledger/trust.d/*.pem /etc/svm-agent/trust.d/
serve
svm-agent key add published/v1/keys/*.jws > /dev/null
svm-agent permit ksn || fail "no permit"

say "full: nothing counts as stored, revoked permits still take effect"
fill
# Until what the database had set aside is used up as well.
full=; for count in $(seq 11 2 2011); do
  svm-agent devices set $((count % 4 * 10 + 1)) > /dev/null 2> told || { full=yes; break; }
done
[ -n "$full" ] || fail "the disk is not full"
cat told
svm-vendor --ledger ledger --signing-key key.pem block SUB-1 > /dev/null && publish
svm-agent refresh > told 2>&1 || cat told
until_true '! svm-agent permit ksn > /dev/null'
svm-agent permit ksn && fail "a blocked key has a permit, because of a disk"
journalctl -u svm-agent -o cat --no-pager | grep -q "^cannot write to the database" || fail "the log does not say it"
svm-agent status
svm-agent status --json | grep -q '"store_problem":"' || fail "status does not say it"

say "room again: it heals, and tells"
rm /var/lib/svm-agent/ballast
until_true 'svm-agent status --json | grep -q "\"store_problem\":null"'
journalctl -u svm-agent -o cat --no-pager | grep -q "^the database can be written again" || fail "the log does not say that it is over"
until_true 'svm-agent status | grep -q blocked'
svm-agent permit ksn && fail "the block went with the disk"
until_true 'curl -fsS http://127.0.0.1:8480/v1/svms | grep -q "\"cause\":\"blocked\""'
until_true 'curl -fsS http://127.0.0.1:8480/v1/svms | grep -q "\"missing\":{\"count\":0"'
say "full again, and restarted so"
fill
systemctl restart svm-agent || fail "a full disk keeps it from starting"
svm-agent status > /dev/null || fail "status"
svm-agent permit ksn && fail "a permit after the restart"
rm /var/lib/svm-agent/ballast
until_true 'svm-agent status --json | grep -q "\"store_problem\":null"'
say "done"

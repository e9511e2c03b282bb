# Run inside a booted system, from /src: what docs/guide/install.md has an administrator do on the first day, from the packages, and
# what journal and status say to it; settings that are wrong; kills; removal, purge, and all of it anew.
say() { echo "== $* ($(date +%T))"; }
fail() { echo "FAILED: $*"; journalctl -o short-precise -u svm-agent -u svm-agent.socket -u svm-agent-query.socket -u svm-collector --no-pager | tail -60; exit 1; }
until_true() { for _ in $(seq 150); do if eval "$1"; then return; fi; sleep 0.1; done; fail "in vain: $1"; }
journal() { journalctl -u svm-agent -o cat --no-pager "$@"; }
collected() { curl -fsS "http://127.0.0.1:8480/v1/events?limit=1000"; }
milliseconds() { date +%s%3N; }
# Without what differs from day to day: when, which process, which id.
plain() { sed -E 's/^[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} (vm )?//; s/\[[0-9]+\]:/:/; s/PID: [0-9]+/PID:/; s/ since .*//; s/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/ID/; s/[0-9-]{10} [0-9:]{8}/DATE/g'; }
# Standard input has each line that the document shows there, in its order.
as_documented() {
  said_$1 | plain > documented; plain > said
  if diff documented said | grep '^<'; then cat said; fail "docs/guide/install.md shows that of $1"; fi
}

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

say "the collector, and a token"
cd /src
doc_collector > /dev/null 2>&1
[ "$(systemctl is-active svm-collector)" = active ] || fail "the collector does not run"
[ "$(systemctl is-enabled svm-collector)" = enabled ] || fail "nor at the next boot"
[ "$(stat -c %a:%U:%G /etc/svm-collector/tokens)" = 640:root:svm-collector ] || fail "tokens"
[ "$(stat -c %a:%U /var/lib/svm-collector)" = 700:svm-collector ] || fail "the collector's folder"
[ "$(curl -s -o /dev/null -w '%{http_code}' -d '{}' http://127.0.0.1:8480/v1/events)" = 401 ] || fail "everyone may send"
mkdir -p /srv/vendor /srv/root && cd /srv/root
doc_token
[ -s console.token ] && [ ! -e token.txt ] || fail "no token"

say "the agent, without any settings"
cd /src
doc_agent > /dev/null 2>&1
for unit in svm-agent.service svm-agent.socket svm-agent-query.socket; do
  [ "$(systemctl is-active $unit)" = active ] || fail "$unit does not run"
  [ "$(systemctl is-enabled $unit)" = enabled ] || fail "$unit: not at the next boot"
done
# What an administrator sees, for a reader of the output of this test.
journalctl -u svm-agent --no-pager
cd /srv/root
journalctl -u svm-agent --no-pager --no-hostname | as_documented journal
setpriv --reuid 65534 --regid 65534 --clear-groups svm-agent status > status || fail "nobody may not ask"
as_documented status < status
systemctl status svm-agent --no-pager > /dev/null || fail "systemctl status"
journal | grep -q "no destination is configured: this SVM reports to no console" || fail "the log does not say what is missing"
journal | grep -q "^svm-agent .* is ready$" || fail "not ready"
svm-agent status | grep -q "^Source .*not configured (source.url)" || fail "status does not say what is missing"
svm-agent status --explain | grep -q "Activate the SVM: svm-agent activate CODE" || fail "nor the way out"
svm-agent permit database-updates && fail "a permit without a key"
svm-agent config check 2>&1 | grep -q "no provider is trusted: put the public key of yours into /etc/svm-agent/trust.d" || fail "config check"
for file in /usr/share/man/man8/svm-agent.8.gz /usr/share/man/man5/svm-agent.toml.5.gz /usr/share/bash-completion/completions/svm-agent \
  /usr/share/zsh/vendor-completions/_svm-agent /usr/share/fish/vendor_completions.d/svm-agent.fish /usr/share/doc/svm-agent/guide/install.md \
  /usr/share/svm-agent/actions/kesl-ksn; do
  # A minimal system leaves manual pages and documentation out.
  dpkg -L svm-agent | grep -qx $file || fail "$file"
done
bash -c '. /usr/share/bash-completion/completions/svm-agent
  COMP_WORDS=(svm-agent gate ins) COMP_CWORD=2; _svm__agent svm-agent ins gate; [ "${COMPREPLY[*]}" = install ]' || fail "completion"
[ "$(stat -c %a:%U /etc/svm-agent/agent.toml /etc/svm-agent/trust.d | tr '\n' ' ')" = "644:root 755:root " ] || fail "modes"

say "one file to edit, and the code"
cd /srv/vendor
svm-vendor --ledger ledger --signing-key key.pem keygen --iss provider.example --name Example > /dev/null
svm-vendor --ledger ledger --signing-key key.pem issue --key-id SUB-1 --days 30 --grace-days 7 --devices 10 --json > issued
svm-vendor --ledger ledger publish published > /dev/null
serve
cp ledger/trust.d/*.pem /srv/root/provider.pem
doc_file | sed 's|https://keys.provider.example|http://127.0.0.1:8090|; s|https://console.example.com|http://127.0.0.1:8480|' > /etc/svm-agent/agent.toml
cd /srv/root
doc_configure || fail "configure"
until_true 'collected | grep -q svm.settings.reloaded'
code=$(sed -n 's/.*"code": *"\([^"]*\)".*/\1/p' /srv/vendor/issued)
echo "$code" | doc_activate || fail "activate"
doc_look > look
cat look
grep -q "^Subscription .*active" look && grep -q 'key SUB-1 is active' look || fail "it does not look active"
svm-agent permit database-updates || fail "no permit"
until_true 'collected | grep -q "svm.subscription.status_changed"'
grep -q "$code" look && fail "the code is in the log"
journalctl --no-pager | grep -q "$(cat console.token)" && fail "the token is in the journal"

say "reloaded: good settings take effect; wrong ones are reported, and the old ones stay"
cp /etc/svm-agent/agent.toml good.toml
pid=$(systemctl show -P MainPID svm-agent)
printf '[product]\nversion = "6.2.0"\n' > /etc/svm-agent/conf.d/product.toml
systemctl reload svm-agent || fail "reload"
svm-agent status --json | grep -q '"product_version":"6.2.0"' || fail "not taken over"
printf '[product]\nversoin = "6.3.0"\n' > /etc/svm-agent/conf.d/product.toml
systemctl reload svm-agent 2> /dev/null && fail "wrong settings were reloaded"
journalctl -u svm-agent --no-pager --no-hostname -p err | as_documented reload
# Queries are answered in the meantime.
svm-agent status --json | grep -q '"product_version":"6.2.0"' || fail "the old settings went"
svm-agent status > told 2>&1 && grep -q SUB-1 told && grep -q "the settings on disk are not valid" told || fail "$(cat told)"
svm-agent refresh && svm-agent renewal > /dev/null || fail "wrong settings keep others from asking"
svm-agent config show 2> told && fail "of which settings?"
[ "$(systemctl show -P MainPID svm-agent)" = "$pid" ] || fail "it was restarted"
rm /etc/svm-agent/conf.d/product.toml
systemctl reload svm-agent || fail "reload of the mended settings"

say "wrong settings end it once, with 78, and say where; permits stay"
sed 's/^url = "http:..127.0.0.1:8090"/ulr = "x"/' good.toml > /etc/svm-agent/agent.toml
systemctl restart svm-agent 2> /dev/null && fail "it started with wrong settings"
[ "$(systemctl show -P ExecMainStatus svm-agent)" = 78 ] || fail "exit code"
told=$(systemctl status svm-agent --no-pager) || true
echo "$told"
echo "$told" | as_documented stopped
journal -p err | grep -q "unknown setting .ulr." || fail "the journal does not have it as an error"
svm-agent config check 2> /dev/null && fail "config check"
svm-agent status 2>&1 | grep -q "/etc/svm-agent/agent.toml:2: unknown setting .ulr.; did you mean .url." || fail "status does not say why nobody answers"
svm-agent permit database-updates || fail "the permit went"
# Clients in the meantime start it only once.
failures() { journal | grep -c 'status=78/CONFIG' || true; }
before=$(failures)
for _ in 1 2 3; do curl -sf -m 5 --unix-socket /run/svm-agent/query.sock http://svm-agent/v1/status > /dev/null && fail "who answers with a status?"; done
until_true '[ "$(systemctl is-active svm-agent)" = failed ]'
[ $(($(failures) - before)) -le 3 ] || fail "it loops: $(($(failures) - before)) starts for three that asked"
[ "$(systemctl is-active svm-agent-query.socket svm-agent.socket | sort -u)" = active ] || fail "the sockets are closed"
cp good.toml /etc/svm-agent/agent.toml
systemctl restart svm-agent || fail "mended, it does not start"
svm-agent status | grep -q SUB-1 || fail "the key went"

say "killed, it comes back"
restarts=$(systemctl show -P NRestarts svm-agent)
systemctl kill -s KILL svm-agent
svm-agent permit database-updates || fail "the permit went with the agent"
until_true '[ "$(systemctl show -P NRestarts svm-agent)" = $((restarts + 1)) ] && svm-agent status | grep -q SUB-1'

say "hung, it is ended and comes back"
[ "$(systemctl show -P WatchdogUSec svm-agent)" = 4min ] || fail "the unit has no watchdog: $(systemctl show -P WatchdogUSec svm-agent)"
mkdir -p /etc/systemd/system/svm-agent.service.d
printf '[Service]\nWatchdogSec=2\n' > /etc/systemd/system/svm-agent.service.d/watchdog.conf
systemctl daemon-reload && systemctl restart svm-agent
restarts=$(systemctl show -P NRestarts svm-agent)
systemctl kill -s STOP --kill-who=main svm-agent
until_true '[ "$(systemctl show -P NRestarts svm-agent)" = $((restarts + 1)) ] && svm-agent status | grep -q SUB-1'
journal | grep -q "Watchdog timeout" || fail "not by the watchdog"
journal | grep "Watchdog timeout\|signal=\|status=6"
svm-agent permit database-updates || fail "the permit went with the agent"

say "removed: no gate stays behind, and what was gated runs"
printf '[Service]\nType=oneshot\nExecStart=/bin/echo the update ran\n' > /etc/systemd/system/updater.service
printf '[Service]\nType=oneshot\nExecStart=/bin/echo the look-up ran\n' > /etc/systemd/system/lookup.service
systemctl daemon-reload
svm-agent gate install updater.service && svm-agent gate install lookup.service --resource ksn
svm-agent key remove SUB-1
systemctl start updater && ! journalctl -u updater -o cat --no-pager | grep -q 'update ran$' || fail "not held to the permit"
mkdir -p /etc/svm-agent/conf.d && echo > /etc/svm-agent/conf.d/mine.toml
mkdir -p /etc/systemd/system/svm-agent-update.service.d && echo '[Service]' > /etc/systemd/system/svm-agent-update.service.d/override.conf
echo mine > /etc/polkit-1/rules.d/50-svm-agent-updater.service.rules
doc_remove > removal 2>&1 && fail "removed, and a file that is not ours is taken for a gate's"
grep -q "svm-agent was not removed, because its gates could not be removed" removal || fail "$(cat removal)"
[ "$(systemctl is-active svm-agent)" = active ] || fail "it is not removed, and does not run"
rm /etc/polkit-1/rules.d/50-svm-agent-updater.service.rules
doc_remove > removal 2>&1 || fail "$(cat removal)"
[ "$(find /etc -name '50-svm-agent*' | wc -l)" = 0 ] || fail "gates are left"
[ "$(systemctl list-units --no-legend 'svm-agent*' | wc -l)" = 0 ] || fail "units are left: $(systemctl list-units --no-legend 'svm-agent*')"
pidof svm-agent && fail "it runs"
[ ! -e /run/svm-agent ] || fail "permits of an agent that is gone"
[ ! -L /run/motd.d/50-svm-agent ] || fail "the link for logins is left"
systemctl start updater lookup
[ "$(journalctl -u updater -u lookup -o cat --no-pager | grep -c ' ran$')" = 2 ] || fail "what was gated does not run"
[ -e /var/lib/svm-agent/agent.db ] && [ -e /etc/svm-agent/agent.toml ] && [ -e /etc/svm-agent/conf.d/mine.toml ] || fail "removal is no purge"

say "purged: nothing is left"
doc_purge > /dev/null 2>&1
left=$(find / -xdev -name '*svm-agent*' -not -path '/proc/*' -not -path '/src/*')
[ -z "$left" ] || fail "left: $left"
left=$(find /run /etc /var /tmp -name '*svm-agent*')
[ -z "$left" ] || fail "left: $left"
getent passwd svm-agent | grep -q nologin || fail "the user"
cd /src && doc_collector > /dev/null 2>&1
apt-get purge -y svm-collector > /dev/null 2>&1
left=$(find / -xdev -name '*svm-collector*' -not -path '/src/*'); [ -z "$left" ] || fail "left: $left"

say "and again; from the package to the first event"
doc_collector > /dev/null 2>&1
mkdir -p /etc/svm-agent/conf.d
(cd /srv/root && doc_token)
printf '[destinations.console]\nurl = "http://127.0.0.1:8480/v1/events"\ntoken_file = "/etc/svm-agent/console.token"\n' > /etc/svm-agent/conf.d/console.toml
install -m 640 -g svm-agent /srv/root/console.token /etc/svm-agent/
begun=$(milliseconds)
dpkg -i ./svm-agent_*.deb > /dev/null 2>&1
installed=$(milliseconds)
until_true 'collected | grep -q svm.agent.started'
took=$(($(milliseconds) - begun))
echo "dpkg -i took $((installed - begun)) ms; from its beginning to the first event at the collector: $took ms"
[ $took -lt 5000 ] || fail "the first event took $took ms"
[ "$(systemctl is-active svm-agent)" = active ] || fail "installed again, it does not run"

say "without systemd, as where an image is made"
apt-get remove -y svm-agent > /dev/null 2>&1
mv /run/systemd/system /run/systemd/not-here
dpkg -i ./svm-agent_*.deb > /srv/told 2>&1 || fail "$(cat /srv/told)"
mv /run/systemd/not-here /run/systemd/system
[ "$(systemctl is-enabled svm-agent)" = enabled ] || fail "not enabled"
systemctl daemon-reload && systemctl start svm-agent || fail "it does not start"
say "done"

# Run inside a booted system, from /src: one subscription's life as the journal tells it. Its dates are moved so that it
# takes half a minute; what is printed between the marks is in docs/reference/logs.md.
say() { echo "== $*"; }
fail() { echo "FAILED: $*"; journalctl -u svm-agent --no-pager | tail -60; exit 1; }
until_true() { for _ in $(seq 200); do if eval "$1"; then return; fi; sleep 0.1; done; fail "in vain: $1"; }
FAKE=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1
# The vendor as it was so many days ago, and what it published taken in.
vendor() { days=$1; shift; (cd /srv/vendor && LD_PRELOAD=$FAKE FAKETIME=-$((days * 86400))s svm-vendor --ledger ledger --signing-key key.pem "$@"); }
publish() { (cd /srv/vendor && svm-vendor --ledger ledger publish published > /dev/null); }
in_seconds() { date -u -d "@$(( $(date +%s) + $1 ))" +%FT%TZ; }
told() { journalctl -u svm-agent -o cat --no-pager "SVM_EVENT=$1" | grep -q "${2:-.}"; }
# The field of the newest entry with an event.
field() { journalctl -u svm-agent -o json --no-pager "SVM_EVENT=$1" | tail -1 | sed -n "s/.*\"$2\":\"\([^\"]*\)\".*/\1/p"; }

say "install"
cd /src
eval "$INSTALL" 2> /dev/null
mkdir -p /srv/vendor /etc/svm-agent/conf.d && cd /srv/vendor
vendor 3 keygen --iss provider.example --name Example > /dev/null
cp ledger/trust.d/*.pem /etc/svm-agent/trust.d/ && chmod 644 /etc/svm-agent/trust.d/*.pem
mkdir published
svm-vendor --ledger ledger serve published --listen 127.0.0.1:8099 > /dev/null 2>&1 &
cat > /etc/svm-agent/conf.d/10-vendor.toml <<'TOML'
[source]
url = "http://127.0.0.1:8099"
interval = "1s"
urgent_interval = "1s"
TOML
cat > /etc/systemd/system/long.service <<'UNIT'
[Service]
ExecStart=/bin/sleep 1000
UNIT
cat > /etc/systemd/system/updater.service <<'UNIT'
[Service]
Type=oneshot
ExecStart=/bin/true
UNIT
systemctl daemon-reload
svm-agent gate install updater.service > /dev/null
svm-agent gate install --ksn --not-listening long.service > /dev/null
systemctl restart svm-agent

say "a subscription's life"
since=$(date '+%F %T')
sleep 1
systemctl restart svm-agent
code=$(vendor 3 issue --key-id SUB-0001 --ends-at "$(in_seconds 9)" --grace-days 1 --devices 10 | grep -oE '([A-Z0-9]{5}-){3}[A-Z0-9]{5}' | head -1)
publish
svm-agent activate "$code"
systemctl start long
until_true 'told subscription.expired'
end=$(( $(date +%s) + 6 ))
vendor 1 renew SUB-0001 --earlier --ends-at "$(date -u -d "@$(( end - 86400 ))" +%FT%TZ)" > /dev/null
publish; svm-agent refresh > /dev/null
until_true 'told subscription.status_changed "is restricted"'
until_true '[ "$(systemctl is-active long)" = inactive ]'
until_true 'told enforcement.changed "KSN is stopped"'
vendor 0 renew SUB-0001 --days 30 > /dev/null
publish; svm-agent refresh > /dev/null
until_true 'told unit.started && told subscription.renewed'
until_true 'told enforcement.changed "updates are allowed" || told enforcement.changed "updates.*full"'
sleep 1
echo "---- transcript"
journalctl -u svm-agent --no-pager -o short --no-hostname --since "$since"
echo "---- end"

say "fields"
[ "$(field subscription.renewed SVM_KEY)" = SUB-0001 ] || fail "SVM_KEY"
[ "$(field subscription.status_changed PRIORITY)" = 6 ] || fail "PRIORITY of info"
[ "$(field subscription.expired PRIORITY)" = 3 ] || fail "PRIORITY of an error"
[ "$(field agent.ready SYSLOG_IDENTIFIER)" = svm-agent ] || fail "SYSLOG_IDENTIFIER"
[ "$(field agent.ready MESSAGE)" = "svm-agent $(svm-agent --version | cut -d " " -f 2) is ready" ] || fail "MESSAGE"
[ "$(field agent.ready _TRANSPORT)" = journal ] || fail "the line took another way"
id=$(field agent.ready MESSAGE_ID)
grep -q -- "^-- $id\$" /src/systemd/svm-agent.catalog || fail "MESSAGE_ID $id is not in the catalogue"
printf '[destinations.console]\nurl = "http://127.0.0.1:9/"\n' > /etc/svm-agent/conf.d/20-dead.toml
svm-agent reload > /dev/null
until_true '[ "$(field delivery.fails SVM_DESTINATION)" = console ]'
[ "$(field delivery.fails PRIORITY)" = 4 ] || fail "PRIORITY of a warning"
[ "$(field delivery.fails SVM_CODE)" = unreachable ] || fail "SVM_CODE"

say "explained"
journalctl -x -u svm-agent --no-pager | grep -q "Subject: delivery to console fails" || fail "journalctl -x does not explain"
[ "$(journalctl --list-catalog 2> /dev/null | grep -c "svm-agent: ")" = "$(grep -c '^-- ' /src/systemd/svm-agent.catalog)" ] || fail "entries of the catalogue"

say "the level changes at run time"
printf '[log]\nlevel = "debug"\n' > /etc/svm-agent/conf.d/30-log.toml
svm-agent reload > /dev/null
svm-agent report > /dev/null
until_true '[ "$(field agent.report PRIORITY)" = 7 ]'
journalctl -u svm-agent --no-pager -o cat | grep -q 'connected to' && fail "a library talks"

say "no field has a secret"
printf '[destinations.console]\nurl = "http://127.0.0.1:9/?planted-in-a-query"\ntoken_file = "/run/token"\n' > /etc/svm-agent/conf.d/20-dead.toml
echo planted-token > /run/token && chmod 644 /run/token
svm-agent reload > /dev/null
svm-agent report > /dev/null
until_true 'told settings.changed token_file'
[ -n "$code" ] && journalctl --sync
journalctl -o export --no-pager | grep -a -i -e planted- -e "$code" -e "$(echo "$code" | tr -d -)" && fail "the journal has a secret"
[ "$(systemctl show -P LimitCORE svm-agent)" = 0 ] || fail "a crash would leave memory behind"

say "where standard error leads elsewhere, lines go there"
printf '[Service]\nStandardError=file:/run/agent.log\n' > /run/systemd/system/x.conf; mkdir -p /run/systemd/system/svm-agent.service.d
mv /run/systemd/system/x.conf /run/systemd/system/svm-agent.service.d/file.conf
systemctl daemon-reload; systemctl restart svm-agent
until_true 'grep -q "is ready event=.agent.ready." /run/agent.log'
rm /run/systemd/system/svm-agent.service.d/file.conf; systemctl daemon-reload; systemctl restart svm-agent

say "a journal that is away holds nobody up"
systemctl stop systemd-journald.socket systemd-journald-dev-log.socket systemd-journald 2> /dev/null
svm-agent devices set 5 > /dev/null
svm-agent status > /dev/null || fail "the agent hangs"
systemctl start systemd-journald.socket systemd-journald
svm-agent devices set 11 > /dev/null
until_true 'told devices.limit'
say "done"

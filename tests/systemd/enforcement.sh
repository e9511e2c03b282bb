# Run inside a booted system, from /src: an updater on a timer, a long one, and a client behind the gateway, through a
# subscription's life: what the journal says of them is compared with the permit. The agent is in its sandbox throughout.
say() { echo "== $* ($(date +%T))"; }
fail() { echo "FAILED: $*"; journalctl -o short-precise --no-pager -u svm-agent -u updater -u long -u client -u polkit | grep -v "looked up" | tail -${LINES_SHOWN:-90}; svm-agent status --explain; exit 1; }
until_true() { for _ in $(seq ${2:-100}); do if eval "$1"; then return; fi; sleep 0.1; done; fail "in vain: $1"; }
unit() { cat > "/etc/systemd/system/$1"; }
# The time of the last journal line of a unit with these words, in microseconds; 0 where there is none.
last() { journalctl -u "$1" -o short-unix --no-pager | awk -v w="$2" 'index($0, w) { t = $1 } END { printf "%.0f\n", t * 1000000 }'; }
count() { journalctl -u "$1" -o cat --no-pager | grep -c -- "$2" || true; }
us() { date +%s%6N; }
sleep_until() { while [ "$(us)" -lt "$1" ]; do sleep 0.02; done; }
FAKE=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1
vendor() { (cd /srv/vendor && svm-vendor --ledger ledger --signing-key key.pem "$@" > /dev/null); }
# The vendor as it was a day ago: a grace of a day is over in seconds.
yesterday() { (cd /srv/vendor && LD_PRELOAD=$FAKE FAKETIME=-86400s svm-vendor --ledger ledger --signing-key key.pem "$@" > /dev/null); }
take_in() { (cd /srv/vendor && svm-vendor --ledger ledger publish published > /dev/null && svm-agent key add published/v1/keys/*.jws); }
# A revision whose grace is over in so many seconds: DEADLINE, in microseconds.
lapse_in() {
  end=$(( $(date +%s) + $1 ))
  DEADLINE=$(( end * 1000000 ))
  yesterday renew SUB-1 --earlier --ends-at "$(date -u -d "@$(( end - 86400 ))" +%FT%TZ)"
  take_in
}
events() { svm-agent events list --limit 1000 --json | grep -c "\"type\":\"$1\"" || true; }

say "install"
cd /src
eval "$INSTALL" 2> /dev/null
mkdir -p /srv/vendor /etc/svm-agent/conf.d && cd /srv/vendor
cat > /etc/svm-agent/conf.d/10-ksn.toml <<'TOML'
[gateway]
upstreams = ["127.0.0.1:13199"]
[actions.note]
resource = "ksn"
look_every = "10s"
repairs_per_hour = 2
TOML
mkdir -p /etc/svm-agent/actions
cat > /etc/svm-agent/actions/note <<'SH'
#!/bin/sh
if svm-agent permit ksn > /dev/null; then want=on; else want=off; fi
[ "$(cat /var/tmp/ksn 2> /dev/null)" = $want ] && exit 0
echo $want > /var/tmp/ksn
exit 10
SH
chmod 755 /etc/svm-agent/actions/note
vendor keygen --iss provider.example --name Example
cp ledger/trust.d/*.pem /etc/svm-agent/trust.d/ && chmod 644 /etc/svm-agent/trust.d/*.pem
svm-agent config check > /dev/null
systemctl restart svm-agent

unit upstream.service <<'UNIT'
[Service]
ExecStart=/usr/bin/socat TCP-LISTEN:13199,bind=127.0.0.1,fork,reuseaddr EXEC:/bin/cat
UNIT
unit updater.service <<'UNIT'
[Unit]
StartLimitIntervalSec=0
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo the update ran'
UNIT
unit updater.timer <<'UNIT'
[Timer]
OnCalendar=*:*:0/2
AccuracySec=10ms
Persistent=yes
UNIT
unit long.service <<'UNIT'
[Service]
ExecStart=/bin/sh -c 'echo the long one began; exec sleep 1000'
UNIT
unit client.service <<'UNIT'
[Service]
ExecStart=/bin/bash -c 'while sleep 0.1; do if exec 3<>/dev/tcp/127.0.0.1/13111 && echo hi >&3 && read -t 2 word <&3; then echo looked up; else echo refused; fi; exec 3<&-; done 2> /dev/null'
UNIT
systemctl daemon-reload
svm-agent gate install updater.service > /dev/null
svm-agent gate install long.service > /dev/null
systemctl start upstream client
svm-agent gate install --ksn client.service > /dev/null
systemctl start updater.timer
sleep 2.5
[ "$(count updater 'the update ran')" = 0 ] || fail "an update ran without a key"
systemctl show -P ActiveState client | grep -q inactive || fail "a client runs without a key"
until_true '[ "$(events enforcement.failed)" = 0 ]'

say "activated, in its grace"
end=$(( $(date +%s) + 6 )); DEADLINE=$(( end * 1000000 ))
yesterday issue --key-id SUB-1 --ends-at "$(date -u -d "@$(( end - 86400 ))" +%FT%TZ)" --grace-days 1 --devices 10
take_in
svm-agent status | grep -q "in its grace period: its end date has passed" || fail "not in grace"
until_true '[ "$(count updater "the update ran")" -ge 1 ] && [ "$(count client "looked up")" -ge 1 ] && [ "$(cat /var/tmp/ksn)" = on ]'
systemctl start long
svm-agent status --explain | grep -q "Database updates: allowed, .*Carried out by long.service, updater.service" || fail "not explained"
# A look-up that lasts.
bash -c 'exec 3<>/dev/tcp/127.0.0.1/13111; echo a >&3; read -r a <&3; read -r a <&3; date +%s%6N > /tmp/closed' 2> /dev/null &

say "it lapses: skipped, stopped, refused at that instant"
sleep_until $(( DEADLINE + 3000000 ))
[ "$(last updater 'the update ran')" -lt "$DEADLINE" ] || fail "an update ran after the lapse"
[ "$(last client 'looked up')" -lt $(( DEADLINE + 500000 )) ] || fail "a look-up after the lapse"
[ "$(cat /tmp/closed)" -gt $(( DEADLINE - 500000 )) ] && [ "$(cat /tmp/closed)" -lt $(( DEADLINE + 500000 )) ] || fail "the look-up that lasted was closed at $(cat /tmp/closed), not at $DEADLINE"
for name in long client; do
  systemctl show -P ActiveState $name | grep -q inactive || fail "$name was not stopped"
  stopped=$(last $name "Deactivated successfully")
  [ "$stopped" -gt $(( DEADLINE - 500000 )) ] && [ "$stopped" -lt $(( DEADLINE + 1000000 )) ] || fail "$name was stopped at $stopped, not at $DEADLINE"
done
systemctl start updater || fail "a skip is no failure"
journalctl -u updater -o cat --no-pager | grep -q "refused, the unit is not started: stopped: the subscription is restricted (grace over)" || fail "the journal does not say why it was skipped"
[ "$(cat /var/tmp/ksn)" = off ] || fail "the action"
until_true 'journalctl -u svm-agent -o cat --no-pager | grep -q "database updates are stopped; enforced by long.service, updater.service"'
until_true 'journalctl -u svm-agent -o cat --no-pager | grep -q "the use of KSN is stopped; enforced by client.service, the gateway, the action note"'
svm-agent status --explain | grep -q "Last asked by updater.service at .*: refused" || fail "who asked last"
curl -s --unix-socket /run/svm-agent/query.sock http://a/metrics | grep -q 'svm_agent_gateway_closed_total{reason="permit"} [1-9]' || fail "metrics"

say "renewed: each is started once"
yesterday renew SUB-1 --days 30
take_in
until_true '[ "$(count long "the long one began")" = 2 ] && [ "$(last client "looked up")" -gt "$DEADLINE" ]'
until_true '[ "$(last updater "the update ran")" -gt $(( DEADLINE + 3000000 )) ] && [ "$(cat /var/tmp/ksn)" = on ]'
journalctl -u svm-agent -o cat --no-pager | grep -q "the permit is restored: started " || fail "not told"

say "what an action sets is undone by somebody else"
repaired() { [ "$(cat /var/tmp/ksn)" = on ]; }
echo off > /var/tmp/ksn
until_true repaired 150
until_true '[ "$(events enforcement.repaired)" = 1 ]'
echo off > /var/tmp/ksn
until_true repaired 150
until_true '[ "$(events enforcement.failed)" = 1 ]'
echo off > /var/tmp/ksn
sleep 11
repaired && fail "it is set again more often than it may be"
journalctl -u svm-agent -o cat --no-pager | grep -q "something undoes what the action note sets" || fail "the fight is not told"
[ "$(events enforcement.repaired)" = 1 ] || fail "told more than once"
curl -s --unix-socket /run/svm-agent/control.sock -X POST http://a/v1/enforcement/look > /dev/null; sleep 1
repaired && fail "a look at everything sets it again"
svm-agent status | grep -q "^KSN .*something undoes what the action note sets" || fail "the fight is shown as over"
say "an action that fails is tried again, and told once"
# The fight is forgotten with the agent.
systemctl restart svm-agent
until_true repaired
sed -i '2i [ ! -e /var/tmp/broken ] || { echo the switch is stuck; exit 3; }' /etc/svm-agent/actions/note
touch /var/tmp/broken
look() { curl -s --unix-socket /run/svm-agent/control.sock -X POST http://a/v1/enforcement/look > /dev/null; }
look
until_true '[ "$(events enforcement.failed)" = 2 ]'
svm-agent status | grep -q "^KSN .*the action note fails: exit-code (exit code 3): the switch is stuck" || fail "the status does not say why"
sleep 4
[ "$(events enforcement.failed)" = 2 ] || fail "told more than once"
rm /var/tmp/broken
until_true '! svm-agent status | grep -q "the action note fails"' 200
journalctl -u svm-agent -o cat --no-pager | grep -q "allowing KSN works again" || fail "that it is over is not told"

rm /etc/svm-agent/conf.d/10-ksn.toml && printf '[gateway]\nupstreams = ["127.0.0.1:13199"]\n' > /etc/svm-agent/conf.d/10-ksn.toml

say "upgraded while everything runs: no permit is lost"
(while [ ! -e /tmp/enough ]; do svm-agent permit ksn > /tmp/said && svm-agent permit database-updates --take > /tmp/said || cat /tmp/said >> /tmp/lost; done) > /tmp/loop 2>&1 &
cp /usr/bin/svm-agent /usr/bin/svm-agent.new && mv /usr/bin/svm-agent.new /usr/bin/svm-agent
for _ in $(seq 8); do systemctl restart svm-agent; done
systemctl kill -s KILL svm-agent
until_true '[ "$(systemctl show -P ActiveState svm-agent)" = active ] && svm-agent status > /dev/null 2>&1'
touch /tmp/enough; wait $! || true
[ ! -e /tmp/lost ] || fail "a permit was refused: $(cat /tmp/lost)"
[ "$(count long 'the long one began')" = 2 ] || fail "started once more, for nothing"

say "hung over the deadline"
lapse_in 4
systemctl is-active long > /dev/null || fail "long does not run"
sleep_until $(( DEADLINE - 1000000 ))
systemctl kill -s STOP svm-agent
# One that asked before the deadline needs no answer: its permit is full until then.
sleep_until $(( DEADLINE - 300000 ))
systemctl start --no-block updater
sleep_until $(( DEADLINE + 1500000 ))
systemctl start updater || fail "a skip is no failure"
[ "$(last updater 'the update ran')" -lt "$DEADLINE" ] || fail "an update ran with the permit of an agent that hangs"
systemctl kill -s CONT svm-agent
until_true 'systemctl show -P ActiveState long | grep -q inactive'
until_true 'svm-agent status | grep -q "restricted: its term ended and its grace period is over"'

say "killed over the deadline"
yesterday renew SUB-1 --days 30; take_in
until_true '[ "$(count long "the long one began")" = 3 ]'
mkdir -p /run/systemd/system/svm-agent.service.d
printf '[Service]\nRestart=no\n' > /run/systemd/system/svm-agent.service.d/no.conf && systemctl daemon-reload
lapse_in 4
# A question would start it again through its sockets.
systemctl stop svm-agent.socket svm-agent-query.socket 2> /dev/null
systemctl kill -s KILL svm-agent
sleep_until $(( DEADLINE + 1000000 ))
[ "$(last updater 'the update ran')" -lt "$DEADLINE" ] || fail "an update ran with the permit of a dead agent"
systemctl is-active long > /dev/null || fail "who stopped it?"
rm /run/systemd/system/svm-agent.service.d/no.conf; systemctl daemon-reload; systemctl reset-failed svm-agent; systemctl start svm-agent
until_true 'systemctl show -P ActiveState long | grep -q inactive'
journalctl -u svm-agent -o cat --no-pager | tail -20 | grep -q "is restricted: its term ended and its grace period is over" || fail "not told"

say "its clock is set back over the deadline"
yesterday renew SUB-1 --days 30; take_in
until_true '[ "$(count long "the long one began")" = 4 ]'
echo "+0" > /run/fake
printf '[Service]\nEnvironment=LD_PRELOAD=%s FAKETIME_TIMESTAMP_FILE=/run/fake FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1\n' $FAKE > /run/systemd/system/svm-agent.service.d/fake.conf
systemctl daemon-reload && systemctl restart svm-agent
lapse_in 4
echo "-7200" > /run/fake
sleep_until $(( DEADLINE + 1500000 ))
systemctl start updater || fail "a skip is no failure"
[ "$(last updater 'the update ran')" -lt "$DEADLINE" ] || fail "an update ran: the clock was set back"
until_true 'systemctl show -P ActiveState long | grep -q inactive'
echo "+0" > /run/fake
rm /run/systemd/system/svm-agent.service.d/fake.conf; systemctl daemon-reload; systemctl restart svm-agent

say "stopped, and the permit does not count without the agent"
yesterday renew SUB-1 --days 30; take_in
until_true '[ "$(count long "the long one began")" = 5 ]'
printf '[enforcement]\nwhen_agent_is_down = "stopped"\n' > /etc/svm-agent/conf.d/20-down.toml
systemctl restart svm-agent
systemctl stop updater.timer
systemctl start updater
before=$(count updater 'the update ran')
systemctl stop svm-agent svm-agent.socket svm-agent-query.socket
systemctl start updater
[ "$(count updater 'the update ran')" = "$before" ] || fail "an update ran without the agent"
systemctl start svm-agent
until_true '[ "$(count updater "the update ran")" -gt "$before" ]'

say "over a reboot there is no permit until the agent says so"
systemctl stop svm-agent svm-agent.socket svm-agent-query.socket
rm -r /run/svm-agent
svm-agent permit ksn && fail "a permit from before the boot"
systemctl start svm-agent
svm-agent permit ksn || fail "no permit after the boot"

say "taken away"
svm-agent gate remove --all > /dev/null
systemctl stop svm-agent; systemctl start updater
[ "$(systemctl show -P Result updater)" = success ] || fail "still gated"
say "done"

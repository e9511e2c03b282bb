# Run inside a booted system, from /src: what goes wrong around the agent, one thing after the other: systemd that does not
# answer, permission that is taken away, a full disk, a unit and an action that do not obey.
say() { echo "== $* ($(date +%T))"; }
fail() { echo "FAILED: $*"; svm-agent updates status; journalctl -o short-precise -u svm-agent --no-pager | tail -60; exit 1; }
until_true() { for _ in $(seq "${2:-150}"); do if eval "$1"; then return; fi; sleep 0.1; done; fail "in vain: $1"; }
# seen NAME [TENTHS]: the agent wrote this line.
seen() { until_true "journalctl -u svm-agent SVM_EVENT=$1 -o cat --no-pager | grep -q ." "${2:-150}"; }
UPDATE=/etc/systemd/system/svm-agent-update.service.d/test.conf
# updater COMMAND: what an update does from now on.
updater() { printf '[Service]\nExecCondition=\nExecCondition=+/usr/libexec/svm-agent/gate /run/svm-agent database-updates %%n\nExecStart=\nExecStart=/bin/sh -c "%s"\n' "$1" > $UPDATE; systemctl daemon-reload; }
settled() { until_true 'svm-agent updates status --json | grep -q "\"running_since\":null"' 300; }
run() { settled; svm-agent updates run || fail "updates run"; }
agent() { printf "[Service]\n$1\n" > /etc/systemd/system/svm-agent.service.d/fault.conf; systemctl daemon-reload; systemctl restart svm-agent; }
FAKE=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1
FAKED="Environment=LD_PRELOAD=$FAKE FAKETIME_TIMESTAMP_FILE=/run/fake FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1"

say "install, on a small disk"
mkdir -p /var/lib/svm-agent /etc/svm-agent/conf.d /etc/svm-agent/actions /etc/systemd/system/svm-agent.service.d $(dirname $UPDATE) /srv/vendor
mount -t tmpfs -o size=8m,mode=700 tmpfs /var/lib/svm-agent
cat > /etc/svm-agent/conf.d/test.toml <<'TOML'
[log]
level = "debug"
[enforcement]
stop_timeout = "2s"
[updates]
timeout = "3s"
random_delay = "0s"
[actions.switch]
resource = "ksn"
look_every = "10s"
TOML
printf '#!/bin/sh\n[ ! -e /var/tmp/stuck ] || { echo the switch is stuck; exit 3; }\n' > /etc/svm-agent/actions/switch
chmod 755 /etc/svm-agent/actions/switch
cd /src
eval "$INSTALL" > /dev/null 2>&1
cd /srv/vendor
svm-vendor --ledger ledger --signing-key key.pem keygen --iss provider.example --name Example > /dev/null
svm-vendor --ledger ledger --signing-key key.pem issue --key-id SUB-1 --days 30 --grace-days 7 > /dev/null
svm-vendor --ledger ledger publish published > /dev/null
install -m 644 ledger/trust.d/*.pem /etc/svm-agent/trust.d/
activate() { svm-agent key add /srv/vendor/published/v1/keys/*.jws > /dev/null; }
echo +0 > /run/fake
agent "$FAKED"
activate
until_true 'svm-agent status --explain | grep -q "Carried out by .*the action switch"'

say "an action that fails while it is looked after"
touch /var/tmp/stuck
seen action.fails
# Carried out anew meanwhile, it is the same outage.
for _ in 1 2 3; do curl -s --unix-socket /run/svm-agent/control.sock -X POST http://a/v1/enforcement/look > /dev/null; sleep 0.5; done
# More than ten minutes later.
echo +660 > /run/fake
seen action.still_fails 250
rm /var/tmp/stuck
seen action.works 250
[ "$(journalctl -u svm-agent -o cat --no-pager SVM_EVENT=action.fails + SVM_EVENT=enforcing.fails | grep -c .)" = 1 ] || fail "one outage is logged as several"

say "a unit that ignores SIGTERM is killed"
cat > /etc/systemd/system/stubborn.service <<'UNIT'
[Service]
ExecStart=/bin/sh -c 'trap "" TERM; echo I stay; while :; do sleep 1; done'
UNIT
systemctl daemon-reload
svm-agent gate install stubborn.service > /dev/null
systemctl start stubborn
until_true 'journalctl -u stubborn -o cat --no-pager | grep -q "I stay"'
svm-agent key remove SUB-1 > /dev/null
seen unit.killed
until_true 'systemctl show -P ActiveState stubborn | grep -q -e failed -e inactive'
systemctl disable --now stubborn 2> /dev/null || true
svm-agent gate remove stubborn.service > /dev/null
activate

say "systemd does not answer while an update runs"
updater "sleep 2"
run
chmod 600 /run/dbus/system_bus_socket
seen update.unseen
chmod 666 /run/dbus/system_bus_socket
settled
[ "$(svm-agent updates status --json | grep -c '"last_succeeded_at":"')" = 1 ] || fail "it is not seen to succeed"

say "polkit lets it start an update, and not end it"
updater "exec sleep 1000"
run
mv /usr/share/polkit-1/rules.d/50-svm-agent.rules /root
seen update.not_ended 200
mv /root/50-svm-agent.rules /usr/share/polkit-1/rules.d
until_true '! systemctl is-active -q svm-agent-update && ! systemctl show -P ActiveState svm-agent-update | grep -q activating' 300
settled

say "somebody else updates when a slot comes"
updater "sleep 100"
printf '[updates]\nschedule = ["* * * * *"]\n' > /etc/svm-agent/conf.d/schedule.toml
systemctl reload svm-agent
systemctl start --no-block svm-agent-update
seen update.foreign 700
systemctl stop svm-agent-update
rm /etc/svm-agent/conf.d/schedule.toml; systemctl reload svm-agent

say "the disk is full when an update ends; the result is reported after a restart"
updater "sleep 2"
run
dd if=/dev/zero of=/var/lib/svm-agent/ballast bs=4k 2> /dev/null || true
for count in $(seq 200); do svm-agent devices set $((count % 4 * 10 + 1)) > /dev/null 2>&1 || true; done
seen update.not_kept
rm /var/lib/svm-agent/ballast
gpasswd -d svm-agent systemd-journal > /dev/null
systemctl restart svm-agent
until_true '[ "$(svm-agent events list --limit 1000 --json | grep -c updates.succeeded)" = 2 ]'

say "the journal may not be read"
updater "echo no server; exit 3"
run
seen update.journal_unreadable
svm-agent updates status | grep -q "it ended with exit status 3" || fail "nor what it ended with"

say "a kernel that tells of no steps"
agent "SystemCallFilter=~timerfd_create\nSystemCallErrorNumber=ENOSYS"
seen clock.steps_unseen
svm-agent status > /dev/null || fail "it does not run without"
say "done"

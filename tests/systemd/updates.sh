# Run inside a booted system, from /src: database updates as the agent runs them. Each part has its own updater.
say() { echo "== $*"; }
fail() { echo "FAILED: $*"; svm-agent updates status; svm-agent events list | tail -5; journalctl -u svm-agent -u other --no-pager | cut -c 1-300 | tail -60; journalctl -u systemd-journald --no-pager | tail -5; exit 1; }
until_true() { for _ in $(seq "${2:-200}"); do if eval "$1"; then return; fi; sleep 0.1; done; fail "in vain: $1"; }
log() { journalctl -u svm-agent --no-pager -o cat; }
has() { log | grep -q "$1"; }
gate='ExecCondition=+/usr/libexec/svm-agent/gate /run/svm-agent database-updates %n'
# updater UNIT COMMAND [LINE]...: what the unit does.
updater() {
  unit=$1; printf '%s\n' "$2" > /usr/local/bin/updater; chmod 755 /usr/local/bin/updater; shift 2
  mkdir -p "/etc/systemd/system/$unit.service.d"
  { echo '[Service]'; echo 'ExecCondition='; echo "$gate"
    echo 'ExecStart='; echo 'ExecStart=/bin/sh /usr/local/bin/updater'; for line; do echo "$line"; done
  } > "/etc/systemd/system/$unit.service.d/test.conf"
  systemctl daemon-reload
  # So many starts in a few seconds are none of a unit's own.
  systemctl reset-failed "$unit" 2> /dev/null || true
}
run() { svm-agent updates run || fail "updates run"; }
failed() { svm-agent updates status --json | grep -q "\"last_failed\":{\"at\":\"[^\"]*\",\"code\":\"$1\""; }
forget() { systemctl stop svm-agent-update other 2>/dev/null || true; systemctl reset-failed 2>/dev/null || true; }
events() { svm-agent events list --limit 1000 --json | grep -c "\"$1\"" || true; }
settle() { until_true 'svm-agent updates status --json | grep -q "\"running_since\":null"'; }

say "install"
cd /src
eval "$INSTALL"
mkdir -p /etc/svm-agent/conf.d
cat > /etc/svm-agent/conf.d/test.toml <<'TOML'
[enforcement]
stop_timeout = "2s"
[updates]
timeout = "6s"
random_delay = "0s"
databases_file = "/var/lib/bases"
TOML
systemctl restart svm-agent
systemctl show -P ExecCondition svm-agent-update | grep -q 'argv\[\]=/usr/libexec/svm-agent/gate /run/svm-agent database-updates svm-agent-update.service' || fail "the shipped unit has no gate"

say "no permit"
updater svm-agent-update 'echo updated; touch /var/lib/bases'
svm-agent updates run && fail "it ran without a permit"
svm-agent updates run --json | grep -q no_permit || fail "no_permit"
mkdir -p /srv/vendor && cd /srv/vendor
svm-vendor --ledger ledger --signing-key key.pem keygen --iss provider.example --name Example
cp -r ledger ledger2
svm-vendor --ledger ledger --signing-key key.pem issue --key-id SUB-1 --days 30 --grace-days 7 --devices 10 > /dev/null
svm-vendor --ledger ledger publish published
cp ledger/trust.d/*.pem /etc/svm-agent/trust.d/ && chmod 644 /etc/svm-agent/trust.d/*.pem
svm-agent key add published/v1/keys/*.jws > /dev/null

say "success"
run
until_true '[ "$(events updates.succeeded)" = 1 ]'
svm-agent updates status | grep -q "Databases  *of 20" || fail "the databases have no time"
svm-agent status | grep -q "^Databases  *of 20" || fail "the status does not tell of them"

say "failure, with what it said"
updater svm-agent-update 'echo first; printf "the \033[31mserver\033[0m said no\n" >&2; exit 3'
run
until_true 'failed exit_code'
has 'it ended with exit status 3' || fail "no exit status"
has 'failed database update: .*said no' || fail "no line of the journal"
until_true '[ "$(events updates.failed)" = 1 ]'

say "one that hangs"
updater svm-agent-update 'sleep 1000 & sleep 1000'
run
svm-agent updates run | grep -q "is running already" || fail "two at a time"
until_true 'failed timed_out'
systemctl is-active -q svm-agent-update && fail "it still runs"

say "one that ignores SIGTERM"
updater svm-agent-update 'trap "" TERM; echo stubborn; while :; do sleep 1; done' KillMode=mixed
run
until_true 'has "failed database update: .*stubborn" && svm-agent updates status --json | grep -q "\"running_since\":null"'
failed timed_out || fail "not timed_out"
systemctl show -P ActiveState svm-agent-update | grep -q -e inactive -e failed || fail "it still runs"

say "one that floods its journal, and one that says one endless line"
forget
before=$(systemctl show -P MainPID svm-agent)
# The endless line first: after the flood the journal drops lines of this unit for a while.
say "so many bytes: $FLOOD"
for flood in 'head -c 5000000 /dev/zero | tr "\0" x' 'yes flooding the journal with words | head -c '$FLOOD; do
  failures=$(events updates.failed)
  updater svm-agent-update "$flood; echo; echo the last word; exit 7" LogRateLimitIntervalSec=0
  run
  until_true '[ "$(events updates.failed)" = '$((failures + 1))' ]' 300
  settle
  failed timed_out || has 'failed database update: .*the last word' || fail "neither ended nor heard"
done
[ "$(systemctl show -P MainPID svm-agent)" = "$before" ] || fail "the agent ended"
echo "resident: $(grep VmHWM /proc/$before/status)"
[ "$(awk '/VmHWM/{print $2}' /proc/$before/status)" -lt 40000 ] || fail "it takes too much memory"

say "who else started it, has it"
updater svm-agent-update 'sleep 2'
systemctl start --no-block svm-agent-update
until_true 'systemctl show -P SubState svm-agent-update | grep -q start'
svm-agent updates run | grep -q "is running already" || fail "it was started twice"
forget

say "stopped by hand is not done"
done_before=$(events updates.succeeded)
updater svm-agent-update 'exec sleep 1000'
run
systemctl stop svm-agent-update
until_true 'failed stopped'

say "a gate that refuses is no failure"
failures=$(events updates.failed)
updater svm-agent-update 'echo never' ExecCondition=/bin/false
run
until_true 'has "refused the database update"'
settle

say "no gate"
printf '[Service]\nExecCondition=\nExecStart=\nExecStart=/bin/true\n' > /etc/systemd/system/svm-agent-update.service.d/test.conf; systemctl daemon-reload
svm-agent updates run --json | grep -q '"not_gated".*svm-agent gate install svm-agent-update.service' || fail "not_gated"
[ "$(events updates.failed)" = "$((failures + 1))" ] || fail "the gate's refusal was reported as a failure"

say "over a restart of the agent"
updater svm-agent-update 'sleep 3'
run
systemctl kill -s KILL svm-agent
until_true '[ "$(events updates.succeeded)" = '$((done_before + 1))' ]'
has "was already running when" || fail "it was not watched"

say "a question that is under way when the permit ends"
# change VERB: the key is blocked or resumed, and the agent knows it.
change() {
  svm-vendor --ledger ledger --signing-key key.pem "$1" SUB-1 > /dev/null
  svm-vendor --ledger ledger publish published
  svm-agent key add published/v1/keys/*.jws > /dev/null
}
asks() { systemctl show -P SubState svm-agent-update | grep -q condition; }
holds="ExecCondition=+/bin/sh -c 'touch /srv/asks; while [ -e /srv/asks ]; do sleep 0.1; done'"
# Asked after the block: the new permit answers, and nothing runs.
refusals=$(log | grep -c "refused the database update" || true)
updater svm-agent-update 'echo ran > /srv/ran; exec sleep 1000' ExecCondition= "$holds" "$gate"
run
until_true '[ -e /srv/asks ]'; asks || fail "it does not ask"
change block
rm /srv/asks
until_true '[ "$(log | grep -c "refused the database update")" -gt '$refusals' ]'
[ ! -e /srv/ran ] || fail "it ran, though it asked after the block"
change resume
# What was refused is started once with the permit, and asks first.
until_true '[ -e /srv/asks ]'; rm /srv/asks
until_true '[ -e /srv/ran ]'; rm /srv/ran
systemctl stop svm-agent-update; settle
# Answered before the block, and still under way: what begins after it is stopped.
withdrawn=$(log | grep -c "stopped, because its permit ended" || true)
updater svm-agent-update 'echo ran > /srv/ran; exec sleep 1000' "$holds"
run
until_true '[ -e /srv/asks ]'; asks || fail "it does not ask"
change block
rm /srv/asks
until_true '[ "$(log | grep -c "stopped, because its permit ended")" -gt '$withdrawn' ]'
systemctl show -P ActiveState svm-agent-update | grep -q -e inactive -e failed || fail "it runs without a permit"
rm -f /srv/ran
updater svm-agent-update 'exec sleep 1000'
change resume
until_true 'systemctl show -P SubState svm-agent-update | grep -q start'
systemctl stop svm-agent-update; settle

say "stopped, because its permit ended"
failures=$(events updates.failed); withdrawn=$(log | grep -c "stopped, because its permit ended" || true)
updater svm-agent-update 'exec sleep 1000'
run
# Until then its gate may ask, and would be refused by the new permit.
until_true 'systemctl show -P SubState svm-agent-update | grep -q start'
change block
until_true '[ "$(log | grep -c "stopped, because its permit ended")" -gt '$withdrawn' ]'
[ "$(events updates.failed)" = "$failures" ] || fail "it was reported as a failure"
[ "$(events updates.succeeded)" = "$((done_before + 1))" ] || fail "it was reported as a success"
svm-agent key remove SUB-1 > /dev/null
rm -r published
svm-vendor --ledger ledger2 --signing-key key.pem issue --key-id SUB-2 --days 30 > /dev/null
svm-vendor --ledger ledger2 publish published
svm-agent key add published/v1/keys/*.jws > /dev/null
svm-agent permit database-updates > /dev/null || fail "no permit again"
# It is started once now, as whatever was stopped with its permit.
until_true 'systemctl show -P SubState svm-agent-update | grep -q start'
systemctl stop svm-agent-update; settle

say "a trickle: one run a day"
svm-agent key remove SUB-2 > /dev/null
rm -r published
cp -r ledger2 ledger3 && rm -r ledger3/keys/*
svm-vendor --ledger ledger3 --signing-key key.pem issue --key-id SUB-3 --days 30 --after-grace-updates 1 > /dev/null
svm-vendor --ledger ledger3 --signing-key key.pem pause SUB-3 > /dev/null
svm-vendor --ledger ledger3 publish published
svm-agent key add published/v1/keys/*.jws > /dev/null
svm-agent status | grep -q 'reduced rate, 1 per day' || fail "not limited"
settle
# Counted in a file: after the flood, the journal may take no lines of this unit for half a minute.
updater svm-agent-update 'echo a trickle >> /srv/trickle'
trickle=$(events updates.succeeded); refusals=$(log | grep -c "refused the database update" || true)
run
until_true '[ "$(events updates.succeeded)" = '$((trickle + 1))' ]'
run
until_true '[ "$(log | grep -c "refused the database update")" -gt '$refusals' ]'
[ "$(wc -l < /srv/trickle)" = 1 ] || fail "the trickle was spent twice"
svm-agent status --explain | grep -q "spent until .*; the next run is possible then" || fail "the status does not say when"
svm-agent key remove SUB-3 > /dev/null
rm -r published
svm-vendor --ledger ledger2 publish published
svm-agent key add published/v1/keys/*.jws > /dev/null
settle
done_before=$(events updates.succeeded)

say "a unit of the schedule that cannot work is refused"
check() { printf '[updates]\nschedule = ["0 3 * * *"]\nunit = "%s"\n' "$1" > /tmp/check.toml; ! svm-agent --config /tmp/check.toml config check 2> /tmp/said || fail "config check takes $1"; grep -q "$2" /tmp/said || fail "config check of $1: $(cat /tmp/said)"; }
check svm-agent-updates.service 'the unit does not exist; did you mean "svm-agent-update.service"?'
check upstream-none.service 'the unit does not exist'
printf '[Service]\nType=oneshot\nExecStart=/bin/true\n' > /etc/systemd/system/open.service
check open.service 'svm-agent gate install open.service'
check kesl.service 'a unit of the protection itself'

say "a unit that nothing refers to, on a schedule, with databases that are old"
printf '[Service]\nType=oneshot\n' > /etc/systemd/system/other.service
updater other 'echo quick'
svm-agent gate install other.service > /dev/null
touch -d '10 days ago' /var/lib/bases
cat > /etc/svm-agent/conf.d/test2.toml <<'TOML'
[updates]
unit = "other.service"
schedule = ["* * * * *"]
time_zone = "Europe/Berlin"
TOML
systemctl restart svm-agent
until_true '[ "$(events databases.outdated)" = 1 ]'
svm-agent status | grep -q 'WARNING.*the databases are out of date' || fail "the device status does not tell"
until_true '[ "$(events updates.succeeded)" = '$((done_before + 1))' ]' 700
touch /var/lib/bases
updater other 'echo never' ExecCondition=/bin/false
run
until_true '[ "$(log | grep -c "refused the database update")" -ge 2 ]'
[ "$(events updates.failed)" = "$failures" ] || fail "a forgotten refusal was reported as a failure"
svm-agent status | grep -q 'the databases are out of date' && fail "the device status is still told"
[ "$(events databases.outdated)" = 1 ] || fail "told twice"
log | grep -q -e "Uninited" -e "Job creator" && fail "the library talks"
say "done"

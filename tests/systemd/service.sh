# Run inside a booted system, from /src: the agent installed as the README says, and lived with for a while.
say() { echo "== $*"; }
fail() { echo "FAILED: $*"; journalctl -u svm-agent -u job --no-pager | tail -40; exit 1; }
until_true() { for _ in $(seq 100); do if eval "$1"; then return; fi; sleep 0.1; done; fail "in vain: $1"; }

say "install"
cd /src
eval "$INSTALL"
systemctl is-active svm-agent
journalctl -u svm-agent --no-pager | grep -q "is ready" || fail "not ready"
[ "$(stat -c %a:%G /run/svm-agent/control.sock)" = 660:svm-agent ] || fail "control.sock"
[ "$(stat -c %a /run/svm-agent/query.sock)" = 666 ] || fail "query.sock"
[ "$(stat -c %a:%U /var/lib/svm-agent)" = 700:svm-agent ] || fail "state"
[ "$(find /var/lib/svm-agent -type f -perm /077 | wc -l)" = 0 ] || fail "open files in the state folder"

say "the doctor sees the service, and that nothing is trusted"
doctor() { code=0; svm-agent doctor > /tmp/doctor || code=$?; cat /tmp/doctor; }
doctor
[ $code = 5 ] || fail "the doctor ends with $code"
for line in "ok       svm-agent.service: is active" "ok       svm-agent.socket: is active" "FAILURE  signers: no provider is trusted" \
  "ok       /run/svm-agent/control.sock: mode 0660" "ok       database: opens and is intact" "WARNING  time service: none is active"; do
  grep -qF "$line" /tmp/doctor || fail "the doctor does not say: $line"
done
setpriv --reuid 65534 --regid 65534 --clear-groups svm-agent doctor | grep -q "database: not checked: only root" || fail "nobody sees the database"
setpriv --reuid 65534 --regid 65534 --clear-groups svm-agent check > /tmp/check && fail "check is OK"
grep -q "^SVM CRITICAL - device status critical: the SVM is not activated" /tmp/check || fail "check: $(cat /tmp/check)"

say "metrics as a file need leave"
mkdir -p /srv/metrics && chown svm-agent /srv/metrics
mkdir -p /etc/svm-agent/conf.d
printf '[metrics]\ntextfile = "/srv/metrics/svm-agent.prom"\nevery = "10s"\n' > /etc/svm-agent/conf.d/metrics.toml
systemctl restart svm-agent
until_true 'journalctl -u svm-agent --no-pager | grep -q "writing the metrics file fails: .*read-only"'
doctor
grep -qF "FAILURE  metrics.textfile: the agent does not write /srv/metrics/svm-agent.prom" /tmp/doctor || fail "the doctor does not see the sandbox"
mkdir -p /etc/systemd/system/svm-agent.service.d
printf '[Service]\nReadWritePaths=/srv/metrics\n' > /etc/systemd/system/svm-agent.service.d/metrics.conf
systemctl daemon-reload && systemctl restart svm-agent
until_true '[ -e /srv/metrics/svm-agent.prom ]'
[ "$(stat -c %a:%U /srv/metrics/svm-agent.prom)" = 644:svm-agent ] || fail "the file of metrics"
doctor
grep -qF "ok       metrics.textfile: /srv/metrics/svm-agent.prom was last written" /tmp/doctor || fail "the doctor does not see the file"

say "permits"
svm-agent permit ksn && fail "a permit without a key"
[ "$(tr -d - < /proc/sys/kernel/random/boot_id)" = "$(sed 's/.*"boot_id":"\([0-9a-f]*\)".*/\1/' /run/svm-agent/permits/ksn)" ] || fail "boot id"

say "activate without a network"
mkdir -p /srv/vendor && cd /srv/vendor
svm-vendor --ledger ledger --signing-key key.pem keygen --iss provider.example --name Example
svm-vendor --ledger ledger --signing-key key.pem issue --key-id SUB-1 --days 30 --grace-days 7 --devices 10 > /dev/null
svm-vendor --ledger ledger publish published
cp ledger/trust.d/*.pem /etc/svm-agent/trust.d/ && chmod 644 /etc/svm-agent/trust.d/*.pem
svm-agent key add published/v1/keys/*.jws
svm-agent permit database-updates

say "a job that asks the permit"
cat > /etc/systemd/system/job.service <<'UNIT'
[Service]
Type=oneshot
ExecCondition=+/usr/libexec/svm-agent/gate /run/svm-agent database-updates %n
ExecStart=/bin/echo the job ran
UNIT
systemctl start job && journalctl -u job --no-pager | grep -q "the job ran" || fail "the job did not run"

say "everyone may ask, few may change"
setpriv --reuid 65534 --regid 65534 --clear-groups svm-agent status > /dev/null || fail "nobody may not ask"
setpriv --reuid 65534 --regid 65534 --clear-groups svm-agent devices set 3 && fail "nobody may change"
svm-agent devices set 11 | grep -q "11 devices protected, 10 allowed: too many" || fail "devices"

say "killed, it comes back; stopped, permits stay"
systemctl kill -s KILL svm-agent
svm-agent permit database-updates || fail "the permit went with the agent"
until_true '[ "$(systemctl show -P NRestarts svm-agent)" = 1 ] && svm-agent status | grep -q SUB-1'
systemctl stop svm-agent
doctor
grep -qF "agent: is not running" /tmp/doctor || fail "the doctor does not see that it does not run"
[ "$(systemctl show -P ActiveState svm-agent)" = inactive ] || fail "the doctor started it"
svm-agent permit database-updates || fail "the permit went with the service"
systemctl start svm-agent

say "blocked by the vendor"
svm-vendor --ledger ledger --signing-key key.pem block SUB-1
svm-vendor --ledger ledger publish published
svm-agent key add published/v1/keys/*.jws
svm-agent permit database-updates && fail "a blocked key has a permit"
systemctl start job || fail "a refused job must be skipped, not failed"
[ "$(journalctl -u job --no-pager | grep -c 'the job ran')" = 1 ] || fail "the job ran without a permit"

say "a unit that is not enabled"
systemctl disable svm-agent 2> /dev/null
doctor
grep -qF "WARNING  svm-agent.service: is active, but not started at boot (disabled)" /tmp/doctor || fail "the doctor does not see it"

say "wrong settings end it once, with 78"
printf '[log]\nlevle = "info"\n' > /etc/svm-agent/agent.toml
systemctl restart svm-agent && fail "it started with wrong settings"
[ "$(systemctl show -P ExecMainStatus svm-agent)" = 78 ] || fail "exit code"
sleep 2
[ "$(systemctl show -P ActiveState svm-agent)" = failed ] || fail "it is restarted in vain"
told=$(journalctl -u svm-agent --no-pager | grep -c "agent.toml:2: unknown setting .levle.; did you mean .level." || true)
[ "$told" = 1 ] || fail "the log names it $told times"
doctor
[ "$(systemctl show -P ActiveState svm-agent)" = failed ] || fail "the doctor started it"
grep -qF "FAILURE  svm-agent.service: failed (exit-code), exit code 78" /tmp/doctor || fail "the doctor does not see that it failed"
grep -qF "did you mean" /tmp/doctor || fail "nor why"

say "a client of an agent with wrong settings gets the reason, and cannot make its sockets fail"
mark=$(date +%s) told=0
for _ in $(seq 60); do
  if setpriv --reuid 65534 --regid 65534 --clear-groups curl -s -m 8 --unix-socket /run/svm-agent/query.sock http://a/v1/status > /tmp/asked
  then grep -q bad_settings /tmp/asked && told=$((told + 1)) || fail "a client gets another answer: $(cat /tmp/asked)"
  fi
done
starts=$(journalctl -u svm-agent --since "@$mark" -o cat --no-pager | grep -c "Starting svm-agent" || true)
# The agent ends after a while, and who asks at that very instant is cut off.
[ $((60 - told)) -le $((starts + 1)) ] || fail "of 60 clients $told got the reason, within $starts starts"
took=$(($(date +%s) - mark))
[ "$starts" -le $((took / 4 + 2)) ] || fail "started $starts times within $took s"
for socket in svm-agent.socket svm-agent-query.socket; do
  [ "$(systemctl show -P ActiveState $socket)" = active ] || fail "$socket is $(systemctl show -P ActiveState $socket)"
done
: > /etc/svm-agent/agent.toml
until_true 'setpriv --reuid 65534 --regid 65534 --clear-groups svm-agent status > /dev/null'
systemctl is-active svm-agent || fail "it does not start once the settings are right"
say "done"

# Run inside a booted system, from /src: gated units, units that must not be gated, and what the agent may do.
say() { echo "== $*"; }
fail() { echo "FAILED: $*"; journalctl -u svm-agent -u updater -u long -u polkit -u probe --no-pager | tail -60; exit 1; }
until_true() { for _ in $(seq 100); do if eval "$1"; then return; fi; sleep 0.1; done; fail "in vain: $1"; }
unit() { cat > "/etc/systemd/system/$1"; }
# refused CODE WORDS ARGUMENTS...: a gate is refused, with this code and these words, and leaves nothing behind.
refused() {
  code=$1 words=$2; shift 2
  before=$(ls -R /etc/systemd/system /etc/polkit-1/rules.d)
  rc=0; told=$(svm-agent gate install --json "$@") || rc=$?
  [ "$rc" = 1 ] || fail "gate install $*: exit code $rc: $told"
  case $told in *"\"code\":\"$code\""*) ;; *) fail "gate install $*: not $code: $told" ;; esac
  case $told in *"$words"*) ;; *) fail "gate install $*: no '$words': $told" ;; esac
  [ "$(ls -R /etc/systemd/system /etc/polkit-1/rules.d)" = "$before" ] || fail "gate install $* left something"
}
conf() { echo "/etc/systemd/system/$1.d/50-svm-agent.conf"; }
rule() { echo "/etc/polkit-1/rules.d/50-svm-agent-$1.rules"; }

say "install"
cd /src
eval "$INSTALL" 2> /dev/null
mkdir -p /srv/vendor && cd /srv/vendor
svm-vendor --ledger ledger --signing-key key.pem keygen --iss provider.example --name Example > /dev/null
svm-vendor --ledger ledger --signing-key key.pem issue --key-id SUB-1 --days 30 --grace-days 7 --devices 10 > /dev/null
svm-vendor --ledger ledger publish published > /dev/null
cp ledger/trust.d/*.pem /etc/svm-agent/trust.d/ && chmod 644 /etc/svm-agent/trust.d/*.pem

unit updater.service <<'UNIT'
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo the update runs; exec sleep 1000'
UNIT
unit updater.timer <<'UNIT'
[Timer]
OnCalendar=yearly
UNIT
ln -s updater.service /etc/systemd/system/updater-alias.service
for name in long.service 'esc\x2dape@i\x2d1.service' late.service allows.service kesl.service kesl-part.service; do
  printf '[Service]\nExecStart=/bin/sleep 1000\n' | unit "$name"
done
ln -s kesl.service /etc/systemd/system/scanner.service
printf '[Unit]\nRequires=kesl-part.service\n' > /etc/systemd/system/kesl-middle.service
printf '[Service]\nExecStart=/bin/sleep 1000\n' >> /etc/systemd/system/kesl-middle.service
mkdir -p /etc/systemd/system/kesl.service.d && printf '[Unit]\nBindsTo=kesl-middle.service\n' > /etc/systemd/system/kesl.service.d/part.conf
printf '[Service]\nType=oneshot\nExecStart=/bin/true\nSuccessExitStatus=10 TEMPFAIL\n' | unit counts.service
printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStop=/bin/true\n' | unit empty.service
printf '[Unit]\nBefore=network.target\n[Service]\nExecStart=/bin/true\n' | unit early.service
printf 'nonsense\n' | unit broken.service
printf '[Service]\nExecStart=/bin/sleep 1000\n' | unit template@.service
ln -s /dev/null /etc/systemd/system/hidden.service
printf '[Service]\nExecStart=/bin/sleep 1000\nSockets=sock.socket\n' | unit sock.service
printf '[Socket]\nListenStream=/run/sock\n' | unit sock.socket
printf '[Service]\nExecStart=/usr/bin/socat TCP-LISTEN:8080,fork EXEC:/bin/cat\n' | unit listens.service
printf '[Service]\nExecStart=/usr/bin/socat TCP-LISTEN:8081,bind=127.0.0.1,fork EXEC:/bin/cat\n' | unit local.service
systemctl daemon-reload

say "refused"
refused not_a_service 'gate the service that it starts, updater.service' updater.timer
refused not_a_service 'gate the service that it starts, sock.service' sock.socket
refused not_a_service 'give the service that does the work' multi-user.target
refused bad_unit_name 'did you mean' updater
refused bad_unit_name 'must be' '../updater.service'
refused unit_not_found 'did you mean updater.service?' updaetr.service
refused unit_not_found 'did you mean template@7.service?' templaet@7.service
refused unit_not_found 'list-unit-files' quite-something-else.service
refused unit_masked 'unmask' hidden.service
refused unit_broken 'bad-setting' broken.service
refused unit_is_template 'template@1.service' template@.service
refused own_unit 'belongs to svm-agent' svm-agent.service
refused own_unit 'belongs to svm-agent' svm-agent-action@kesl-ksn.service
refused protection_unit 'protection_units' kesl.service
refused protection_unit 'protection_units' scanner.service
refused protection_unit 'protection_units' klnagent64.service
refused protection_follows 'would stop kesl.service' kesl-part.service
refused counts_75_as_success 'TEMPFAIL' counts.service
refused no_command 'ExecStart=' empty.service
refused starts_too_early 'Before=network.target' early.service
refused bad_resource '--ksn' long.service --ksn --resource database-updates
systemctl start listens local
refused unit_listens 'sock.socket' sock.service --ksn
until_true 'ss -ltn | grep -q :8080 && ss -ltn | grep -q :8081'
refused unit_listens 'tcp 0.0.0.0:8080 of process' listens.service --ksn
refused unit_not_running '--not-listening' long.service --ksn
mkdir -p /etc/systemd/system/late.service.d /etc/systemd/system/allows.service.d
printf '[Service]\nExecCondition=\n' > /etc/systemd/system/late.service.d/90-other.conf
printf '[Service]\nIPAddressAllow=10.0.0.0/8\n' > /etc/systemd/system/allows.service.d/90-other.conf
systemctl daemon-reload
refused gate_undone '/etc/systemd/system/late.service.d/90-other.conf' late.service
refused gate_undone '10.0.0.0/8' allows.service --ksn --not-listening
[ -z "$(systemctl show -P ExecCondition late.service)" ] || fail "systemd was not told that it is gone"
printf '[log]\nlevle = "info"\n' > /etc/svm-agent/conf.toml; rc=0
svm-agent --config /etc/svm-agent/conf.toml gate install long.service 2> /dev/null || rc=$?; [ "$rc" = 78 ] || fail "wrong settings: $rc"
rc=0; told=$(setpriv --reuid 65534 --regid 65534 --clear-groups svm-agent gate install long.service 2>&1) || rc=$?
[ "$rc" = 1 ] && echo "$told" | grep -q "only root may" || fail "nobody may gate: $rc $told"
[ "$(svm-agent gate list)" = "No service is gated. To gate one: svm-agent gate install UNIT" ] || fail "an empty list"

say "gated, and again"
told=$(umask 077; svm-agent gate install updater-alias.service)
echo "$told" | grep -q "^updater.service is gated: it starts only with a permit for database-updates" || fail "install: $told"
[ "$(stat -c %a "$(conf updater.service)" "$(rule updater.service)" /etc/systemd/system/updater.service.d | tr '\n' ' ')" = "644 644 755 " ] || fail "modes"
svm-agent gate install updater.service | grep -q "^Nothing changed: updater.service is gated already" || fail "again"
svm-agent gate install updater.service --resource ksn | grep -q "permit for ksn" || fail "another resource"
svm-agent gate install updater.service --json | grep -q '"changed":true' || fail "back"
rm "$(rule updater.service)"
svm-agent gate list | grep -q "rule is missing" || fail "a missing rule is not seen"
svm-agent gate install updater.service | grep -q "is gated:" || fail "not completed"
rm -r /etc/systemd/system/updater.service.d && systemctl daemon-reload
svm-agent gate install updater.service | grep -q "is gated:" || fail "not completed"
svm-agent gate install 'esc\x2dape@i\x2d1.service' > /dev/null || fail "a name with escapes"
svm-agent gate install local.service --ksn | grep -q "permit for ksn, this machine only" || fail "ksn"
svm-agent gate install long.service --ksn --not-listening > /dev/null || fail "ksn of one that does not run"
systemctl stop local
svm-agent gate install local.service --ksn | grep -q "Nothing changed" || fail "idempotent though it does not run"
printf '[Service]\nExecCondition=\n' > /etc/systemd/system/long.service.d/90-other.conf && systemctl daemon-reload
svm-agent gate list --json | grep -q '"why":"another file of the unit replaces ExecCondition="' || fail "undone later"
rm /etc/systemd/system/long.service.d/90-other.conf && systemctl daemon-reload
want='[{"in_force":true,"ksn":false,"resource":"database-updates","rule":true,"unit":"esc\\x2dape@i\\x2d1.service","why":null},{"in_force":true,"ksn":true,"resource":"ksn","rule":true,"unit":"local.service","why":null},{"in_force":true,"ksn":true,"resource":"ksn","rule":true,"unit":"long.service","why":null},{"in_force":true,"ksn":false,"resource":"database-updates","rule":true,"unit":"updater.service","why":null}]'
[ "$(svm-agent gate list --json)" = "$want" ] || fail "list: $(svm-agent gate list --json)"
setpriv --reuid 65534 --regid 65534 --clear-groups svm-agent gate list | grep -q "long.service .* in force; .*only root can see" || fail "everyone may list"

say "held to the permit"
# Started, it keeps its service loaded: of one that is unloaded again, systemd forgets how it ended.
systemctl start updater.timer
systemctl start updater || fail "a refused unit must be skipped, not failed"
[ "$(systemctl show -P Result updater)" = exec-condition ] || fail "not skipped"
[ "$(systemctl show -P ActiveState updater)" = inactive ] || fail "not inactive"
svm-agent key add /srv/vendor/published/v1/keys/*.jws > /dev/null
systemctl start --no-block updater
until_true '[ "$(systemctl show -P ActiveState updater)" = activating ] && journalctl -u updater --no-pager | grep -q "the update runs"'

say "what the agent may do, in its sandbox"
sed -e 's|^ExecStart=.*|ExecStart=/bin/sh -c "systemctl --quiet --no-ask-password $$(cat /run/probe)"|' -e 's/^Type=.*/Type=oneshot/' \
  -e '/^Sockets=/d;/^Restart/d;/^RuntimeDirectory/d;/^StateDirectory/d;/^Wants=/d;/^After=/d;/^\[Install\]/,$d' \
  -e 's|^User=|StandardError=truncate:/run/probe.err\n&|' /usr/lib/systemd/system/svm-agent.service | unit probe.service
systemctl daemon-reload
agent() { printf '%s\n' "$*" > /run/probe; chmod 644 /run/probe; systemctl start probe 2> /dev/null; }
until_true 'agent stop updater.service'
until_true '[ "$(systemctl show -P ActiveState updater)" = inactive ]'
[ "$(systemctl show -P Result updater)" = success ] || fail "to be stopped is no failure: $(systemctl show -P Result updater)"
agent start --no-block updater.service || fail "start"
until_true '[ "$(systemctl show -P ActiveState updater)" = activating ]'
agent kill --signal=KILL updater.service || fail "kill"
until_true '[ "$(systemctl show -P ActiveState updater)" = failed ]'
agent start --no-block updater-alias.service || fail "by its alias"
agent stop updater.service || fail "stop"
agent start --no-block 'esc\x2dape@i\x2d1.service' || fail "start of a name with escapes"
until_true '[ "$(systemctl show -P ActiveState "esc\\x2dape@i\\x2d1.service")" = active ]'
for other in "stop listens.service" "start late.service" "kill listens.service" "restart updater.service" "try-restart listens.service" \
  "reset-failed updater.service" "set-property --runtime updater.service CPUWeight=5" daemon-reload "mask updater.service" \
  'start esc\x2dape@other.service' "stop svm-agent.service" "start template@updater.service" "start svm-agent-action@a.b.service" \
  "start svm-agent-action@$(printf '%041d' 0).service" "restart svm-agent-action@ends-10.service"; do
  agent "$other" && fail "the agent may $other"
  grep -q "authentication required" /run/probe.err || fail "$other is not refused, but fails: $(cat /run/probe.err)"
done
systemctl is-active --quiet listens || fail "another unit was stopped"

say "actions"
mkdir -p /etc/svm-agent/actions
printf '#!/bin/sh\necho "in $LC_ALL, at $STATE_DIRECTORY"; touch "$STATE_DIRECTORY/x" || exit 1; exit ${0##*-}\n' > /etc/svm-agent/actions/ends-10
chmod 755 /etc/svm-agent/actions/ends-10 && cp /etc/svm-agent/actions/ends-10 /etc/svm-agent/actions/ends-4
agent start svm-agent-action@ends-10.service || fail "the agent may not start an action"
ended() { cat "/run/svm-agent-actions/$1/ended"; }
setpriv --reuid svm-agent --regid svm-agent --clear-groups cat /run/svm-agent-actions/ends-10/ended | grep -Eqx "success 10 [0-9a-f]{32}" || fail "10 is no failure: $(ended ends-10)"
journalctl -u svm-agent-action@ends-10 --no-pager | grep -q "in C, at /var/lib/svm-agent-actions" || fail "the environment of an action"
agent start svm-agent-action@ends-4.service && fail "4 is a failure"
[ "$(systemctl show -P ExecMainStatus svm-agent-action@ends-4)" = 4 ] || fail "exit code of an action"
ended ends-4 | grep -q "^exit-code 4 " || fail "how an action ended: $(ended ends-4)"
agent start svm-agent-action@nowhere.service && fail "an action that is not there"
ended nowhere | grep -q "^exit-code 203 " || fail "how an action ended that is not there: $(ended nowhere)"
cp /src/config/actions/kesl-ksn /etc/svm-agent/actions/
agent start svm-agent-action@kesl-ksn.service && fail "no kesl-control is no success"
journalctl -u svm-agent-action@kesl-ksn --no-pager | grep -q "there is no kesl-control" || fail "the recipe"

say "only this machine"
ip address add 10.9.9.9/32 dev lo
printf '[Service]\nType=oneshot\nExecStart=/usr/bin/socat -u OPEN:/dev/null TCP:10.9.9.9:8080,connect-timeout=2\n' | unit far.service
sed 's/10.9.9.9:8080/127.0.0.1:8080/' /etc/systemd/system/far.service | unit near.service
systemctl daemon-reload
systemctl start far near || fail "there is no network to cut off"
svm-agent gate install far.service --ksn --not-listening > /dev/null && svm-agent gate install near.service --ksn --not-listening > /dev/null
systemctl start far 2> /dev/null && fail "it reaches more than this machine"
systemctl start near || fail "it does not reach this machine"

say "removed"
rc=0; told=$(svm-agent gate remove updaetr.service 2>&1) || rc=$?
[ "$rc" = 1 ] && echo "$told" | grep -q "did you mean updater.service?" || fail "remove with a typing error: $rc $told"
svm-agent gate remove updater-alias.service | grep -q "updater.service is no longer gated" || fail "remove"
[ ! -e /etc/systemd/system/updater.service.d ] && [ ! -e "$(rule updater.service)" ] || fail "something is left"
[ -z "$(systemctl show -P ExecCondition updater)" ] || fail "still in force"
until_true '! agent start --no-block updater.service'
rm '/etc/systemd/system/esc\x2dape@i\x2d1.service' && systemctl daemon-reload
rm "$(conf far.service)"; rm "$(rule near.service)"
echo '[Service]' > /etc/systemd/system/late.service.d/50-svm-agent.conf
echo mine > "$(rule local.service)"
printf '[log]\nlevle = "info"\n' > /etc/svm-agent/agent.toml
systemctl stop svm-agent.service svm-agent.socket svm-agent-query.socket
rc=0; told=$(svm-agent gate remove --all 2>&1) || rc=$?
[ "$rc" = 1 ] && echo "$told" | grep -q "50-svm-agent-local.service.rules was not written by svm-agent gate.*; removed: esc.x2dape@i.x2d1.service, far.service, local.service, long.service, near.service" || fail "remove --all: $rc $told"
[ "$(find /etc/systemd/system -name '50-svm-agent*')" = /etc/systemd/system/late.service.d/50-svm-agent.conf ] || fail "drop-ins are left"
[ "$(ls /etc/polkit-1/rules.d)" = 50-svm-agent-local.service.rules ] || fail "rules are left"
rm "$(rule local.service)"
[ "$(svm-agent gate remove --all)" = "Nothing changed: no service is gated." ] || fail "remove --all with nothing"
[ "$(svm-agent gate remove --all --json)" = '{"remarks":[],"removed":[]}' ] || fail "the same as JSON"
say "done"

# Run inside a booted system, from /src: the user of a gated unit attacks the gate, and units are arranged so that governing
# them would stop the protection. /src/preload.so leaves /loaded-as-root where root loads it.
say() { echo "== $*"; }
fail() { echo "FAILED: $*"; svm-agent gate list; journalctl -u svm-agent -u victim -u svm-agent-update -u later -u la-scanserver --no-pager | tail -60; exit 1; }
until_true() { for _ in $(seq 150); do if eval "$1"; then return; fi; sleep 0.1; done; fail "in vain: $1"; }
unit() { cat > "/etc/systemd/system/$1"; }
sleeper() { printf '[Unit]\n%s\n[Service]\nExecStart=/bin/sleep 1000\n' "$2" | unit "$1"; }
refused() {
  code=$1 words=$2; shift 2
  before=$(ls -R /etc/systemd/system /etc/polkit-1/rules.d)
  rc=0; told=$(svm-agent gate install --json "$@") || rc=$?
  [ "$rc" = 1 ] || fail "gate install $*: exit code $rc: $told"
  case $told in *"\"code\":\"$code\""*"$words"* | *"$words"*"\"code\":\"$code\""*) ;; *) fail "gate install $*: not $code, $words: $told" ;; esac
  [ "$(ls -R /etc/systemd/system /etc/polkit-1/rules.d)" = "$before" ] || fail "gate install $* left something"
  protected "gate install $*"
}
protected() { systemctl is-active --quiet la-scanserver || fail "$1: the protection was stopped"; }
clean() { [ ! -e /loaded-as-root ] || fail "$1: root loaded what the unit's user named"; }

say "install"
cd /src
eval "$INSTALL" > /dev/null 2>&1
mkdir -p /srv/vendor && cd /srv/vendor
svm-vendor --ledger ledger --signing-key key.pem keygen --iss provider.example --name Example > /dev/null
svm-vendor --ledger ledger --signing-key key.pem issue --key-id SUB-1 --days 30 --grace-days 7 --devices 10 > /dev/null
svm-vendor --ledger ledger publish published > /dev/null
install -m 644 ledger/trust.d/*.pem /etc/svm-agent/trust.d/
sleeper la-scanserver.service '' && systemctl daemon-reload && systemctl start la-scanserver
useradd --system --create-home kesl 2> /dev/null || useradd kesl
mkdir -p /home/kesl/run/permits && cp /src/preload.so /opt/preload.so && chmod 644 /opt/preload.so
# A permit that kesl forges: of this boot, and good for years.
printf '{"resource":"database_updates","verdict":"full","rate":null,"phase":"active","cause":null,"until":"2099-01-01T00:00:00Z","until_boot_ms":99999999999999,"boot_id":"%s","written_at":"2026-01-01T00:00:00Z","when_agent_is_down":"last"}' \
  "$(tr -d - < /proc/sys/kernel/random/boot_id)" > /home/kesl/run/permits/database-updates
cat > /home/kesl/env <<'ENV'
SVM_AGENT__PATHS__RUNTIME_DIR=/home/kesl/run
SVM_AGENT__ENFORCEMENT__WHEN_AGENT_IS_DOWN=last
SVM_BOOT_ID=0
LD_PRELOAD=/opt/preload.so
LD_LIBRARY_PATH=/home/kesl
LD_AUDIT=/opt/preload.so
GCONV_PATH=/home/kesl
RUST_BACKTRACE=1
PATH=/home/kesl
ENV
chown -R kesl: /home/kesl
cat > /etc/systemd/system/victim.service <<'UNIT'
[Service]
Type=oneshot
User=kesl
EnvironmentFile=/home/kesl/env
ExecStart=/bin/sh -c 'echo it ran'
UNIT
systemctl daemon-reload
ran() { journalctl -u victim --no-pager -o cat | grep -c "it ran"; }

say "a gate as an older svm-agent installed it: the attack works, is reported, and is repaired"
mkdir -p /etc/systemd/system/victim.service.d
cat > /etc/systemd/system/victim.service.d/50-svm-agent.conf <<'CONF'
# svm-agent gate, form 1: written by `svm-agent gate install`, which writes over changes.
# Take it away with: svm-agent gate remove victim.service
[Unit]
After=svm-agent.service

[Service]
ExecCondition=+/usr/bin/svm-agent permit --take database-updates --unit %n
# Being stopped with its permit is no failure.
SuccessExitStatus=SIGTERM
CONF
systemctl daemon-reload
systemctl start victim
[ -e /loaded-as-root ] && [ "$(ran)" = 1 ] || fail "the attack is none: this test shows nothing"
rm -f /loaded-as-root
svm-agent gate list | grep -q "victim.service .* NOT IN FORCE: an older svm-agent installed it" || fail "gate list does not tell of it"
(svm-agent doctor || true) | grep -q "gate of victim.service.*older svm-agent" || fail "doctor does not tell of it"
systemctl restart svm-agent
until_true 'journalctl -u svm-agent --no-pager | grep -q "the gate of victim.service was installed by an older svm-agent"'
[ "$(svm-agent gate renew)" = "The gate of victim.service was installed again." ] || fail "renew"
[ "$(svm-agent gate renew --json)" = '{"renewed":[]}' ] || fail "renew twice"
svm-agent gate list | grep -q "victim.service .* NOT IN FORCE" && fail "renewed, and not in force"

say "the unit's user against the gate"
systemctl start victim || fail "a refused unit must be skipped, not failed"
[ "$(ran)" = 1 ] || fail "it ran"
clean "the gate"
svm-agent key add published/v1/keys/*.jws > /dev/null
systemctl start victim && until_true '[ "$(ran)" -ge 2 ]'
clean "the gate with a permit"

say "the unit's user against its files"
for setting in RootDirectory=/home/kesl 'BindPaths=/home/kesl:/usr/libexec' 'BindReadOnlyPaths=/home/kesl/run:/run/svm-agent' 'TemporaryFileSystem=/run' \
  'ExtensionDirectories=/home/kesl'; do
  printf '[Service]\n%s\n' "$setting" > /etc/systemd/system/victim.service.d/90-files.conf; systemctl daemon-reload
  svm-agent gate list | grep -q "victim.service .* NOT IN FORCE: ${setting%%=*}=" || fail "$setting is not told: $(svm-agent gate list)"
  svm-agent gate remove victim.service > /dev/null
  refused gate_undone "${setting%%=*}=" victim.service
  rm /etc/systemd/system/victim.service.d/90-files.conf; systemctl daemon-reload
  svm-agent gate install victim.service > /dev/null || fail "install again"
done
chown kesl /etc/systemd/system/victim.service.d
svm-agent gate list | grep -q "victim.service .* NOT IN FORCE: other users can change what root runs" || fail "a folder of kesl's is not told"
(svm-agent doctor || true) | grep -q "chown root /etc/systemd/system/victim.service.d" || fail "doctor does not tell of it"
refused gate_exposed 'chown root' victim.service
chown root /etc/systemd/system/victim.service.d
chmod o+w /usr/libexec/svm-agent/gate
refused gate_exposed 'chmod o-w' victim.service
chmod o-w /usr/libexec/svm-agent/gate

say "SIGTERM ends a gate that waits, with a refusal"
systemctl stop svm-agent.socket svm-agent-query.socket svm-agent
mkdir -p /run/hung/permits && printf '{"resource":"ksn","verdict":"limited","rate":1,"phase":"restricted","cause":null,"until":"2099-01-01T00:00:00Z","until_boot_ms":1,"boot_id":"","written_at":"2026-01-01T00:00:00Z","when_agent_is_down":"last"}' > /run/hung/permits/ksn
socat UNIX-LISTEN:/run/hung/control.sock,fork EXEC:'/bin/sleep 100' & listener=$!
until_true '[ -S /run/hung/control.sock ]'
/usr/libexec/svm-agent/gate /run/hung ksn a.service & gate=$!
sleep 0.5; kill -TERM $gate; rc=0; wait $gate || rc=$?
[ "$rc" = 75 ] || fail "SIGTERM: exit code $rc"
rc=0; began=$(date +%s); /usr/libexec/svm-agent/gate /run/hung ksn a.service || rc=$?
[ "$rc" = 75 ] && [ $(($(date +%s) - began)) -le 5 ] || fail "an agent that hangs: $rc"
kill $listener; systemctl start svm-agent.socket svm-agent-query.socket svm-agent

say "other steps of root's, after systemctl edit"
mkdir -p /etc/systemd/system/svm-agent-update.service.d /etc/systemd/system/svm-agent.service.d
printf '[Service]\nUser=kesl\nEnvironmentFile=/home/kesl/env\nExecStart=\nExecStart=/bin/sh -c true\n' > /etc/systemd/system/svm-agent-update.service.d/edit.conf
cp /home/kesl/env /var/lib/svm-agent/env && sed -i '/SVM_/d;/PATH/d' /var/lib/svm-agent/env && echo LD_PRELOAD=/opt/preload.so >> /var/lib/svm-agent/env
chown svm-agent: /var/lib/svm-agent/env
printf '[Service]\nEnvironmentFile=/var/lib/svm-agent/env\n' > /etc/systemd/system/svm-agent.service.d/edit.conf
systemctl daemon-reload
systemctl start svm-agent-update || fail "the shipped unit"
clean "the unit of updates"
rm -f /run/svm-agent/identity.json
systemctl restart svm-agent && until_true 'svm-agent status > /dev/null 2>&1'
tr '\0' '\n' < "/proc/$(systemctl show -P MainPID svm-agent)/environ" | grep -q '^LD_PRELOAD=/opt' || fail "the agent has none of it: this test shows nothing"
[ "$(stat -c %U /run/svm-agent/identity.json)" = root ] || fail "nothing was handed over"
clean "the agent's service"
rm /etc/systemd/system/svm-agent.service.d/edit.conf /etc/systemd/system/svm-agent-update.service.d/edit.conf; systemctl daemon-reload

say "one action against another"
echo whole > /etc/victim-file
printf '#!/bin/sh\nfor name in ended ended.new b b.new; do for folder in "$RUNTIME_DIRECTORY" "$RUNTIME_DIRECTORY/.." "$RUNTIME_DIRECTORY/../b" "$STATE_DIRECTORY/.."; do ln -s /etc/victim-file "$folder/$name"; done; done 2> /dev/null\nexit 0\n' > /etc/svm-agent/actions/a
printf '#!/bin/sh\necho mine > "$STATE_DIRECTORY/kept"\nexit 0\n' > /etc/svm-agent/actions/b
chmod 755 /etc/svm-agent/actions/a /etc/svm-agent/actions/b
mkdir -p /etc/systemd/system/svm-agent-action@a.service.d
printf '[Service]\nUser=kesl\n' > /etc/systemd/system/svm-agent-action@a.service.d/edit.conf; systemctl daemon-reload
for _ in 1 2; do systemctl start svm-agent-action@a || true; systemctl start svm-agent-action@b || fail "action b"; done
[ "$(cat /etc/victim-file)" = whole ] || fail "root wrote through a link of another action's"
grep -q "^success 0 " /run/svm-agent-actions/b/ended || fail "how b ended: $(ls -lR /run/svm-agent-actions)"
[ "$(stat -c %U /run/svm-agent-actions)" = root ] && [ "$(stat -c %U /run/svm-agent-actions/a)" = kesl ] || fail "whose folders"

say "what would stop the protection"
sleeper pst.service PropagatesStopTo=la-scanserver.service
sleeper conflicts.service Conflicts=la-scanserver.service
sleeper breaker.service Conflicts=la-scanserver.service
sleeper far.service Requires=breaker.service
sleeper onfailure.service OnFailure=breaker.service
sleeper onsuccess.service OnSuccess=far.service
sleeper isolates.service "$(printf 'OnFailure=multi-user.target\nOnFailureJobMode=isolate')"
sleeper reboots.service FailureAction=reboot
sleeper joins.service JoinsNamespaceOf=la-scanserver.service
sleeper part.service ''
sleeper middle.service "$(printf 'PartOf=part.service\nPropagatesStopTo=scanner-alias.service')"
ln -s la-scanserver.service /etc/systemd/system/scanner-alias.service
sleeper from.service ''
sleeper backwards.service ''
sleeper agent-too.service PropagatesStopTo=svm-agent.socket
sleeper usual.service "$(printf 'Wants=network-online.target\nRequires=usual-needs.service\nAfter=network.target')"
sleeper usual-needs.service ''
sleeper later.service ''
sleeper la-.service ''
mkdir -p /etc/systemd/system/la-scanserver.service.d
printf '[Unit]\nStopPropagatedFrom=from.service\nConflicts=backwards.service\n' > /etc/systemd/system/la-scanserver.service.d/relations.conf
systemctl daemon-reload
systemctl start la-scanserver
refused drop_ins_shared 'apply to every unit' la-.service
refused drop_ins_shared 'apply to every unit' la-@1.service
for name in pst conflicts far onfailure onsuccess joins part from backwards; do
  refused protection_follows 'would stop la-scanserver.service' $name.service
done
refused protection_follows 'OnFailureJobMode=isolate' isolates.service
refused protection_follows 'FailureAction=reboot' reboots.service
refused protection_follows 'would stop svm-agent.socket' agent-too.service
refused protection_unit 'never stopped' scanner-alias.service
for name in usual later; do svm-agent gate install $name.service > /dev/null || fail "a usual unit is refused: $(svm-agent gate install $name.service 2>&1)"; done
systemctl show -P DropInPaths la-scanserver | grep -q 50-svm-agent && fail "the protection is gated"

say "what changes after the gate was installed"
systemctl start usual later
printf '[Unit]\nPropagatesStopTo=la-scanserver.service\n' > /etc/systemd/system/later.service.d/90-later.conf; systemctl daemon-reload
svm-agent gate list | grep -q "later.service .* NOT IN FORCE: starting or stopping it would stop la-scanserver.service" || fail "gate list does not tell"
(svm-agent doctor || true) | grep -q "gate of later.service.*would stop la-scanserver.service" || fail "doctor does not tell"
svm-agent key remove SUB-1 > /dev/null
until_true '[ "$(systemctl show -P ActiveState usual)" = inactive ]'
until_true 'svm-agent events list --json | grep -q "enforcement.failed"'
svm-agent events list --json | grep "enforcement.failed" | grep -q "later.service was not stopped, because that would stop la-scanserver.service" || fail "why it runs on"
systemctl is-active --quiet later || fail "it was stopped"
protected "a lapse"
# A start that would stop it is not made either.
rm /etc/systemd/system/later.service.d/90-later.conf; systemctl daemon-reload
until_true '[ "$(systemctl show -P ActiveState later)" = inactive ]'
printf '[Unit]\nConflicts=la-scanserver.service\n' > /etc/systemd/system/later.service.d/90-later.conf; systemctl daemon-reload
svm-agent key add published/v1/keys/*.jws > /dev/null
until_true '[ "$(systemctl show -P ActiveState usual)" = active ]'
until_true 'svm-agent status --json | grep -q "later.service was not started, because that would stop la-scanserver.service"'
systemctl is-active --quiet later && fail "it was started"
protected "a renewal"
clean "the end"
say "done"

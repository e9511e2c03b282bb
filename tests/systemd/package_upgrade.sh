# Run inside a booted system, from /src: restarts, kills and upgrades of the package under load. A unit with a gate is started
# every 100 ms, and events flow: no start is refused, no event is lost, and edited settings stay.
say() { echo "== $* ($(date +%T))"; }
fail() { echo "FAILED: $*"; journalctl -o short-precise -u svm-agent --no-pager | tail -60; exit 1; }
until_true() { for _ in $(seq 300); do if eval "$1"; then return; fi; sleep 0.1; done; fail "in vain: $1"; }
# The ids of the events that a text of the collector's holds.
ids() { tr ',{' '\n\n' | sed -n 's/^"id":"\(0[0-9a-f-]*\)".*/\1/p'; }
# Those of the events that the agent has kept; of its reports only the latest waits.
kept() { svm-agent events list --limit 1000 --json | grep -v '"agent.report"' | sed -n 's/.*"id":"\([0-9a-f-]*\)".*/\1/p' | sort; }
# higher VERSION [COMMAND]: the package with a higher version, in /srv; COMMAND changes its files first.
higher() {
  rm -rf /srv/package && dpkg-deb -R /src/svm-agent_*.deb /srv/package
  sed -i "s/^Version: .*/Version: $1/" /srv/package/DEBIAN/control
  if [ -n "${2:-}" ]; then (cd /srv/package && eval "$2"); fi
  dpkg-deb -Znone --root-owner-group -b /srv/package "/srv/svm-agent_$1.deb" > /dev/null
}

say "install"
cd /src
printf '[tokens]\nrequired = false\n' > /srv/collector.toml
dpkg -i svm-collector_*.deb > /dev/null 2>&1
cp /srv/collector.toml /etc/svm-collector/collector.toml && systemctl restart svm-collector
eval "$INSTALL" > /dev/null 2>&1
mkdir -p /srv/vendor /srv/work && cd /srv/vendor
svm-vendor --ledger ledger --signing-key key.pem keygen --iss provider.example --name Example > /dev/null
svm-vendor --ledger ledger --signing-key key.pem issue --key-id SUB-1 --days 30 --grace-days 7 --devices 10 > /dev/null
svm-vendor --ledger ledger publish published > /dev/null
install -m 644 ledger/trust.d/*.pem /etc/svm-agent/trust.d/
# For nobody yet.
kept > /srv/work/before
printf '# edited\n[destinations.console]\nurl = "http://127.0.0.1:8480/v1/events"\n' > /etc/svm-agent/agent.toml
systemctl restart svm-agent
svm-agent key add published/v1/keys/*.jws > /dev/null
printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo ran >> /srv/work/ran"\n' > /etc/systemd/system/job.service
systemctl daemon-reload
svm-agent gate install job.service > /dev/null
systemctl start job && [ "$(wc -l < /srv/work/ran)" = 1 ] || fail "the gated unit does not run"
rm /srv/work/ran
higher 0.1.1-1
higher 0.1.2-1 'echo "# another default" >> etc/svm-agent/agent.toml'

say "the load"
cd /srv/work
touch go ran
# A start counts where the unit ran: a refused one is skipped, and succeeds as well.
( while [ -e go ]; do
    echo started >> tried; systemctl start job || echo failed >> failed; sleep 0.1
  done ) &
starter=$!
# The number of devices goes up and down over the limit: each answer says that its events are kept.
( count=11
  while [ -e go ]; do
    if svm-agent devices set $count --json > answer 2>> errors; then
      grep -o '"devices.limit"' answer >> answers || true; count=$((12 - count))
    else cat answer >> refusals; fi
    sleep 0.05
  done ) &
teller=$!
until_true '[ "$(wc -l < ran)" -ge 3 ]'
# Each at another moment of the load.
steps=0
settle() { before=$(wc -l < ran); until_true "[ \$(wc -l < ran) -ge $((before + ${1:-5})) ]"; steps=$((steps + 1)); }
for _ in 1 2 3 4 5; do systemctl restart svm-agent || fail "restart"; settle; done
for _ in 1 2 3; do systemctl kill -s KILL svm-agent; settle; done

say "a higher version, over a gate of an older one"
conf=/etc/systemd/system/job.service.d/50-svm-agent.conf
sed -i -e 's/gate, form 2:/gate, form 1:/' -e 's|^ExecCondition=.*|ExecCondition=+/usr/bin/svm-agent permit --take database-updates --unit %n|' $conf
systemctl daemon-reload; settle
pid=$(systemctl show -P MainPID svm-agent)
apt-get install -y ./../svm-agent_0.1.1-1.deb > told 2>&1 || fail "$(cat told)"
settle
[ "$(systemctl show -P MainPID svm-agent)" != "$pid" ] || fail "the old program runs on"
grep -qx 'ExecCondition=+/usr/libexec/svm-agent/gate /run/svm-agent database-updates %n' $conf || fail "the gate is not renewed: $(cat $conf)"
systemctl show -P ExecCondition job | grep -q 'argv\[\]=/usr/libexec/svm-agent/gate ' || fail "systemd has the old gate"
grep -q '^# edited' /etc/svm-agent/agent.toml || fail "the edited settings went"
[ "$(dpkg-query -W -f '${Version}' svm-agent)" = 0.1.1-1 ] || fail "version"
say "one whose settings changed as well: dpkg asks, and keeps ours"
echo | dpkg -i ../svm-agent_0.1.2-1.deb > told 2>&1 || fail "$(cat told)"
grep -q "Configuration file '/etc/svm-agent/agent.toml'" told || fail "dpkg does not ask: $(cat told)"
settle
grep -q '^# edited' /etc/svm-agent/agent.toml || fail "the edited settings went"
say "and back to the first"
echo | dpkg -i /src/svm-agent_*.deb > told 2>&1 || fail "$(cat told)"
settle
grep -q '^# edited' /etc/svm-agent/agent.toml || fail "the edited settings went"
say "a program that does not start: the package says so, the old permits hold"
higher 0.1.3-1 'printf "#!/bin/sh\nexit 1\n" > usr/bin/svm-agent-broken; chmod 755 usr/bin/svm-agent-broken; sed -i "s|^ExecStart=.*|ExecStart=/usr/bin/svm-agent-broken|" usr/lib/systemd/system/svm-agent.service'
dpkg -i ../svm-agent_0.1.3-1.deb > told 2>&1 || fail "the package is left half installed: $(cat told)"
grep -q "svm-agent is installed but does not run" told || fail "nobody says that it does not run: $(cat told)"
settle 2
dpkg -i /src/svm-agent_*.deb > told 2>&1 || fail "$(cat told)"
settle

say "what came of it"
rm go; wait $starter $teller
cat refusals errors 2> /dev/null | sort | uniq -c
cat refusals errors 2> /dev/null | grep "it does not run" && fail "the sockets were closed meanwhile"
[ ! -e failed ] || fail "$(wc -l < failed) starts failed"
tried=$(wc -l < tried) ran=$(wc -l < ran)
[ "$tried" = "$ran" ] || fail "$((tried - ran)) of $tried starts were refused: $(journalctl -u job --no-pager | grep -v 'Starting\|Finished\|Deactivated' | tail -5)"
# What was stored, and what the commands reported.
kept | comm -23 - before > told.ids
[ -s told.ids ] || fail "nothing was reported"
svm=$(svm-agent identity show --json | sed 's/.*"id":"\([^"]*\)".*/\1/')
collected() {
  after=0; : > page
  while [ "$after" != null ]; do
    curl -fsS "http://127.0.0.1:8480/v1/events?limit=1000&after=$after" > one && cat one >> page
    after=$(sed -n 's/.*"next":\([0-9a-z]*\).*/\1/p' one)
  done
  # A report names the SVM too.
  ids < page | grep -v "$svm" | sort > collected.ids
}
until_true 'collected; [ -z "$(comm -23 told.ids collected.ids)" ]'
[ "$(tr ',' '\n' < page | grep -c '"type":"svm.devices.limit"')" -ge "$(wc -l < answers)" ] || fail "an answer says kept of what the collector lacks"
[ "$(sort -u collected.ids | wc -l)" = "$(wc -l < collected.ids)" ] || fail "an event is at the collector twice"
curl -fsS http://127.0.0.1:8480/v1/svms > svms
grep -q '"missing":{"count":0' svms || fail "numbers are missing: $(cat svms)"
grep -q '"conflicts":{"count":0' svms || fail "conflicts: $(cat svms)"
echo "$steps restarts, kills and upgrades: $tried starts of a gated unit, none refused; $(wc -l < told.ids) events told, each at the collector once; $(wc -l < answers) commands answered"
say "done"

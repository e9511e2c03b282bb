# Run inside a booted system, from /src: the packaged agent in its sandbox with everything on, and after a while at rest its
# memory and its wake-ups. Prints them as `figure NAME VALUE`; `cargo bench --bench footprint -- --packages FOLDER` reads them.
say() { echo "== $*"; }
fail() { echo "FAILED: $*"; journalctl -u svm-agent --no-pager | tail -40; exit 1; }
until_true() { for _ in $(seq 300); do if eval "$1"; then return; fi; sleep 0.1; done; fail "in vain: $1"; }
# Of all threads, voluntary and not.
switches() { cat /proc/$pid/task/*/status | awk '/ctxt_switches/ { n += $2 } END { print n }'; }

say "install, with a schedule, a gateway, metrics as a file, a destination; the watchdog is on"
cd /src
dpkg -i svm-collector_*.deb > /dev/null 2>&1
printf '[tokens]\nrequired = false\n' > /etc/svm-collector/collector.toml && systemctl restart svm-collector
began=$(date +%s%N)
dpkg -i svm-agent_*.deb > /dev/null 2>&1
cat > /etc/svm-agent/conf.d/all.toml <<'TOML'
[updates]
schedule = ["30 3 * * *", "30 15 * * 1-5"]
time_zone = "Europe/Berlin"
[gateway]
upstreams = ["127.0.0.1:8480"]
[metrics]
textfile = "/var/lib/svm-agent/svm-agent.prom"
[destinations.console]
url = "http://127.0.0.1:8480/v1/events"
TOML
svm-agent gate install svm-agent-update.service > /dev/null 2>&1 || true
systemctl reload svm-agent
until_true 'curl -s http://127.0.0.1:8480/v1/svms | grep -q urn:svm'
echo "figure first_event_s $(( ($(date +%s%N) - began) / 10000000 ))e-2"
mkdir -p /srv/vendor && cd /srv/vendor
svm-vendor --ledger ledger --signing-key key.pem keygen --iss provider.example --name Example > /dev/null
svm-vendor --ledger ledger --signing-key key.pem issue --key-id SUB-1 --days 300 > /dev/null
svm-vendor --ledger ledger publish published > /dev/null
install -m 644 ledger/trust.d/*.pem /etc/svm-agent/trust.d/
svm-agent key add published/v1/keys/*.jws > /dev/null
for n in $(seq 100); do svm-agent devices set $n > /dev/null; done
until_true 'svm-agent events list --waiting --json | grep -qv . || [ -z "$(svm-agent events list --waiting --json)" ]'
[ -s /var/lib/svm-agent/svm-agent.prom ] || fail "no metrics"
[ "$(systemctl show -P WatchdogUSec svm-agent)" != 0 ] || fail "no watchdog"
began=$(date +%s%N); for n in $(seq 50); do svm-agent status > /dev/null; done
echo "figure status_ms $(( ($(date +%s%N) - began) / 50000000 ))"
say "at rest"
sleep "${SETTLE:-45}"
pid=$(systemctl show -P MainPID svm-agent)
before=$(switches); sleep "${REST:-120}"; after=$(switches)
echo "figure packaged_wakeups_per_min $(awk "BEGIN { print ($after - $before) * 60 / ${REST:-120} }")"
echo "figure packaged_pss_mb $(awk '/^Pss:/ { print $2 * 1024 / 1e6 }' /proc/$pid/smaps_rollup)"
say "done"

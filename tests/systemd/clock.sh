# Run inside a booted system, from /src: the schedule of updates while the agent's clock is stepped. It looks once a minute.
say() { echo "== $* ($(date +%T))"; }
fail() { echo "FAILED: $*"; svm-agent updates status; journalctl -u svm-agent -u svm-agent-update --no-pager | tail -40; exit 1; }
until_true() { for _ in $(seq 800); do if eval "$1"; then return; fi; sleep 0.1; done; fail "in vain: $1"; }
runs() { journalctl -u svm-agent-update -o cat --no-pager | grep -c "an update" || true; }
FAKE=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1
# In UTC: the hour after next, on the hour.
slot=$(( ($(date +%s) / 3600 + 2) * 3600 ))
say "install: an update each day at $(date -u -d @$slot +%H:%M)"
cd /src
eval "$INSTALL" 2> /dev/null
mkdir -p /etc/svm-agent/conf.d /etc/systemd/system/svm-agent-update.service.d /etc/systemd/system/svm-agent.service.d /srv/vendor
printf '[updates]\nschedule = ["0 %d * * *"]\nrandom_delay = "0s"\n' "$(date -u -d @$slot +%-H)" > /etc/svm-agent/conf.d/u.toml
printf '[Service]\nExecStart=\nExecStart=/bin/echo an update\n' > /etc/systemd/system/svm-agent-update.service.d/test.conf
echo "+0" > /run/fake
printf '[Service]\nEnvironment=LD_PRELOAD=%s FAKETIME_TIMESTAMP_FILE=/run/fake FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1\n' $FAKE > /etc/systemd/system/svm-agent.service.d/fake.conf
systemctl daemon-reload; systemctl restart svm-agent
cd /srv/vendor
svm-vendor --ledger ledger --signing-key key.pem keygen --iss provider.example --name Example > /dev/null
svm-vendor --ledger ledger --signing-key key.pem issue --key-id SUB-1 --days 30 > /dev/null
svm-vendor --ledger ledger publish published > /dev/null
cp ledger/trust.d/*.pem /etc/svm-agent/trust.d/ && chmod 644 /etc/svm-agent/trust.d/*.pem
svm-agent key add published/v1/keys/*.jws > /dev/null
[ "$(runs)" = 0 ] || fail "too early"

say "forward, over the slot: one missed run"
echo "+10800" > /run/fake
until_true '[ "$(runs)" = 1 ]'

say "back, before the slot, and forward over it again: nothing is run twice"
echo "+0" > /run/fake; sleep 65
echo "+10800" > /run/fake; sleep 65
[ "$(runs)" = 1 ] || fail "run twice"

say "forward by a day: the next one"
echo "+97200" > /run/fake
until_true '[ "$(runs)" = 2 ]'
say "done"

# Run inside a booted system that is booted twice over one disk, from /src: the permit is over while it is down.
say() { echo "== $* ($(date +%T))"; }
fail() { echo "FAILED: $*"; journalctl -o short-precise --no-pager -u svm-agent -u updater -u long | tail -60; svm-agent status --explain; exit 1; }
until_true() { for _ in $(seq 150); do if eval "$1"; then return; fi; sleep 0.1; done; fail "in vain: $1"; }
FAKE=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1
yesterday() { (cd /srv/vendor && LD_PRELOAD=$FAKE FAKETIME=-86400s svm-vendor --ledger ledger --signing-key key.pem "$@" > /dev/null); }
take_in() { (cd /srv/vendor && svm-vendor --ledger ledger publish published > /dev/null && svm-agent key add published/v1/keys/*.jws > /dev/null); }
began() { cat /srv/began 2> /dev/null | wc -l; }

if [ ! -e /srv/vendor ]; then
  say "the first boot: a long unit runs, and the grace ends soon"
  cd /src
  eval "$INSTALL" 2> /dev/null
  mkdir -p /srv/vendor
  (cd /srv/vendor && svm-vendor --ledger ledger --signing-key key.pem keygen --iss provider.example --name Example > /dev/null)
  cp /srv/vendor/ledger/trust.d/*.pem /etc/svm-agent/trust.d/ && chmod 644 /etc/svm-agent/trust.d/*.pem
  printf '[Service]\nExecStart=/bin/sh -c "echo began >> /srv/began; exec sleep 1000"\n[Install]\nWantedBy=multi-user.target\n' > /etc/systemd/system/long.service
  systemctl daemon-reload
  svm-agent gate install long.service > /dev/null
  end=$(( $(date +%s) + 8 ))
  yesterday issue --key-id SUB-1 --ends-at "$(date -u -d "@$(( end - 86400 ))" +%FT%TZ)" --grace-days 1
  take_in
  systemctl enable --now long 2> /dev/null
  until_true '[ "$(began)" = 1 ]'
  echo $end > /srv/end
  [ "$(date +%s)" -lt $end ] || fail "too slow"
  sync
else
  say "the second boot: no permit from before"
  until_true 'svm-agent status > /dev/null 2>&1'
  [ "$(date +%s)" -ge "$(cat /srv/end)" ] || fail "too early"
  # Its gate may still ask.
  until_true 'systemctl show -P ActiveState long | grep -q inactive'
  [ "$(systemctl show -P Result long)" = exec-condition ] || fail "it was not skipped"
  [ "$(began)" = 1 ] || fail "it ran"
  journalctl -u long -o cat --no-pager | grep -q "refused" || fail "it did not ask at the boot"
  svm-agent status | grep -q "restricted: its term ended and its grace period is over" || fail "not restricted"
  svm-agent events list --json | grep -q '"type":"enforcement.changed"' || fail "not told"
  say "renewed: it is started once"
  yesterday renew SUB-1 --days 30
  take_in
  until_true '[ "$(began)" = 2 ]'
  sleep 1
  [ "$(began)" = 2 ] || fail "started more than once"
fi
say "done"

# Run inside a booted system, from /src: every command of docs/guide/operations.md, in its order.
say() { echo "== $*"; }
fail() { echo "FAILED: $*"; journalctl -u svm-agent --no-pager | tail -40; exit 1; }
until_true() { for _ in $(seq 100); do if eval "$1"; then return; fi; sleep 0.1; done; fail "in vain: $1"; }

say "install, and a vendor that serves a trial"
cd /src
eval "$INSTALL" 2> /dev/null
mkdir -p /srv/vendor /etc/svm-agent/conf.d && cd /srv/vendor
vendor() { svm-vendor --ledger ledger --signing-key key.pem "$@"; }
vendor keygen --iss provider.example --name Example > /dev/null
vendor issue --key-id SUB-1 --days 30 --grace-days 7 --order-number A221234065 --channel website | grep -oE '([0-9A-Z]{5}-){3}[0-9A-Z]{5}' > code.txt
vendor issue --kind commercial --period-days 365 | grep -oE '([0-9A-Z]{5}-){3}[0-9A-Z]{5}' > reserve-code.txt
echo a-token-of-this-svm > token.txt
[ -s code.txt ] && [ -s reserve-code.txt ] || fail "no codes"
vendor publish published > /dev/null
svm-vendor serve published > /dev/null 2>&1 &
cp ledger/trust.d/*.pem /etc/svm-agent/trust.d/ && chmod 644 /etc/svm-agent/trust.d/*.pem
printf '[source]\nurl = "http://127.0.0.1:8470"\n' > /etc/svm-agent/conf.d/source.toml
systemctl reload svm-agent
until_true 'curl -s http://127.0.0.1:8470/ > /dev/null'

say "the page"
number=0 inside= block=
while IFS= read -r line; do
  case $line in
    '```sh') inside=1 block=; continue ;;
    '```') if [ -n "$inside" ]; then
             number=$((number + 1)); inside=
             bash -euo pipefail -c "$block" > /tmp/out 2>&1 || fail "block $number ends with $?: $block$(cat /tmp/out)"
             [ "$number" != 2 ] || svm-agent permit database-updates > /dev/null || fail "not active after the second block"
           fi; continue ;;
  esac
  [ -z "$inside" ] || block="$block$line
"
done < /src/docs/guide/operations.md
[ "$number" -ge 13 ] || fail "only $number blocks were found"
svm-agent config show --changed | grep -q 'expiring_status_days = 14' || fail "the setting"
journalctl -u svm-agent -o cat --no-pager | grep -q 'setting reminders.expiring_status_days: 14' || fail "the reload is not in the log"
# Nobody listens there; but whoever cannot read its token does not even connect.
until_true 'svm-agent status | grep -q "cannot connect"'
journalctl --no-pager | grep -q a-token-of-this-svm && fail "the token is in the journal"
svm-agent events list | grep -q 'the reserve key' || fail "no reserve"
svm-agent status | grep -q not_activated || fail "keys are left"

say "a wrong setting: the reload fails and says why, and nothing changes"
printf '[remainders]\n' > /etc/svm-agent/conf.d/20-wrong.toml
systemctl reload svm-agent && fail "a wrong setting was reloaded"
journalctl -u svm-agent -o cat --no-pager | grep -q '20-wrong.toml:1: unknown key `remainders`; did you mean `reminders`' || fail "the journal does not say what is wrong"
[ "$(systemctl is-active svm-agent)" = active ] || fail "it is gone"
say "done"

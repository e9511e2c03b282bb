# Run inside a booted system, from /src: the commands of renew.md, maintain.md, images.md, enforce.md and support.md in docs/guide/ that are
# marked with a name.
say() { echo "== $*"; }
fail() { echo "FAILED: $*"; journalctl -u svm-agent --no-pager | tail -40; exit 1; }
until_true() { for _ in $(seq 100); do if eval "$1"; then return; fi; sleep 0.1; done; fail "in vain: $1"; }
# The commands of a page below the mark `run: NAME`, with the addresses and names of this trial.
block() {
  awk -v mark="<!-- run: $1 -->" '$0 == mark {found = 1; next} found && /^```sh/ {inside = 1; next} inside && /^```/ {exit} inside' \
    /src/docs/guide/*.md | sed -e 's#https://keys.provider.example#http://127.0.0.1:8470#; s#KSN-PROXY#127.0.0.2#; /^poweroff/d' \
    -e "s#RESERVE-KEY .*#$reserve#; s#ACTIVE-KEY .*#SUB-1#"
}
page() {
  text=$(block "$1"); [ -n "$text" ] || fail "no page has a block named $1"
  bash -euo pipefail -c "$text" > /tmp/out 2>&1 || fail "$1 ends with $?: $text
$(cat /tmp/out)"
}

say "install, and a provider that serves a trial"
cd /src
eval "$INSTALL" 2> /dev/null
mkdir -p /srv/vendor /etc/svm-agent/conf.d && cd /srv/vendor
vendor() { svm-vendor --ledger ledger --signing-key key.pem "$@"; }
vendor keygen --iss provider.example --name Example > /dev/null
vendor issue --key-id SUB-1 --days 30 --grace-days 7 --order-number A221234065 --channel website | grep -oE '([0-9A-Z]{5}-){3}[0-9A-Z]{5}' > code.txt
vendor issue --kind commercial --key-id COM-1 --period-days 365 | grep -oE '([0-9A-Z]{5}-){3}[0-9A-Z]{5}' > reserve-code.txt
reserve=COM-1
[ -s code.txt ] && [ -s reserve-code.txt ] || fail "no codes"
vendor publish published > /dev/null
svm-vendor serve published > /dev/null 2>&1 &
cp ledger/trust.d/*.pem /etc/svm-agent/trust.d/ && chmod 644 /etc/svm-agent/trust.d/*.pem
echo a-token-of-this-svm > its-own.token
install -m 640 -g svm-agent its-own.token /etc/svm-agent/console.token
printf '[source]\nurl = "http://127.0.0.1:8470"\n[destinations.console]\nurl = "http://127.0.0.1:8480/v1/events"\ntoken_file = "/etc/svm-agent/console.token"\n' > /etc/svm-agent/agent.toml
systemctl reload svm-agent
until_true 'curl -s http://127.0.0.1:8470/ > /dev/null'
cp code.txt /root/kept-code.txt

say "activate, change a setting, renew, a reserve"
page code
[ ! -e code.txt ] || fail "the code lies around"
svm-agent permit database-updates > /dev/null || fail "not active"
page setting
svm-agent config show --changed | grep -q 'expiring_status_days = 14' || fail "the setting"
journalctl -u svm-agent -o cat --no-pager | grep -q 'setting reminders.expiring_status_days: 14' || fail "the reload is not in the log"
page renew
page reserve
svm-agent events list | grep -q 'reserve key' || fail "no reserve"

say "without a network"
cp /root/kept-code.txt code.txt
page fetch
[ "$(stat -c %a document.jws)" = 600 ] || fail "everyone may read the document"
page add

say "actions, the gateway, what this SVM does not have"
page actions
svm-agent config show --changed | grep -q 'actions.kesl-updates' || fail "no action"
rm /etc/svm-agent/conf.d/30-actions.toml
page gateway
svm-agent status | grep -q '127.0.0.1:13111' || fail "no gateway"
rm /etc/svm-agent/conf.d/30-gateway.toml
page governs
rm /etc/svm-agent/conf.d/30-governs.toml; systemctl reload svm-agent

say "back up, stop, restore, the clock"
page backup
tar -tzf /root/svm-agent-backup.tgz | grep -q '^etc/svm-agent/agent.toml$' || fail "nothing in the backup"
[ "$(stat -c %a /root/svm-agent-backup.tgz)" = 600 ] || fail "everyone may read the backup"
page database
page stop
[ "$(systemctl is-active svm-agent)" = inactive ] || fail "it runs"
page start
id() { svm-agent identity show | sed -n 's/^Id *//p'; }
before=$(id)
page restore
[ "$(id)" = "$before" ] || fail "another id"
svm-agent key list | grep -q 'SUB-1 ' || fail "no key"
page clock

say "what support needs"
page bundle
ls /root/svm-agent-support-*.tar.zst > /dev/null || fail "no archive"

say "a token that root alone can read"
page credential
[ "$(stat -c %a:%U /etc/svm-agent/console.token)" = 600:root ] || fail "the token"
# Nobody listens there; but an agent that cannot read its token does not even connect.
until_true 'svm-agent status | grep -q "cannot connect"'
journalctl --no-pager | grep -q a-token-of-this-svm && fail "the token is in the journal"
rm -r /etc/svm-agent/conf.d/30-token.toml /etc/systemd/system/svm-agent.service.d && systemctl daemon-reload

say "a template and a copy, the copy of a running machine"
page template
[ ! -e /etc/svm-agent/console.token ] && [ ! -s /etc/machine-id ] || fail "the template has what is its own"
systemd-machine-id-setup > /dev/null
page start
[ "$(id)" != "$before" ] || fail "the same id"
page copy
page instance
grep -q '^Instance  *[0-9a-f]' /tmp/out || fail "no instance: $(cat /tmp/out)"
page reset-the-copy
page move
svm-agent status | grep -q "^Subscription  *not activated" || fail "keys are left"

say "a wrong setting: the reload fails and says why, and nothing changes"
printf '[remainders]\n' > /etc/svm-agent/conf.d/20-wrong.toml
systemctl reload svm-agent && fail "a wrong setting was reloaded"
journalctl -u svm-agent -o cat --no-pager | grep -q '20-wrong.toml:1: unknown setting `remainders`; did you mean `reminders`' || fail "the journal does not say what is wrong"
[ "$(systemctl is-active svm-agent)" = active ] || fail "it is gone"
say "done"

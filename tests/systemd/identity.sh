# Run inside a booted system that is booted twice over one disk, from /src: root hands over what the id is bound to, and a
# machine with another machine-id is another SVM.
say() { echo "== $* ($(date +%T))"; }
fail() { echo "FAILED: $*"; journalctl -o short-precise --no-pager -u svm-agent | tail -60; svm-agent identity show; ls -la /run/svm-agent /var/lib/svm-agent; exit 1; }
until_true() { for _ in $(seq 150); do if eval "$1"; then return; fi; sleep 0.1; done; fail "in vain: $1"; }
# The only output of these is what they answer.
id() { svm-agent identity show --json | sed 's/.*"id":"\([^"]*\)".*/\1/'; }
started() { systemctl start svm-agent || fail "it does not start"; until_true 'svm-agent identity show > /dev/null 2>&1'; }
stopped() { systemctl stop svm-agent.socket svm-agent-query.socket svm-agent 2> /dev/null; }
UUID=4c3d2b1a-6f5e-8a79-9bac-bdcedfe0f102

if [ ! -e /srv/id ]; then
  say "the first boot: it is bound to what only root may read"
  cd /src
  mkdir -p /etc/svm-agent/conf.d /srv
  # There is no firmware here: a file of root's alone stands for /sys/class/dmi/id/product_uuid.
  (umask 077; echo $UUID > /srv/product_uuid)
  printf '[identity]\nproduct_uuid_file = "/srv/product_uuid"\n' > /etc/svm-agent/conf.d/identity.toml
  eval "$INSTALL" 2> /dev/null
  until_true 'svm-agent identity show > /dev/null 2>&1'
  setpriv --reuid svm-agent --regid svm-agent --clear-groups cat /srv/product_uuid 2> /dev/null && fail "the agent's user may read it"
  svm-agent identity show | grep -q "^Bound to  *machine-id and product UUID" || fail "not bound to both"
  svm-agent identity show | grep -q "the one that the id is bound to" || fail "not this machine"
  [ "$(stat -c %a:%U:%G /run/svm-agent/identity.json)" = 440:root:svm-agent ] || fail "the file that is handed over"
  [ "$(stat -c %a:%U /run/svm-agent)" = 755:svm-agent ] || fail "the folder"
  for value in $UUID "$(cat /etc/machine-id)"; do
    grep -rq "$value" /run/svm-agent /var/lib/svm-agent && fail "$value is kept"
  done
  digest=$(systemd-id128 machine-id --app-specific=6f3c1b0e9a4d4e7b8c52d1a7e0f4936b)
  grep -q "$digest" /run/svm-agent/identity.json || fail "not the digest that systemd makes"
  [ "$(find /var/lib/svm-agent -user root | wc -l)" = 0 ] || fail "root has files in the state folder"

  say "no link of the agent's user leads root anywhere"
  echo whole > /etc/victim
  setpriv --reuid svm-agent --regid svm-agent --clear-groups ln -sf /etc/victim /run/svm-agent/identity.new
  first=$(id)
  systemctl restart svm-agent
  until_true 'svm-agent identity show > /dev/null 2>&1'
  [ "$(cat /etc/victim)" = whole ] && [ "$(stat -c %a:%U:%G /etc/victim)" = 644:root:root ] || fail "through a link"
  [ "$(id)" = "$first" ] || fail "a restart took a new id"

  say "another product UUID, in the other byte order and then another"
  echo 1A2B3D4C-5E6F-798A-9BAC-BDCEDFE0F102 > /srv/product_uuid
  systemctl restart svm-agent; until_true 'svm-agent identity show > /dev/null 2>&1'
  [ "$(id)" = "$first" ] || fail "the byte order took a new id"
  echo 5c3d2b1a-6f5e-8a79-9bac-bdcedfe0f102 > /srv/product_uuid
  systemctl restart svm-agent; until_true 'svm-agent identity show > /dev/null 2>&1'
  second=$(id)
  [ "$second" != "$first" ] || fail "a copy kept its id"
  svm-agent events list --json | grep -q "identity.changed" || fail "not reported"

  say "what root cannot hand over keeps nothing from starting"
  rm -f /srv/product_uuid; mkdir /srv/product_uuid
  systemctl restart svm-agent; until_true 'svm-agent identity show > /dev/null 2>&1'
  [ "$(id)" = "$second" ] || fail "a missing product UUID took a new id"
  stopped
  rm -f /run/svm-agent/identity.json; mkdir -p /run/svm-agent/identity.json/in-the-way
  systemctl start svm-agent.socket svm-agent-query.socket; started
  [ "$(id)" = "$second" ] || fail "a hand-over that fails took a new id"
  journalctl -u svm-agent-identity --no-pager | grep -q "cannot write the digests of this machine" || fail "it does not say so"
  rm -r /run/svm-agent/identity.json

  say "reset, by root on a folder of the agent's user"
  svm-agent identity reset 2> /dev/null && fail "reset while it runs"
  setpriv --reuid 65534 --regid 65534 --clear-groups svm-agent identity reset 2> /dev/null && fail "nobody may reset"
  stopped
  setpriv --reuid 65534 --regid 65534 --clear-groups svm-agent identity reset 2> /dev/null && fail "nobody may reset"
  svm-agent identity reset | grep -q "The id is removed" || fail "reset"
  [ "$(find /var/lib/svm-agent ! -user svm-agent | wc -l)" = 0 ] || fail "files of others in the state folder"
  systemctl start svm-agent.socket svm-agent-query.socket; started
  third=$(id)
  [ "$third" != "$second" ] || fail "reset kept the id"
  svm-agent events list | grep -q "its identity was reset" || fail "not told"
  echo "$third" > /srv/id
  cp /etc/machine-id /srv/machine-id
  # The next boot finds an empty /etc/machine-id, and systemd would take it from here.
  rm -f /var/lib/dbus/machine-id
  sync
else
  say "the second boot: another machine-id"
  until_true 'svm-agent identity show > /dev/null 2>&1'
  [ "$(cat /etc/machine-id)" != "$(cat /srv/machine-id)" ] || fail "it is the same machine-id"
  [ "$(id)" != "$(cat /srv/id)" ] || fail "a copy kept its id"
  svm-agent events list | grep -q "its machine-id is a different one" || fail "not told"
  journalctl -u svm-agent -b --no-pager | grep -q "this SVM has a new id" || fail "not in the log"
fi
say "done"

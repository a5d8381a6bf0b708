#!/usr/bin/env bash
# make deb-test: installs the package into a root where nothing else is, looks at what is there, runs it there as its own user,
# and removes it again. Needs root (or a user namespace: unshare -r). The package is that of the first argument, or made anew.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ]; then
  echo "make deb-test needs root: it makes a root of its own and changes into it" >&2
  exit 1
fi
command -v curl >/dev/null || { echo "curl is needed: apt-get install curl" >&2; exit 1; }
package=${1:-$(scripts/deb.sh)}

root=$(mktemp -d)
chmod 755 "$root"
serving=
finish() {
  if [ -n "$serving" ]; then kill "$serving" 2>/dev/null || true; wait "$serving" 2>/dev/null || true; fi
  rm -rf "$root"
}
trap finish EXIT
failed() { echo "not ok: $1" >&2; exit 1; }
passed=0
ok() { passed=$((passed + 1)); echo "ok: $1"; }

# A root that says it has what this machine has of our dependencies, and nothing else.
mkdir -p "$root"/var/lib/dpkg/{info,updates,triggers} "$root"/etc "$root"/tmp "$root"/dev
: >"$root/var/lib/dpkg/available"
dpkg-query -s libc6 libgcc-s1 systemd >"$root/var/lib/dpkg/status"
dpkg() { command dpkg --root="$root" --force-script-chrootless --log=/dev/null "$@" 2>&1 | grep -v 'missing final newline\|files list file for package' || [ "${PIPESTATUS[0]}" = 0 ]; }

dpkg --install "$package" >/dev/null
[ "$(command dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${Status}' ctigate)" = "install ok installed" ] || failed "it is installed"
ok "it installs, with its dependencies as they are"

for file in usr/bin/ctigate usr/lib/systemd/system/ctigate.service usr/lib/systemd/system/ctigate.socket \
  usr/share/man/man1/ctigate.1.gz usr/share/man/man1/ctigate-serve.1.gz usr/share/bash-completion/completions/ctigate \
  usr/share/zsh/vendor-completions/_ctigate usr/share/fish/vendor_completions.d/ctigate.fish \
  usr/share/doc/ctigate/copyright usr/share/doc/ctigate/LICENSE-MIT usr/share/doc/ctigate/LICENSE-APACHE; do
  [ -s "$root/$file" ] || failed "$file is there"
done
ok "program, units, manual, completions and licences are there"

group=$(awk -F: '$1 == "ctigate" { print $3 }' "$root/etc/group")
user=$(awk -F: '$1 == "ctigate" { print $3 }' "$root/etc/passwd")
[ -n "$group" ] && [ -n "$user" ] || failed "the user is made"
[ "$(stat -c '%u:%g %a' "$root/etc/ctigate/ctigate.toml")" = "0:$group 640" ] || failed "only the service reads the configuration"
[ "$(stat -c '%u:%g %a' "$root/var/lib/ctigate")" = "$user:$group 750" ] || failed "the service owns its folder"
ok "the user is made, and reads and writes what it should alone"

if command -v systemd-analyze >/dev/null; then
  # What a reload runs, of a package that every machine has. No other unit is here, and what they would be is not asked.
  install -D -m 755 "$(type -P kill)" "$root/bin/kill"
  said=$(systemd-analyze verify --man=no --root="$root" ctigate.service 2>&1 | grep -i 'ctigate' | grep -v 'not found' || true)
  [ -z "$said" ] || failed "systemd reads the unit: $said"
  ok "systemd reads the unit where it is installed"
fi

# The libraries that it names as dependencies; were there one more, it would not run.
for library in $(ldd "$root/usr/bin/ctigate" | grep -oE '/[^ ]+'); do
  [[ $library == */ctigate ]] || install -D "$library" "$root$library"
done
run() { chroot --userspec="$user:$group" "$root" /usr/bin/ctigate "$@"; }
version=$(dpkg-deb -f "$package" Version)
[ "$(run --version)" = "ctigate $version" ] || failed "it says its version"
ok "it runs there, as its user: $(run --version)"
run check-config --config /etc/ctigate/ctigate.toml >"$root/tmp/said" || failed "check-config: $(cat "$root/tmp/said")"
grep -q 'sqlite:///var/lib/ctigate/ctigate.db' "$root/tmp/said" || failed "check-config: $(cat "$root/tmp/said")"
ok "check-config accepts the configuration that it comes with"

port() { grep -oE "$1: Some\([^)]*\)" "$root/tmp/log" | grep -oE '[0-9.]+:[0-9]+' | head -1; }
# Not at the ports of a gateway that may run on this machine.
NO_COLOR=1 chroot --userspec="$user:$group" "$root" /usr/bin/ctigate serve --config /etc/ctigate/ctigate.toml --set web.bind=127.0.0.1:0 --set web.tls_bind=127.0.0.1:0 \
  --set web.admin_bind=127.0.0.1:0 2>"$root/tmp/log" &
serving=$!
for _ in $(seq 300); do
  grep -q ' ready ' "$root/tmp/log" && break
  kill -0 "$serving" 2>/dev/null || failed "it serves: $(tail -3 "$root/tmp/log")"
  sleep 0.1
done
curl -fsS --retry 20 --retry-delay 1 --retry-all-errors -o "$root/tmp/ready" "http://$(port admin)/readyz" || failed "it becomes ready"
for part in store links telephone certificate web; do
  grep -q "\"$part\":{\"state\":\"ok\"" "$root/tmp/ready" || failed "$part is well: $(cat "$root/tmp/ready")"
done
[ -s "$root/var/lib/ctigate/ctigate.db" ] && [ -s "$root/var/lib/ctigate/admin.token" ] || failed "it keeps its things where they belong"
kill -TERM "$serving"
code=0; wait "$serving" || code=$?
serving=
[ "$code" = 0 ] || failed "it stops in order: $code"
ok "it serves from there, is ready in all its parts, and stops in order"

echo '# changed' >>"$root/etc/ctigate/ctigate.toml"
dpkg --force-confold --install "$package" >/dev/null
tail -1 "$root/etc/ctigate/ctigate.toml" | grep -q '# changed' || failed "an upgrade keeps the configuration"
ok "an upgrade keeps the configuration"
dpkg --remove ctigate >/dev/null
[ ! -e "$root/usr/bin/ctigate" ] && [ -e "$root/etc/ctigate/ctigate.toml" ] && [ -e "$root/var/lib/ctigate/ctigate.db" ] || failed "removing leaves what is theirs"
dpkg --purge ctigate >/dev/null
[ ! -e "$root/etc/ctigate/ctigate.toml" ] && [ ! -e "$root/var/lib/ctigate" ] || failed "purging leaves nothing"
ok "removing leaves configuration and data, purging nothing"
echo "$passed passed, 0 failed"

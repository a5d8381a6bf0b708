#!/usr/bin/env bash
# Builds the image of Dockerfile, runs it, and waits until it is healthy. Needs a container engine that runs (docker or podman)
# and the base images. Without one it plays the stages on this machine as far as they go, as root: the context is what .dockerignore
# leaves of the tree, the program is built in it, what the last stage copies is put into an empty root, and the health check and
# the entry point run there as the image's user.
#
#   PROFILE=dev scripts/image.sh           builds without optimisation
#   CTIGATE=target/debug/ctigate …         plays the stages with a binary that is there; only the plan of the build is looked at
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${PROFILE:-release}
if [ -n "${CTIGATE:-}" ]; then CTIGATE=$(realpath "$CTIGATE"); fi
work=$(mktemp -d)
serving=
container=
engine=
finish() {
  if [ -n "$serving" ]; then kill "$serving" 2>/dev/null || true; wait "$serving" 2>/dev/null || true; fi
  if [ -n "$container" ]; then "$engine" rm -f "$container" >/dev/null; fi
  rm -rf "$work"
}
trap finish EXIT
failed() { echo "not ok: $1" >&2; exit 1; }
passed=0
ok() { passed=$((passed + 1)); echo "ok: $1"; }

for name in docker podman; do
  if "$name" info >/dev/null 2>&1; then engine=$name; break; fi
done
if [ -n "$engine" ]; then
  "$engine" build --build-arg "PROFILE=$profile" -t ctigate .
  ok "$engine built the image"
  container=$("$engine" run -d ctigate)
  for _ in $(seq 60); do
    if "$engine" exec "$container" /usr/bin/ctigate status --json >/dev/null 2>&1; then healthy=1; break; fi
    sleep 1
  done
  [ -n "${healthy:-}" ] || failed "it is healthy: $("$engine" logs "$container" 2>&1 | tail -5)"
  ok "it runs and is healthy"
  echo "$passed passed, 0 failed"
  exit 0
fi

echo "no container engine runs here: the stages are played"
[ "$(id -u)" = 0 ] || failed "root is needed to play them: they change into a root of their own"

# words KEY: what the last line of a key says, lines that go on joined
words() { sed -e ':a' -e '/\\$/N' -e 's/\\\n//' -e 'ta' Dockerfile | sed -nE "s/^$1 +(.*)/\1/p" | tail -1; }
# list KEY: the same for a list in JSON, one word a line
list() { words "$1" | sed -E 's/^[^[]*\[//; s/\].*$//' | grep -oE '"[^"]*"' | tr -d '"'; }

# The context.
context=$work/src
mkdir "$context"
excluded=()
while read -r pattern; do
  case $pattern in '' | '#'*) ;; *) excluded+=(":(exclude,glob)$pattern" ":(exclude,glob)$pattern/**") ;; esac
done <.dockerignore
git ls-files -z -co --exclude-standard -- . "${excluded[@]}" | tar --null -T - -c | tar -x -C "$context"
ok "the context: $(find "$context" -type f | wc -l) files, $(du -sh "$context" | cut -f1)"

# The first stage: its RUN lines, in the context, with this machine's cargo.
out=$work/out
if [ -n "${CTIGATE:-}" ]; then
  # All that cargo wants to know before it builds: manifests, targets, and that the lock file fits.
  (cd "$context" && cargo metadata --locked --format-version 1 --no-deps >/dev/null) || failed "cargo can read the context"
  ok "the build is not run; cargo reads its plan"
fi
while read -r line; do
  line=${line//'${PROFILE}'/$profile}
  case $line in
  'scripts/build.sh '*)
    [ -n "${CTIGATE:-}" ] && continue
    CTIGATE=$work/ctigate
    # The machine's own target folder, so that what is built already is not built again.
    (cd "$context" && CARGO_TARGET_DIR=$OLDPWD/target eval "${line/ \/build\/ctigate/ $CTIGATE}")
    ok "the first stage builds: $line"
    ;;
  *) (cd "$context" && eval "$(sed -e "s| /build/ctigate| $(realpath "$CTIGATE")|" -e "s| /out| $out|g" <<<"$line")") ;;
  esac
done < <(awk '/^FROM / { stage++ } stage == 1 && sub(/^RUN /, "")' Dockerfile)
strip --strip-unneeded "$out/usr/bin/ctigate"
ok "the first stage lays out what the last one takes"

# The last stage: what it copies, and the libraries that its base image has.
for library in $(ldd "$out/usr/bin/ctigate" | grep -oE '/[^ ]+' | grep -v '/ctigate$'); do
  install -D "$library" "$out$library"
done
mkdir -p "$out/tmp"
chmod 755 "$work" "$out"
mapfile -t entry < <(list ENTRYPOINT)
mapfile -t command < <(list CMD)
mapfile -t health < <(list HEALTHCHECK)
[ "${#entry[@]}" -gt 0 ] && [ "${#command[@]}" -gt 0 ] && [ "${#health[@]}" -gt 0 ] || failed "entry point, command and health check are lists"
export "$(words ENV)" NO_COLOR=1
# Not at the ports of a gateway that may run on this machine.
base=$((20000 + RANDOM % 10000))
export CTIGATE_WEB__BIND=127.0.0.1:$base CTIGATE_WEB__TLS_BIND=127.0.0.1:$((base + 1)) CTIGATE_WEB__ADMIN_BIND=127.0.0.1:$((base + 2))
as=(chroot --userspec="$(words USER)" "$out")
if "${as[@]}" "${health[@]}" >/dev/null 2>&1; then failed "the health check fails while nothing runs"; fi
"${as[@]}" "${entry[@]}" "${command[@]}" 2>"$work/log" &
serving=$!
for _ in $(seq 300); do
  kill -0 "$serving" 2>/dev/null || failed "it runs: $(tail -3 "$work/log")"
  if "${as[@]}" "${health[@]}" >"$work/health" 2>/dev/null; then healthy=1; break; fi
  sleep 0.1
done
[ -n "${healthy:-}" ] || failed "it becomes healthy: $(tail -3 "$work/log")"
ok "it runs as $(words USER) and the health check says that it does"
[ "$(stat -c %u "$out/var/lib/ctigate/ctigate.db")" = "$(words USER | cut -d: -f1)" ] || failed "what it keeps is in its volume"
ok "what it keeps is in its volume"
kill -TERM "$serving"
code=0; wait "$serving" || code=$?
serving=
[ "$code" = 0 ] || failed "it stops in order: $code"
ok "it stops in order when it is told to"
echo "$passed passed, 0 failed; left out: the base images and their packages"

#!/usr/bin/env bash
# make deb: builds ctigate with optimisation and puts it into a Debian package. Prints the path of the package.
#
#   CTIGATE=target/debug/ctigate scripts/deb.sh     packs a binary that is there, instead of building one
#   DEB_FOLDER=/tmp scripts/deb.sh                  puts the package there; without it into target/deb
#
# The same tree and the same profile (target/guided/ctigate.profdata) give the same package: times are those of the last commit.
set -euo pipefail
cd "$(dirname "$0")/.."
missing() { echo "$1 is needed: apt-get install $2" >&2; exit 1; }
command -v dpkg-deb >/dev/null || missing dpkg-deb dpkg
command -v objdump >/dev/null || missing objdump binutils

binary=${CTIGATE:-}
if [ -z "$binary" ]; then
  echo "building with optimisation (the first time takes half an hour on two cores)" >&2
  binary=$(scripts/guided.sh)
fi

folder=${DEB_FOLDER:-target/deb}
mkdir -p "$folder"
tree=$(mktemp -d "$folder/tree.XXXXXX")
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

# put MODE FROM TO: a file of the tree
put() { install -D -m "$1" "$2" "$tree/$3"; }
# pack TO: standard input, compressed
pack() { mkdir -p "$(dirname "$tree/$1")"; gzip -9n >"$tree/$1"; chmod 644 "$tree/$1"; }
# made TO COMMAND...: what the program prints
made() { local to=$tree/$1; shift; mkdir -p "$(dirname "$to")"; "$@" >"$to"; chmod 644 "$to"; }

put 755 "$binary" usr/bin/ctigate
strip --strip-unneeded "$tree/usr/bin/ctigate"
put 644 deploy/systemd/ctigate.service usr/lib/systemd/system/ctigate.service
put 644 deploy/systemd/ctigate.socket usr/lib/systemd/system/ctigate.socket
put 644 deploy/debian/ctigate.sysusers usr/lib/sysusers.d/ctigate.conf
put 640 deploy/debian/ctigate.toml etc/ctigate/ctigate.toml
chmod 750 "$tree/etc/ctigate"

made usr/share/bash-completion/completions/ctigate "$binary" completions bash
made usr/share/zsh/vendor-completions/_ctigate "$binary" completions zsh
made usr/share/fish/vendor_completions.d/ctigate.fish "$binary" completions fish
"$binary" man --folder "$tree/man"
for page in "$tree"/man/*.1; do
  pack "usr/share/man/man1/$(basename "$page").gz" <"$page"
done
rm -r "$tree/man"

doc=usr/share/doc/ctigate
put 644 deploy/debian/copyright $doc/copyright
put 644 LICENSE-MIT $doc/LICENSE-MIT
put 644 LICENSE-APACHE $doc/LICENSE-APACHE
put 644 README.md $doc/README.md
put 644 ctigate.example.toml $doc/examples/ctigate.example.toml
for file in deploy/grafana/* deploy/prometheus/*; do
  put 644 "$file" "$doc/examples/$(basename "$file")"
done
pack $doc/changelog.gz <CHANGELOG.md

version=$(awk -F'"' '/^version = / { print $2; exit }' Cargo.toml)
architecture=$(dpkg --print-architecture)
# The newest version of the C library that any of its symbols has.
libc=$(objdump -T "$tree/usr/bin/ctigate" | grep -oE 'GLIBC_[0-9.]+' | cut -d_ -f2 | sort -Vu | tail -1)
mkdir "$tree/DEBIAN"
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@LIBC@/$libc/" \
  -e "s/@SIZE@/$(du -sk --apparent-size "$tree" | cut -f1)/" deploy/debian/control.in >"$tree/DEBIAN/control"
echo /etc/ctigate/ctigate.toml >"$tree/DEBIAN/conffiles"
for script in postinst prerm postrm; do
  install -m 755 "deploy/debian/$script" "$tree/DEBIAN/$script"
done
(cd "$tree" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
chmod 644 "$tree"/DEBIAN/{control,conffiles,md5sums}
find "$tree" -type d ! -path "$tree/etc/ctigate" -exec chmod 755 {} +

package=$folder/ctigate_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$tree" "$package" >/dev/null
echo "$package"

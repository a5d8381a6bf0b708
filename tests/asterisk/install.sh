#!/usr/bin/env bash
# Puts an Asterisk and a sipp below target/asterisk, for the tests alone: packages of another Debian release are fetched
# with this machine's apt, into folders of our own, and unpacked. They run with their own C library, so nothing of this
# machine changes and no rights are needed. The newest Asterisk is wanted; where it cannot be had today, an older one is taken.
# Then target/asterisk/bin/asterisk and bin/sipp run them, and target/asterisk/version says which came.
set -euo pipefail
cd "$(dirname "$0")/../.."
HOME_OF=$PWD/target/asterisk
RECIPE="recipe 1" # a change here fetches everything anew
RELEASES=${ASTERISK_RELEASES:-sid bullseye}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
TREE=$HOME_OF/tree

if [ -x "$HOME_OF/bin/asterisk" ] && [ "$(sed -n 1p "$HOME_OF/version" 2>/dev/null)" = "$RECIPE $RELEASES $HOME_OF" ]; then
  exit 0
fi

# Whatever is a library is taken, but for these, which are large and serve only what the tests never load.
UNUSED='^lib(python|perl|codec2|db5|gtk|gdk|llvm|mesa|gl1|glx|snmp|webp|tiff|jpeg|pam|gpgme|flite|unbound|radcli|sybdb)'

# Where this machine gets the main part of Debian from.
archive() {
  apt-get indextargets --format '$(REPO_URI) $(COMPONENT) $(ORIGIN) $(SUITE)' 'Created-By: Packages' 2>/dev/null |
    awk '$2 == "main" && $1 !~ /security/ && $1 ~ /debian\/?$/ { print $1; exit }'
}

# fetch RELEASE: packages into $HOME_OF/apt/got
fetch() {
  local apt=$HOME_OF/apt from name
  from=${DEBIAN_ARCHIVE:-$(archive)}
  [ -n "$from" ] || { echo "no Debian archive is known to apt; set DEBIAN_ARCHIVE"; return 1; }
  rm -rf "$apt"
  mkdir -p "$apt"/lists/partial "$apt"/cache/archives/partial "$apt"/none "$apt"/got
  : >"$apt/status"
  echo "deb [signed-by=$KEYRING] $from $1 main" >"$apt/sources"
  local own=(-qq -o "Dir::Etc::SourceList=$apt/sources" -o "Dir::Etc::SourceParts=$apt/none" -o "Dir::State::Lists=$apt/lists"
    -o "Dir::State::Status=$apt/status" -o "Dir::Cache=$apt/cache" -o "APT::Sandbox::User=$(id -un)" -o Debug::NoLocking=1
    -o Acquire::Languages=none -o Acquire::Retries=3 -o Acquire::Check-Valid-Until=false -o APT::Install-Recommends=false)
  local kind
  for kind in DEP-11 DEP-11-icons DEP-11-icons-small DEP-11-icons-hidpi CNF; do
    own+=(-o "Acquire::IndexTargets::deb::$kind::DefaultEnabled=false")
  done
  apt-get "${own[@]}" update || return 1
  local wanted=()
  while read -r name; do
    case $name in
    asterisk | asterisk-modules | sip-tester) wanted+=("$name") ;;
    *) [[ $name =~ ^lib && ! $name =~ $UNUSED ]] && wanted+=("$name") ;;
    esac
  done < <(apt-get "${own[@]}" --simulate install asterisk sip-tester | awk '$1 == "Inst" { print $2 }')
  [ ${#wanted[@]} -gt 20 ] || { echo "$1 has no Asterisk that could be installed today"; return 1; }
  (cd "$apt/got" && apt-get "${own[@]}" download "${wanted[@]}")
}

# unpack: what was fetched becomes a tree
unpack() {
  local folder package
  rm -rf "$TREE"
  for folder in bin sbin lib lib64; do
    mkdir -p "$TREE/usr/$folder"
    ln -s "usr/$folder" "$TREE/$folder"
  done
  for package in "$HOME_OF"/apt/got/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$TREE" --keep-directory-symlink --no-same-owner \
      --exclude='./usr/share/doc' --exclude='./usr/share/man' --exclude='./usr/share/locale' -f - || return 1
  done
}

# wrapper NAME PROGRAM: bin/NAME runs a program of the tree with the tree's own libraries
wrapper() {
  cat >"$HOME_OF/bin/$1" <<WRAPPER
#!/bin/sh
export LC_ALL=C
exec "$LOADER" --library-path "$LIBRARIES" "$TREE$2" "\$@"
WRAPPER
  chmod +x "$HOME_OF/bin/$1"
}

# try RELEASE: the whole of it, until the programs run
try() {
  fetch "$1" || return 1
  unpack || return 1
  # Where it lies differs, and a link to it may lead out of the tree.
  LOADER=
  local file
  for file in "$TREE"/lib64/ld-linux*.so.* "$TREE"/lib/*/ld-linux*.so.* "$TREE"/lib/ld-linux*.so.*; do
    case $(readlink -f "$file") in "$TREE"/*) [ -x "$file" ] && LOADER=$file && break ;; esac
  done
  [ -n "$LOADER" ] || { echo "the C library of $1 has no loader"; return 1; }
  LIBRARIES=$(find "$TREE/usr/lib" -maxdepth 1 -type d -name '*-linux-gnu*' | paste -sd:):$TREE/usr/lib
  mkdir -p "$HOME_OF/bin"
  wrapper asterisk /usr/sbin/asterisk
  wrapper sipp /usr/bin/sipp
  local version
  version=$("$HOME_OF/bin/asterisk" -V) || return 1
  # It prints its version and says by its exit code that it did nothing.
  "$HOME_OF/bin/sipp" -v >"$HOME_OF/sipp.version" 2>&1 || true
  grep -q SIPp "$HOME_OF/sipp.version" || { echo "sipp of $1 does not run: $(tail -1 "$HOME_OF/sipp.version")"; return 1; }
  dirname "$(find "$TREE/usr/lib" -name chan_pjsip.so | head -1)" >"$HOME_OF/modules"
  printf '%s\n%s\n' "$RECIPE $RELEASES $HOME_OF" "$version" >"$HOME_OF/version"
  rm -rf "$HOME_OF/apt"
  echo "$version of Debian $1"
}

mkdir -p "$HOME_OF"
for release in $RELEASES; do
  echo "asterisk and sipp of Debian $release, into target/asterisk"
  if try "$release" >"$HOME_OF/install.log" 2>&1; then
    tail -1 "$HOME_OF/install.log"
    exit 0
  fi
  tail -3 "$HOME_OF/install.log" >&2
done
echo "no Asterisk could be installed (tried: $RELEASES); its suite cannot run" >&2
exit 1

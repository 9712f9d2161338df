#!/bin/sh
# archive.sh FROM TO: the static library as one object that shows the names of ffi/abi/symbols and no others.
#
# cargo's archive shows thousands of names of Rust and of the cryptography, which may meet those of other libraries in a
# program. Here they are tied up first, and what no function needs is left out. Where there is no GNU ld for its machine,
# the archive is taken as it is; that works, too.

set -eu
from=$1 to=$2
here=$(dirname "$0")
symbols=$here/../abi/symbols
ld=${CROSS:-}ld.bfd
as_it_is() {
    echo "$from is taken as it is: $1" >&2
    install -m 644 "$from" "$to"
    exit
}
"$ld" --version >/dev/null 2>&1 && "${CROSS:-}objcopy" --version >/dev/null 2>&1 || as_it_is "there is no $ld"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2046 # one word a name
"$ld" -r --gc-sections --force-group-allocation --script="$here/one-object.ld" $(sed -n 's/^\(sockline_[a-z0-9_]*\) .*/-u \1/p' "$symbols") \
    -o "$work/all.o" "$from" 2>"$work/says" || as_it_is "$(cat "$work/says")"
# Rust's own library has its code once more as bitcode, which means nothing once it is put together.
"${CROSS:-}objcopy" --wildcard --keep-global-symbol='sockline_*' --remove-section=.llvmbc --remove-section=.llvmcmd \
    "$work/all.o" "$work/sockline.o"
(cd "$work" && "${CROSS:-}ar" rcsD libsockline.a sockline.o)
install -m 644 "$work/libsockline.a" "$to"

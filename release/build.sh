#!/usr/bin/env bash
# Builds what is published, for one platform: build.sh FOLDER TRIPLE GLIBC     (make release calls it)
#
# With PARTS=platform only what differs between platforms: the wheel, the addon's package and the C library.
# For Linux all is linked by zig, for the C library GLIBC (such as 2.28) or musl, also on a machine of another architecture.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$1 triple=$2 glibc=$3
parts=${PARTS:-all}
export CARGO_PROFILE_RELEASE_DEBUG=0 # line tables would make it four times as big

cargo=(cargo build --target "$triple")
maturin=(maturin build --target "$triple")
case $triple in
    *-linux-gnu)
        cargo=(cargo zigbuild --target "$triple.$glibc")
        maturin+=(--zig --compatibility "manylinux_${glibc/./_}")
        ;;
    *-linux-musl)
        export RUSTFLAGS='-C target-feature=-crt-static' # what is loaded can't have a C library of its own
        cargo=(cargo zigbuild --target "$triple")
        maturin+=(--zig --compatibility musllinux_1_2)
        ;;
esac
case $triple in
    x86_64-unknown-linux-*) platform=linux-x64-${triple##*-} ;;
    aarch64-unknown-linux-*) platform=linux-arm64-${triple##*-} ;;
    x86_64-apple-darwin) platform=darwin-x64 ;;
    aarch64-apple-darwin) platform=darwin-arm64 ;;
    *) echo "build.sh: nothing is published for $triple" >&2 && exit 1 ;;
esac
built=target/$triple/release
version=$(python3 release/version.py)
rm -rf "$out"
mkdir -p "$out"

"${maturin[@]}" --release --locked --manifest-path bindings/python/Cargo.toml --out "$out"

"${cargo[@]}" --release --locked --package sockline-node
addon=$built/libsockline_node.so
[ -e "$addon" ] || addon=$built/libsockline_node.dylib
only=()
[ "$parts" = all ] || only=(--only-platform)
node bindings/node/scripts/pack.js --out "$out" --notices target/notices/node --platform "$platform" --addon "$addon" ${only[@]+"${only[@]}"}

if [[ $triple == *-linux-* ]]; then
    "${cargo[@]}" --release --locked --package sockline-ffi
    name=sockline-c-$version-$platform
    stage=$(mktemp -d)
    trap 'rm -rf "$stage"' EXIT
    make --no-print-directory install TARGET="$built" PREFIX=/usr/local DESTDIR="$stage/tree" >/dev/null
    mv "$stage/tree/usr/local" "$stage/$name"
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime='1980-01-01 UTC' -C "$stage" -cf - "$name" | gzip -n >"$out/$name.tar.gz"
fi

if [ "$parts" = all ]; then
    maturin sdist --manifest-path bindings/python/Cargo.toml --out "$out"
    python3 release/sbom.py >"$out/sockline-$version.cyclonedx.json"
fi

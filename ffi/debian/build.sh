#!/bin/sh
# build.sh [FOLDER]: makes libsockline0, libsockline-dev and libsockline0-dbgsym of the built library, into target/deb
# or the given folder. It needs debhelper and what make lib has made; neither root nor the network, and no Rust.
#
# TARGET is the folder of the library; ARCH another architecture in Debian's words, such as arm64; REVISION Debian's own
# number behind the version.

set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
target=$(cd "$root" && cd "${TARGET:-target/release}" && pwd)
mkdir -p "${1:-$root/target/deb}"
out=$(cd "${1:-$root/target/deb}" && pwd)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
# A version before a release sorts before it.
version=$(echo "$version" | tr - '~')-${REVISION:-1}
build=$root/target/deb-build
source=$build/sockline

[ -e "$target/libsockline.so" ] && [ -e "$root/target/notices/ffi" ] || { echo "build the library first: make lib" >&2; exit 1; }
rm -rf "$build" "$out"/libsockline*.deb
mkdir -p "$source"
cp -R "$root/ffi/debian" "$source/debian"
rm "$source/debian/build.sh"

# Two builds of one commit are the same to the byte.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
cat >"$source/debian/changelog" <<END
sockline ($version) unstable; urgency=medium

  * Version ${version%-*}. What it brings is in CHANGELOG.md of the sources.

 -- sockline developers <maintainers@sockline.invalid>  $(date -uR -d "@$SOURCE_DATE_EPOCH")
END

# Whoever uses a function depends on the version that it came with. Without GNU ld at its build, the library's symbols have
# no version.
node=libsockline.so.0
readelf --version-info "$target/libsockline.so" | grep -q "Name: $node" || node=Base
{
    echo "libsockline.so.0 libsockline0 #MINVER#"
    [ $node = Base ] || echo " $node@$node 0.1.0"
    sed -n "s/^\(sockline_[a-z0-9_]*\) \(.*\)/ \1@$node \2/p" "$root/ffi/abi/symbols"
} >"$source/debian/libsockline0.symbols"

cp "$root/target/notices/ffi" "$source/debian/LICENSE-THIRD-PARTY"
cp "$root/CHANGELOG.md" "$source"

export SOCKLINE_ROOT="$root" SOCKLINE_TARGET="$target"
(cd "$source" && dpkg-buildpackage --build=binary --no-sign --no-check-builddeps --host-arch "${ARCH:-$(dpkg --print-architecture)}" >"$build/log" 2>&1) || {
    tail -n 40 "$build/log" >&2
    exit 1
}
mv "$build"/*.deb "$out"
rm -r "$build"
ls "$out"/libsockline*.deb

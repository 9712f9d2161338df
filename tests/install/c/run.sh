#!/bin/sh
# Installs the built library as a C programmer gets it, and builds and runs the echo pair with what is there:
#     run.sh [abi] [installed] [make] [cmake] [meson] [removed] [deb]      all of them if none is named
#
# TARGET is the folder of the library. Nothing of Rust is on the path, and the environment is empty.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
TARGET=${TARGET:-$root/target/release}
export TARGET
if [ -z "${SOCKLINE_CLEAN_ROOM:-}" ]; then
    rm -rf "$root/target/tests-install"
    mkdir -p "$root/target/tests-install/home" "$root/target/tests-install/no-rust"
    for tool in cargo rustc rustup; do
        printf '#!/bin/sh\necho "there is no %s in the clean room" >&2\nexit 1\n' $tool >"$root/target/tests-install/no-rust/$tool"
        chmod +x "$root/target/tests-install/no-rust/$tool"
    done
    exec env -i PATH="$root/target/tests-install/no-rust:/usr/bin:/bin:/usr/sbin:/sbin" HOME="$root/target/tests-install/home" TARGET="$TARGET" \
        SOCKLINE_CLEAN_ROOM=yes "$here/run.sh" "$@"
fi
work=$root/target/tests-install
prefix=$work/prefix
triplet=$(gcc -print-multiarch)

fail() {
    echo "$*" >&2
    exit 1
}

install_prefix() {
    [ -e "$prefix" ] || make --quiet -C "$root" -f ffi/install.mk install-strip PREFIX="$prefix" TARGET="$TARGET"
}

# The server of a folder on a free port, and its client, both from elsewhere: echo FOLDER SERVER CLIENT
echo_pair() {
    rm -f "$work/says"
    mkfifo "$work/says"
    (cd / && exec "$1/$2" 0 >"$work/says") &
    server=$!
    read -r line <"$work/says"
    port=$(echo "$line" | sed 's/[^:]*:\/\/localhost:\([0-9]*\).*/\1/')
    (cd / && "$1/$3" "ws://127.0.0.1:$port/" 1000 64) || fail "$1/$3 failed"
    kill -TERM $server
    wait $server || fail "$1/$2 failed"
}

# Where the program gets the library from.
is_shared() { readelf --dynamic "$1" | grep -q 'NEEDED.*\[libsockline\.so\.0\]' || fail "$1 does not need libsockline.so.0"; }
is_static() { readelf --dynamic "$1" | grep -q 'NEEDED.*libsockline' && fail "$1 needs libsockline" || true; }

abi() {
    "$root/ffi/abi/check.py" symbols "$TARGET/libsockline.so"
    "$root/ffi/abi/check.py" layout
    python3 "$here/test_abi.py"
    echo "the binary interface is what it was"
}

# What stands in the prefix, as a packager looks at it.
installed() {
    install_prefix
    lib=$prefix/lib
    for name in libsockline.so libsockline.so.0; do
        case $(readlink "$lib/$name") in
            libsockline.so.*) ;;
            *) fail "$name is no relative link" ;;
        esac
    done
    readelf --dynamic "$lib/libsockline.so" | grep -q 'SONAME.*\[libsockline\.so\.0\]' || fail "the soname is missing"
    # Not so where another linker than GNU ld has been chosen, which is no one's choice here.
    readelf --dyn-syms --wide "$lib/libsockline.so" | grep -q ' sockline_connect@@libsockline\.so\.0' ||
        fail "the symbols have no version"
    "$root/ffi/abi/check.py" symbols "$lib/libsockline.so"
    "$root/ffi/abi/check.py" symbols "$lib/libsockline.a"
    [ -z "$(find "$prefix" -type f -perm /111)" ] || fail "files are executable: $(find "$prefix" -type f -perm /111)"
    grep -q serde_json "$prefix/share/doc/sockline/LICENSE-THIRD-PARTY" || fail "the notice does not name what is linked in"
    # The same, staged for a package, with folders as distributions have them.
    make --quiet -C "$root" -f ffi/install.mk install PREFIX=/usr LIBDIR="/usr/lib/$triplet" DESTDIR="$work/stage" TARGET="$TARGET"
    grep -rlF --include='*.pc' --include='*.cmake' "$work" "$work/stage" && fail "staged files name the stage" || true
    has_debug() { readelf --sections "$1" | grep -q '\.debug_'; }
    has_debug "$work/stage/usr/lib/$triplet/libsockline.so" || fail "install takes the debug information away"
    if has_debug "$lib/libsockline.so"; then fail "install-strip leaves debug information"; fi
    rm -rf "$work/stage"
    echo "what is installed looks right"
}

# With make and pkg-config: shared and static, by gcc and clang, C and C++; also without any shared library at all.
make_programs() {
    install_prefix
    export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
    shared="$(pkg-config --cflags --libs sockline) -Wl,-rpath,$(pkg-config --variable=libdir sockline)"
    static=$(pkg-config --static --cflags --libs sockline | sed 's/-lsockline/-l:libsockline.a/')
    unset PKG_CONFIG_PATH
    c=$root/examples/c cpp=$root/examples/cpp
    for compiler in gcc clang; do
        folder=$work/$compiler
        mkdir -p "$folder"
        case $compiler in gcc) plus=g++ ;; clang) plus=clang++ ;; esac
        # shellcheck disable=SC2086 # words
        {
            $compiler -std=c11 -Wall -Wextra -pedantic -Werror "$c/echo_server.c" -o "$folder/shared_server" $shared
            $compiler -std=c11 "$c/echo_client.c" -o "$folder/static_client" $static
            $plus -std=c++17 -Wall -Wextra -pedantic -Werror "$cpp/echo_client.cpp" -o "$folder/cpp_client" $shared
            $plus -std=c++17 "$cpp/echo_server.cpp" -o "$folder/cpp_static_server" $static
        }
        is_shared "$folder/shared_server"
        is_static "$folder/static_client"
        echo_pair "$folder" shared_server static_client
        echo_pair "$folder" cpp_static_server cpp_client
    done
    gcc -std=c11 -static "$c/echo_server.c" -o "$work/gcc/alone_server" $static 2>/dev/null # a warning of getaddrinfo
    echo_pair "$work/gcc" alone_server static_client
    # The contract of the C face, kept by the static library, too.
    gcc -std=c11 "$root/tests/c/contract.c" -o "$work/gcc/contract" $static
    "$work/gcc/contract" | tail -n 1
    # Without a path in the program the loader is told where to look.
    gcc -std=c11 "$c/hello.c" -o "$work/gcc/hello" -I"$prefix/include" -L"$prefix/lib" -lsockline
    said=$(LD_LIBRARY_PATH=$prefix/lib "$work/gcc/hello" ws://127.0.0.1:1/ 2>&1) && fail "hello reached nobody, and is content" || true
    case $said in hello:*) ;; *) fail "hello said: $said" ;; esac
    echo "programs are built by make: shared and static, C and C++, gcc and clang"
}

cmake_programs() {
    install_prefix
    cmake -S "$here/program" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" -DEXAMPLES="$root/examples" >/dev/null
    cmake --build "$work/cmake" --parallel 2 >/dev/null
    is_shared "$work/cmake/echo_server"
    is_static "$work/cmake/static_client"
    echo_pair "$work/cmake" echo_server static_client
    echo_pair "$work/cmake" cpp_server cpp_static_client
    # A tree that was moved is found where it is.
    mkdir -p "$work/moved"
    cp -a "$prefix" "$work/moved/prefix"
    cmake -S "$here/program" -B "$work/cmake-moved" -DCMAKE_PREFIX_PATH="$work/moved/prefix" -DEXAMPLES="$root/examples" >/dev/null
    grep -q "moved/prefix/lib/cmake/sockline" "$work/cmake-moved/CMakeCache.txt" || fail "the moved tree was not found"
    cmake --build "$work/cmake-moved" --target echo_server >/dev/null
    readelf --dynamic "$work/cmake-moved/echo_server" | grep -q 'RUNPATH.*moved/prefix/lib' || fail "the moved library was not taken"
    rm -rf "$work/moved"
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
    cmake -S "$here/versions" -B "$work/cmake-versions" -DCMAKE_PREFIX_PATH="$prefix" -DVERSION="$version" >/dev/null
    echo "programs are built by CMake, with sockline::sockline and sockline::sockline_static"
}

meson_programs() {
    install_prefix
    mkdir -p "$work/meson"
    cp "$here/program/meson.build" "$work/meson"
    cp -r "$root/examples/c" "$work/meson"
    meson setup "$work/meson/build" "$work/meson" -Dpkg_config_path="$prefix/lib/pkgconfig" >/dev/null
    ninja -C "$work/meson/build" >/dev/null
    is_static "$work/meson/build/static_client"
    export LD_LIBRARY_PATH="$prefix/lib"
    echo_pair "$work/meson/build" echo_server static_client
    unset LD_LIBRARY_PATH
    echo "programs are built by meson"
}

removed() {
    install_prefix
    make --quiet -C "$root" -f ffi/install.mk uninstall PREFIX="$prefix" TARGET="$TARGET"
    left=$(find "$prefix" ! -type d)
    [ -z "$left" ] || fail "uninstall leaves $left"
    rm -rf "$prefix"
    echo "nothing is left"
}

# The packages in a folder of their own: what they say, what they hold, and the echo pair built from them.
deb() {
    DEB_BUILD_OPTIONS=noautodbgsym COMPRESSION=gzip "$root/ffi/debian/build.sh" "$work/deb"
    lintian --fail-on error,warning --info "$work"/deb/*.deb
    for package in libsockline0 libsockline-dev; do
        dpkg --extract "$work"/deb/${package}_*.deb "$work/system"
        dpkg --info "$work"/deb/${package}_*.deb | grep -q '^ *Multi-Arch: same' || fail "$package is not Multi-Arch: same"
    done
    dpkg --field "$work"/deb/libsockline0_*.deb Depends | grep -q 'libc6 (>= ' || fail "the library depends on no libc6"
    dpkg --field "$work"/deb/libsockline-dev_*.deb Depends | grep -q '^libsockline0 (= ' || fail "-dev does not depend on its library"
    lib=$work/system/usr/lib/$triplet
    export PKG_CONFIG_LIBDIR="$lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$work/system"
    mkdir -p "$work/from-deb"
    for side in server client; do
        gcc -std=c11 "$root/examples/c/echo_$side.c" -o "$work/from-deb/echo_$side" $(pkg-config --cflags --libs sockline) \
            -I"$work/system/usr/include" -L"$lib"
        gcc -std=c11 "$root/examples/c/echo_$side.c" -o "$work/from-deb/static_$side" -I"$work/system/usr/include" \
            -L"$lib" $(pkg-config --static --libs sockline | sed 's/-lsockline/-l:libsockline.a/')
    done
    unset PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR
    export LD_LIBRARY_PATH="$lib"
    echo_pair "$work/from-deb" echo_server static_client
    echo_pair "$work/from-deb" static_server echo_client
    unset LD_LIBRARY_PATH
    echo "the Debian packages work"
}

[ $# -gt 0 ] || set -- abi installed make cmake meson removed deb
for part in "$@"; do
    case $part in
        abi | installed | removed | deb) $part ;;
        make | cmake | meson) ${part}_programs ;;
        *) fail "there is no part $part" ;;
    esac
done

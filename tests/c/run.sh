#!/bin/sh
# Tests the C and C++ faces: run.sh [headers] [programs] [sanitizers] [valgrind] [examples]; all of them if none is named.
#
# It needs target/release/libsockline.so (cargo build --release), gcc, clang, valgrind, curl and openssl.

set -eu
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
target=${TARGET:-$root/target/release}
build=$root/target/tests-c
strict="-Wall -Wextra -pedantic -Werror -I$root/include"
mkdir -p "$build"

need() {
    command -v "$1" >/dev/null || { echo "$1 is missing; install it with: apt-get install $2" >&2; exit 1; }
}

library() {
    [ -e "$target/libsockline.so" ] || { echo "libsockline.so is missing; build it with: cargo build --release" >&2; exit 1; }
    ln -sf libsockline.so "$target/libsockline.so.0"
}

link() { echo "$target/libsockline.so.0 -Wl,-rpath,$target -lpthread"; }

headers() {
    for compiler in gcc clang; do
        for standard in c99 c11 c17; do
            $compiler -x c -std=$standard $strict -fsyntax-only header.c
        done
        for standard in c++11 c++14 c++17 c++20; do
            $compiler -x c++ -std=$standard $strict -fsyntax-only header.c
        done
        for standard in c++17 c++20; do
            $compiler -x c++ -std=$standard $strict -fsyntax-only hpp.cpp hpp_io.cpp hpp_redis.cpp
        done
        for header in "$root"/include/sockline/*.hpp; do
            $compiler -x c++ -std=c++17 $strict -fsyntax-only "$header" # each stands alone
        done
    done
    # shellcheck disable=SC2046
    gcc -std=c99 $strict header.c -o "$build/header" $(link)
    "$build/header"
    echo "the headers are clean"
}

# An authority of our own, and certificates from it for localhost and for other.test; nothing of it outlives the build.
certificates() {
    folder=$build/certificates
    [ -e "$folder/other.pem" ] && return
    mkdir -p "$folder"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=sockline tests" \
        -keyout "$folder/ca.key" -out "$folder/ca.pem" 2>/dev/null
    for name in localhost other; do
        host=$name; [ $name = localhost ] || host=$name.test
        printf 'subjectAltName=DNS:%s\n' $host >"$folder/$name.extensions"
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$host" \
            -keyout "$folder/$name.key" -out "$folder/$name.request" 2>/dev/null
        openssl x509 -req -in "$folder/$name.request" -CA "$folder/ca.pem" -CAkey "$folder/ca.key" -CAcreateserial \
            -days 3650 -extfile "$folder/$name.extensions" -out "$folder/$name.pem" 2>/dev/null
    done
}

# Builds the tests with these flags into a folder of this name.
compile() {
    certificates
    folder=$build/$1; shift
    mkdir -p "$folder"
    for test in contract calls connecting dialing elsewhere io_client io_parser io_redis io_server io_sessions options queue reconnect redis_places routes secure server threads topics_redis upgrade; do
        gcc -g -std=c11 $strict "$@" $test.c -o "$folder/$test" $(link)
    done
    gcc -g -std=c11 $strict -I"$root/examples/c" "$@" embedded.c "$root/examples/c/mhd_requests.c" -o "$folder/embedded" $(link) -lmicrohttpd
    gcc -g -std=gnu11 $strict "$@" unload.c -o "$folder/unload" -ldl -lpthread
    for test in hpp hpp_io hpp_redis; do
        g++ -g -std=c++17 $strict "$@" $test.cpp -o "$folder/$test" $(link)
    done
}

# Runs the tests of a folder; the rest is put before each command.
run() {
    folder=$build/$1; messages=$2; shift 2
    for test in contract calls connecting dialing elsewhere io_client io_parser io_redis io_server io_sessions options queue reconnect redis_places routes server topics_redis upgrade hpp hpp_io hpp_redis embedded; do "$@" "$folder/$test"; done
    "$@" "$folder/secure" "$build/certificates"
    "$@" "$folder/threads" "$messages"
    "$@" "$folder/unload" "$target/libsockline.so.0"
}

# Where no thread has anything to destroy at its end, the linker's flag alone keeps the library loaded.
stays_loaded() {
    readelf --dynamic "$target/libsockline.so" | grep -q NODELETE ||
        { echo "libsockline.so was linked without -z nodelete" >&2; exit 1; }
}

programs() {
    stays_loaded
    compile plain -O2
    run plain 100000 env
}

sanitizers() {
    compile sanitized -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
    run sanitized 20000 env ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1
}

memory_check="valgrind --quiet --suppressions=$PWD/valgrind.supp --leak-check=full --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect --error-exitcode=99"

in_valgrind() {
    compile plain -O2
    # shellcheck disable=SC2086
    run plain 1000 $memory_check
}

# An echo and a chat, each program of them in valgrind.
examples() {
    make --quiet -C "$root/examples/c" TARGET="$target"
    make --quiet -C "$root/examples/cpp" TARGET="$target"
    for language in c cpp; do
        serve "$root/examples/$language/build/echo_server"
        for arguments in "2000 64" "50 70000" "1 0" "0 10"; do
            $memory_check "$root/examples/$language/build/echo_client" "ws://127.0.0.1:$port/" $arguments
        done
        finish
        serve "$root/examples/$language/build/io_echo_server"
        $memory_check "$root/examples/$language/build/io_echo_client" "http://127.0.0.1:$port" 300
        finish
    done
    serve "$root/examples/c/build/chat_server"
    said=$(printf 'one\ntwo "quoted" \\ caf\303\251\n\nlast' |
        $memory_check "$root/examples/c/build/chat_client" "ws://127.0.0.1:$port/ws" "a\"name")
    [ "$said" = "$(printf 'a"name: one\na"name: two "quoted" \\ caf\303\251\na"name: last')" ]
    curl --silent --fail "http://127.0.0.1:$port/" | grep -qi '<html'
    finish
    serve "$root/examples/c/build/embedded_server"
    $memory_check "$root/examples/c/build/io_echo_client" "http://127.0.0.1:$port" 100
    $memory_check "$root/examples/c/build/echo_client" "ws://127.0.0.1:$port/ws" 50 70000
    curl --silent --fail "http://127.0.0.1:$port/" | grep -q libmicrohttpd
    finish
    echo "the examples are clean"
}

# Starts a server on a free port, which it prints.
serve() {
    rm -f "$build/says"
    mkfifo "$build/says"
    $memory_check "$1" 0 >"$build/says" &
    server=$!
    read -r line <"$build/says"
    port=$(echo "$line" | sed 's/[^:]*:\/\/localhost:\([0-9]*\).*/\1/')
}

finish() {
    kill -TERM $server
    wait $server
}

need gcc gcc; need g++ g++; need clang clang; need curl curl; need openssl openssl
need redis-server redis-server
library
[ $# -gt 0 ] || set -- headers programs sanitizers valgrind examples
for part in "$@"; do
    case $part in
        headers | programs | sanitizers) $part ;;
        examples) need valgrind valgrind; need make make; examples ;;
        valgrind) need valgrind valgrind; in_valgrind ;;
        *) echo "there is no part $part" >&2; exit 2 ;;
    esac
done
echo "all is well in C"

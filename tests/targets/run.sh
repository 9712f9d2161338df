#!/bin/sh
# Other targets than this machine's:
#     run.sh check TARGET…    has the compiler look at what is said of the target below
#     run.sh test TARGET      builds the tests below for it and runs them: natively, or under qemu-user
#
# Where the compiler (RUSTC, or rustup's stable one) has the target's standard library, it is used; else the nightly one builds
# the library from its source (rustup component add rust-src --toolchain nightly). C comes from Debian's cross compilers.

set -eu
cd "$(dirname "$0")/../.."
folder=target/cross

# The machines, which have no I/O.
machines="--test ws --test engineio --test engineio_client --test socketio --test socketio_client --test requests
       --test handshake_client --test handshake_server --test handshake_deflate --test handshake_url
       --test http_head --test http_body"
# The engine with its sockets, and what is tested from inside, which has not been seen to end where it is emulated.
engine="--test event_loop" secured="--test tls" inside="--lib"
# What qemu-user can't do: it refuses seccomp, and has threads of its own among the process's. Two more are left to chance there:
# a foreign peer's patience with 16 MB, and handshakes in 50 ms.
emulated="--skip where_io_uring_is_forbidden --skip what_is_forbidden_later --skip many_loops_leave_no_descriptor_behind
          --skip a_foreign_server_gets_ours_and_closes --skip an_attempt_s_lookup"

need() { tests/tools/need "$@"; }

# What the C compiler, the linker and the runner of a target are, and which of our packages are looked at, with which features.
settle() {
    packages="-p sockline -p sockline-ffi" features="" tests="$machines $engine $inside" left_out=""
    case $1 in
        aarch64-unknown-linux-gnu)
            need gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
            export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
            if [ "$(uname -m)" != aarch64 ]; then
                export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
                # The system can't run a test that starts its own program again, either.
                export SOCKLINE_TEST_RUNNER="$CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER"
                # Tests wait for 30 seconds, which is little where code is neither optimized nor run by a processor.
                export CARGO_PROFILE_DEV_OPT_LEVEL=1
                export RUST_BACKTRACE=0
                tests="$machines $engine $secured"
                left_out=$emulated
            fi
            ;;
        x86_64-unknown-linux-musl)
            need musl-tools
            export CC_x86_64_unknown_linux_musl=musl-gcc
            ;;
        aarch64-unknown-linux-musl)
            # No more than a check: that compiler's C library is another one, so nothing is linked.
            need gcc-aarch64-linux-gnu libc6-dev-arm64-cross
            export CC_aarch64_unknown_linux_musl=aarch64-linux-gnu-gcc
            ;;
        x86_64-pc-windows-gnu)
            # The tests of the engine are written for Unix, and one of `requests` for how Unix resets connections.
            tests=$(echo "$machines" | sed 's/--test requests//')
            case $(uname -s) in
                MINGW* | MSYS*) ;;
                *) need gcc-mingw-w64-x86-64 ;;
            esac
            ;;
        *-apple-darwin)
            # The cryptography is C, for which one needs Apple's headers; elsewhere the rest is looked at.
            if [ "$(uname -s)" != Darwin ]; then
                packages="-p sockline" features="--no-default-features --features redis"
            fi
            ;;
        *)
            echo "nothing is known of $1 here" >&2
            exit 2
            ;;
    esac
}

# Sets cargo to the compiler that has the target.
choose() {
    if [ -d "$("${RUSTC:-rustc}" --print sysroot)/lib/rustlib/$1/lib" ]; then
        cargo="cargo" library=""
    elif [ -d "$(rustc +nightly --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library" ]; then
        cargo="cargo +nightly" library="-Z build-std"
    else
        echo "no compiler here has $1: rustup target add $1" >&2
        echo "or: rustup toolchain install nightly --component rust-src" >&2
        exit 1
    fi
}

mode=${1:-}
[ $# -gt 1 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2; }
shift
for target in "$@"; do
    settle "$target"
    choose "$target"
    # shellcheck disable=SC2086 # words
    case $mode in
        check)
            RUSTFLAGS='-D warnings' $cargo check --quiet --locked $library --target "$target" --target-dir $folder $packages $features
            ;;
        test) $cargo test --locked $library --target "$target" --target-dir $folder -p sockline $tests -- $left_out ;;
        *) echo "check or test, not $mode" >&2; exit 2 ;;
    esac
    echo "$target: $mode passed"
done

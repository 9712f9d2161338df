# Everything that is done with this repository, by name. Recipes are what CI runs.
#
#   make chat    build all, start the chat at http://localhost:3000
#   make test    all tests
#   make help    the rest

PYTHON ?= python3
CARGO ?= cargo
PORT ?= 3000

RELEASE := target/release
VENV := .venv
RUST_SOURCES := Cargo.toml Cargo.lock $(shell find core/src ffi/src -name '*.rs') core/Cargo.toml ffi/Cargo.toml
PYTHON_SOURCES := $(shell find bindings/command bindings/python -name '*.rs' -o -name '*.py' -o -name '*.pyi' -o -name '*.toml')
NODE_SOURCES := $(shell find bindings/command bindings/node -path '*/node_modules' -prune -o \( -name '*.rs' -o -name '*.js' -o -name '*.mjs' -o -name '*.ts' -o -name '*.toml' -o -name 'package*.json' \) -print)
WHEELS := target/pip
ADDON := bindings/node/sockline.node
NODE_TESTS := bindings/node/node_modules

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

include ffi/install.mk
include release/release.mk

.PHONY: help build lib c cpp rust-examples python node chat cluster test lint test-rust test-c test-counts counts counts-accept test-python test-node \
        test-interop test-install test-packages test-install-c test-docs bench autobahn docs deny fuzz miri sanitize header compat \
        deb abi abi-accept check-targets test-aarch64 test-musl clean

help:
	@echo 'make build     libraries, bindings (.venv, examples/node/node_modules) and examples'
	@echo 'make chat      build, then the chat at http://localhost:$(PORT)  (PORT=…)'
	@echo 'make cluster   the same with three servers behind nginx  (PORT=… STICKY=cookie, route or address)'
	@echo 'make test      all tests; make lint test-rust test-c test-counts test-python test-node test-interop test-install test-docs are its parts'
	@echo 'make counts    instructions per message, against tests/counts/baseline.json; make counts-accept takes what is new'
	@echo 'make bench     side by side with other libraries  (ONLY=echo,tls ROUNDS=31 PEERS=sockline_c,raw_tcp PUBLISH=1)'
	@echo 'make autobahn  Autobahn|Testsuite against every language in both roles  (FACE="rust c python coroutine node")'
	@echo 'make install   C library, headers, pkg-config, CMake, after make lib  (PREFIX=/usr/local LIBDIR= DESTDIR=)'
	@echo '               make install-strip without debug information; make uninstall'
	@echo 'make deb       libsockline0 and libsockline-dev for Debian, into target/deb  (DEB_OUT=)'
	@echo 'make abi       what C programs rely on, against ffi/abi/; make abi-accept takes what is new'
	@echo 'make check-targets   the compiler looks at what is said of other systems  (TARGETS=…)'
	@echo 'make test-aarch64    tests under qemu-user; make test-musl natively'
	@echo 'make docs      the site of guides and reference, target/docs/index.html'
	@echo 'make npm       the packages that npm is given, into target/npm'
	@echo 'make release   all that is published, as far as this machine can build it, into target/release-artifacts'
	@echo 'make version   say the version, or set it everywhere  (VERSION=X.Y.Z)'
	@echo 'make header    write include/sockline.h anew from the Rust sources'
	@echo 'make compat    write docs/compat/ anew: what of the packages that we mirror is here'
	@echo 'make deny      licences, bans and sources of all dependencies'
	@echo 'make fuzz      fuzz targets, with a nightly compiler  (FUZZ="frames http" FUZZ_SECONDS=600)'
	@echo 'make miri      Rust tests of the machines and of what is unsafe in the interpreter, nightly'
	@echo 'make sanitize  the C tests against a library with AddressSanitizer, nightly'

# ── building ────────────────────────────────────────────────────────────────────────────────────────────────────

build: lib rust-examples c cpp python node

lib: $(RELEASE)/libsockline.so target/notices/ffi

$(RELEASE)/libsockline.so $(RELEASE)/libsockline.a: $(RUST_SOURCES)
	$(CARGO) build --release --locked -p sockline-ffi
	@touch $@

rust-examples:
	$(CARGO) build --release --locked -p sockline --examples

c: lib
	$(MAKE) -C examples/c

cpp: lib
	@command -v g++ >/dev/null || tests/tools/need g++
	$(MAKE) -C examples/cpp

python: $(VENV)/.sockline

$(VENV)/bin/python:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || tests/tools/need python3-venv
	$(PYTHON) -m venv $(VENV)

# The version that pip takes, too. Its stamp has another date than its program, which is as old as its release.
$(VENV)/.maturin: $(VENV)/bin/python bindings/python/pyproject.toml
	$(VENV)/bin/python -m pip install --quiet $(shell sed -n 's/^requires = \["\(.*\)"\]/\1/p' bindings/python/pyproject.toml)
	@touch $@

# One wheel for all CPythons; its name says which systems it is for, as its symbols are of this one's libraries.
$(WHEELS)/.sockline: $(VENV)/.maturin $(RUST_SOURCES) $(PYTHON_SOURCES) bindings/python/LICENSE-THIRD-PARTY
	rm -f $(WHEELS)/sockline-*.whl
	$(VENV)/bin/maturin build --quiet --release --locked --interpreter $(VENV)/bin/python \
		--manifest-path bindings/python/Cargo.toml --out $(WHEELS)
	@touch $@

$(VENV)/.sockline: $(VENV)/bin/python $(WHEELS)/.sockline
	$(VENV)/bin/python -m pip install --quiet --force-reinstall --no-deps $(WHEELS)/sockline-*.whl
	$(VENV)/bin/python -m pip install --quiet sockline
	@touch $@

node: examples/node/node_modules/.sockline

$(ADDON): $(RUST_SOURCES) $(filter %.rs %.toml,$(NODE_SOURCES)) bindings/node/scripts/build.js
	CARGO='$(CARGO)' node bindings/node/scripts/build.js
	@touch $@

examples/node/node_modules/.sockline: $(ADDON) $(NODE_SOURCES) examples/node/package.json
	cd examples/node && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

# ── the main job ────────────────────────────────────────────────────────────────────────────────────────────────

chat: build
	@sh examples/chat.sh $(PORT)

STICKY ?= cookie

cluster: build
	tests/tools/need nginx redis-server
	@$(PYTHON) examples/nginx/cluster.py --sticky $(STICKY) $(PORT)

# ── tests ───────────────────────────────────────────────────────────────────────────────────────────────────────

# Two by two from where nothing is compiled any more: by themselves they would take half as long again.
test: lint test-rust build $(VENV)/.test $(NODE_TESTS)/.test
	+@tests/tools/lanes 'test-c test-counts test-interop' 'test-python test-node test-install test-docs'
	@echo 'all tests passed'

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy --locked -p sockline --no-default-features -- -D warnings
	$(CARGO) clippy --locked -p sockline --no-default-features --features tls,ring -- -D warnings
	@# The benchmark is no member of the workspace, and its lock file has the core's dependencies, too.
	$(CARGO) metadata --locked --format-version 1 --manifest-path core/benches/side_by_side/Cargo.toml >/dev/null
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --locked --quiet

test-rust:
	tests/tools/need tinyproxy microsocks dante-server stunnel4 openssl curl redis-server
	$(CARGO) test --locked -p sockline -p sockline-ffi -p sockline-command
	@# The default batches from several sockets on: here all sends go with others', and then none.
	for batch in 1 off; do SOCKLINE_SEND_BATCH=$$batch $(CARGO) test --quiet --locked -p sockline --test event_loop --test io -- \
		backpressure broadcast slow sent:: topics:: draining:: rooms || exit 1; done

test-c: lib c cpp
	tests/tools/need valgrind clang curl openssl pkg-config redis-server libmicrohttpd-dev
	tests/c/run.sh

# Instructions are the same on a busy machine: so they can be a test.
test-counts: lib rust-examples
	tests/tools/need valgrind gcc openssl
	$(PYTHON) tests/counts/run.py

counts: test-counts

counts-accept: lib rust-examples
	tests/tools/need valgrind gcc openssl
	$(PYTHON) tests/counts/run.py accept

$(VENV)/.test: $(VENV)/bin/python bindings/python/requirements-test.txt
	$(VENV)/bin/python -m pip install --quiet -r bindings/python/requirements-test.txt
	@touch $@

test-python: python $(VENV)/.test
	tests/tools/need openssl redis-server
	$(VENV)/bin/python -m pytest -q tests/python

# Once, as other tests run meanwhile that find modules there.
$(NODE_TESTS)/.test: bindings/node/package.json bindings/node/package-lock.json
	cd bindings/node && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

test-node: node $(NODE_TESTS)/.test
	tests/tools/need openssl redis-server
	cd bindings/node && npm test

test-interop: build
	tests/tools/need chromium openssl tinyproxy dante-server libwebsockets-dev libmicrohttpd-dev pkg-config redis-server nginx
	@command -v javac >/dev/null || tests/tools/need default-jdk-headless
	$(PYTHON) tests/interop/run.py

# What is installed into empty folders, without Rust.
test-install: test-packages test-install-c

# As somebody gets the C library who has no Rust.
test-install-c: lib
	tests/tools/need clang pkg-config cmake meson abigail-tools debhelper lintian
	tests/install/c/run.sh

test-packages: python npm
	cd tests/install && $(PYTHON) -m unittest test_contents test_rooms test_version

test-docs: python $(VENV)/.test node $(NODE_TESTS)/.test c
	@command -v g++ >/dev/null || tests/tools/need g++
	tests/tools/need pkg-config openssl redis-server
	$(VENV)/bin/actionlint
	$(PYTHON) tests/docs.py
	$(PYTHON) tests/docs_programs.py
	$(PYTHON) -m unittest discover -s core/benches/side_by_side

# ── measuring, checking, installing ─────────────────────────────────────────────────────────────────────────────

bench: build
	tests/tools/need libwebsockets-dev libboost-dev
	$(PYTHON) core/benches/side_by_side/run.py

FACE ?= rust c python coroutine node

autobahn: $(if $(filter rust,$(FACE)),rust-examples) $(if $(filter c,$(FACE)),c) \
          $(if $(filter python coroutine,$(FACE)),python) $(if $(filter node,$(FACE)),node)
	$(if $(filter c,$(FACE)),$(MAKE) -C tests/autobahn/clients)
	$(PYTHON) tests/autobahn/run.py $(FACE)

# The site: target/docs/index.html. mdBook is built into .tools the first time.
MDBOOK_VERSION := 0.5.4

docs: .tools/bin/mdbook-$(MDBOOK_VERSION) .tools/docs/bin/python
	cd docs && npm ci --no-audit --no-fund --silent
	MDBOOK=$(CURDIR)/$< .tools/docs/bin/python docs/build.py

.tools/bin/mdbook-$(MDBOOK_VERSION):
	$(CARGO) install --locked --quiet --root .tools/mdbook mdbook@$(MDBOOK_VERSION) --no-default-features --features search
	install -D .tools/mdbook/bin/mdbook $@

.tools/docs/bin/python: docs/requirements.txt
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || tests/tools/need python3-venv
	$(PYTHON) -m venv .tools/docs
	.tools/docs/bin/pip install --quiet -r docs/requirements.txt
	@touch $@

header:
	SOCKLINE_WRITE_HEADER=1 $(CARGO) test --locked -p sockline-ffi --test header

# What the lists in tests/compat/ say that is not so is told, and makes it fail.
compat: python $(VENV)/.test node $(NODE_TESTS)/.test
	$(VENV)/bin/python -W ignore tests/compat/write.py
	cd bindings/node && node test/compat/write.js

deb: lib
	tests/tools/need debhelper
	ffi/debian/build.sh $(DEB_OUT)

abi: lib
	tests/tools/need abigail-tools
	ffi/abi/check.py symbols $(RELEASE)/libsockline.so
	ffi/abi/check.py layout

abi-accept:
	ffi/abi/check.py accept

# What there is for each of them: docs/platforms.md.
TARGETS ?= x86_64-unknown-linux-musl aarch64-unknown-linux-gnu aarch64-apple-darwin x86_64-pc-windows-gnu

check-targets:
	tests/targets/run.sh check $(TARGETS)

test-aarch64:
	tests/targets/run.sh test aarch64-unknown-linux-gnu

test-musl:
	tests/targets/run.sh test x86_64-unknown-linux-musl

deny:
	@command -v cargo-deny >/dev/null || { echo 'make deny needs cargo-deny: cargo install --locked cargo-deny'; exit 1; }
	$(CARGO) deny --all-features check bans licenses sources

FUZZ ?= cluster engineio engineio_client frames handshake http inflate machine msgpack redis socketio socketio_client
FUZZ_SECONDS ?= 600

# What is found anew stays below core/fuzz/target; what fails is kept in core/fuzz/artifacts.
fuzz:
	@command -v cargo-fuzz >/dev/null || { echo 'make fuzz needs cargo-fuzz: cargo install --locked cargo-fuzz'; exit 1; }
	cd core && for target in $(FUZZ); do \
		mkdir -p fuzz/target/found/$$target; \
		$(CARGO) +nightly fuzz run $$target fuzz/target/found/$$target fuzz/corpus/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=4096 || exit 1; \
	done

# Without sockets, which the interpreter does not know, and without what takes it hours.
miri:
	$(CARGO) +nightly miri test --locked -p sockline --no-default-features --lib -- \
		ws:: slots outbox handle:: --skip spent_generations --skip every_slot --skip comes_from_the_system \
		--skip the_memory_of_what_was_sent --skip memory_that_one_message

HOST = $(shell rustc -vV | sed -n 's/host: //p')

sanitize:
	RUSTFLAGS=-Zsanitizer=address $(CARGO) +nightly build --locked --target $(HOST) --target-dir target/sanitize -p sockline-ffi
	TARGET=$(CURDIR)/target/sanitize/$(HOST)/debug tests/c/run.sh sanitizers

clean:
	$(CARGO) clean
	rm -rf $(VENV) examples/node/node_modules examples/c/build examples/cpp/build

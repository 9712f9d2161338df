# What is published: docs/releasing.md says how. To be included from the top Makefile.

NPM       := target/npm
ARTIFACTS := target/release-artifacts
TOOLS     := .tools/release
# Linked by zig, which knows the symbols of older C libraries: these are of Debian 10, Ubuntu 20.04, RHEL 8 and Node 18.
GLIBC     := 2.28
TRIPLE     = $(shell rustc -vV | sed -n 's/host: //p')
VERSION   ?=
# PARTS=platform: only what differs between platforms, and no packages of Debian.
PARTS     ?= all

.PHONY: npm release version

version:
	@$(PYTHON) release/version.py $(VERSION)

# ── licences of what is compiled in ─────────────────────────────────────────────────────────────────────────────────

NOTICES := release/notices.py release/dependencies.py Cargo.lock core/Cargo.toml

bindings/python/LICENSE-THIRD-PARTY: $(NOTICES) bindings/command/Cargo.toml bindings/python/Cargo.toml
	$(PYTHON) release/notices.py sockline-python >$@

target/notices/%: $(NOTICES) bindings/command/Cargo.toml bindings/node/Cargo.toml ffi/Cargo.toml
	@mkdir -p $(@D)
	$(PYTHON) release/notices.py sockline-$* >$@

# ── npm, of what `make build` has built ─────────────────────────────────────────────────────────────────────────────

npm: $(NPM)/.packed

$(NPM)/.packed: $(ADDON) $(NODE_SOURCES) target/notices/node
	rm -rf $(NPM)
	node bindings/node/scripts/pack.js --out $(NPM) --notices target/notices/node
	@touch $@

# ── the release ─────────────────────────────────────────────────────────────────────────────────────────────────────

$(TOOLS)/.installed: release/requirements.txt
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || tests/tools/need python3-venv
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet -r release/requirements.txt
	@touch $@

# All is built anew. Packages of Debian are linked against the Debian that they are built on.
release: $(TOOLS)/.installed bindings/python/LICENSE-THIRD-PARTY target/notices/node target/notices/ffi
	$(PYTHON) release/version.py
	PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" PARTS=$(PARTS) release/build.sh $(ARTIFACTS) $(TRIPLE) $(GLIBC)
	$(if $(and $(filter all,$(PARTS)),$(shell command -v dpkg-deb)),$(MAKE) deb DEB_OUT=$(ARTIFACTS))
	$(TOOLS)/bin/python release/check.py $(ARTIFACTS) $(GLIBC)

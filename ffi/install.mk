# Installs the C library, its headers and its pkg-config file: make install PREFIX=/usr/local DESTDIR=
# To be included from the top Makefile, or used alone with make -f ffi/install.mk in the top folder.

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
TARGET     ?= target/release
SOCKLINE_VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
SOCKLINE_SO      := libsockline.so.$(SOCKLINE_VERSION)

install:
	@test -e $(TARGET)/libsockline.so || { echo "build the library first: cargo build --release" >&2; exit 1; }
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)/sockline
	install -m 755 $(TARGET)/libsockline.so $(DESTDIR)$(LIBDIR)/$(SOCKLINE_SO)
	ln -sf $(SOCKLINE_SO) $(DESTDIR)$(LIBDIR)/libsockline.so.0
	ln -sf libsockline.so.0 $(DESTDIR)$(LIBDIR)/libsockline.so
	install -m 644 $(TARGET)/libsockline.a $(DESTDIR)$(LIBDIR)/libsockline.a
	install -m 644 include/sockline.h include/sockline.hpp $(DESTDIR)$(INCLUDEDIR)
	install -m 644 include/sockline/*.hpp $(DESTDIR)$(INCLUDEDIR)/sockline
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(SOCKLINE_VERSION)|' \
	    -e 's|@LIBDIR@|$(patsubst $(PREFIX)%,$${prefix}%,$(LIBDIR))|' \
	    -e 's|@INCLUDEDIR@|$(patsubst $(PREFIX)%,$${prefix}%,$(INCLUDEDIR))|' \
	    ffi/sockline.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/sockline.pc

.PHONY: install

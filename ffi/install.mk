# Installs the C library, its headers, and what pkg-config and CMake need to find them:
#     make install PREFIX=/usr/local LIBDIR=/usr/local/lib DESTDIR=
#     make install-strip          the same without debug information
#     make uninstall              takes away what install with the same variables has put there
# To be included from the top Makefile, or used alone with make -f ffi/install.mk in the top folder. It needs no Rust, only a
# library that is built: TARGET=target/release. For another machine's, name its tools, too: CROSS=aarch64-linux-gnu-

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DOCDIR     ?= $(PREFIX)/share/doc/sockline
TARGET     ?= target/release
CROSS      ?=
# Of what is linked in; make lib writes it.
NOTICES_FFI ?= target/notices/ffi
SYSTEM     ?= $(shell uname -s)

SOCKLINE_VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
# The number of the soname; ffi/build.rs says when it changes.
SOCKLINE_ABI     := 0

ifeq ($(SYSTEM),Darwin)
SOCKLINE_SO         := libsockline.dylib
SOCKLINE_SO_ABI     := libsockline.$(SOCKLINE_ABI).dylib
SOCKLINE_SO_VERSION := libsockline.$(SOCKLINE_VERSION).dylib
SOCKLINE_PRIVATE    := -framework Security -framework CoreFoundation -liconv -lm
else
SOCKLINE_SO         := libsockline.so
SOCKLINE_SO_ABI     := libsockline.so.$(SOCKLINE_ABI)
SOCKLINE_SO_VERSION := libsockline.so.$(SOCKLINE_VERSION)
# What the static library needs; its unwinder comes from the compiler's own libraries, which every link has.
SOCKLINE_PRIVATE    := -lpthread -ldl -lm
endif

SOCKLINE_LIBS    := $(addprefix $(LIBDIR)/,$(SOCKLINE_SO_VERSION) $(SOCKLINE_SO_ABI) $(SOCKLINE_SO) libsockline.a)
SOCKLINE_CMAKE   := $(LIBDIR)/cmake/sockline
SOCKLINE_CONFIGS := $(LIBDIR)/pkgconfig/sockline.pc $(SOCKLINE_CMAKE)/sockline-config.cmake \
                    $(SOCKLINE_CMAKE)/sockline-config-version.cmake
SOCKLINE_NOTICES := LICENSE-MIT LICENSE-APACHE

# A folder below PREFIX as pkg-config and CMake say it, and the way back from it to PREFIX; others as they are.
below   = $(patsubst $(PREFIX)/%,$${$(2)prefix}/%,$(1))
empty  :=
way     = $(subst $(empty) ,/,$(patsubst %,..,$(subst /, ,$(patsubst $(PREFIX)/%,%,$(1)))))
SOCKLINE_HOME = $(if $(filter $(PREFIX)/%,$(LIBDIR)),$${CMAKE_CURRENT_LIST_DIR}/../../$(call way,$(LIBDIR)),$(PREFIX))

fill = sed -e 's|@VERSION@|$(SOCKLINE_VERSION)|g' -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@PRIVATE@|$(SOCKLINE_PRIVATE)|g' \
           -e 's|@LIBDIR@|$(call below,$(LIBDIR),$(1))|g' -e 's|@INCLUDEDIR@|$(call below,$(INCLUDEDIR),$(1))|g' \
           -e 's|@HOME@|$(SOCKLINE_HOME)|g' -e 's|@SO@|$(SOCKLINE_SO_VERSION)|g' -e 's|@SONAME@|$(SOCKLINE_SO_ABI)|g'

install:
	@test -e $(TARGET)/$(SOCKLINE_SO) -a -e $(NOTICES_FFI) || { echo "build the library first: make lib" >&2; exit 1; }
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(SOCKLINE_CMAKE) $(DESTDIR)$(INCLUDEDIR)/sockline $(DESTDIR)$(DOCDIR)
	install -m 644 $(TARGET)/$(SOCKLINE_SO) $(DESTDIR)$(LIBDIR)/$(SOCKLINE_SO_VERSION)
	ln -sf $(SOCKLINE_SO_VERSION) $(DESTDIR)$(LIBDIR)/$(SOCKLINE_SO_ABI)
	ln -sf $(SOCKLINE_SO_ABI) $(DESTDIR)$(LIBDIR)/$(SOCKLINE_SO)
	CROSS=$(CROSS) ffi/install/archive.sh $(TARGET)/libsockline.a $(DESTDIR)$(LIBDIR)/libsockline.a
	install -m 644 include/sockline.h include/sockline.hpp $(DESTDIR)$(INCLUDEDIR)
	install -m 644 include/sockline/*.hpp $(DESTDIR)$(INCLUDEDIR)/sockline
	$(call fill) ffi/install/sockline.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/sockline.pc
	$(call fill,_sockline_) ffi/install/sockline-config.cmake.in > $(DESTDIR)$(SOCKLINE_CMAKE)/sockline-config.cmake
	$(call fill,_sockline_) ffi/install/sockline-config-version.cmake.in > $(DESTDIR)$(SOCKLINE_CMAKE)/sockline-config-version.cmake
	chmod 644 $(addprefix $(DESTDIR),$(SOCKLINE_CONFIGS))
	install -m 644 $(SOCKLINE_NOTICES) $(DESTDIR)$(DOCDIR)
	install -m 644 $(NOTICES_FFI) $(DESTDIR)$(DOCDIR)/LICENSE-THIRD-PARTY

install-strip: install
	$(CROSS)strip --strip-unneeded $(DESTDIR)$(LIBDIR)/$(SOCKLINE_SO_VERSION)
	$(CROSS)strip --strip-debug $(DESTDIR)$(LIBDIR)/libsockline.a

uninstall:
	rm -f $(addprefix $(DESTDIR),$(SOCKLINE_LIBS) $(SOCKLINE_CONFIGS)) \
	      $(addprefix $(DESTDIR)$(INCLUDEDIR)/,$(notdir $(wildcard include/*.h include/*.hpp))) \
	      $(addprefix $(DESTDIR)$(INCLUDEDIR)/sockline/,$(notdir $(wildcard include/sockline/*.hpp))) \
	      $(addprefix $(DESTDIR)$(DOCDIR)/,$(notdir $(SOCKLINE_NOTICES)) LICENSE-THIRD-PARTY)
	for folder in $(SOCKLINE_CMAKE) $(INCLUDEDIR)/sockline $(DOCDIR); do \
		test ! -d $(DESTDIR)$$folder || rmdir $(DESTDIR)$$folder; done

.PHONY: install install-strip uninstall

# SPDX-License-Identifier: Apache-2.0
# The image. BUILD=static-amd64 and BUILD=static-arm64 are the programs as they are in it: static and position-independent, linked with
# what SYSROOT and LIBCURL hold (agent/image/sysroot, agent/image/libcurl) and with nothing of this machine but the compiler.

ifneq ($(filter static-%,$(BUILD)),)
ifeq ($(BUILD),static-arm64)
triplet := aarch64-linux-gnu
CC = $(triplet)-gcc
hardening := $(subst -fcf-protection=full,-mbranch-protection=standard,$(hardening))
else
triplet := x86_64-linux-gnu
endif
debian_libs := $(SYSROOT)/root/usr/lib/$(triplet)
link_kind := -static-pie
# The compiler's own folders may hold another libc, a cross compiler's do: these stand before them.
CPPFLAGS_ALL += -isystem $(LIBCURL)/include -isystem $(SYSROOT)/root/usr/include/$(triplet) -isystem $(SYSROOT)/root/usr/include
CFLAGS_$(BUILD) := $(CFLAGS_release) --sysroot=$(SYSROOT)/root -B$(debian_libs) -ffile-prefix-map=$(CURDIR)=. \
	-ffile-prefix-map=$(SYSROOT)/root= -ffile-prefix-map=$(LIBCURL)=libcurl
# Every call of free and realloc goes to wipe.c where that is linked, those of the libraries and of libc itself too.
wrap := -Wl,--wrap=free,--wrap=realloc
LDFLAGS_$(BUILD) = -L$(LIBCURL)/lib -L$(debian_libs) -Wl,--gc-sections,-Map=$@.map $(if $(filter %/wipe.o,$^),$(wrap))
$(O)/agent/base/wipe.o: CPPFLAGS_ALL += -Dfree=__wrap_free -Drealloc=__wrap_realloc
hand_libs := -Wl,--start-group $(hand_libs) -Wl,--end-group
head_libs := -Wl,--start-group $(head_libs) -lnghttp2 -Wl,--end-group
endif

ARCHES ?= amd64 arm64
IMAGE ?= localhost/certhup:$(VERSION)

image: ## the container image for ARCHES (amd64 arm64), its SBOM and sources, into build/image
	@tests/deps agent/image/packages.txt
	@MAKE='$(MAKE)' agent/image/build '$(VERSION)' '$(IMAGE)' $(ARCHES)

# helm is that of the tests' cluster, built when it is not there; HELM=helm takes the machine's.
HELM ?= $$(tests/cluster/build helm)/helm
release: ## image and chart, SBOM, sources and checksums into build/dist, with Debian's newest packages
	@tests/deps agent/image/packages.txt
	@agent/image/apt --fresh
	@$(MAKE) -s image ARCHES='amd64 arm64'
	@agent/image/release '$(VERSION)' '$(IMAGE)' "$(HELM)"

check-image: deps ## build image and release, and test them; needs root for all of it
	@tests/deps tests/image/packages.txt
	@$(MAKE) -s image ARCHES='amd64 arm64'
	@agent/image/release '$(VERSION)' '$(IMAGE)' "$(HELM)"
	@tests/image/run $(WORDS)

.PHONY: image release check-image

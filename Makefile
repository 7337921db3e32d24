# SPDX-License-Identifier: Apache-2.0
# certhup: `make help` tells the targets. No configure step; needs GNU make and what `make deps` installs.
#
#   BUILD=release|debug|asan   which flags, and which folder below build/      (default release)
#   WERROR=                    for packagers: warnings do not stop the build
#   PREFIX, DESTDIR            for `make install`

BUILD  ?= release
PREFIX ?= /usr/local
WERROR ?= -Werror
O      := build/$(BUILD)
VERSION := 0.1.0

CC = gcc
warnings := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wformat=2 -Wvla -Walloca -Wnull-dereference \
	-Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wwrite-strings -Wundef -Wpointer-arith \
	-Wimplicit-fallthrough -Wdouble-promotion -Wlogical-op -Wduplicated-cond -Wduplicated-branches \
	-Wstack-usage=65536 -Wbidi-chars=any -Wtrampolines
hardening := -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -fPIE -fno-common -fno-plt \
	-ftrivial-auto-var-init=zero
# libFuzzer is clang's, which knows other options; gcc does the warning.
ifeq ($(BUILD),fuzz)
CC = clang-14
warnings := -w
hardening := -fPIE
endif
CPPFLAGS_ALL = -D_GNU_SOURCE -DCERTHUP_VERSION='"$(VERSION)"' -Iagent -I. $(CPPFLAGS)
CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=3 -fzero-call-used-regs=used-gpr
CFLAGS_debug   := -Og -g
CFLAGS_asan    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
LDFLAGS_asan   := -fsanitize=address,undefined
CFLAGS_fuzz    := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
LDFLAGS_fuzz   := -fsanitize=address,undefined
CFLAGS_ALL  = -std=gnu17 $(warnings) $(WERROR) $(hardening) $(CFLAGS_$(BUILD)) $(CFLAGS)
link_kind := -pie
LDFLAGS_ALL = $(link_kind) -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,--as-needed $(LDFLAGS_$(BUILD)) $(LDFLAGS)

# The two programs. The hand links no parser of anybody's format (docs/architecture.md, "Head and hand").
hand_dirs := agent/base agent/volume agent/notify agent/sandbox
head_dirs := agent/base agent/event agent/sandbox agent/cert agent/source agent/prove agent/report agent/road \
	agent/node agent/command k8s
hand_libs := -linotifytools -lmd -lseccomp
head_libs := -lcurl -ljson-c -lyaml -lssl -lcrypto -levent -lseccomp -lmd

wipe := $(if $(filter asan fuzz,$(BUILD)),,agent/base/wipe.c)
src   = $(filter-out agent/base/wipe.c,$(foreach d,$(1),$(wildcard $(d)/*.c)))
hand_src := $(call src,$(hand_dirs)) $(filter-out agent/hand/main.c,$(wildcard agent/hand/*.c))
head_src := $(call src,$(head_dirs)) $(foreach f,client connect packet protocol payload,agent/hand/$(f).c) \
	$(wildcard agent/volume/read.c agent/volume/volume.c agent/volume/fingerprint.c)
obj = $(patsubst %.c,$(O)/%.o,$(1))

all: $(O)/certhup $(O)/certhup-hand ## build both programs into build/release (default)

$(O)/libhand.a: $(call obj,$(hand_src))
$(O)/libhead.a: $(call obj,$(head_src))
$(O)/certhup-hand: $(call obj,agent/hand/main.c $(wipe)) $(O)/libhand.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(hand_libs)
$(O)/certhup: $(call obj,agent/main.c $(wipe)) $(O)/libhead.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(head_libs)

$(O)/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^
$(O)/%.o: %.c Makefile
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# One test program per header: tests/unit/FOLDER/test_HEADER.c. Tests of what runs in the hand link only libhand.a; a test
# of both sides, or of what only the head has, links libhead.a; those of the stand-in server its library too. tests/lib is what
# tests share.
hand_tests := $(foreach d,base volume notify sandbox hand,$(wildcard tests/unit/$(d)/test_*.c))
api_tests := $(wildcard tests/unit/apiserver/test_*.c)
head_tests := $(filter-out $(hand_tests) $(api_tests),$(wildcard tests/unit/*/test_*.c tests/integration/test_*.c))
tests := $(patsubst %.c,$(O)/%,$(hand_tests) $(api_tests) $(head_tests))
testlib_src := $(wildcard tests/lib/*.c)
test_libs := -Wl,-u,test_filter -lcmocka
$(O)/libtest.a: $(call obj,$(testlib_src))
$(patsubst %.c,$(O)/%,$(hand_tests)): $(O)/%: $(O)/%.o $(call obj,$(wipe)) $(O)/libtest.a $(O)/libhand.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(test_libs) $(hand_libs)
$(patsubst %.c,$(O)/%,$(head_tests)): $(O)/%: $(O)/%.o $(call obj,$(wipe)) $(O)/libtest.a $(O)/libhead.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(test_libs) $(head_libs)

$(patsubst %.c,$(O)/%,$(api_tests)): $(O)/%: $(O)/%.o $(call obj,$(wipe)) $(O)/libtest.a $(O)/libapiserver.a $(O)/libhead.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(test_libs) -levent_openssl $(head_libs)

# The stand-in API server (tests/apiserver), and other programs that tests start: tests/tools/NAME.c
apiserver_src := $(filter-out tests/apiserver/main.c,$(wildcard tests/apiserver/*.c))
$(O)/libapiserver.a: $(call obj,$(apiserver_src))
$(O)/apiserver: $(call obj,$(wildcard tests/apiserver/main.c)) $(O)/libapiserver.a $(O)/libtest.a $(O)/libhead.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ -levent_openssl $(head_libs)
tools := $(patsubst %.c,$(O)/%,$(wildcard tests/tools/*.c))
$(O)/tests/tools/filters: link_kind += -Wl,--wrap=seccomp_load
$(tools): $(O)/%: $(O)/%.o $(O)/libtest.a $(O)/libhead.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(head_libs)

tools: $(tools) $(if $(wildcard tests/apiserver/main.c),$(O)/apiserver)
tests: all tools $(tests) ## build the test programs too

deps: ## install the Debian packages that are missing (tests/packages.txt); needs root only then
	@tests/deps

check: deps ## all tests and the lint, at most 15 minutes
	@MAKE='$(MAKE)' tests/check

lint: deps ## layers, layout, static analysis
	@tests/lint/run

demo: ## the whole road with a real server, in 90 seconds; needs root
	@tests/demo/run --may-run
	@tests/deps
	@$(MAKE) -s all tools
	@tests/demo/run

reference: tools ## write the tables of docs/reference.md anew, from the code
	@tests/docs/reference $(O)

soak: deps ## the long tests, and each mutant against its test: writes docs/mutants.md
	@MAKE='$(MAKE)' tests/check soak

# A real API server is used only when it is named on the command line, never by the environment.
check-client: ## the API client's tests against the server of KUBECONFIG=...; without it the stand-in
	@$(MAKE) -s BUILD=asan build/asan/tests/integration/test_client build/asan/apiserver
	$(if $(filter command%,$(origin KUBECONFIG)),CERTHUP_CLIENT_KUBECONFIG='$(KUBECONFIG)') build/asan/tests/integration/test_client

check-chart: deps ## the chart: rendered by helm 4 and 3, its rights, schema, alerts; no cluster is needed
	@tests/chart/run $(WORDS)

FUZZ_SECONDS ?= 60
# A real Kubernetes on this machine, in namespaces of its own (tests/cluster/README.md).
MINOR ?=
cluster := $(if $(MINOR),--minor $(MINOR))
cluster-deps: deps
	@tests/deps tests/cluster/packages.txt
check-cluster: cluster-deps ## the suite on a real Kubernetes, built and brought up here; MINOR=oldest; needs root
	@$(MAKE) -s image ARCHES=$(shell dpkg --print-architecture)
	@tests/cluster/run $(cluster) $(WORDS)
cluster-up: cluster-deps ## bring that cluster up to work with it; CERTHUP_CLUSTER=NAME is another one
	@tests/cluster/cluster up $(cluster)
cluster-shell: ## a shell in it, with kubectl, helm and ctr
	@tests/cluster/cluster shell
cluster-down: ## end it; leaves nothing behind
	@tests/cluster/cluster down

fuzzers := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz: $(addprefix fuzz-,$(fuzzers)) ## each fuzz target for FUZZ_SECONDS (60), by libFuzzer
fuzz-%:
	@$(MAKE) -s BUILD=fuzz build/fuzz/fuzz_$*
	@mkdir -p build/fuzz/corpus/$*
	build/fuzz/fuzz_$* -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix=build/fuzz/$*- build/fuzz/corpus/$* tests/fuzz/corpus/$*
$(O)/fuzz_hand: $(O)/tests/fuzz/fuzz_hand.o $(O)/tests/lib/fuzz_hand.o $(O)/libhand.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ -fsanitize=fuzzer $(hand_libs)
$(O)/fuzz_%: $(O)/tests/fuzz/fuzz_%.o $(O)/tests/lib/fuzz_%.o $(O)/libhead.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ -fsanitize=fuzzer $(head_libs)

check-fresh: ## make check (and demo) on a fresh Debian 12 with nothing but git and make; needs root
	@tests/fresh/check

install: all ## into PREFIX (/usr/local), below DESTDIR
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(O)/certhup $(O)/certhup-hand $(DESTDIR)$(PREFIX)/bin

clean: ## remove build/
	rm -rf build

include agent/image/image.mk

help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# V=1 shows the commands.
Q   := $(if $(V),,@)
say  = $(if $(V),,@printf '  %-3s %s\n' $(1) $(2))

.PHONY: all tools tests demo deps check lint reference soak check-client cluster-deps check-cluster cluster-up \
	cluster-shell cluster-down fuzz check-fresh check-chart install clean help
.SECONDARY:
-include $(shell find build/$(BUILD) -name '*.d' 2>/dev/null)

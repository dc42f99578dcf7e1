# SPDX-License-Identifier: GPL-2.0-only
# 'make help' lists the targets; V=1 shows the commands.

VERSION := 0.1.0
BUILD := build
PREFIX ?= /usr

CC ?= gcc
CLANG ?= clang
BPFTOOL ?= $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v bpftool || echo bpftool)

ifeq ($(V),1)
Q :=
say :=
else
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(2)';
endif

SUBMAKE = $(MAKE) --no-print-directory -j$(shell nproc) $(if $(filter 1,$(V)),,-s)

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes
CPPFLAGS += -D_GNU_SOURCE -DKW_VERSION='"$(VERSION)"' -Ibpf -Idaemon -I$(BUILD)/bpf
# Set for a second build, whose programs cannot share records with these: see OTHER.
LAYOUT ?=
CPPFLAGS += $(LAYOUT)
CFLAGS ?= -O2 -g
KW_CFLAGS := -std=gnu11 $(WARN) -fPIE -fstack-protector-strong -fstack-clash-protection
KW_LDFLAGS := -pie -Wl,-z,relro,-z,now
FORTIFY := -D_FORTIFY_SOURCE=2
LIBS := -lbpf -lsystemd -lyaml -ljansson -lnettle -lseccomp -lcap-ng
# For kvmwarden(1) only: the daemon has no screen.
SCREEN_LIBS := -lncursesw
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# clang -target bpf does not look where Debian keeps <asm/types.h>.
BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -Wall -Wextra -Werror \
	-Wno-unused-parameter -Ibpf -I/usr/include/$(shell uname -m)-linux-gnu

MAINS := daemon/main-daemon.c daemon/main-cli.c daemon/main-filter.c
SOURCES := $(filter-out $(MAINS),$(wildcard daemon/*.c))
OBJECTS := $(SOURCES:daemon/%.c=$(BUILD)/daemon/%.o)
SANE_OBJECTS := $(SOURCES:daemon/%.c=$(BUILD)/sane/%.o)
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test-*.c))
HOSTILE := $(addprefix $(BUILD)/tests/,queue race reach fire hammer churn swap overtake no-bpf second inject manager)
FUZZERS := $(patsubst tests/fuzz/fuzz-%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz-*.c))
# The modules that compute, and those that listen: what the fuzzers want coverage of.
FUZZ_SOURCES := $(wildcard $(patsubst %,daemon/%*.c,account chain client diag event-kinds explain fact filter finding \
	handover identity-text json keeper launch learn listen manager names notify operation pins plan policy recorded render replay \
	ruleset shortfall supervisor task text trusted varlink verify yaml))
FUZZ_OBJECTS := $(FUZZ_SOURCES:daemon/%.c=$(BUILD)/fuzz/daemon/%.o)
FUZZ_SECONDS ?= 600
SKELETONS := $(BUILD)/bpf/kvmwarden.skel.h $(BUILD)/bpf/guard.skel.h $(BUILD)/bpf/loop.filter.h

BUILD_PACKAGES := gcc make clang libc6-dev libbpf-dev bpftool libsystemd-dev libyaml-dev \
	libjansson-dev nettle-dev libseccomp-dev libcap-ng-dev libncurses-dev pkgconf help2man lowdown
TEST_PACKAGES := $(BUILD_PACKAGES) libclang-rt-dev libcmocka-dev bats jq perl chromium libyaml-pp-perl qemu-system-x86 busybox-static cpio \
	kmod xz-utils zstd crun runc bpftrace systemd man-db git dpkg-dev debhelper lintian \
	mmdebstrap debian-archive-keyring e2fsprogs python3-jsonschema zsh fish iproute2 logrotate tmux curl
LINT_PACKAGES := $(BUILD_PACKAGES) clang-format clang-tidy shellcheck

.PHONY: all help run demo bench check check-unit check-host check-guest check-long unit-tests fuzz lint format \
	deps deps-build deps-test deps-lint clean install deb deb-tree package-packages man
.DELETE_ON_ERROR:
.SECONDARY: $(SKELETONS) $(SKELETONS:.skel.h=.bpf.o) $(SKELETONS:.skel.h=.object.h)

all: $(BUILD)/kvmwardend $(BUILD)/kvmwarden $(BUILD)/tests/probe \
	$(HOSTILE) $(addprefix $(BUILD)/tests/,notify cost attach empty.bpf.o cells conform) $(BUILD)/tests/fail-nth.so

help:
	@echo 'make                 build everything below $(BUILD)/'
	@echo 'sudo make run        install what is missing, build, and enforce on this host until Ctrl-C'
	@echo 'sudo make check      all tests: unit, host, and guest (boots stock Debian kernels)'
	@echo 'sudo make demo       the whole story in a guest, step by step, on screen'
	@echo 'make check-unit      only the unit tests, with sanitizers'
	@echo 'sudo make check-host check-guest check-long'
	@echo 'sudo make bench      what an ioctl costs under us and under others; build/bench.json'
	@echo 'make fuzz            search for inputs that break the parser, FUZZ_SECONDS=$(FUZZ_SECONDS)'
	@echo 'make lint format     clang-format, clang-tidy, shellcheck'
	@echo 'sudo make deps       install the Debian packages all of this needs'
	@echo 'make man             man pages, below $(BUILD)/man'
	@echo 'sudo make deb        a Debian package, below $(BUILD)/deb'
	@echo 'sudo make install    to $$(DESTDIR)$$(PREFIX)'

# --- packages ---------------------------------------------------------------

define install-packages
	$(Q)missing=$$(for p in $(1); do \
		dpkg-query -W -f='$${db:Status-Status}\n' "$$p" 2>/dev/null | grep -qx installed || echo "$$p"; \
	done); \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" != 0 ]; then \
		echo "these packages are missing (run 'sudo make $@'):" $$missing >&2; exit 1; \
	fi; \
	echo "installing:" $$missing; \
	export DEBIAN_FRONTEND=noninteractive; \
	{ apt-get -qq update && apt-get -qq install -y --no-install-recommends $$missing; } >$(BUILD)/apt.log 2>&1 || \
		{ cat $(BUILD)/apt.log >&2; exit 1; }
endef

$(BUILD):
	$(Q)mkdir -p $@

deps: deps-test deps-lint
deps-build: | $(BUILD)
	$(call install-packages,$(BUILD_PACKAGES))
deps-test: | $(BUILD)
	$(call install-packages,$(TEST_PACKAGES))
deps-lint: | $(BUILD)
	$(call install-packages,$(LINT_PACKAGES))

# --- build ------------------------------------------------------------------

$(BUILD)/bpf/%.bpf.o: $(wildcard bpf/*)
	@mkdir -p $(@D)
	$(call say,BPF,$@)$(CLANG) $(BPF_CFLAGS) $(LAYOUT) -c bpf/$*.bpf.c -o $@

# Tells which set of programs it is, whoever loaded it: see struct kw_mark.
$(BUILD)/bpf/%.object.h: $(BUILD)/bpf/%.bpf.o
	$(call say,GEN,$@)printf '#define KW_OBJECT_SHA256 "%.64s"\n' "$$(sha256sum $<)" >$@

$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.bpf.o $(BUILD)/bpf/%.object.h
	$(call say,GEN,$@)$(BPFTOOL) gen skeleton $< name $*_bpf >$@

# By libseccomp, here and not when the daemon runs: see confine-calls.c.
$(BUILD)/bpf/loop.filter.h: daemon/main-filter.c daemon/util.h bpf/guard.h bpf/kvmwarden.h
	@mkdir -p $(@D)
	$(call say,GEN,$@)$(CC) $(KW_CFLAGS) $(CPPFLAGS) -pie -o $(@:.h=) $< -lseccomp && $(@:.h=) >$@

$(BUILD)/daemon/%.o: daemon/%.c | $(SKELETONS)
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(KW_CFLAGS) $(FORTIFY) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/sane/%.o: daemon/%.c | $(SKELETONS)
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) -std=gnu11 $(WARN) $(SANITIZE) -O1 -g $(CPPFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libkvmwarden.a: $(OBJECTS)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/libkvmwarden-sane.a: $(SANE_OBJECTS)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/kvmwardend: $(BUILD)/daemon/main-daemon.o $(BUILD)/libkvmwarden.a
	$(call say,LD,$@)$(CC) $(KW_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# What an upgrade is tested with.
OTHER := $(BUILD)/other/kvmwardend
$(OTHER): $(wildcard bpf/* daemon/*)
	$(Q)$(SUBMAKE) BUILD=$(BUILD)/other LAYOUT=-DKW_OTHER_LAYOUT CFLAGS=-O1 $@

$(BUILD)/kvmwarden: $(BUILD)/daemon/main-cli.o $(BUILD)/libkvmwarden.a
	$(call say,LD,$@)$(CC) $(KW_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) $(SCREEN_LIBS)

$(BUILD)/sane/kvmwardend: $(BUILD)/sane/main-daemon.o $(BUILD)/libkvmwarden-sane.a
	$(call say,LD,$@)$(CC) $(SANITIZE) -o $@ $^ $(LIBS)

$(BUILD)/tests/probe: $(wildcard tests/probe/*)
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) -std=gnu11 $(WARN) -O2 -g -o $@ $(filter %.c,$^)

$(HOSTILE): $(BUILD)/tests/%: tests/hostile/%.c $(wildcard tests/hostile/*.h) tests/probe/compat_kvm.h
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) -std=gnu11 $(WARN) -O2 -g -pthread -Itests/probe -o $@ $<

$(BUILD)/tests/fail-nth.so: tests/hostile/fail-nth.c
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) -std=gnu11 $(WARN) -O2 -g -fPIC -shared -o $@ $<

$(BUILD)/tests/cost: tests/bench/cost.c tests/hostile/sealed.h
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) -std=gnu11 $(WARN) -O2 -g -o $@ $< -lseccomp

$(BUILD)/tests/attach: tests/bench/attach.c
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) -std=gnu11 $(WARN) -O2 -g -o $@ $< -lbpf

$(BUILD)/tests/empty.bpf.o: tests/bench/empty.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF,$@)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/tests/notify: tests/bench/notify.c $(BUILD)/libkvmwarden.a
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) -std=gnu11 $(WARN) -O2 -g $(CPPFLAGS) -o $@ $< $(BUILD)/libkvmwarden.a $(LIBS)

$(BUILD)/tests/cells: tests/guest/cells.c $(addprefix tests/probe/,entry.c ioctls.c vm.c probe.h compat_kvm.h)
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) -std=gnu11 $(WARN) -O2 -g -Itests/probe -o $@ $(filter %.c,$^) -ljansson

$(BUILD)/tests/conform: tests/host/conform.c tests/unit/schema.h
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) -std=gnu11 $(WARN) -O2 -g $(CPPFLAGS) -Itests/unit -o $@ $< -ljansson -lcmocka

$(BUILD)/tests/unit/%: tests/unit/%.c $(BUILD)/libkvmwarden-sane.a
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) -std=gnu11 $(WARN) $(SANITIZE) -O1 -g $(CPPFLAGS) -Itests/unit -MMD -MP -o $@ $< \
		$(BUILD)/libkvmwarden-sane.a $(LIBS) -lcmocka

# libFuzzer comes with clang, whatever CC is.
FUZZ_CFLAGS := -std=gnu11 $(WARN) $(SANITIZE) -O1 -g

$(BUILD)/fuzz/daemon/%.o: daemon/%.c
	@mkdir -p $(@D)
	$(call say,CLANG,$@)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link $(CPPFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libkvmwarden-fuzz.a: $(FUZZ_OBJECTS)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/fuzz/%: tests/fuzz/fuzz-%.c $(BUILD)/libkvmwarden-fuzz.a
	$(call say,CLANG,$@)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer $(CPPFLAGS) -MMD -MP -o $@ $< \
		$(BUILD)/libkvmwarden-fuzz.a -lsystemd -lyaml -ljansson -lnettle -lseccomp

# The words of the language, as its tables have them, join the kept ones.
$(BUILD)/fuzz/%.dict: tests/fuzz/%.dict $(FUZZ_SOURCES) $(wildcard daemon/operations-*.h)
	@mkdir -p $(@D)
	$(call say,GEN,$@)sed -E 's/^(OPERATION|MEMBER)\((\w+),/"\2"/' $(filter daemon/%,$^) | \
		grep -oE '"@?[a-zA-Z][a-zA-Z0-9_-]*"' | sort -u | cat $< - >$@

# It embeds the interface's text, which no compiler lists among its dependencies.
$(BUILD)/daemon/manager-calls.o $(BUILD)/sane/manager-calls.o \
	$(BUILD)/fuzz/daemon/manager-calls.o: daemon/io.kvmwarden.Manager.varlink

-include $(wildcard $(BUILD)/daemon/*.d $(BUILD)/sane/*.d $(BUILD)/tests/unit/*.d \
	$(BUILD)/fuzz/*.d $(BUILD)/fuzz/daemon/*.d)

# --- use --------------------------------------------------------------------

run: deps-build
	$(Q)$(SUBMAKE) all
	$(Q)rm -rf $(BUILD)/policy.d && install -d -m 0755 $(BUILD)/policy.d && \
		install -m 0644 policies/*.yaml $(BUILD)/policy.d/
	@echo 'The shipped policies on this host; Ctrl-C ends it and takes everything off.'
	@echo 'In another terminal: sudo $(BUILD)/kvmwarden status, vms, events -f'
	$(Q)exec $(BUILD)/kvmwardend --config none --no-pin --policy-dir $(BUILD)/policy.d

demo: deps-test
	$(Q)$(SUBMAKE) all
	$(Q)tests/demo

# --- tests ------------------------------------------------------------------

check check-unit check-host check-guest check-long: deps-test
	$(Q)$(SUBMAKE) all $(UNIT_TESTS) $(if $(filter check check-guest check-long,$@),$(OTHER)) \
		$(if $(filter check check-long,$@),$(FUZZERS) $(FUZZERS:=.dict) $(BUILD)/sane/kvmwardend)
	$(Q)tests/run $(@:check-%=%)

unit-tests: $(UNIT_TESTS)

fuzz: deps-test
	$(Q)$(SUBMAKE) $(FUZZERS) $(FUZZERS:=.dict)
	$(Q)for target in $(notdir $(FUZZERS)); do tests/fuzz/run -v $$target $(FUZZ_SECONDS) || exit 1; done

bench: deps-test
	$(Q)$(SUBMAKE) all
	$(Q)tests/bench/run
	$(Q)tests/bench/daemon
	$(Q)tests/bench/instructions

LINT_C := $(wildcard bpf/*.[ch] daemon/*.[ch] tests/*/*.[ch] tests/vm/sev/*.[ch])
LINT_SH := $(shell grep -lE '^\#!.*[/ ](ba)?sh' -r tests .ci --exclude-dir=corpus 2>/dev/null) $(wildcard tests/*/*.sh tests/hostile/*.bash)
LINT_BATS := $(wildcard tests/host/*.bats tests/host/*.bash)
TIDY := $(patsubst %,$(BUILD)/tidy/%,$(wildcard daemon/*.c tests/probe/*.c))

lint: deps-lint
	$(Q)$(SUBMAKE) $(SKELETONS)
	$(call say,FORMAT,clang-format)clang-format --dry-run --Werror $(LINT_C)
	$(call say,TIDY,clang-tidy)$(SUBMAKE) -k $(TIDY)
	$(call say,SHELL,shellcheck)shellcheck $(LINT_SH)
	$(Q)shellcheck -s bats $(LINT_BATS)

# One file at a time: the analyzer of clang-tidy 14 takes a va_list in the second for garbage.
$(BUILD)/tidy/tests/probe/%: CPPFLAGS :=
$(BUILD)/tidy/%: % .clang-tidy $(filter %.h,$(LINT_C)) | $(SKELETONS)
	@mkdir -p $(@D)
	$(Q)clang-tidy --quiet $< -- -std=gnu11 $(CPPFLAGS) 2>$@.err || { cat $@.err >&2; exit 1; }
	$(Q)touch $@

format:
	$(Q)clang-format -i $(LINT_C)

# --- man pages --------------------------------------------------------------

# Of what is there already: the programs' own help, and the pages of docs/ under their names.
MAN := $(addprefix $(BUILD)/man/,kvmwardend.8 kvmwarden.1 kvmwarden.conf.5 kvmwarden-policy.5 \
	kvmwarden-events.7 kvmwarden-threat-model.7)
ABOUT_kvmwardend.8 := policies for the ioctls of KVM virtual machines
HELP_kvmwarden.1 := --help-option='help --all'
ABOUT_kvmwarden.1 := shows, explains and checks what kvmwardend enforces
ABOUT_kvmwarden.conf.5 := configuration of kvmwardend, and where events go
ABOUT_kvmwarden-policy.5 := the language of policies
ABOUT_kvmwarden-events.7 := the trail of events, and its verification
ABOUT_kvmwarden-threat-model.7 := what is defended against whom, and what is not

man: $(MAN)

$(BUILD)/man/kvmwardend.8 $(BUILD)/man/kvmwarden.1: $(BUILD)/man/%: $(BUILD)/kvmwardend $(BUILD)/kvmwarden
	@mkdir -p $(@D)
	$(call say,MAN,$@)help2man --no-info $(HELP_$*) --section=$(subst .,,$(suffix $@)) --name='$(ABOUT_$*)' \
		--manual='kvmwarden' --source='kvmwarden $(VERSION)' $(BUILD)/$(basename $*) >$@

$(BUILD)/man/kvmwarden.conf.5: docs/sinks.md
$(BUILD)/man/kvmwarden-policy.5: docs/policy.md
$(BUILD)/man/kvmwarden-events.7: docs/events.md
$(BUILD)/man/kvmwarden-threat-model.7: docs/threat-model.md
$(filter %.5 %.7,$(MAN)): $(BUILD)/man/%:
	@mkdir -p $(@D)
	$(call say,MAN,$@){ printf '# NAME\n\n%s - %s\n\n# DESCRIPTION\n\n' '$(basename $*)' '$(ABOUT_$*)'; sed 1d $<; } | \
		lowdown -s -t man -M title=$(basename $*) -M section=$(subst .,,$(suffix $@)) -M source=kvmwarden >$@

# --- completions -------------------------------------------------------------

COMPLETIONS := $(addprefix $(BUILD)/completions/,bash zsh fish)
$(COMPLETIONS): $(BUILD)/kvmwarden
	@mkdir -p $(@D)
	$(call say,GEN,$@)$(BUILD)/kvmwarden completion $(@F) >$@

# --- install ----------------------------------------------------------------

UNITS := $(addprefix systemd/,kvmwardend.service kvmwarden-gate.service kvmwarden-gate.target)
UNIT_EXAMPLES := $(addprefix systemd/,seccomp.conf libvirt-gate.conf metrics.conf vmm@.service)
# Of the systemd that it is built for: the unit says what that one understands.
SYSTEMD_VERSION = $(shell pkg-config --modversion libsystemd 2>/dev/null | grep -o '^[0-9]*' || echo 0)

install: $(BUILD)/kvmwardend $(BUILD)/kvmwarden $(MAN) $(COMPLETIONS)
	install -D -m 0755 $(BUILD)/kvmwardend $(DESTDIR)$(PREFIX)/sbin/kvmwardend
	install -D -m 0755 $(BUILD)/kvmwarden $(DESTDIR)$(PREFIX)/bin/kvmwarden
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/lib/kvmwarden/policy.d policies/*.yaml
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/kvmwarden/policies policies/optional/*.yaml
	for page in $(MAN); do install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man$${page##*.} $$page || exit; done
	for program in kvmwarden kvmwardend; do \
		install -D -m 0644 $(BUILD)/completions/bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$program && \
		install -D -m 0644 $(BUILD)/completions/fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/$$program.fish || exit; \
	done
	install -D -m 0644 $(BUILD)/completions/zsh $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_kvmwarden
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system $(UNITS)
	install -D -m 0644 systemd/kvmwarden.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/kvmwarden.conf
	install -D -m 0644 systemd/kvmwarden.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/kvmwarden.conf
	install -D -m 0644 systemd/kvmwarden.preset $(DESTDIR)$(PREFIX)/lib/systemd/system-preset/90-kvmwarden.preset
	install -D -m 0644 systemd/kvmwarden.catalog $(DESTDIR)$(PREFIX)/lib/systemd/catalog/kvmwarden.catalog
	install -D -m 0644 systemd/kvmwarden.conf $(DESTDIR)$(PREFIX)/lib/kvmwarden/kvmwarden.conf
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/kvmwarden systemd/kvmwarden.logrotate
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/kvmwarden/monitoring docs/monitoring/kvmwarden.rules.yml docs/monitoring/kvmwarden-dashboard.json
	[ $(SYSTEMD_VERSION) -lt 253 ] || install -D -m 0644 systemd/notify-reload.conf \
		$(DESTDIR)$(PREFIX)/lib/systemd/system/kvmwardend.service.d/notify-reload.conf
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/kvmwarden/systemd $(UNIT_EXAMPLES)

# --- package ----------------------------------------------------------------

PACKAGE := $(BUILD)/deb/kvmwarden_$(VERSION)_amd64.deb
DEB_TREE := $(BUILD)/deb/kvmwarden-$(VERSION)
PACKAGE_PACKAGES := $(BUILD_PACKAGES) build-essential git dpkg-dev debhelper
comma := ,

package-packages:
	@echo $(PACKAGE_PACKAGES)

deb: | $(BUILD)
	$(call install-packages,$(PACKAGE_PACKAGES))
	$(Q)$(SUBMAKE) deb-tree
	$(call say,DEB,$(PACKAGE))cd $(DEB_TREE) && env -u MAKEFLAGS -u MAKELEVEL -u MAKEOVERRIDES \
		dpkg-buildpackage -us -uc -b -j$(shell nproc) >../kvmwarden-$(VERSION).log 2>&1 || { tail -n 40 ../kvmwarden-$(VERSION).log >&2; exit 1; }
	@echo $(PACKAGE)

# What git knows, and debian/ where its tools want it.
deb-tree:
	$(Q)rm -rf $(DEB_TREE) && mkdir -p $(DEB_TREE)
	$(Q)git -c safe.directory='*' ls-files -z | xargs -0 cp --parents -t $(DEB_TREE)
	$(Q)mv $(DEB_TREE)/systemd/debian $(DEB_TREE)/debian
	$(Q)sed -i 's/@BUILD_PACKAGES@/$(subst $(eval) ,$(comma) ,$(filter-out gcc make libc6-dev,$(BUILD_PACKAGES)))/' $(DEB_TREE)/debian/control
	$(Q)sed -i '1s/(.*)/($(VERSION))/' $(DEB_TREE)/debian/changelog
	$(Q)sed -i 's/^VERSION := .*/VERSION := $(VERSION)/' $(DEB_TREE)/Makefile

clean:
	rm -rf $(BUILD)

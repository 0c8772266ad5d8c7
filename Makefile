# SPDX-License-Identifier: MIT
#
# kgo: goroutines in C that may block anywhere. 'make help' says what there is.

KERNEL ?= 6.1
KERNELS := 6.1 6.12
ROUNDS ?= 40
O ?= build
PREFIX ?= /usr/local
DESTDIR ?=

# V=1 shows commands
ifeq ($(V),1)
Q :=
else
Q := @
MAKEFLAGS += --no-print-directory
endif
# only what was set goes on to the makefiles below
export V

top := $(CURDIR)
out := $(abspath $(O))
# of the series that the tests' harness is taken from: the oldest supported
ksource = $(shell tools/kernel source $(firstword $(KERNELS)))
# folders that do not have their makefile yet are left out
have = $(wildcard $(1)/Makefile)

.PHONY: all
all: lib modules examples bench-programs selftests

.PHONY: help
help:
	@echo 'Build'
	@echo '  all            the library, the module, examples, benchmarks and tests'
	@echo '  lib            libgo: shared and static library, libgo.pc'
	@echo '  modules        kgo.ko for the test machine'"'"'s kernel KERNEL'
	@echo '  examples       the programs in examples/'
	@echo '  selftests      the kselftests, installed in $$O/selftests/install'
	@echo '  clean          remove the build folder (downloads are kept)'
	@echo
	@echo 'Run (what needs the module in the test machine; nothing is loaded on this one)'
	@echo '  demo           the main job: kgo with its module, without, and Go, compared'
	@echo '  bench          what each operation of libgo costs, beside Go, Boost.Fiber and'
	@echo '                 plain threads, on this machine: ROUNDS=5, BENCH=--quick'
	@echo '  bench-echo     a TCP echo server with libgo, Go, and a bare epoll loop'
	@echo '  bench-http     an HTTP server with libgo and with Go'"'"'s net/http, and wrk'
	@echo '  bench-libraries SQLite, libpq, libcurl and others in goroutines and in threads'
	@echo '  bench-faults   reads of a mapped file with libgo, Go and threads, in the test machine'
	@echo '  bench-mixed    a TCP server that reads a slow disk, the same, in the test machine'
	@echo '  bench-fuse     a FUSE server with libgo and with Go, in the test machine'
	@echo '  bench-vm       the demo with more rounds: ROUNDS=200'
	@echo '  vm             a shell in the test machine with the module loaded'
	@echo
	@echo 'Check'
	@echo '  check          host tests, then the kselftests on each kernel;'
	@echo '                 last line: N passed, N failed, N skipped'
	@echo '  check-arm64    the library for AArch64, its tests under user-mode emulation'
	@echo '  check-kernels  the kselftests alone, on each of: $(KERNELS)'
	@echo '  check-debug    the kselftests, with failing allocations too, on a kernel with'
	@echo '                 KASAN, lockdep and kmemleak that is built once (10 minutes)'
	@echo '  check-torture  libgo'"'"'s tests of what may race, also with sanitizers, several at a'
	@echo '                 time, again and again for MINUTES=10'
	@echo '  check-soak     examples/httpd under mixed load for MINUTES=5: it must keep nothing'
	@echo '  checkpatch     the kernel'"'"'s style checker over all C'
	@echo
	@echo 'Install'
	@echo '  install        library, headers and libgo.pc below $$DESTDIR$$PREFIX'
	@echo '  uninstall      remove them'
	@echo '  setup          install the Debian packages that are missing; demo, check'
	@echo '                 and all the builds do it themselves'
	@echo
	@echo 'Variables'
	@echo '  KERNEL=6.1     kernel series of the test machine (now $(KERNEL))'
	@echo '  O=build        build folder (now $(O))'
	@echo '  V=1            show commands'
	@echo '  ROUNDS=N       rounds of each cell of the demo (now $(ROUNDS)), of the benchmarks'
	@echo '  BENCH=         arguments of bench/bench, which has a --help'
	@echo '  PREFIX=, DESTDIR=    where to install (now $(DESTDIR)$(PREFIX))'
	@echo '  KGO_CACHE=     where downloads are kept (~/.cache/kgo)'

# What the library and the examples want: neither the test machine nor Debian.
.PHONY: setup-build
setup-build:
	$(Q)! command -v dpkg-query >/dev/null || tools/setup build

.PHONY: setup
setup: setup-build
	$(Q)tools/setup

# Build

.PHONY: lib
lib: setup-build
	$(Q)$(if $(call have,libgo),$(MAKE) -C libgo O=$(out)/libgo)

.PHONY: modules
modules: setup
	$(Q)tools/module $(KERNEL) $(out)

.PHONY: examples
examples: lib
	$(Q)$(if $(call have,examples),$(MAKE) -C examples O=$(out)/examples \
		LIBGO=$(out)/libgo)

# Not in all: what these are built with is not needed for anything else.
.PHONY: libraries
libraries: lib
	$(Q)tools/setup libraries
	$(Q)$(MAKE) -C libraries O=$(out)/libraries LIBGO=$(out)/libgo

.PHONY: bench-programs
bench-programs: lib setup
	$(Q)$(if $(call have,bench),$(MAKE) -C bench O=$(out)/bench \
		LIBGO=$(out)/libgo)

.PHONY: selftests
selftests: lib setup
	$(Q)$(if $(call have,selftests),$(MAKE) -C selftests O=$(out)/selftests \
		KSFT=$(ksource)/tools/testing/selftests LIBGO=$(out)/libgo)

# The library for AArch64, and its tests under user-mode emulation.
arm64 = $(shell tools/sysroot arm64)
.PHONY: check-arm64
check-arm64: setup
	$(Q)tools/setup cross
	$(Q)$(MAKE) -C libgo check O=$(out)/libgo-arm64 \
		CROSS_COMPILE=aarch64-linux-gnu- RUNNER=qemu-aarch64-static \
		CPPFLAGS='-DEMULATED -idirafter $(arm64)/usr/include -I$(arm64)/usr/include/aarch64-linux-gnu' \
		LDFLAGS='-static -L$(arm64)/usr/lib/aarch64-linux-gnu' \
		TEST_LIBS='-lcheck_pic -lrt -lm -lsubunit'

# Run

.PHONY: demo
demo: all
	$(Q)O=$(out) KERNEL=$(KERNEL) ROUNDS=$(ROUNDS) bench/demo

# What cannot be had leaves its column empty.
.PHONY: bench
bench: bench-programs
	$(Q)tools/setup bench || true
	$(Q)$(MAKE) -C bench O=$(out)/bench LIBGO=$(out)/libgo boost
	$(Q)O=$(out) bench/bench $(if $(filter file,$(origin ROUNDS)),,--rounds \
		$(ROUNDS)) $(BENCH)

.PHONY: bench-echo
bench-echo: bench-programs
	$(Q)O=$(out) bench/bench-echo $(if $(filter file,$(origin ROUNDS)),,--rounds \
		$(ROUNDS)) $(BENCH)

.PHONY: bench-http
bench-http: bench-programs
	$(Q)tools/setup check
	$(Q)O=$(out) bench/bench-http $(if $(filter file,$(origin ROUNDS)),,--rounds \
		$(ROUNDS)) $(BENCH)

.PHONY: bench-libraries
bench-libraries: libraries modules bench-programs
	$(Q)O=$(out) KERNEL=$(KERNEL) libraries/compare $(if $(filter \
		file,$(origin ROUNDS)),,--rounds $(ROUNDS)) $(BENCH)

.PHONY: bench-faults bench-fuse bench-mixed
bench-faults bench-fuse bench-mixed: bench-programs modules
	$(Q)O=$(out) KERNEL=$(KERNEL) bench/$@ $(if $(filter \
		file,$(origin ROUNDS)),,--rounds $(ROUNDS)) $(BENCH)

.PHONY: bench-vm
bench-vm: all
	$(Q)O=$(out) KERNEL=$(KERNEL) \
		ROUNDS=$(if $(filter file,$(origin ROUNDS)),200,$(ROUNDS)) \
		RESULT=$(out)/bench-vm.json bench/demo

.PHONY: vm
vm: all
	$(Q)O=$(out) tools/kgo-vm --kernel $(KERNEL) --interactive

# Check

.PHONY: check
check: setup
	$(Q)O=$(out) KERNELS='$(KERNELS)' tools/check

.PHONY: check-kernels
check-kernels: setup
	$(Q)O=$(out) KERNELS='$(KERNELS)' tools/check kselftest

# On a kernel that checks itself and fails when told to; it is slow.
faults = $(out)/tests-debug/faults
$(faults): tools/tests-debug/faults.c uapi/linux/kgo.h
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 -g -Wall -Wextra -pthread -isystem uapi -o $@ $<

.PHONY: check-debug
check-debug: setup
	$(Q)$(MAKE) $(faults)
	$(Q)O=$(out) KERNELS=6.1-debug RESULTS=check-debug LIMIT=3600 \
		tools/check kselftest faults

.PHONY: check-torture
check-torture: setup
	$(Q)tools/setup check
	$(Q)$(MAKE) -C libgo O=$(out)/libgo check-torture $(if $(MINUTES),MINUTES=$(MINUTES))

# What the checker asks for that user space does not have (BIT(), u64), or that
# a module outside the kernel's tree cannot do without.
ignored_in_user_space = BIT_MACRO,PREFER_KERNEL_TYPES,EMBEDDED_FUNCTION_NAME,$(strip \
	)PREFER_DEFINED_ATTRIBUTE_MACRO,ENOSYS,CAMELCASE,VOLATILE,LINE_SPACING,$(strip \
	)LONG_LINE_STRING
# GO_CHAN(int) looks like a cast, and a macro that checks a type names its arguments
# more than once.
ignored_with_types = $(ignored_in_user_space),SPACING,MACRO_ARG_REUSE
ignored_in_kmod = LINUX_VERSION_CODE,CONSTANT_COMPARISON,MACRO_ARG_PRECEDENCE

.PHONY: check-soak
check-soak: examples
	$(Q)tools/setup check
	$(Q)examples/httpd/soak $(out)/examples $(MINUTES)

.PHONY: checkpatch
checkpatch: setup
	$(Q)tools/setup check
	$(Q)checkpatch=$(ksource)/scripts/checkpatch.pl; \
	files=$$(git ls-files '*.[chS]') && [ -n "$$files" ] || \
		{ echo "checkpatch: only in a clone with git" >&2; exit 1; }; \
	for f in $$files; do \
		case $$f in \
		kmod/*)	ignore=$(ignored_in_kmod) ;; \
		*/typed.h|*/typed.c|*/typed_test.c|*/compile/*|*/chat/*) \
			ignore=$(ignored_with_types) ;; \
		*)	ignore=$(ignored_in_user_space) ;; \
		esac; \
		$$checkpatch --no-tree --strict --terse --quiet --no-summary \
			--ignore=$$ignore --file $$f || bad=y; \
	done; [ -z "$$bad" ]

# Install

.PHONY: install uninstall
install: lib
install uninstall:
	$(Q)$(MAKE) -C libgo O=$(out)/libgo PREFIX=$(PREFIX) \
		DESTDIR=$(DESTDIR) $@

.PHONY: clean
clean:
	$(Q)rm -rf $(out)

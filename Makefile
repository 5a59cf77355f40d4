# SPDX-License-Identifier: GPL-2.0-only
#
# The workshop: fetch, patch, configure, build, boot, test. "make help" lists it.
# Each target calls a script of the same name or so, which says more with --help.
#
#   BUILD=DIR      where everything generated goes (default: build)
#   LINUX_SRC=DIR  build on this kernel tree instead of fetching one
#   JOBS=N         compile with N processes (default: as many as there are CPUs)
#   BENCH=intel    run, test and kvm-selftests there (default: amd, test: all)

BUILD ?= build
override BUILD := $(abspath $(BUILD))
export BUILD LINUX_SRC JOBS BENCH
# The steps come one after the other; each is parallel in itself. What is a download, or
# waits for one, is begun early and beside them.
.NOTPARALLEL:
.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

## Building

.PHONY: deps fetch stock patch repatch patches config kernel debug race root qemu-amd bochs-root selftests
deps: ## install the Debian packages that are missing here
	@scripts/plan '$(firstword $(MAKECMDGOALS))'
	@scripts/deps
	@scripts/root --ahead
fetch: deps ## get the kernel's source, and unpack it to build/stock
	@scripts/fetch
	@scripts/stock-tree
stock: patch ## build the stock kernel, which ours is compared with
	@scripts/kernel-build stock
patch: fetch ## make build/linux, the patched tree, what the patches say
	@scripts/linux-tree
	@scripts/link-sources
repatch: fetch ## the same, with FORCE=1 over commits and edits in it
	@scripts/linux-tree $(if $(FORCE),--force)
	@scripts/link-sources
patches: ## write kvm/patches and iommu/patches from the commits in build/linux
	@scripts/make-patches
config: patch ## configure the patched kernel
	@scripts/kernel-config linux scripts/host.config scripts/share.config
kernel: patch ## build the patched kernel
	@scripts/kernel-build linux
root: deps ## make the small Debian that QEMU and the emulated host live in
	@scripts/root
qemu-amd: deps ## build the bench amd-full's QEMU: docs/bench-amd-full.rst
	@scripts/qemu-build
bochs-root: deps ## make the Intel bench: Debian's Bochs, and our VT-d for it
	@scripts/bochs-root
debug: kernel ## build the debug kernel: lockdep, KASAN, kmemleak, KVM as modules
	@scripts/copy-tree debug
	@scripts/kernel-build debug
selftests: kernel ## build our selftests, and the kernel's own for KVM
	@scripts/selftests-build

## Running

.PHONY: boot shell run demo-build bench test check check-debug lint kunit kvm-selftests iommufd-selftests \
	qemu-stock check-mutants check-races
boot: kernel root ## boot the patched kernel: JOB='command' ARGS='options of scripts/boot'
	@scripts/boot --job '$(or $(JOB),uname -a)' $(ARGS)
shell: selftests root ## a shell on the emulated host
	@scripts/boot --shell --append kvm.share_iommu_tdp=1 $(ARGS)
demo-build: patch
	@scripts/kernel-build linux --demo
	@scripts/selftests-build demo
ifeq ($(BENCH),intel)
run: kernel selftests root bochs-root
else
run: demo-build root
endif
run: ## the demonstration: QEMU, a guest and its disk; one table, two walkers; BENCH=intel
	@scripts/demo
bench: selftests stock root ## the numbers: shared against separate; long (scripts/bench --help)
	@scripts/bench
test: kernel stock selftests root qemu-amd bochs-root ## our selftests, or T='name...'; BENCH=intel
	@scripts/selftests $(T)
check: kernel stock selftests root qemu-amd bochs-root ## lint, KUnit, our selftests, the kernel's own
	@scripts/check
check-debug: selftests debug root ## KUnit's and our selftests on the debug kernel
	@KERNEL=debug scripts/kunit
	@KERNEL=debug scripts/selftests $(T)
race: kernel ## build the race kernel: KCSAN
	@scripts/copy-tree race
	@scripts/kernel-build race
check-races: selftests race root ## tests of concurrency on the race kernel
	@scripts/races $(T)
lint: kernel ## checkpatch, sparse, W=1, shellcheck
	@scripts/lint
kunit: kernel root ## the KUnit tests built into the patched kernel
	@scripts/kunit
kvm-selftests: selftests stock root bochs-root ## the kernel's own: stock, sharing off, on; BENCH=intel
	@scripts/kvm-selftests $(T)
qemu-stock: selftests stock root ## QEMU and a guest alike on stock and with sharing off
	@scripts/qemu-stock
iommufd-selftests: selftests stock root ## the kernel's own for iommufd: stock, sharing on
	@scripts/iommufd-selftests
check-mutants: selftests root bochs-root ## broken kernels, T='name...' of them: is each one found?
	@scripts/mutants $(T)

## For others

.PHONY: rebase-check deb clean distclean
rebase-check: fetch ## the newest kernel that Debian has: do our patches apply, which errata has it?
	@scripts/rebase-check
deb: patch ## installable kernel packages: CONFIG=path/to/.config
	@scripts/deb '$(CONFIG)'
clean: ## remove what was built; the source and the patched tree's commits stay
	@scripts/clean
distclean: ## remove everything that was generated, the patched tree too
	@scripts/clean --all

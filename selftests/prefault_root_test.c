// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_PRE_FAULT_MEMORY comes to an end when the root becomes obsolete under it:
 *
 * 1. It waits for a page that a userfaultfd is to give; meanwhile the parameter
 *    nx_huge_pages is switched, which makes all roots of all VMs obsolete. With
 *    the page there it succeeds, and the page is mapped.
 * 2. Control: the same without the switch.
 *
 * bench: --append kvm.share_iommu_tdp=0
 */
#include <signal.h>

#include "background.h"
#include "guest.h"
#include "guest_mem.h"
#include "processor.h"
#include "sysfile.h"
#include "tap.h"
#include "uffd.h"

#define PARAMETER	"/sys/module/kvm/parameters/nx_huge_pages"
#define GPA		SIZE_1G
#define SLOT		1
#define PATIENCE_MS	10000

struct prefault {
	struct kvm_vcpu *vcpu;
	struct kvm_pre_fault_memory range;
	int result;
};

static void interrupt(int sig)
{
}

static void prefault(void *arg)
{
	struct prefault *p = arg;

	p->result = __vcpu_ioctl(p->vcpu, KVM_PRE_FAULT_MEMORY, &p->range);
	if (p->result)
		p->result = -errno;
}

static bool ends_in_time(struct background *b)
{
	int ms;

	for (ms = 0; ms < PATIENCE_MS; ms += 10) {
		if (background_done(b))
			return true;
		usleep(10000);
	}
	/* It loops until a signal comes: let the case end. */
	pthread_kill(b->thread, SIGUSR1);
	return false;
}

static void prefault_case(bool root_goes)
{
	struct sigaction sa = { .sa_handler = interrupt };
	struct background b = { 0 };
	struct guest_mem mem = { 0 };
	struct prefault p = { 0 };
	struct kvm_vm *vm;
	struct uffd uffd;
	bool protected, in_time;
	__u64 mapped;
	void *page;

	sigaction(SIGUSR1, &sa, NULL);
	vm = vm_create_with_one_vcpu(&p.vcpu, guest_main);
	vcpu_args_set(p.vcpu, 1, 0ULL);
	guest_mem_add(&mem, vm, SLOT, BACKING_4K, GPA, SIZE_2M);
	page = calloc(1, SIZE_4K);
	TEST_ASSERT(page && !madvise(mem.hva, mem.size, MADV_DONTNEED), "page");
	uffd_watch(&uffd, mem.hva, mem.size, UFFDIO_REGISTER_MODE_MISSING);

	p.range.gpa = mem.gpa;
	p.range.size = SIZE_4K;
	background_start(&b, prefault, &p);
	TEST_ASSERT_EQ(uffd_wait(&uffd, &b, &protected), 0);
	if (root_goes)
		TEST_ASSERT(sysfile_write(PARAMETER, "force"), "nx_huge_pages");
	uffd_give(&uffd, 0, page, SIZE_4K);
	in_time = ends_in_time(&b);
	background_join(&b);

	/* No vCPU has run: there is nothing else in the table. */
	mapped = vm_get_stat(vm, pages_4k);
	if (root_goes)
		TEST_ASSERT(sysfile_write(PARAMETER, "off"), "nx_huge_pages");
	TEST_ASSERT(in_time, "it went on for %d ms, until a signal",
		    PATIENCE_MS);
	TEST_ASSERT(!p.result && !p.range.size, "KVM_PRE_FAULT_MEMORY: %d",
		    p.result);
	TEST_ASSERT_EQ(mapped, 1);
	uffd_close(&uffd);
	kvm_vm_free(vm);
}

static void root_goes(void)
{
	prefault_case(true);
}

static void root_stays(void)
{
	prefault_case(false);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "the root becomes obsolete", root_goes },
		{ "control: it does not", root_stays },
	};

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_PRE_FAULT_MEMORY));
	return tap_run(cases, ARRAY_SIZE(cases));
}

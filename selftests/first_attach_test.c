// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first attach of a VM's device makes its HWPT and attaches it before the
 * HWPT's domain is in the IOAS. The work item that shares must wait for that.
 *
 * 1. Attached again and again while memslots change, which has the work item run
 *    at once: each attach succeeds, the device reaches the memory, and the kernel
 *    has no complaint (the runner looks).
 * 2. Control: the same with an IOAS that mirrors nothing, which is never shared.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include <pthread.h>

#include "auto_vm.h"
#include "dma_page.h"
#include "tap.h"

#define ROM_SLOT	(TEST_SLOT + 1)
#define ROM_GPA		(GPA_HIGH + SIZE_1G)
#define ATTACHES	2000

struct kicker {
	struct auto_vm *a;
	pthread_t thread;
	bool stop;
	unsigned long kicks;
};

/* A read-only memslot needs no map, but is a change, after which nothing waits. */
static void *kick(void *arg)
{
	struct kicker *k = arg;
	void *hva = k->a->mem.hva;

	while (!__atomic_load_n(&k->stop, __ATOMIC_RELAXED)) {
		__vm_set_user_memory_region(k->a->s.vm, ROM_SLOT, KVM_MEM_READONLY,
					    ROM_GPA, SIZE_4K, hva);
		__vm_set_user_memory_region(k->a->s.vm, ROM_SLOT, KVM_MEM_READONLY,
					    ROM_GPA, 0, hva);
		k->kicks++;
	}
	return NULL;
}

static void attach_while_memslots_change(bool mirrors)
{
	struct auto_vm a;
	struct kicker k = { .a = &a };
	int i;

	auto_vm_create_detached(&a);
	if (mirrors)
		auto_vm_map_slot0(&a);
	share_vm_map(&a.s, &a.mem);

	TEST_ASSERT(!pthread_create(&k.thread, NULL, kick, &k), "pthread_create");
	for (i = 0; i < ATTACHES; i++) {
		vfio_dev_attach(&a.testdev, a.s.ioas);
		dma_expect_reached(&a.testdev, &a.mem, true);
		vfio_dev_detach(&a.testdev);
	}
	__atomic_store_n(&k.stop, true, __ATOMIC_RELAXED);
	pthread_join(k.thread, NULL);

	ksft_print_msg("%d attaches, %lu changes of memslots\n", i, k.kicks);
	TEST_ASSERT(k.kicks, "no memslot changed");
	auto_vm_destroy(&a);
}

static void shares(void)
{
	attach_while_memslots_change(true);
}

static void never_shares(void)
{
	attach_while_memslots_change(false);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "control: an IOAS that mirrors nothing", never_shares },
		{ "attached while memslots change", shares },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that changes the table goes on at once, for a few seconds: maps
 * and unmaps, splits and merges, faults of the vCPUs, notifiers of the host.
 * What is mapped all the while must serve device and vCPUs without a gap. And a
 * map that comes while the host takes memory away gives vCPUs nothing of it.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include <sys/mman.h>

#include "background.h"
#include "iommu_hw.h"
#include "mmu_share.h"
#include "share_vm.h"
#include "slow_host.h"
#include "tap.h"
#include "touch.h"

#define SECONDS		4
#define RANGE		SIZE_2M
#define DISCARD_LEN	(8 * SIZE_4K)
/* So that to take it takes a while. */
#define TAKEN_SIZE	less_if_slow(128 * SIZE_2M, 16 * SIZE_2M)
#define TAKEN_TRIES	200
#define TAKEN_HITS	3

/* One memslot, four parts of one huge page each, each with a job of its own. */
enum part {
	DMA_PART,		/* mapped: the device writes, and loses nothing */
	VCPU_PART,		/* mapped: a vCPU writes and reads back */
	FLICKER_PART,		/* mapped and unmapped; a vCPU works in it */
	DISCARD_PART,		/* not mapped; the host takes it away */
	PARTS,
};

struct shaker {
	const char *name;
	void (*shake)(struct shaker *shaker);
	struct share_vm *s;
	struct guest_mem *mem;
	unsigned long *bitmap;
	unsigned long rounds;
	pthread_t thread;
};

static bool stop;

static __u64 part_gpa(struct guest_mem *mem, enum part part)
{
	return mem->gpa + part * RANGE;
}

static void *part_hva(struct guest_mem *mem, enum part part)
{
	return mem->hva + part * RANGE;
}

static void map_part(struct share_vm *s, struct guest_mem *mem, enum part part)
{
	iommufd_map(s->iommufd, s->ioas, part_gpa(mem, part),
		    part_hva(mem, part), RANGE);
}

static void map_and_unmap(struct shaker *k)
{
	map_part(k->s, k->mem, FLICKER_PART);
	iommufd_unmap(k->s->iommufd, k->s->ioas, part_gpa(k->mem, FLICKER_PART),
		      RANGE);
}

static void log_and_stop_logging(struct shaker *k)
{
	vm_mem_region_set_flags(k->s->vm, k->mem->slot,
				KVM_MEM_LOG_DIRTY_PAGES);
	kvm_vm_get_dirty_log(k->s->vm, k->mem->slot, k->bitmap);
	vm_mem_region_set_flags(k->s->vm, k->mem->slot, 0);
}

/* Memory that nobody works in: into the table without a pin, and taken back. */
static void discard(struct shaker *k)
{
	struct kvm_pre_fault_memory range = {
		.gpa = part_gpa(k->mem, DISCARD_PART),
		.size = DISCARD_LEN,
	};
	void *hva = part_hva(k->mem, DISCARD_PART);
	int r = 0;

	memset(hva, 1, DISCARD_LEN);
	while (range.size && (!r || errno == EINTR || errno == EAGAIN))
		r = __vcpu_ioctl(k->s->vcpus[1], KVM_PRE_FAULT_MEMORY, &range);
	TEST_ASSERT(!range.size, "KVM_PRE_FAULT_MEMORY");
	TEST_ASSERT(!madvise(hva, RANGE, MADV_DONTNEED), "madvise");
}

static void *shaker_thread(void *arg)
{
	struct shaker *k = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		k->shake(k);
		k->rounds++;
	}
	return NULL;
}

static void run_shakers(struct share_vm *s, struct guest_mem *mem)
{
	struct shaker shakers[] = {
		{ .name = "maps and unmaps", .shake = map_and_unmap },
		{ .name = "splits and merges", .shake = log_and_stop_logging },
		{ .name = "discards", .shake = discard },
	};
	unsigned long bitmap[PARTS * RANGE / SIZE_4K / 64];
	int i;

	stop = false;
	for (i = 0; i < ARRAY_SIZE(shakers); i++) {
		shakers[i].s = s;
		shakers[i].mem = mem;
		shakers[i].bitmap = bitmap;
		pthread_create(&shakers[i].thread, NULL, shaker_thread,
			       &shakers[i]);
	}
	sleep(SECONDS);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < ARRAY_SIZE(shakers); i++) {
		pthread_join(shakers[i].thread, NULL);
		ksft_print_msg("%lu %s\n", shakers[i].rounds, shakers[i].name);
		TEST_ASSERT(shakers[i].rounds, "%s did not run",
			    shakers[i].name);
	}
}

static void all_at_once(enum guest_mem_backing backing)
{
	struct guest_loop loop = { .len = 2 * RANGE, .step = SIZE_4K };
	struct testdev_load load = { .len = RANGE };
	struct vfio_dev testdev;
	struct guest_mem mem;
	struct share_vm s;
	__u64 mark;

	share_vm_create(&s, HWPT_SHARED);
	if (!share_vm_add_testdev(&s, &testdev))
		tap_skip_case("no iommu-testdev");
	guest_mem_add(&mem, s.vm, TEST_SLOT, backing, GPA_HIGH, PARTS * RANGE);
	map_part(&s, &mem, DMA_PART);
	map_part(&s, &mem, VCPU_PART);

	load.dev = &testdev;
	load.iova = part_gpa(&mem, DMA_PART);
	load.va = part_hva(&mem, DMA_PART);
	/* In what stays mapped and in what does not. See two_vcpus_test.c. */
	loop.vcpu = s.vcpus[0];
	loop.gpa = part_gpa(&mem, VCPU_PART);

	mark = iommu_events_mark();
	testdev_load_start(&load);
	guest_loop_start(&loop);
	run_shakers(&s, &mem);
	guest_loop_stop(&loop);
	testdev_load_stop(&load);

	ksft_print_msg("%lu pages of DMA, %lu rounds of the vCPU\n", load.done,
		       loop.rounds);
	TEST_ASSERT(load.done && loop.rounds, "a load did not run");
	TEST_ASSERT_EQ(load.lost, 0);
	TEST_ASSERT_EQ(loop.wrong, 0);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);

	vfio_dev_close(&testdev);
	share_vm_destroy(&s);
}

static void all_at_once_4k(void)
{
	all_at_once(BACKING_4K);
}

static void all_at_once_2m(void)
{
	all_at_once(BACKING_2M);
}

/* Devices leave and come back under the same load. */
static void attach_and_detach(void)
{
	struct guest_loop loop = { .len = RANGE, .step = SIZE_4K };
	struct guest_mem mem;
	struct share_vm s;
	int i;

	share_vm_create(&s, HWPT_SHARED);
	share_vm_add_mem(&s, &mem, BACKING_2M, GPA_HIGH, PARTS * RANGE);
	loop.vcpu = s.vcpus[0];
	loop.gpa = mem.gpa;
	guest_loop_start(&loop);
	for (i = 0; i < 50; i++) {
		vfio_dev_detach(&s.edu);
		iommufd_destroy(s.iommufd, s.hwpt);
		share_vm_attach(&s, HWPT_SHARED);
	}
	guest_loop_stop(&loop);
	TEST_ASSERT(loop.rounds, "the vCPU did not run");
	TEST_ASSERT_EQ(loop.wrong, 0);
	share_vm_destroy(&s);
}

struct prefault {
	struct share_vm *s;
	struct guest_mem *mem;
	unsigned long rounds;
};

static void *prefault_thread(void *arg)
{
	struct prefault *p = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		struct kvm_pre_fault_memory range = {
			.gpa = p->mem->gpa,
			.size = p->mem->size,
		};
		int r = 0;

		while (range.size && (!r || errno == EINTR || errno == EAGAIN))
			r = __vcpu_ioctl(p->s->vcpus[1], KVM_PRE_FAULT_MEMORY,
					 &range);
		TEST_ASSERT(!range.size, "KVM_PRE_FAULT_MEMORY");
		p->rounds++;
	}
	return NULL;
}

/* The root that is being pre-faulted becomes obsolete each time. */
static void attach_and_prefault(void)
{
	struct guest_mem mem;
	struct share_vm s;
	struct prefault p = { .s = &s, .mem = &mem };
	pthread_t thread;
	int i;

	share_vm_create(&s, HWPT_SHARED);
	share_vm_add_mem(&s, &mem, BACKING_4K, GPA_HIGH, PARTS * RANGE);
	stop = false;
	pthread_create(&thread, NULL, prefault_thread, &p);
	for (i = 0; i < 50; i++) {
		vfio_dev_detach(&s.edu);
		iommufd_destroy(s.iommufd, s.hwpt);
		share_vm_attach(&s, HWPT_SHARED);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	TEST_ASSERT(p.rounds, "nothing was pre-faulted");
	share_vm_destroy(&s);
}

static void forbid(void *arg)
{
	struct guest_mem *mem = arg;

	TEST_ASSERT(!mprotect(mem->hva, mem->size, PROT_NONE), "mprotect");
}

/*
 * KVM has been told that the memory goes, and the process's entries for the last of
 * it are still as they were when that is mapped for the device. Nobody tells KVM once
 * more. Such a map shows as one of which nothing had to be shut to the CPUs.
 */
static void mapped_while_taken(void)
{
	struct mmu_share_info before, after;
	struct background taking = { 0 };
	unsigned int i, hits = 0;
	struct guest_mem mem;
	struct share_vm s;
	__u64 gpa, value;
	void *hva;
	int r;

	share_vm_create(&s, HWPT_SHARED);
	touch_init(s.vcpus[1]);
	guest_mem_add(&mem, s.vm, TEST_SLOT, BACKING_4K, GPA_HIGH, TAKEN_SIZE);
	gpa = mem.gpa + mem.size - SIZE_4K;
	hva = mem.hva + mem.size - SIZE_4K;

	for (i = 0; i < TAKEN_TRIES && hits < TAKEN_HITS; i++) {
		mmu_share_read(s.vm, &before);
		background_start(&taking, forbid, &mem);
		usleep(i % 10 * 100);
		r = __iommufd_map(s.iommufd, s.ioas, IOAS_MAP_RW, gpa, hva,
				  SIZE_4K);
		background_join(&taking);
		if (!r) {
			mmu_share_read(s.vm, &after);
			hits += after.shut_to_cpus == before.shut_to_cpus;
			TEST_ASSERT_EQ(touch_read(s.vcpus[1], gpa, &value),
				       -EFAULT);
			iommufd_unmap(s.iommufd, s.ioas, gpa, SIZE_4K);
		}
		/* Control: it is the process that may not. */
		TEST_ASSERT(!mprotect(mem.hva, mem.size, PROT_READ | PROT_WRITE),
			    "mprotect");
		TEST_ASSERT_EQ(touch_read(s.vcpus[1], gpa, &value), 0);
	}
	ksft_print_msg("%u of %u maps came amid it\n", hits, i);
	if (!hits)
		tap_skip_case("no map came amid it");
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "mapped while the host takes it: vCPUs have none of it",
		  mapped_while_taken },
		{ "4K pages: all that changes the table, at once",
		  all_at_once_4k },
		{ "2M pages: all that changes the table, at once",
		  all_at_once_2m },
		{ "shares come and go under a running vCPU",
		  attach_and_detach },
		{ "shares come and go under KVM_PRE_FAULT_MEMORY",
		  attach_and_prefault },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

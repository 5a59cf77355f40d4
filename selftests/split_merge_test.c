// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM splits huge leaves when dirty logging begins and merges them when it
 * ends. A device that writes and reads there meanwhile loses nothing.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include "iommu_hw.h"
#include "share_vm.h"
#include "slow_host.h"
#include "tap.h"

#define HUGE_PAGES	4
#define ROUNDS		less_if_slow(100, 10)
#define SOME_ROUNDS	4
#define COPIES		8
#define SEED		0x5911f

/*
 * Within the same huge pages, so that one split or merge concerns all: the
 * testdev writes the first quarter, edu copies in the second, a vCPU works in
 * the second half.
 */
#define LOAD_LEN	(SIZE_2M / 4)
#define EDU_AT		(SIZE_2M / 4)
#define GUEST_AT	(SIZE_2M / 2)

static void expect_leaves(struct share_vm *s, __u64 huge, const char *when)
{
	__u64 leaves = share_vm_leaves_2m(s);

	TEST_ASSERT(leaves == huge, "%s: %llu leaves of 2M, wanted %llu", when,
		    leaves, huge);
}

/* Splits and merges all that the slot has, and checks that they happened. */
static void split_and_merge(struct share_vm *s, struct guest_mem *mem,
			    unsigned long *bitmap)
{
	share_vm_log_dirty(s, mem->slot, true);
	expect_leaves(s, 0, "logging");
	kvm_vm_get_dirty_log(s->vm, mem->slot, bitmap);
	share_vm_log_dirty(s, mem->slot, false);
	expect_leaves(s, HUGE_PAGES, "not logging");
}

static unsigned long *new_bitmap(struct guest_mem *mem)
{
	unsigned long *bitmap = calloc(1, mem->size / SIZE_4K / 8);

	TEST_ASSERT(bitmap, "out of memory");
	return bitmap;
}

static void setup(struct share_vm *s, struct guest_mem *mem)
{
	share_vm_create(s, HWPT_SHARED);
	share_vm_add_mem(s, mem, BACKING_2M, GPA_HIGH, HUGE_PAGES * SIZE_2M);
	expect_leaves(s, HUGE_PAGES, "mapped");
}

static void under_dma_writes(void)
{
	struct testdev_load load = { .len = LOAD_LEN };
	struct vfio_dev testdev;
	unsigned long *bitmap;
	struct guest_mem mem;
	struct share_vm s;
	__u64 mark;
	int i;

	setup(&s, &mem);
	if (!share_vm_add_testdev(&s, &testdev))
		tap_skip_case("no iommu-testdev");
	bitmap = new_bitmap(&mem);
	load.dev = &testdev;
	load.iova = mem.gpa;
	load.va = mem.hva;

	mark = iommu_events_mark();
	testdev_load_start(&load);
	for (i = 0; i < ROUNDS; i++) {
		split_and_merge(&s, &mem, bitmap);
		testdev_load_wait(&load);
	}
	testdev_load_stop(&load);
	ksft_print_msg("%lu pages written by DMA over %d splits and merges\n",
		       load.done, ROUNDS);
	TEST_ASSERT_EQ(load.lost, 0);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);

	vfio_dev_close(&testdev);
	share_vm_destroy(&s);
}

struct flipper {
	struct share_vm *s;
	struct guest_mem *mem;
	unsigned long *bitmap;
	unsigned long rounds;
	bool stop;
	pthread_t thread;
};

static void *flip_thread(void *arg)
{
	struct flipper *f = arg;

	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED)) {
		split_and_merge(f->s, f->mem, f->bitmap);
		WRITE_ONCE(f->rounds, f->rounds + 1);
	}
	return NULL;
}

static void under_copies_and_vcpu(void)
{
	struct guest_loop loop = { .len = SIZE_2M / 8, .step = 64 };
	struct flipper f = {};
	struct guest_mem mem;
	struct share_vm s;
	__u64 mark;
	int i;

	setup(&s, &mem);
	f.s = &s;
	f.mem = &mem;
	f.bitmap = new_bitmap(&mem);
	loop.vcpu = s.vcpus[1];
	loop.gpa = mem.gpa + GUEST_AT;
	guest_mem_fill(&mem, EDU_AT, SIZE_4K, SEED);

	mark = iommu_events_mark();
	guest_loop_start(&loop);
	pthread_create(&f.thread, NULL, flip_thread, &f);
	/* From page to page, and again as long as nothing has happened to them. */
	for (i = 0; i < COPIES || READ_ONCE(f.rounds) < SOME_ROUNDS; i++) {
		__u64 page = mem.gpa + EDU_AT + i % COPIES * SIZE_4K;

		edu_copy(&s.edu, page + SIZE_4K, page, SIZE_4K);
	}
	__atomic_store_n(&f.stop, true, __ATOMIC_RELAXED);
	pthread_join(f.thread, NULL);
	guest_loop_stop(&loop);

	ksft_print_msg("%lu splits and merges, %lu rounds of the vCPU\n",
		       f.rounds, loop.rounds);
	TEST_ASSERT(f.rounds && loop.rounds, "a thread did not run");
	TEST_ASSERT_EQ(guest_mem_diff(&mem, EDU_AT + COPIES * SIZE_4K, SIZE_4K,
				      EDU_AT, SEED), 0);
	TEST_ASSERT_EQ(loop.wrong, 0);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
	share_vm_destroy(&s);
}

/* The log itself still works: what a vCPU writes is in it, and only that. */
static void dirty_log_of_vcpu(void)
{
	unsigned long *bitmap, words, expected, i;
	struct guest_mem mem;
	struct share_vm s;

	setup(&s, &mem);
	bitmap = new_bitmap(&mem);
	words = mem.size / SIZE_4K / 64;
	share_vm_log_dirty(&s, mem.slot, true);
	guest_fill(s.vcpus[0], mem.gpa + SIZE_2M, 3 * SIZE_4K, SIZE_4K, SEED);
	kvm_vm_get_dirty_log(s.vm, mem.slot, bitmap);
	for (i = 0; i < words; i++) {
		expected = i == SIZE_2M / SIZE_4K / 64 ? 0x7 : 0;
		TEST_ASSERT(bitmap[i] == expected, "bitmap[%lu] is %#lx", i,
			    bitmap[i]);
	}

	/* Reading it cleared it, and the next write is seen again. */
	kvm_vm_get_dirty_log(s.vm, mem.slot, bitmap);
	TEST_ASSERT_EQ(bitmap[SIZE_2M / SIZE_4K / 64], 0);
	guest_fill(s.vcpus[0], mem.gpa + SIZE_2M, SIZE_4K, SIZE_4K, SEED);
	kvm_vm_get_dirty_log(s.vm, mem.slot, bitmap);
	TEST_ASSERT_EQ(bitmap[SIZE_2M / SIZE_4K / 64], 1);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "splits and merges lose none of a device's writes",
		  under_dma_writes },
		{ "splits and merges under copies of a device and a vCPU",
		  under_copies_and_vcpu },
		{ "KVM's dirty log sees a vCPU's writes", dirty_log_of_vcpu },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

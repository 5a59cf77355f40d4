// SPDX-License-Identifier: GPL-2.0-only
/*
 * A shared table with two who ask for dirty pages, KVM's log and iommufd's bitmap,
 * on an IOMMU that sets D bits:
 *
 * 1. Each is told of every write since it last asked, a vCPU's or a device's,
 *    whatever the other was told: random writes and questions against a model, both
 *    switched on and off, with the log's two ways of clearing, and NO_CLEAR. At most
 *    1 % of what is reported was not written.
 * 2. Neither is told of what was written before it was switched on.
 * 3. What one has cleared the other still is told: the hand-over, each way.
 * 4. A vCPU takes no fault for being logged.
 * 5. A vCPU that stays in the guest and writes a page all the time has it in each
 *    answer: CPU TLBs are flushed before one is given.
 * 6. In 2M pages each 4K page counts by itself, also in one that is mapped meanwhile;
 *    when nobody asks any more the huge leaves are back.
 * 7. What the host takes from the vCPUs, what the IOAS unmaps, and what a memslot
 *    leaves behind that moves, stays in the log.
 * 8. Nothing is lost while both ask under DMA and a vCPU's writes.
 *
 * bench: --bench amd-full --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include <sys/mman.h>

#include "dirty_model.h"
#include "slow_host.h"
#include "tap.h"

#define SIZE		SIZE_2M
#define STEPS		less_if_slow(2000, 200)

static __u64 seed;

static unsigned int pick(unsigned int below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % below;
}

static void step(struct dirty_model *d)
{
	size_t page = pick(d->pages);
	unsigned int reader = pick(DIRTY_READERS);

	switch (pick(16)) {
	case 0 ... 6:
		dirty_model_vcpu_writes(d, page);
		break;
	case 7 ... 12:
		dirty_model_device_writes(d, page);
		break;
	case 13 ... 14:
		if (d->on[reader])
			dirty_model_read(d, reader, !pick(4));
		break;
	default:
		if (!pick(4))
			dirty_model_switch(d, reader, !d->on[reader]);
	}
}

static void random_steps(enum guest_mem_backing backing, size_t size, bool manual)
{
	struct dirty_model d;
	unsigned int i;

	seed = time(NULL);
	ksft_print_msg("seed %llu\n", seed);
	dirty_model_create(&d, backing, size, manual);
	dirty_model_switch(&d, READER_LOG, true);
	dirty_model_switch(&d, READER_DMA, true);
	for (i = 0; i < STEPS; i++)
		step(&d);
	for (i = 0; i < DIRTY_READERS; i++)
		if (d.on[i])
			dirty_model_read(&d, i, false);
	ksft_print_msg("%lu pages reported, %lu of them not written\n", d.told,
		       d.too_much);
	TEST_ASSERT(d.too_much * 100 <= d.told, "more than 1 %% too much");
	dirty_model_destroy(&d);
}

static void random_4k(void)
{
	random_steps(BACKING_4K, SIZE, false);
}

static void random_4k_manual(void)
{
	random_steps(BACKING_4K, SIZE, true);
}

static void random_2m(void)
{
	random_steps(BACKING_2M, 2 * SIZE_2M, false);
}

static void begins_clean(void)
{
	struct dirty_model d;
	int i;

	dirty_model_create(&d, BACKING_4K, SIZE, false);
	for (i = 0; i < DIRTY_READERS; i++) {
		dirty_model_vcpu_writes(&d, 3);
		dirty_model_device_writes(&d, 200);
		dirty_model_switch(&d, i, true);
		TEST_ASSERT_EQ(dirty_model_read(&d, i, false), 0);
		dirty_model_device_writes(&d, 201);
		TEST_ASSERT_EQ(dirty_model_read(&d, i, false), 1);
	}
	dirty_model_destroy(&d);
}

static void hand_over(void)
{
	struct dirty_model d;
	int first;

	dirty_model_create(&d, BACKING_4K, SIZE, false);
	dirty_model_switch(&d, READER_LOG, true);
	dirty_model_switch(&d, READER_DMA, true);
	for (first = 0; first < DIRTY_READERS; first++) {
		dirty_model_vcpu_writes(&d, 3);
		dirty_model_device_writes(&d, 200);
		TEST_ASSERT_EQ(dirty_model_read(&d, first, false), 2);
		TEST_ASSERT_EQ(dirty_model_read(&d, first, false), 0);
		TEST_ASSERT_EQ(dirty_model_read(&d, !first, false), 2);
		TEST_ASSERT_EQ(dirty_model_read(&d, !first, false), 0);
	}
	dirty_model_destroy(&d);
}

static void no_faults(void)
{
	struct dirty_model d;
	unsigned int round;
	__u64 before;
	size_t page;

	dirty_model_create(&d, BACKING_4K, SIZE, false);
	share_vm_warm_up(&d.s);
	dirty_model_switch(&d, READER_LOG, true);
	before = share_vm_tdp_faults(&d.s);
	for (round = 0; round < 3; round++) {
		for (page = 0; page < d.pages; page += 2)
			dirty_model_vcpu_writes(&d, page);
		TEST_ASSERT_EQ(dirty_model_read(&d, READER_LOG, false),
			       d.pages / 2);
	}
	TEST_ASSERT_EQ(share_vm_tdp_faults(&d.s) - before, 0);
	dirty_model_destroy(&d);
}

/* Each answer has the page, though nothing but the flush brings the vCPU out. */
static void in_the_guest(void)
{
	struct guest_spin spin;
	struct dirty_model d;
	unsigned int i, round;
	__u64 seen;

	dirty_model_create(&d, BACKING_4K, SIZE, false);
	for (i = 0; i < DIRTY_READERS; i++)
		dirty_model_switch(&d, i, true);
	guest_spin_start(&spin, d.s.vcpus[1], d.mem.gpa + 9 * SIZE_4K);
	for (round = 0; round < 20; round++) {
		for (i = 0; i < DIRTY_READERS; i++) {
			seen = READ_ONCE(*(__u64 *)(d.mem.hva + 9 * SIZE_4K));
			while (READ_ONCE(*(__u64 *)(d.mem.hva + 9 * SIZE_4K)) <
			       seen + 2)
				;
			TEST_ASSERT_EQ(dirty_model_read(&d, i, false), 1);
		}
	}
	guest_spin_stop(&spin);
	dirty_model_destroy(&d);
}

static void huge_pages(void)
{
	struct dirty_model d;

	dirty_model_create(&d, BACKING_2M, 2 * SIZE_2M, false);
	TEST_ASSERT_EQ(share_vm_leaves_2m(&d.s), 2);
	dirty_model_switch(&d, READER_DMA, true);
	TEST_ASSERT_EQ(share_vm_leaves_2m(&d.s), 0);
	dirty_model_switch(&d, READER_DMA, false);
	TEST_ASSERT_EQ(share_vm_leaves_2m(&d.s), 2);

	/* What is the vCPUs' alone stays, until it is mapped. */
	share_vm_unmap(&d.s, &d.mem);
	dirty_model_switch(&d, READER_DMA, true);
	TEST_ASSERT_EQ(share_vm_leaves_2m(&d.s), 2);
	share_vm_map(&d.s, &d.mem);
	TEST_ASSERT_EQ(share_vm_leaves_2m(&d.s), 0);
	dirty_model_device_writes(&d, 5);
	dirty_model_vcpu_writes(&d, 600);
	TEST_ASSERT_EQ(dirty_model_read(&d, READER_DMA, false), 2);

	/* The log's end does not bring them back, the other's does. */
	dirty_model_switch(&d, READER_LOG, true);
	dirty_model_switch(&d, READER_LOG, false);
	TEST_ASSERT_EQ(share_vm_leaves_2m(&d.s), 0);
	dirty_model_device_writes(&d, 7);
	dirty_model_switch(&d, READER_DMA, false);
	TEST_ASSERT_EQ(share_vm_leaves_2m(&d.s), 2);
	dirty_model_device_writes(&d, 9);
	TEST_ASSERT_EQ(dirty_model_read(&d, READER_DMA, false), 1);
	dirty_model_destroy(&d);
}

static void gone_pages(void)
{
	struct dirty_model d;

	dirty_model_create(&d, BACKING_4K, SIZE, false);
	dirty_model_switch(&d, READER_LOG, true);

	/* Shut to CPUs; and then dropped, as the IOAS unmaps it. */
	dirty_model_vcpu_writes(&d, 1);
	dirty_model_device_writes(&d, 2);
	TEST_ASSERT(!mprotect(d.mem.hva, d.mem.size, PROT_READ), "mprotect");
	dirty_model_device_writes(&d, 3);
	TEST_ASSERT_EQ(dirty_model_read(&d, READER_LOG, false), 3);
	dirty_model_device_writes(&d, 4);
	share_vm_unmap(&d.s, &d.mem);
	TEST_ASSERT_EQ(dirty_model_read(&d, READER_LOG, false), 1);

	/* The CPUs' alone; and then zapped. */
	TEST_ASSERT(!mprotect(d.mem.hva, d.mem.size, PROT_READ | PROT_WRITE),
		    "mprotect");
	dirty_model_vcpu_writes(&d, 6);
	TEST_ASSERT(!mprotect(d.mem.hva, d.mem.size, PROT_READ), "mprotect");
	dirty_model_read(&d, READER_LOG, false);
	dirty_model_destroy(&d);
}

/* What is open to the device stays where it was, the log goes along. */
static void moved_memslot(void)
{
	struct dirty_model d;

	dirty_model_create(&d, BACKING_4K, SIZE, false);
	dirty_model_switch(&d, READER_LOG, true);
	dirty_model_vcpu_writes(&d, 7);
	dirty_model_device_writes(&d, 8);
	vm_mem_region_move(d.s.vm, d.mem.slot, d.mem.gpa + SIZE_1G);
	TEST_ASSERT_EQ(dirty_model_read(&d, READER_LOG, false), 2);
	dirty_model_destroy(&d);
}

/* Each page once, half of them by either: a page that gets lost is lost for good. */
struct writer {
	struct dirty_model *d;
	bool device;
	pthread_t thread;
	bool done;
};

static void *write_each_page_once(void *arg)
{
	struct writer *w = arg;
	struct dirty_model *d = w->d;
	size_t i, page;

	for (i = 0; i < d->pages / 2; i++) {
		page = i * 37 % (d->pages / 2) * 2 + w->device;
		if (w->device)
			TEST_ASSERT(testdev_write(&d->testdev, d->mem.gpa +
						  page * SIZE_4K, 64), "DMA");
		else
			guest_fill(d->s.vcpus[0], d->mem.gpa + page * SIZE_4K,
				   8, 8, i);
	}
	__atomic_store_n(&w->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void under_load(void)
{
	struct writer writers[2] = { 0 };
	struct dirty_model d;
	__u64 seen[DIRTY_READERS][SIZE / SIZE_4K / 64] = { 0 };
	size_t told[DIRTY_READERS] = { 0 }, word;
	unsigned int i, reads = 0;
	bool done;

	dirty_model_create(&d, BACKING_4K, SIZE, false);
	dirty_model_switch(&d, READER_LOG, true);
	dirty_model_switch(&d, READER_DMA, true);
	for (i = 0; i < 2; i++) {
		writers[i].d = &d;
		writers[i].device = i;
		TEST_ASSERT(!pthread_create(&writers[i].thread, NULL,
					    write_each_page_once, &writers[i]),
			    "pthread_create");
	}
	do {
		done = __atomic_load_n(&writers[0].done, __ATOMIC_ACQUIRE) &&
		       __atomic_load_n(&writers[1].done, __ATOMIC_ACQUIRE);
		for (i = 0; i < DIRTY_READERS; i++) {
			told[i] += dirty_model_read(&d, i, false);
			for (word = 0; word < ARRAY_SIZE(seen[i]); word++)
				seen[i][word] |= d.got[word];
		}
		reads++;
	} while (!done);
	for (i = 0; i < 2; i++)
		pthread_join(writers[i].thread, NULL);
	ksft_print_msg("%u questions to each: log %zu, bitmap %zu of %zu pages\n",
		       reads, told[READER_LOG], told[READER_DMA], d.pages);
	for (i = 0; i < DIRTY_READERS; i++)
		for (word = 0; word < ARRAY_SIZE(seen[i]); word++)
			TEST_ASSERT_EQ(seen[i][word], ~0ULL);
	/* PML's buffer may have a page after the log has had it by D. */
	TEST_ASSERT_EQ(told[READER_DMA], d.pages);
	TEST_ASSERT(told[READER_LOG] <= d.pages + d.pages / 20, "too much");
	dirty_model_destroy(&d);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "4K pages, random steps: each is told of every write",
		  random_4k },
		{ "the same, the log cleared by hand", random_4k_manual },
		{ "2M pages, random steps", random_2m },
		{ "what was written before anybody asked is not told",
		  begins_clean },
		{ "what one clears is handed to the other", hand_over },
		{ "a vCPU takes no fault for being logged", no_faults },
		{ "a page that a vCPU writes all the time is in each answer",
		  in_the_guest },
		{ "4K pages of a 2M page count by themselves, until nobody asks",
		  huge_pages },
		{ "what is taken away stays in the log", gone_pages },
		{ "what was written before a memslot moved is in its log",
		  moved_memslot },
		{ "nothing is lost while both ask under writes", under_load },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

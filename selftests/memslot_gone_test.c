// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memslot goes from under what the IOAS maps, moves, comes back, comes back
 * over other memory, or comes after the map. The device has what the IOAS maps all
 * the time, the vCPU what its memslots have, and MMIO exits where there is none.
 * With a table each that is nothing new: so the same is run there too, and the
 * two may differ in one thing alone, where both want another page at one address.
 * memslots_test.c has all orders, auto_aside_test.c the conflict of a VM that
 * shares by itself.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include "dma_check.h"
#include "iommu_hw.h"
#include "mmu_share.h"
#include "processor.h"
#include "tap.h"
#include "touch.h"

#define TEST_SIZE	(2 * SIZE_2M)
#define LOAD_LEN	SIZE_2M		/* the device writes that all the time */
#define QUIET_AT	SIZE_2M		/* and this only when told to */
#define MOVED		SIZE_1G
#define SEED		0x5107
#define ROUNDS		10

struct how {
	enum hwpt_kind kind;
	enum guest_mem_backing backing;
};

struct bench {
	struct share_vm s;
	struct guest_mem mem;
	struct steady_dma dma;
};

static void create(struct bench *b, const struct how *how)
{
	share_vm_create(&b->s, how->kind);
	guest_mem_add(&b->mem, b->s.vm, TEST_SLOT, how->backing, GPA_HIGH,
		      TEST_SIZE);
	virt_map_level(b->s.vm, GPA_HIGH + MOVED, GPA_HIGH + MOVED, TEST_SIZE,
		       PG_LEVEL_2M);
	share_vm_warm_up(&b->s);
}

static void start_dma(struct bench *b)
{
	steady_dma_start(&b->dma, &b->s, b->mem.gpa, b->mem.hva, LOAD_LEN);
}

/* By hand: the library would unmap the memory as well. */
static void set_memslot(struct bench *b, __u64 gpa, size_t size, void *hva)
{
	vm_set_user_memory_region(b->s.vm, TEST_SLOT, 0, gpa, size, hva);
}

static void delete_memslot(struct bench *b, __u64 gpa)
{
	set_memslot(b, gpa, 0, NULL);
}

static void expect_mmio(struct bench *b, __u64 gpa)
{
	TEST_ASSERT_EQ(guest_mmio(b->s.vcpus[0], gpa, gpa, SEED), SEED);
	TEST_ASSERT_EQ(guest_mmio(b->s.vcpus[0], gpa + QUIET_AT,
				  gpa + QUIET_AT, SEED), SEED);
}

static void expect_pinned(struct bench *b, const struct how *how)
{
	struct mmu_share_info info;

	mmu_share_read(b->s.vm, &info);
	TEST_ASSERT_EQ(info.conflicts, 0);
	TEST_ASSERT_EQ(info.pinned_bytes,
		       how->kind == HWPT_SHARED ? TEST_SIZE : 0);
}

/* An access to what has no memslot splits no leaf of the device's. */
static void expect_huge(struct bench *b, const struct how *how)
{
	struct mmu_share_info info;

	mmu_share_read(b->s.vm, &info);
	if (how->kind == HWPT_SHARED && how->backing == BACKING_2M)
		TEST_ASSERT_EQ(info.leaf_2m, TEST_SIZE / SIZE_2M);
}

/* What the guest has at @gpa is what the process has in the quiet part. */
static void expect_guest_sees(struct bench *b, __u64 gpa, __u64 seed)
{
	TEST_ASSERT_EQ(guest_diff(b->s.vcpus[0], gpa + QUIET_AT,
				  TEST_SIZE - QUIET_AT, SIZE_4K,
				  b->mem.gpa + QUIET_AT, seed), 0);
}

/* Neither the vCPU nor the device loses a byte, however often. */
static void deleted_and_made_again(const void *arg)
{
	const struct how *how = arg;
	struct bench b;
	__u64 seed;

	create(&b, how);
	share_vm_map(&b.s, &b.mem);
	start_dma(&b);
	for (seed = SEED; seed < SEED + ROUNDS; seed++) {
		guest_fill(b.s.vcpus[1], b.mem.gpa + QUIET_AT,
			   TEST_SIZE - QUIET_AT, SIZE_4K, seed);
		delete_memslot(&b, b.mem.gpa);
		expect_mmio(&b, b.mem.gpa);
		expect_pinned(&b, how);
		expect_huge(&b, how);
		set_memslot(&b, b.mem.gpa, b.mem.size, b.mem.hva);
		expect_guest_sees(&b, b.mem.gpa, seed);
	}

	/* What the device writes meanwhile the vCPU finds later. */
	delete_memslot(&b, b.mem.gpa);
	dma_check_copies(&b.s, &b.mem, TEST_SIZE - SIZE_4K, QUIET_AT);
	guest_mem_fill(&b.mem, QUIET_AT, SIZE_4K, ~SEED);
	edu_copy(&b.s.edu, b.mem.gpa + TEST_SIZE - SIZE_4K, b.mem.gpa + QUIET_AT,
		 SIZE_4K);
	set_memslot(&b, b.mem.gpa, b.mem.size, b.mem.hva);
	TEST_ASSERT_EQ(guest_diff(b.s.vcpus[1], b.mem.gpa + TEST_SIZE - SIZE_4K,
				  SIZE_4K, 8, b.mem.gpa + QUIET_AT, ~SEED), 0);
	expect_pinned(&b, how);
	steady_dma_stop(&b.dma);
	share_vm_destroy(&b.s);
}

/* The IOAS does not move with it. */
static void moved_and_moved_back(const void *arg)
{
	const struct how *how = arg;
	struct bench b;
	__u64 seed;

	create(&b, how);
	share_vm_map(&b.s, &b.mem);
	start_dma(&b);
	for (seed = SEED; seed < SEED + ROUNDS; seed++) {
		guest_fill(b.s.vcpus[1], b.mem.gpa + QUIET_AT,
			   TEST_SIZE - QUIET_AT, SIZE_4K, seed);
		set_memslot(&b, b.mem.gpa + MOVED, b.mem.size, b.mem.hva);
		expect_mmio(&b, b.mem.gpa);
		expect_guest_sees(&b, b.mem.gpa + MOVED, seed);
		expect_pinned(&b, how);
		set_memslot(&b, b.mem.gpa, b.mem.size, b.mem.hva);
		expect_mmio(&b, b.mem.gpa + MOVED);
		expect_guest_sees(&b, b.mem.gpa, seed);
	}
	set_memslot(&b, b.mem.gpa + MOVED, b.mem.size, b.mem.hva);
	expect_guest_sees(&b, b.mem.gpa + MOVED, seed - 1);
	dma_check_copies(&b.s, &b.mem, TEST_SIZE - SIZE_4K, QUIET_AT);
	steady_dma_stop(&b.dma);
	dma_check_write_stopped(&b.s, b.mem.gpa + MOVED + QUIET_AT);
	share_vm_destroy(&b.s);
}

static void expect_conflict(struct bench *b, __u64 gpa)
{
	struct mmu_share_info info;

	touch_expect_conflict(b->s.vcpus[1], gpa, false);
	touch_expect_conflict(b->s.vcpus[1], gpa, true);
	mmu_share_read(b->s.vm, &info);
	TEST_ASSERT_EQ(info.conflicts, 2);
}

/*
 * Over memory of which half is the device's: with one table the vCPU has that
 * half, and user space learns of the other.
 */
static void made_again_over_other_memory(const void *arg)
{
	const struct how *how = arg;
	__u64 other_gpa, value;
	struct bench b;
	void *other;

	create(&b, how);
	touch_init(b.s.vcpus[1]);
	share_vm_map(&b.s, &b.mem);
	other_gpa = b.mem.gpa + QUIET_AT;
	other = mmap(NULL, SIZE_2M, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	TEST_ASSERT(other != MAP_FAILED, "mmap");
	WRITE_ONCE(*(__u64 *)other, SEED);
	start_dma(&b);

	delete_memslot(&b, b.mem.gpa);
	set_memslot(&b, b.mem.gpa, QUIET_AT, b.mem.hva);
	vm_set_user_memory_region(b.s.vm, TEST_SLOT + 1, 0, other_gpa, SIZE_2M,
				  other);
	TEST_ASSERT_EQ(touch_write(b.s.vcpus[1], b.mem.gpa + LOAD_LEN - 8, SEED),
		       0);

	if (how->kind == HWPT_SHARED) {
		expect_conflict(&b, other_gpa);
	} else {
		TEST_ASSERT_EQ(touch_read(b.s.vcpus[1], other_gpa, &value), 0);
		TEST_ASSERT_EQ(value, SEED);
	}

	/* The device writes its own page; the other one stays as it is. */
	dma_check_copies(&b.s, &b.mem, QUIET_AT, QUIET_AT + SIZE_4K);
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)other), SEED);
	steady_dma_stop(&b.dma);

	/* Control: once the device's page is gone the vCPU has the other. */
	share_vm_unmap(&b.s, &b.mem);
	TEST_ASSERT_EQ(touch_read(b.s.vcpus[1], other_gpa, &value), 0);
	TEST_ASSERT_EQ(value, SEED);
	TEST_ASSERT_EQ(touch_write(b.s.vcpus[1], other_gpa, ~value), 0);
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)other), ~value);
	dma_check_write_stopped(&b.s, other_gpa);
	share_vm_destroy(&b.s);
}

/* As a VMM does that tells the IOAS first. */
static void mapped_before_it_comes(const void *arg)
{
	const struct how *how = arg;
	struct mmu_share_info info;
	struct bench b;

	create(&b, how);
	delete_memslot(&b, b.mem.gpa);
	share_vm_map(&b.s, &b.mem);
	start_dma(&b);
	expect_pinned(&b, how);
	mmu_share_read(b.s.vm, &info);
	TEST_ASSERT_EQ(info.common_bytes, 0);
	expect_mmio(&b, b.mem.gpa);
	dma_check_copies(&b.s, &b.mem, TEST_SIZE - SIZE_4K, QUIET_AT);

	/* It is opened to vCPUs with the memslot, before they fault. */
	set_memslot(&b, b.mem.gpa, b.mem.size, b.mem.hva);
	mmu_share_read(b.s.vm, &info);
	if (how->kind == HWPT_SHARED)
		TEST_ASSERT_EQ(info.common_bytes, TEST_SIZE);
	dma_check_between_vcpus(&b.s, &b.mem, TEST_SIZE - SIZE_4K, QUIET_AT);
	guest_fill(b.s.vcpus[0], b.mem.gpa + QUIET_AT, TEST_SIZE - QUIET_AT,
		   SIZE_4K, SEED);
	expect_guest_sees(&b, b.mem.gpa, SEED);
	expect_pinned(&b, how);
	steady_dma_stop(&b.dma);

	/* Control: with the map it goes from the device, and from it alone. */
	share_vm_unmap(&b.s, &b.mem);
	dma_check_write_stopped(&b.s, b.mem.gpa + QUIET_AT);
	expect_guest_sees(&b, b.mem.gpa, SEED);
	share_vm_destroy(&b.s);
}

/* It comes back, and the process still forbids itself the access. */
static void made_again_over_forbidden_memory(const void *arg)
{
	const struct how *how = arg;
	struct mmu_share_info info;
	struct bench b;
	__u64 value;

	create(&b, how);
	touch_init(b.s.vcpus[1]);
	share_vm_map(&b.s, &b.mem);
	guest_mem_fill(&b.mem, 0, b.mem.size, SEED);
	TEST_ASSERT(!mprotect(b.mem.hva, b.mem.size, PROT_NONE), "mprotect");
	delete_memslot(&b, b.mem.gpa);
	set_memslot(&b, b.mem.gpa, b.mem.size, b.mem.hva);
	mmu_share_read(b.s.vm, &info);
	TEST_ASSERT_EQ(info.common_bytes, 0);
	TEST_ASSERT_EQ(touch_read(b.s.vcpus[1], b.mem.gpa, &value), -EFAULT);

	/* Control: the vCPU has it when the process may have it. */
	TEST_ASSERT(!mprotect(b.mem.hva, b.mem.size, PROT_READ | PROT_WRITE),
		    "mprotect");
	TEST_ASSERT_EQ(touch_read(b.s.vcpus[1], b.mem.gpa, &value), 0);
	TEST_ASSERT_EQ(value, pattern_word(b.mem.gpa, SEED));
	dma_check_copies(&b.s, &b.mem, TEST_SIZE - SIZE_4K, QUIET_AT);
	expect_pinned(&b, how);
	share_vm_destroy(&b.s);
}

static const struct how shared_4k = { HWPT_SHARED, BACKING_4K };
static const struct how shared_2m = { HWPT_SHARED, BACKING_2M };
static const struct how each_4k = { HWPT_ORDINARY, BACKING_4K };

int main(void)
{
	static const struct tap_case cases[] = {
		{ "a table each: deleted and made again",
		  .run_with = deleted_and_made_again, .arg = &each_4k },
		{ "4K leaves: deleted and made again",
		  .run_with = deleted_and_made_again, .arg = &shared_4k },
		{ "2M leaves: deleted and made again",
		  .run_with = deleted_and_made_again, .arg = &shared_2m },
		{ "a table each: moved and moved back",
		  .run_with = moved_and_moved_back, .arg = &each_4k },
		{ "4K leaves: moved and moved back",
		  .run_with = moved_and_moved_back, .arg = &shared_4k },
		{ "2M leaves: moved and moved back",
		  .run_with = moved_and_moved_back, .arg = &shared_2m },
		{ "a table each: made again over other memory",
		  .run_with = made_again_over_other_memory, .arg = &each_4k },
		{ "4K leaves: made again over other memory",
		  .run_with = made_again_over_other_memory, .arg = &shared_4k },
		{ "2M leaves: made again over other memory",
		  .run_with = made_again_over_other_memory, .arg = &shared_2m },
		{ "a table each: made again over forbidden memory",
		  .run_with = made_again_over_forbidden_memory, .arg = &each_4k },
		{ "4K leaves: made again over forbidden memory",
		  .run_with = made_again_over_forbidden_memory, .arg = &shared_4k },
		{ "2M leaves: made again over forbidden memory",
		  .run_with = made_again_over_forbidden_memory, .arg = &shared_2m },
		{ "a table each: it comes after the map",
		  .run_with = mapped_before_it_comes, .arg = &each_4k },
		{ "4K leaves: it comes after the map",
		  .run_with = mapped_before_it_comes, .arg = &shared_4k },
		{ "2M leaves: it comes after the map",
		  .run_with = mapped_before_it_comes, .arg = &shared_2m },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

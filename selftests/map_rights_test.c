// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device has the rights that the IOAS gives it, a vCPU those that its memslot
 * and the process give: neither has the other's, in one table as with a table
 * each. Where they can't have rights of their own, as with VT-d, no vCPU has what
 * the device has by other rights, and user space is told.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include "dma_check.h"
#include "iommu_hw.h"
#include "mmu_share.h"
#include "processor.h"
#include "stress_guest.h"
#include "tap.h"
#include "touch.h"

#define TEST_SIZE	(2 * SIZE_2M)
#define OUT_SLOT	(TEST_SLOT + 1)	/* where the device may write */
#define OUT_GPA		(GPA_HIGH + SIZE_1G)
#define SEED		0x719
#define AT		(3 * SIZE_4K)

struct how {
	enum hwpt_kind kind;
	enum guest_mem_backing backing;
};

struct bench {
	struct share_vm s;
	struct guest_mem mem;
	struct guest_mem out;
	bool rights_are_one;
};

static void setup(struct bench *b, const struct how *how)
{
	share_vm_create(&b->s, how->kind);
	b->rights_are_one = how->kind == HWPT_SHARED &&
			    iommu_hw_rights_are_one();
	guest_mem_add(&b->mem, b->s.vm, TEST_SLOT, how->backing, GPA_HIGH,
		      TEST_SIZE);
	guest_mem_add(&b->out, b->s.vm, OUT_SLOT, BACKING_4K, OUT_GPA, SIZE_2M);
	share_vm_map(&b->s, &b->out);
	touch_init(b->s.vcpus[1]);
	share_vm_warm_up(&b->s);
}

static void map(struct bench *b, __u32 rights)
{
	int r = __iommufd_map(b->s.iommufd, b->s.ioas, rights, b->mem.gpa,
			      b->mem.hva, b->mem.size);

	TEST_ASSERT(!r, "IOAS_MAP: %s", strerror(-r));
}

/* The device reads the page, and what it got is what the process has. */
static void expect_device_reads(struct bench *b, size_t at, __u64 seed)
{
	__u64 mark = iommu_events_mark();

	guest_mem_fill(&b->mem, at, SIZE_4K, seed);
	edu_copy(&b->s.edu, b->out.gpa, b->mem.gpa + at, SIZE_4K);
	TEST_ASSERT(!memcmp(b->out.hva, b->mem.hva + at, SIZE_4K),
		    "the device reads something else");
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
}

static void expect_device_may_not_write(struct bench *b, size_t at)
{
	guest_mem_fill(&b->mem, at, SIZE_4K, SEED);
	dma_check_write_stopped(&b->s, b->mem.gpa + at);
	TEST_ASSERT_EQ(guest_mem_diff(&b->mem, at, SIZE_4K, at, SEED), 0);
}

/*
 * Not the same page for both: once QEMU's IOMMU has cached an entry for reading
 * it drops a write there without an event.
 */
static void expect_read_only_device(struct bench *b)
{
	expect_device_may_not_write(b, AT);
	expect_device_may_not_write(b, TEST_SIZE - SIZE_4K);
	expect_device_reads(b, AT + SIZE_4K, SEED + 1);
}

static void expect_vcpu_writes(struct bench *b)
{
	static __u64 seed = SEED;

	seed++;
	guest_fill(b->s.vcpus[0], b->mem.gpa, b->mem.size, SIZE_4K, seed);
	TEST_ASSERT_EQ(guest_mem_diff(&b->mem, AT, 8, AT, seed), 0);
}

/* The device may only read there. */
static void expect_vcpu_may_write(struct bench *b)
{
	if (b->rights_are_one)
		touch_expect_conflict(b->s.vcpus[1], b->mem.gpa + AT, true);
	else
		expect_vcpu_writes(b);
}

static void set_flags(struct bench *b, __u32 flags)
{
	vm_mem_region_set_flags(b->s.vm, TEST_SLOT, flags);
}

/* Mapped before or after the vCPU's faults, split for a log and merged. */
static void map_for_reading(const void *arg)
{
	const struct how *how = arg;
	struct mmu_share_info info;
	struct bench b;

	setup(&b, how);
	map(&b, IOMMU_IOAS_MAP_READABLE);
	expect_read_only_device(&b);
	expect_vcpu_may_write(&b);
	expect_read_only_device(&b);
	share_vm_unmap(&b.s, &b.mem);
	expect_vcpu_writes(&b);
	map(&b, IOMMU_IOAS_MAP_READABLE);
	expect_vcpu_may_write(&b);
	expect_read_only_device(&b);

	set_flags(&b, KVM_MEM_LOG_DIRTY_PAGES);
	expect_vcpu_may_write(&b);
	expect_read_only_device(&b);
	set_flags(&b, 0);
	expect_vcpu_may_write(&b);
	expect_read_only_device(&b);

	/* The host's events give the device nothing that it had not. */
	TEST_ASSERT(!mprotect(b.mem.hva, b.mem.size, PROT_READ) &&
		    !mprotect(b.mem.hva, b.mem.size, PROT_READ | PROT_WRITE),
		    "mprotect");
	expect_vcpu_may_write(&b);
	expect_read_only_device(&b);
	mmu_share_read(b.s.vm, &info);
	TEST_ASSERT_EQ(!info.conflicts, !b.rights_are_one);

	/* Control: with the right to write it writes the same page. */
	share_vm_unmap(&b.s, &b.mem);
	map(&b, IOAS_MAP_RW);
	dma_check_copies(&b.s, &b.mem, AT, TEST_SIZE - SIZE_4K);
	share_vm_destroy(&b.s);
}

/* By the program whose accesses may come to anything. */
static void vcpu_write_exits(struct bench *b, __u64 gpa)
{
	struct stress_vcpu vcpu;

	stress_vcpu_init(&vcpu, b->s.vcpus[0]);
	TEST_ASSERT_EQ(stress_vcpu_write(&vcpu, gpa, ~SEED), GUEST_MET_MMIO);
	vcpu_arch_set_entry_point(b->s.vcpus[0], guest_main);
	vcpu_args_set(b->s.vcpus[0], 1, 0ULL);
}

/* As firmware has it: the guest's writes go to user space. */
static void read_only_memslot(const void *arg)
{
	const struct how *how = arg;
	__u64 value, gpa = GPA_HIGH + AT;
	struct bench b;

	setup(&b, how);
	vm_set_user_memory_region(b.s.vm, TEST_SLOT, 0, b.mem.gpa, 0, NULL);
	vm_set_user_memory_region(b.s.vm, TEST_SLOT, KVM_MEM_READONLY,
				  b.mem.gpa, b.mem.size, b.mem.hva);
	map(&b, IOAS_MAP_RW);
	dma_check_copies(&b.s, &b.mem, AT, TEST_SIZE - SIZE_4K);
	WRITE_ONCE(*(__u64 *)(b.mem.hva + AT), SEED);
	if (b.rights_are_one) {
		touch_expect_conflict(b.s.vcpus[1], gpa, false);
	} else {
		TEST_ASSERT_EQ(touch_read(b.s.vcpus[1], gpa, &value), 0);
		TEST_ASSERT_EQ(value, SEED);
		vcpu_write_exits(&b, gpa);
	}
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)(b.mem.hva + AT)), SEED);
	dma_check_copies(&b.s, &b.mem, AT, TEST_SIZE - SIZE_4K);

	/* Control: made again as a writable one the vCPU writes too. */
	vm_set_user_memory_region(b.s.vm, TEST_SLOT, 0, b.mem.gpa, 0, NULL);
	vm_set_user_memory_region(b.s.vm, TEST_SLOT, 0, b.mem.gpa, b.mem.size,
				  b.mem.hva);
	expect_vcpu_writes(&b);
	dma_check_copies(&b.s, &b.mem, AT, TEST_SIZE - SIZE_4K);
	share_vm_destroy(&b.s);
}

/* Memory that the process itself may only read. */
static void read_only_memory(const void *arg)
{
	const struct how *how = arg;
	__u64 value, gpa = GPA_HIGH + AT;
	struct bench b;

	setup(&b, how);
	guest_mem_fill(&b.mem, AT, SIZE_4K, SEED);
	TEST_ASSERT(!mprotect(b.mem.hva, b.mem.size, PROT_READ), "mprotect");
	TEST_ASSERT_EQ(__iommufd_map(b.s.iommufd, b.s.ioas, IOAS_MAP_RW,
				     b.mem.gpa, b.mem.hva, b.mem.size), -EFAULT);
	map(&b, IOMMU_IOAS_MAP_READABLE);
	edu_copy(&b.s.edu, b.out.gpa, gpa, SIZE_4K);
	TEST_ASSERT(!memcmp(b.out.hva, b.mem.hva + AT, SIZE_4K),
		    "the device reads something else");
	TEST_ASSERT_EQ(touch_read(b.s.vcpus[1], gpa, &value), 0);
	TEST_ASSERT_EQ(value, pattern_word(gpa, SEED));
	TEST_ASSERT_EQ(touch_write(b.s.vcpus[1], gpa, ~value), -EFAULT);
	TEST_ASSERT_EQ(guest_mem_diff(&b.mem, AT, SIZE_4K, AT, SEED), 0);

	/* Control: the vCPU's right comes with the process's, not the device's. */
	TEST_ASSERT(!mprotect(b.mem.hva, b.mem.size, PROT_READ | PROT_WRITE),
		    "mprotect");
	expect_vcpu_may_write(&b);
	expect_device_may_not_write(&b, TEST_SIZE - SIZE_4K);
	share_vm_destroy(&b.s);
}

/*
 * Pages that are clean, and that the host may drop as long as they are: what a vCPU
 * writes there through a map for reading must not be lost. Control: what it does not
 * write is dropped.
 */
static void clean_memory(const void *arg)
{
	const struct how *how = arg;
	struct bench b;

	setup(&b, how);
	if (b.rights_are_one)
		tap_skip_case("a vCPU writes nothing through such a map");
	guest_mem_fill(&b.mem, 0, b.mem.size, SEED);
	TEST_ASSERT(!madvise(b.mem.hva, b.mem.size, MADV_FREE), "MADV_FREE");
	map(&b, IOMMU_IOAS_MAP_READABLE);
	guest_fill(b.s.vcpus[0], b.mem.gpa, SIZE_2M, SIZE_4K, ~SEED);
	share_vm_unmap(&b.s, &b.mem);

	TEST_ASSERT(!madvise(b.mem.hva, b.mem.size, MADV_PAGEOUT), "MADV_PAGEOUT");
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)(b.mem.hva + AT)),
		       pattern_word(b.mem.gpa + AT, ~SEED));
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)(b.mem.hva + SIZE_2M + AT)), 0);
	share_vm_destroy(&b.s);
}

static const struct how shared_4k = { HWPT_SHARED, BACKING_4K };
static const struct how shared_2m = { HWPT_SHARED, BACKING_2M };
static const struct how each_4k = { HWPT_ORDINARY, BACKING_4K };

int main(void)
{
	static const struct tap_case cases[] = {
		{ "a table each: mapped for reading alone",
		  .run_with = map_for_reading, .arg = &each_4k },
		{ "4K leaves: mapped for reading alone",
		  .run_with = map_for_reading, .arg = &shared_4k },
		{ "2M leaves: mapped for reading alone",
		  .run_with = map_for_reading, .arg = &shared_2m },
		{ "a table each: a memslot for reading alone",
		  .run_with = read_only_memslot, .arg = &each_4k },
		{ "4K leaves: a memslot for reading alone",
		  .run_with = read_only_memslot, .arg = &shared_4k },
		{ "2M leaves: a memslot for reading alone",
		  .run_with = read_only_memslot, .arg = &shared_2m },
		{ "a table each: memory for reading alone",
		  .run_with = read_only_memory, .arg = &each_4k },
		{ "one table: memory for reading alone",
		  .run_with = read_only_memory, .arg = &shared_4k },
		{ "a table each: memory that nobody has written",
		  .run_with = clean_memory, .arg = &each_4k },
		{ "one table: memory that nobody has written",
		  .run_with = clean_memory, .arg = &shared_4k },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

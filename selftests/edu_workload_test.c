// SPDX-License-Identifier: GPL-2.0-only
/*
 * One workload, first with a table each for vCPUs and device, then with one for
 * both, measured side by side in one boot: the smallest thing that shows what
 * sharing is for. demo.c shows it with a whole guest.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include "iommu_hw.h"
#include "memstat.h"
#include "mmu_share.h"
#include "share_vm.h"
#include "slow_host.h"
#include "tap.h"

#define SIZE	less_if_slow(128 * SIZE_2M, 8 * SIZE_2M)
#define SEED	0xde30

struct workload {
	enum guest_mem_backing backing;
	size_t page;
};

struct result {
	__u64 table_bytes;
	__u64 tdp_faults;
};

/* The root is KVM's if there is one table, and only then. */
static void check_root(struct share_vm *s, enum hwpt_kind kind)
{
	struct mmu_share_info info;
	struct iommu_entry entry;

	iommu_entry_read(s->edu.bdf, &entry);
	mmu_share_read(s->vm, &info);
	TEST_ASSERT(entry.translates, "the device is not translated at all");
	TEST_ASSERT_EQ(info.shared, kind == HWPT_SHARED);
	TEST_ASSERT_EQ(entry.root == info.root, kind == HWPT_SHARED);
}

/* vCPU 0 writes, the device copies, vCPU 1 reads: in pages far apart. */
static void check_dma(struct share_vm *s, struct guest_mem *mem)
{
	size_t dst = mem->size - SIZE_4K, src = mem->size / 2;

	guest_fill(s->vcpus[0], mem->gpa + src, SIZE_4K, 8, SEED);
	guest_fill(s->vcpus[1], mem->gpa + dst, SIZE_4K, 8, ~SEED);
	edu_copy(&s->edu, mem->gpa + dst, mem->gpa + src, SIZE_4K);
	TEST_ASSERT_EQ(guest_diff(s->vcpus[1], mem->gpa + dst, SIZE_4K, 8,
				  mem->gpa + src, SEED), 0);
}

static struct result measure(const struct workload *w, enum hwpt_kind kind)
{
	struct guest_mem mem;
	__u64 bytes, faults;
	struct share_vm s;
	struct result r;

	share_vm_create(&s, kind);
	guest_mem_add(&mem, s.vm, TEST_SLOT, w->backing, GPA_HIGH, SIZE);
	share_vm_warm_up(&s);
	bytes = memstat_second_level_bytes();
	faults = share_vm_tdp_faults(&s);

	share_vm_map(&s, &mem);
	guest_fill(s.vcpus[0], mem.gpa, mem.size / 2, SIZE_4K, SEED);
	guest_fill(s.vcpus[1], mem.gpa + mem.size / 2, mem.size / 2, SIZE_4K,
		   SEED);

	r.tdp_faults = share_vm_tdp_faults(&s) - faults;
	r.table_bytes = memstat_second_level_bytes() - bytes;
	check_root(&s, kind);
	check_dma(&s, &mem);
	share_vm_destroy(&s);
	return r;
}

static void side_by_side(const void *arg)
{
	const struct workload *w = arg;
	struct result two = measure(w, HWPT_ORDINARY);
	struct result one = measure(w, HWPT_SHARED);

	ksft_print_msg("separate: %llu kB of tables, %llu faults; shared: %llu kB, %llu\n",
		       two.table_bytes / 1024, two.tdp_faults,
		       one.table_bytes / 1024, one.tdp_faults);
	TEST_ASSERT_EQ(two.tdp_faults, SIZE / w->page);
	TEST_ASSERT_EQ(one.tdp_faults, 0);
	/* One table of KVM's may have been there already, for the VM's rest. */
	TEST_ASSERT(two.table_bytes == 2 * one.table_bytes ||
		    two.table_bytes == 2 * one.table_bytes + SIZE_4K,
		    "not half the tables");
}

int main(void)
{
	static const struct workload
		small = { BACKING_4K, SIZE_4K },
		large = { BACKING_2M, SIZE_2M };
	static const struct tap_case cases[] = {
		{ "much memory in 4K pages: half the tables, no faults",
		  .run_with = side_by_side, .arg = &small },
		{ "much memory in 2M pages: half the tables, no faults",
		  .run_with = side_by_side, .arg = &large },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

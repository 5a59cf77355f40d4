// SPDX-License-Identifier: GPL-2.0-only
/*
 * There is one table: the root in the IOMMU's entry for the device is KVM's
 * root, and mapping memory costs one table's pages, where an ordinary HWPT
 * costs two tables'.
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

/* One table page maps 2M by 4K entries: 512 pages, 2 MiB, for each GiB. */
#define TEST_SIZE	less_if_slow(SIZE_1G, SIZE_1G / 8)
#define ONE_TABLE	(TEST_SIZE / 512)

/* For upper levels and what else the machine does meanwhile. */
#define SLACK		(ONE_TABLE / 8)

static void roots_are_equal(void)
{
	struct mmu_share_info info;
	struct iommu_entry entry;
	struct share_vm s;

	share_vm_create(&s, HWPT_SHARED);
	iommu_entry_read(s.edu.bdf, &entry);
	mmu_share_read(s.vm, &info);
	TEST_ASSERT(entry.translates, "the device is not translated at all");
	TEST_ASSERT_EQ(info.shared, 1);
	TEST_ASSERT_EQ(entry.root, info.root);
	TEST_ASSERT_EQ(entry.levels, info.root_level);

	/* Running vCPUs must not move KVM away from that root. */
	guest_nop(s.vcpus[0]);
	guest_nop(s.vcpus[1]);
	iommu_entry_read(s.edu.bdf, &entry);
	mmu_share_read(s.vm, &info);
	TEST_ASSERT_EQ(entry.root, info.root);
	share_vm_destroy(&s);
}

static void ordinary_root_differs(void)
{
	__u32 ordinary;
	struct mmu_share_info info;
	struct iommu_entry entry;
	struct share_vm s;

	share_vm_create(&s, HWPT_SHARED);
	ordinary = iommufd_hwpt_alloc(s.iommufd, s.edu.dev_id, s.ioas,
				      HWPT_ORDINARY, -1);
	vfio_dev_attach(&s.edu, ordinary);
	iommu_entry_read(s.edu.bdf, &entry);
	mmu_share_read(s.vm, &info);
	TEST_ASSERT(entry.translates, "the device is not translated at all");
	TEST_ASSERT(entry.root != info.root, "both roots are %#llx",
		    entry.root);
	share_vm_destroy(&s);
}

struct growth {
	__u64 by_map;		/* bytes that IOAS_MAP added */
	__u64 by_touch;		/* bytes that the guest's touching it all added */
};

static void measure_growth(enum hwpt_kind kind, struct growth *g)
{
	struct guest_mem mem;
	struct share_vm s;
	__u64 before, mapped, touched;

	share_vm_create(&s, kind);
	guest_mem_add(&mem, s.vm, TEST_SLOT, BACKING_4K, GPA_HIGH, TEST_SIZE);
	share_vm_warm_up(&s);

	before = memstat_second_level_bytes();
	share_vm_map(&s, &mem);
	mapped = memstat_second_level_bytes();
	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, 1);
	touched = memstat_second_level_bytes();

	g->by_map = mapped - before;
	g->by_touch = touched - mapped;
	ksft_print_msg("%s HWPT: map +%llu kB, guest's touch +%llu kB\n",
		       kind == HWPT_SHARED ? "shared" : "ordinary",
		       g->by_map / 1024, g->by_touch / 1024);
	share_vm_destroy(&s);
}

static void shared_costs_one_table(void)
{
	struct growth g;

	measure_growth(HWPT_SHARED, &g);
	TEST_ASSERT(g.by_map >= ONE_TABLE && g.by_map <= ONE_TABLE + SLACK,
		    "the map added %llu bytes", g.by_map);
	TEST_ASSERT(g.by_touch <= SLACK, "touching it added %llu bytes",
		    g.by_touch);
}

static void ordinary_costs_two_tables(void)
{
	struct growth g;

	measure_growth(HWPT_ORDINARY, &g);
	TEST_ASSERT(g.by_map >= ONE_TABLE && g.by_map <= ONE_TABLE + SLACK,
		    "the map added %llu bytes", g.by_map);
	TEST_ASSERT(g.by_touch >= ONE_TABLE && g.by_touch <= ONE_TABLE + SLACK,
		    "touching it added %llu bytes", g.by_touch);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "the root in the device's entry is KVM's root",
		  roots_are_equal },
		{ "control: with an ordinary HWPT the roots differ",
		  ordinary_root_differs },
		{ "much memory in 4K pages costs one table",
		  shared_costs_one_table, .timeout = 120 },
		{ "control: with an ordinary HWPT it costs two",
		  ordinary_costs_two_tables, .timeout = 120 },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

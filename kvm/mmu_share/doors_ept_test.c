// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the two doors of EPT = VT-d second stage leaves: which leaves there
 * are, what walkers find there, and that all that KVM does to a leaf makes another.
 *
 * As in doors_test.c the kinds are written out a second time, from the table in
 * format.h, and each combination of the bits that make them is looked at.
 */
#include <linux/array_size.h>
#include <linux/kvm_host.h>

#include "doors_test.h"

#define R		BIT_ULL(0)
#define W		BIT_ULL(1)
#define X		BIT_ULL(2)
#define EMT		GENMASK_ULL(5, 3)
#define IPAT		BIT_ULL(6)
#define A		BIT_ULL(8)
#define D		BIT_ULL(9)
#define XU		BIT_ULL(10)
#define HOST_WRITABLE	BIT_ULL(53)
#define MMU_WRITABLE	BIT_ULL(55)
#define MMU_PRESENT	BIT_ULL(60)
#define SHUT		BIT_ULL(62)
#define SVE		BIT_ULL(63)

#define RIGHTS	(W | HOST_WRITABLE | MMU_WRITABLE)

/* The bits that leaves differ in, besides the address. */
static const u8 leaf_bits[] = { 1, 2, 3, 4, 5, 6, 8, 9, 10, 53, 55, 62 };

/* X, IPAT, A, D and XU are free: 32. Memory types: 5 of 8, and one that shuts. */
#define NR_COMMON	(2 * 5 * 32)
#define NR_CPU_ONLY	(4 * 5 * 32)
#define NR_DEVICE_ONLY	(2 * 32)

/* The table in format.h. */
static enum door whose(u64 entry)
{
	u64 may_write = entry & RIGHTS;
	int type = entry >> 3 & 7;

	if (type == 2 || type == 3)
		return NOBODY;
	if (!(entry & SHUT)) {
		if (may_write && may_write != RIGHTS)
			return NOBODY;
		return type == 7 ? DEVICE : BOTH;
	}
	if (type == 7)
		return NOBODY;
	if ((entry & W) && !(entry & MMU_WRITABLE))
		return NOBODY;
	return entry & MMU_WRITABLE && !(entry & HOST_WRITABLE) ? NOBODY : CPUS;
}

static const struct leaf_kinds ept = {
	.fmt		= EPT,
	.base		= R | MMU_PRESENT | SVE,
	.bits		= leaf_bits,
	.nr_bits	= ARRAY_SIZE(leaf_bits),
	.x		= X,
	.whose		= whose,
};

/* Each combination of the bits. */
static void every_combination_is_a_kind_or_refused(struct kunit *test)
{
	expect_kinds(test, &ept, param_level(test), NR_COMMON, NR_CPU_ONLY,
		     NR_DEVICE_ONLY);
}

/* What each side finds: its rights, a misconfiguration or a fault where it is shut. */
static void each_side_finds_what_its_door_says(struct kunit *test)
{
	int level = param_level(test);
	u64 entry;

	for_each_leaf(&ept, entry, level) {
		struct decoded cpu = mmu_share_cpu_decode(EPT, entry, level);
		struct decoded iommu = mmu_share_iommu_decode(EPT, entry, level);
		enum door door = whose(entry);

		KUNIT_EXPECT_EQ(test, cpu.walk, door == DEVICE ? FAULT : TO_PAGE);
		KUNIT_EXPECT_EQ(test, iommu.walk, door == CPUS ? FAULT : TO_PAGE);
		KUNIT_EXPECT_EQ(test, mmu_share_iommu_can_follow(EPT, entry, level),
				door != CPUS);
		KUNIT_EXPECT_EQ(test, cpu.write, !!(entry & W));
		KUNIT_EXPECT_EQ(test, iommu.write, !!(entry & W));
		KUNIT_EXPECT_EQ(test, iommu.addr, LEAF_ADDR);
		/* A cached MMIO entry is told from it, and so is one that is absent. */
		KUNIT_EXPECT_NE(test, entry & mmu_share_layouts[EPT].mmio_mask,
				mmu_share_layouts[EPT].mmio_value);
	}
}

/* IOAS map over a vCPU's leaf that has the very rights, and unmap again. */
static void device_door_opens_and_shuts(struct kunit *test)
{
	const struct mmu_share_doors *doors = kinds_doors(&ept);
	int level = param_level(test);
	u64 old;

	for_each_leaf(&ept, old, level) {
		bool write = old & W;
		u64 open, shut;

		if (whose(old) != CPUS)
			continue;

		open = __spte_open_to_device(doors, old, write);
		expect_door(test, &ept, open, level, BOTH);
		KUNIT_EXPECT_EQ(test, open & RIGHTS, write ? RIGHTS : 0);
		expect_same(test, &ept, mmu_share_cpu_decode, old, open, level);

		shut = __spte_shut_to_device(doors, open);
		expect_door(test, &ept, shut, level, CPUS);
		expect_same(test, &ept, mmu_share_cpu_decode, open, shut, level);
		KUNIT_EXPECT_EQ(test, __spte_open_to_device(doors, shut, write), open);
	}
}

/* KVM takes a leaf from vCPUs, for whatever reason; a fault gives it back. */
static void cpus_door_shuts_and_opens(struct kunit *test)
{
	const struct mmu_share_doors *doors = kinds_doors(&ept);
	const u64 cpu_bits = __spte_cpu_bits(doors);
	int level = param_level(test);
	u64 old;

	KUNIT_EXPECT_EQ(test, cpu_bits, EMT | IPAT | X | XU);

	for_each_leaf(&ept, old, level) {
		u64 shut = __spte_shut_to_cpus(doors, old);

		if (whose(old) == CPUS) {
			expect_verdict(test, EPT, shut, level, "there for nobody");
			continue;
		}
		expect_door(test, &ept, shut, level, DEVICE);
		expect_same(test, &ept, mmu_share_iommu_decode, old, shut, level);
		KUNIT_EXPECT_EQ(test, __spte_shut_to_cpus(doors, shut), shut);
		KUNIT_EXPECT_EQ(test, (shut & ~cpu_bits) | (old & cpu_bits), old);
	}
}

/*
 * mmu_share_keep_device(): a vCPU's fault at a leaf that the device has. The new
 * leaf is any that make_spte() can make, i.e. a CPU-only one; where it may not write
 * and the device may, it is not taken.
 */
static void fault_keeps_what_the_device_has(struct kunit *test)
{
	const u64 cpu_bits = __spte_cpu_bits(kinds_doors(&ept)) | A;
	int level = param_level(test);
	u64 old, new;

	for_each_leaf(&ept, old, level) {
		/* All else is in CPUs' bits. */
		if (whose(old) == CPUS || old & (X | IPAT | A | D | XU))
			continue;

		for_each_leaf(&ept, new, level) {
			u64 spte = (old & ~cpu_bits) | (new & cpu_bits);

			if (whose(new) != CPUS || ((old & W) && !(new & W)))
				continue;
			expect_door(test, &ept, spte, level, BOTH);
			expect_same(test, &ept, mmu_share_iommu_decode, old, spte, level);
			KUNIT_EXPECT_EQ(test, spte & cpu_bits, new & cpu_bits);
		}
	}
}

/* Aging, the dirty log by D bits, NX huge pages: in all; write protection: CPUs' own. */
static void kvms_own_changes_move_no_door(struct kunit *test)
{
	int level = param_level(test), i;
	u64 old;

	for_each_leaf(&ept, old, level) {
		const u64 new[] = {
			old & ~A, old | A, old & ~D, old | D,
			old & ~(X | XU), old | X,
			whose(old) == CPUS ? old & ~W : old,
			whose(old) == CPUS ? old & ~(W | MMU_WRITABLE) : old,
		};

		for (i = 0; i < ARRAY_SIZE(new); i++) {
			expect_door(test, &ept, new[i], level, whose(old));
			if (whose(old) != CPUS)
				expect_same(test, &ept, mmu_share_iommu_decode, old,
					    new[i], level);
		}
	}
}

static void split_and_merge_keep_the_doors(struct kunit *test)
{
	expect_splits_and_merges(test, &ept, param_level(test));
}

/* Both walkers, from the root of a 4- or 5-level table to a leaf of each kind. */
static void walks_end_at_the_doors(struct kunit *test)
{
	int leaf = param_level(test), top, level;
	u64 table[LVL_TOP + 1];

	for (top = LVL_TOP - 1; top <= LVL_TOP; top++) {
		for (level = top; level > leaf; level--)
			table[level] = ept_table();

		for_each_leaf(&ept, table[leaf], leaf) {
			enum door door = whose(table[leaf]);
			struct decoded d;

			d = mmu_share_walk(mmu_share_cpu_decode, EPT, table, top,
					   leaf, &level);
			KUNIT_EXPECT_EQ(test, level, leaf);
			KUNIT_EXPECT_EQ(test, may_access(&d), door != DEVICE);

			d = mmu_share_walk(mmu_share_iommu_decode, EPT, table, top,
					   leaf, &level);
			KUNIT_EXPECT_EQ(test, level, leaf);
			KUNIT_EXPECT_EQ(test, may_access(&d), door != CPUS);
			KUNIT_EXPECT_EQ(test, d.addr, LEAF_ADDR);
		}
	}
}

static struct kunit_case mmu_share_doors_ept_cases[] = {
	KUNIT_CASE_PARAM(every_combination_is_a_kind_or_refused, level_gen_params),
	KUNIT_CASE_PARAM(each_side_finds_what_its_door_says, level_gen_params),
	KUNIT_CASE_PARAM(device_door_opens_and_shuts, level_gen_params),
	KUNIT_CASE_PARAM(cpus_door_shuts_and_opens, level_gen_params),
	KUNIT_CASE_PARAM(fault_keeps_what_the_device_has, level_gen_params),
	KUNIT_CASE_PARAM(kvms_own_changes_move_no_door, level_gen_params),
	KUNIT_CASE_PARAM(split_and_merge_keep_the_doors, level_gen_params),
	KUNIT_CASE_PARAM(walks_end_at_the_doors, level_gen_params),
	{ }
};

static struct kunit_suite mmu_share_doors_ept_suite = {
	.name = "mmu_share_doors_ept",
	.test_cases = mmu_share_doors_ept_cases,
};

kunit_test_suite(mmu_share_doors_ept_suite);

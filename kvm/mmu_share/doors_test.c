// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the two doors of NPT = AMD-Vi v1 leaves: which leaves there are,
 * what walkers find there, and that all that KVM does to a leaf makes another.
 *
 * The kinds are written out here a second time, from the table in format.h, and
 * each combination of the bits that make them is looked at.
 */
#include <linux/array_size.h>
#include <linux/kvm_host.h>

#include "doors_test.h"

#define P		BIT_ULL(0)
#define W		BIT_ULL(1)
#define U		BIT_ULL(2)
#define A		BIT_ULL(5)
#define D		BIT_ULL(6)
#define MMU_WRITABLE	BIT_ULL(8)
#define NEXT_LEVEL	GENMASK_ULL(11, 9)
#define FC		BIT_ULL(60)
#define IR		BIT_ULL(61)
#define IW		BIT_ULL(62)
#define NX		BIT_ULL(63)

/* The bits that leaves differ in, besides the address. */
static const u8 leaf_bits[] = { 1, 2, 5, 6, 8, 9, 10, 11, 61, 62, 63 };

/* W and MMU-writable have three legal states, IW two, A, D and NX eight. */
#define NR_COMMON	(3 * 2 * 8)
/* MMU-writable only where host-writable. */
#define NR_CPU_ONLY	((1 + 3) * 8)
#define NR_DEVICE_ONLY	(2 * 8)

/* The table in format.h. */
static enum door whose(u64 entry)
{
	int next = (entry & NEXT_LEVEL) >> 9;

	if ((entry & W) && !(entry & MMU_WRITABLE))
		return NOBODY;

	if (entry & IR) {
		if (next)
			return NOBODY;
		if (entry & U)
			return BOTH;
		return entry & MMU_WRITABLE ? NOBODY : DEVICE;
	}
	if ((entry & IW) || !(entry & U))
		return NOBODY;
	if (next == 6)
		return CPUS;
	return next == 4 && !(entry & MMU_WRITABLE) ? CPUS : NOBODY;
}

static const struct leaf_kinds npt = {
	.fmt		= NPT,
	.base		= P | FC,
	.bits		= leaf_bits,
	.nr_bits	= ARRAY_SIZE(leaf_bits),
	.nx		= NX,
	.whose		= whose,
};

static void expect_device_gets_nothing(struct kunit *test, u64 entry, int level)
{
	struct decoded d = mmu_share_iommu_decode(NPT, entry, level);

	KUNIT_EXPECT_FALSE_MSG(test, gets_anywhere(&d), "entry %016llx", entry);
	KUNIT_EXPECT_FALSE(test, mmu_share_iommu_can_follow(NPT, entry, level));
}

/* Each combination of the bits. */
static void every_combination_is_a_kind_or_refused(struct kunit *test)
{
	expect_kinds(test, &npt, param_level(test), NR_COMMON, NR_CPU_ONLY,
		     NR_DEVICE_ONLY);
}

/* KVM's marks are any of their bits; it warns of MMU-writable without the other. */
static void kvm_reads_its_marks_in_every_leaf(struct kunit *test)
{
	const struct mmu_share_layout *l = &mmu_share_layouts[NPT];
	int level = param_level(test);
	u64 entry;

	for_each_leaf(&npt, entry, level) {
		KUNIT_EXPECT_TRUE(test, entry & l->mmu_present);
		KUNIT_EXPECT_TRUE(test, (entry & l->host_writable) ||
				  !(entry & l->mmu_writable));
		KUNIT_EXPECT_FALSE(test, (entry & l->mmio_mask) == l->mmio_value);
	}
}

/* What each side finds: its rights by its own bits, and nothing where it is shut. */
static void each_side_finds_what_its_door_says(struct kunit *test)
{
	int level = param_level(test);
	u64 entry;

	for_each_leaf(&npt, entry, level) {
		struct decoded cpu = mmu_share_cpu_decode(NPT, entry, level);
		struct decoded iommu = mmu_share_iommu_decode(NPT, entry, level);
		enum door door = whose(entry);

		KUNIT_EXPECT_EQ(test, may_access(&cpu), door != DEVICE);
		KUNIT_EXPECT_EQ(test, cpu.read, door != DEVICE);
		KUNIT_EXPECT_EQ(test, cpu.write, !!(entry & W));
		KUNIT_EXPECT_EQ(test, cpu.addr, LEAF_ADDR);

		if (door == CPUS) {
			expect_device_gets_nothing(test, entry, level);
			continue;
		}
		KUNIT_EXPECT_TRUE(test, mmu_share_iommu_can_follow(NPT, entry, level));
		KUNIT_EXPECT_EQ(test, iommu.walk, TO_PAGE);
		KUNIT_EXPECT_TRUE(test, iommu.read);
		KUNIT_EXPECT_EQ(test, iommu.write, !!(entry & IW));
		KUNIT_EXPECT_EQ(test, iommu.addr, LEAF_ADDR);
	}
}

/* IOAS map over a vCPU's leaf, and unmap again. */
static void device_door_opens_and_shuts(struct kunit *test)
{
	const struct mmu_share_doors *doors = kinds_doors(&npt);
	int level = param_level(test), write;
	u64 old;

	for_each_leaf(&npt, old, level) {
		if (whose(old) != CPUS)
			continue;

		for (write = 0; write < 2; write++) {
			u64 open = __spte_open_to_device(doors, old, write);
			u64 shut = __spte_shut_to_device(doors, open);

			expect_door(test, &npt, open, level, BOTH);
			KUNIT_EXPECT_EQ(test, !!(open & IW), write);
			expect_same(test, &npt, mmu_share_cpu_decode, old, open, level);

			expect_door(test, &npt, shut, level, CPUS);
			expect_device_gets_nothing(test, shut, level);
			/* Host-writable lasts as long as MMU-writable says it. */
			KUNIT_EXPECT_EQ(test, shut, old & MMU_WRITABLE ?
					old : old & ~npt_next_level(2));
		}
	}
}

/* IOAS unmap of a common leaf, and a map with the same rights. */
static void shutting_the_device_door_can_be_undone(struct kunit *test)
{
	const struct mmu_share_doors *doors = kinds_doors(&npt);
	int level = param_level(test);
	u64 old;

	for_each_leaf(&npt, old, level) {
		u64 shut;

		if (whose(old) != BOTH)
			continue;

		shut = __spte_shut_to_device(doors, old);
		expect_door(test, &npt, shut, level, CPUS);
		expect_device_gets_nothing(test, shut, level);
		expect_same(test, &npt, mmu_share_cpu_decode, old, shut, level);
		KUNIT_EXPECT_EQ(test, __spte_open_to_device(doors, shut, old & IW),
				old);
	}
}

/* KVM takes a leaf from vCPUs; a fault gives it back. */
static void cpus_door_shuts_and_opens(struct kunit *test)
{
	const struct mmu_share_doors *doors = kinds_doors(&npt);
	const u64 cpu_bits = __spte_cpu_bits(doors) | NX;
	int level = param_level(test);
	u64 old;

	KUNIT_EXPECT_EQ(test, cpu_bits, W | U | MMU_WRITABLE | NX);

	for_each_leaf(&npt, old, level) {
		u64 shut = __spte_shut_to_cpus(doors, old);
		struct decoded cpu = mmu_share_cpu_decode(NPT, shut, level);

		if (whose(old) == CPUS) {
			/* That would be there for nobody. */
			expect_verdict(test, NPT, shut, level, "there for nobody");
			continue;
		}
		expect_door(test, &npt, shut, level, DEVICE);
		expect_same(test, &npt, mmu_share_iommu_decode, old, shut, level);
		KUNIT_EXPECT_FALSE(test, may_access(&cpu));
		KUNIT_EXPECT_FALSE(test, cpu.write);
		/* Shut twice: nothing to flush, see mmu_share_shut_to_cpus(). */
		KUNIT_EXPECT_EQ(test, __spte_shut_to_cpus(doors, shut), shut);

		KUNIT_EXPECT_EQ(test, (shut & ~cpu_bits) | (old & cpu_bits), old);
	}
}

/*
 * mmu_share_keep_device(): a vCPU's fault at a leaf that the device has. The new
 * leaf is any that make_spte() can make, i.e. a CPU-only one.
 */
static void fault_keeps_what_the_device_has(struct kunit *test)
{
	const u64 cpu_bits = __spte_cpu_bits(kinds_doors(&npt)) | NX | A;
	int level = param_level(test);
	u64 old, new;

	for_each_leaf(&npt, old, level) {
		if (whose(old) == CPUS)
			continue;

		for_each_leaf(&npt, new, level) {
			u64 spte = (old & ~cpu_bits) | (new & cpu_bits);

			if (whose(new) != CPUS)
				continue;
			expect_door(test, &npt, spte, level, BOTH);
			expect_same(test, &npt, mmu_share_iommu_decode, old, spte, level);
			expect_same(test, &npt, mmu_share_cpu_decode, new, spte, level);
		}
	}
}

/* map_leaf(): the IOAS maps what a vCPU has already. */
static void map_keeps_what_cpus_have(struct kunit *test)
{
	const struct mmu_share_doors *doors = kinds_doors(&npt);
	const u64 cpu_bits = __spte_cpu_bits(doors) | NX;
	int level = param_level(test);
	u64 old, new;

	for_each_leaf(&npt, old, level) {
		if (whose(old) != CPUS)
			continue;

		for_each_leaf(&npt, new, level) {
			u64 spte = (new & ~cpu_bits) | (old & cpu_bits);

			if (whose(new) == CPUS)
				continue;
			expect_door(test, &npt, spte, level, BOTH);
			expect_same(test, &npt, mmu_share_iommu_decode, new, spte, level);
			expect_same(test, &npt, mmu_share_cpu_decode, old, spte, level);
		}
	}
}

/* Aging, the dirty log, write protection, fast page faults, NX huge pages. */
static void kvms_own_changes_move_no_door(struct kunit *test)
{
	int level = param_level(test);
	u64 old;

	for_each_leaf(&npt, old, level) {
		const u64 new[] = {
			old & ~A,
			old | A,
			old & ~D,
			old | D,
			old & ~W,
			old & ~(W | MMU_WRITABLE),
			old & MMU_WRITABLE ? old | W | D : old,
			old & ~NX,
			old | NX,
		};
		int i;

		for (i = 0; i < ARRAY_SIZE(new); i++) {
			expect_door(test, &npt, new[i], level, whose(old));
			expect_same(test, &npt, mmu_share_iommu_decode, old, new[i], level);
		}
	}
}

static void split_and_merge_keep_the_doors(struct kunit *test)
{
	expect_splits_and_merges(test, &npt, param_level(test));
}

/*
 * Either of the two locks keeps the device out: no IR and IW, the next level.  FC
 * is a help besides, it is reserved in what leads to a table, so go without it too.
 */
static void either_lock_is_enough(struct kunit *test)
{
	const u64 rights[] = { IR, IW, IR | IW };
	int level = param_level(test), i;
	u64 entry;

	for_each_leaf(&npt, entry, level) {
		struct decoded d;

		if (whose(entry) != CPUS)
			continue;

		/* The next level alone: invalid at each level of a leaf. */
		for (i = 0; i < ARRAY_SIZE(rights); i++) {
			u64 open = entry | rights[i];

			d = mmu_share_iommu_decode(NPT, open, level);
			KUNIT_EXPECT_EQ(test, d.walk, FAULT);
			d = mmu_share_iommu_decode(NPT, open & ~FC, level);
			KUNIT_EXPECT_EQ(test, d.walk, FAULT);
			expect_verdict(test, NPT, open, level,
				       "with a next level grants the IOMMU access");
		}

		/* No rights, whatever the next level. */
		for (i = 0; i < 8; i++) {
			d = mmu_share_iommu_decode(NPT, (entry & ~NEXT_LEVEL) |
						   npt_next_level(i), level);
			KUNIT_EXPECT_FALSE(test, may_access(&d));
			KUNIT_EXPECT_FALSE(test, d.read || d.write);
		}
	}
}

/*
 * No single bit of the 64 makes a CPU-only leaf one that the device may read or
 * write, nor a table.  Closest is a 1G leaf of next level 6 without bit 11: that is
 * next level 2, which may be, but FC is reserved in an entry that leads to a table.
 * To a walker that looks at no reserved bits it is a table, to which it may not go.
 */
static void no_flip_opens_a_cpu_only_leaf(struct kunit *test)
{
	int level = param_level(test), bit;
	u64 old;

	for_each_leaf(&npt, old, level) {
		if (whose(old) != CPUS)
			continue;

		for (bit = 0; bit < 64; bit++) {
			u64 entry = old ^ BIT_ULL(bit);
			struct decoded d = mmu_share_iommu_decode(NPT, entry, level);
			bool close = level == LVL_1G && bit == 11 &&
				     (old & npt_next_level(2));

			KUNIT_EXPECT_FALSE_MSG(test, gets_anywhere(&d),
					       "entry %016llx", entry);

			d = mmu_share_iommu_decode(NPT, entry & ~FC, level);
			KUNIT_EXPECT_FALSE(test, may_access(&d));
			KUNIT_EXPECT_EQ_MSG(test, d.walk == TO_TABLE, close,
					    "entry %016llx", entry);
			if (close) {
				KUNIT_EXPECT_FALSE(test, d.read || d.write);
				expect_verdict(test, NPT, entry, level,
					       "without MMU-present");
			}
		}
	}
}

/*
 * Walkers that are laxer than the specification need the second lock: they look at
 * no next level in a 4K table, and take any but 0 and 7 for a table in others.
 */
static void lax_walkers_need_the_second_lock(struct kunit *test)
{
	int level = param_level(test);
	u64 entry;

	for_each_leaf(&npt, entry, level) {
		struct decoded d = mmu_share_qemu_decode(NPT, entry, level);

		KUNIT_EXPECT_EQ(test, gets_anywhere(&d), whose(entry) != CPUS);
		if (whose(entry) != CPUS)
			continue;

		/* The positive control: without it QEMU 10.2.2 gets on. */
		d = mmu_share_qemu_decode(NPT, entry | IR, level);
		KUNIT_EXPECT_EQ(test, d.walk, level == LVL_4K ? TO_PAGE : TO_TABLE);

		/* generic_pt looks at no rights: it can't be used on our tables. */
		d = mmu_share_generic_pt_decode(NPT, entry, level);
		KUNIT_EXPECT_EQ(test, d.walk, level == LVL_4K ? TO_PAGE : TO_TABLE);
	}
}

/* Both walkers, from the root of a 4- or 5-level table to a leaf of each kind. */
static void walks_end_at_the_doors(struct kunit *test)
{
	const struct mmu_share_layout *l = &mmu_share_layouts[NPT];
	int leaf = param_level(test), top, level;
	u64 table[LVL_TOP + 1];

	for (top = LVL_TOP - 1; top <= LVL_TOP; top++) {
		for (level = top; level > leaf; level--)
			table[level] = npt_table(level);

		for_each_leaf(&npt, table[leaf], leaf) {
			enum door door = whose(table[leaf]);
			struct decoded d;

			KUNIT_ASSERT_TRUE(test, table[leaf] & l->mmu_present);

			d = mmu_share_walk(mmu_share_cpu_decode, NPT, table, top,
					   leaf, &level);
			KUNIT_EXPECT_EQ(test, level, leaf);
			KUNIT_EXPECT_EQ(test, may_access(&d), door != DEVICE);
			KUNIT_EXPECT_EQ(test, d.addr, LEAF_ADDR);

			/* It stops here, and does not go on to another table. */
			d = mmu_share_walk(mmu_share_iommu_decode, NPT, table, top,
					   leaf, &level);
			KUNIT_EXPECT_EQ(test, level, leaf);
			KUNIT_EXPECT_NE(test, d.walk, TO_TABLE);
			KUNIT_EXPECT_EQ(test, may_access(&d), door != CPUS);
			if (door == CPUS)
				KUNIT_EXPECT_EQ(test, d.walk, FAULT);
			else
				KUNIT_EXPECT_EQ(test, d.addr, LEAF_ADDR);
		}
	}
}

static struct kunit_case mmu_share_doors_cases[] = {
	KUNIT_CASE_PARAM(every_combination_is_a_kind_or_refused, level_gen_params),
	KUNIT_CASE_PARAM(kvm_reads_its_marks_in_every_leaf, level_gen_params),
	KUNIT_CASE_PARAM(each_side_finds_what_its_door_says, level_gen_params),
	KUNIT_CASE_PARAM(device_door_opens_and_shuts, level_gen_params),
	KUNIT_CASE_PARAM(shutting_the_device_door_can_be_undone, level_gen_params),
	KUNIT_CASE_PARAM(cpus_door_shuts_and_opens, level_gen_params),
	KUNIT_CASE_PARAM(fault_keeps_what_the_device_has, level_gen_params),
	KUNIT_CASE_PARAM(map_keeps_what_cpus_have, level_gen_params),
	KUNIT_CASE_PARAM(kvms_own_changes_move_no_door, level_gen_params),
	KUNIT_CASE_PARAM(split_and_merge_keep_the_doors, level_gen_params),
	KUNIT_CASE_PARAM(either_lock_is_enough, level_gen_params),
	KUNIT_CASE_PARAM(no_flip_opens_a_cpu_only_leaf, level_gen_params),
	KUNIT_CASE_PARAM(lax_walkers_need_the_second_lock, level_gen_params),
	KUNIT_CASE_PARAM(walks_end_at_the_doors, level_gen_params),
	{ }
};

static struct kunit_suite mmu_share_doors_suite = {
	.name = "mmu_share_doors",
	.test_cases = mmu_share_doors_cases,
};

kunit_test_suite(mmu_share_doors_suite);

// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the entry-format contract: the verdicts, and the layouts.
 *
 * What is expected is written out here a second time, from the specifications
 * and generic_pt's walkers, and not taken from format.c's tables: the verdict
 * for each of the 64 bits of legal sample entries flipped.
 */
#include <linux/array_size.h>

#include "format_test.h"

/*
 * Expected verdicts.
 *
 * One line is a range of bits, highest first, and what the check has to say
 * if one of them is flipped in the sample: a part of the string, or NULL for
 * a legal entry.  It holds at all levels, or at those from the first number to
 * the second.  The lines for a level cover the 64 bits without gaps.
 */
struct flip {
	int hi;
	int lo;
	const char *what;
	int min_level;
	int max_level;
};

/* Open to both, whatever the device may do: IW is not W. */
static const struct flip npt_common_flips[] = {
	{ 63, 63, NULL },			/* NX */
	{ 62, 62, NULL },			/* IW: what the device may write */
	{ 61, 61, "without MMU-present" },	/* IR */
	{ 60, 60, "without FC" },
	{ 59, 59, "(59)" },
	{ 58, 52, "reserved bits 52-58" },
	{ 51, 30, NULL },			/* address */
	{ 29, 21, NULL, 1, 2 },
	{ 29, 21, "unaligned", 3, 3 },
	{ 20, 12, NULL, 1, 1 },
	{ 20, 12, "unaligned", 2, 3 },
	{ 11,  9, "with a next level grants the IOMMU access" },
	{  8,  8, "CPU-writable without MMU-writable" },
	{  7,  7, "bit 7", 1, 1 },
	{  7,  7, "next level does not match", 2, 3 },	/* a table to the CPU */
	{  6,  5, NULL },			/* D, A */
	{  4,  3, "PWT, PCD" },
	{  2,  2, "writable where CPUs may not read" },	/* U */
	{  1,  1, NULL },			/* W: write-protected for the CPU only */
	{  0,  0, "MMU-present without P" },
};

/* Without W and MMU-writable. */
static const struct flip npt_cpu_reads_flips[] = {
	{  8,  8, NULL },			/* MMU-writable: says host-writable too */
	{  2,  2, NULL },			/* U: device-only then */
	{  1,  1, "CPU-writable without MMU-writable" },	/* W */
	{ }
};

/* Shut to the device: IR = IW = 0, next level 6. */
static const struct flip npt_cpu_only_flips[] = {
	{ 62, 61, "with a next level grants the IOMMU access" },	/* IW, IR */
	{ 11, 11, "without MMU-present" },	/* 2 */
	{ 10, 10, "MMU-writable without host-writable" },	/* 4 */
	{  9,  9, "not 4, 6" },			/* 7 */
	{ }
};

/* The same with next level 4, i.e. not host-writable. */
static const struct flip npt_cpu_only_ro_flips[] = {
	{ 62, 61, "with a next level grants the IOMMU access" },	/* IW, IR */
	{ 11, 11, "without MMU-present" },	/* 0 */
	{ 10, 10, NULL },			/* 6: host-writable */
	{  9,  9, "not 4, 6" },			/* 5 */
	{  8,  8, "MMU-writable without host-writable" },
	{  2,  2, "there for nobody" },		/* U */
	{  1,  1, "CPU-writable without MMU-writable" },	/* W */
	{ }
};

/* Shut to CPUs: U = W = MMU-writable = 0. */
static const struct flip npt_device_only_flips[] = {
	{  8,  8, "writable where CPUs may not read" },	/* MMU-writable */
	{  2,  2, NULL },			/* U: common then */
	{  1,  1, "writable where CPUs may not read" },	/* W */
	{ }
};

static const struct flip npt_table_flips[] = {
	{ 63, 63, NULL },			/* NX */
	{ 62, 62, "does not grant the IOMMU write" },
	{ 61, 61, "without MMU-present", 2, 4 },
	{ 61, 61, "does not grant the IOMMU read", 5, 5 },	/* bit 11 is set */
	{ 60, 52, "reserved bits 52-60" },
	{ 51, 12, NULL },
	{ 11,  9, "next level does not match" },
	{  8,  8, "bit 8" },
	{  7,  7, "leaf with a next level", 2, 3 },	/* a leaf to the CPU */
	{  7,  7, "above 1G", 4, 5 },
	{  6,  6, "no use for" },
	{  5,  5, NULL },			/* A */
	{  4,  3, "PWT, PCD" },
	{  2,  2, "without U" },
	{  1,  1, "does not grant the CPU write" },
	{  0,  0, "MMU-present without P" },
};

static const struct flip npt_mmio_flips[] = {
	{ 63, 63, "outside of value" },
	{ 62, 61, "grants the IOMMU access" },	/* IW, IR */
	{ 60, 52, NULL },			/* generation */
	{ 51, 51, "without MMU-present" },	/* the CPU's fault */
	{ 50, 12, NULL },			/* guest address */
	{ 11, 11, "grants the IOMMU access", 1, 4 },
	{ 11, 11, "reserved bits 52-60", 5, 5 },	/* next level 4: a table */
	{ 10,  9, "grants the IOMMU access" },	/* next level */
	{  8,  3, NULL },			/* generation */
	{  2,  1, NULL },			/* access */
	{  0,  0, NULL },			/* not present */
};

static const struct flip npt_absent_flips[] = {
	{ 63, 62, NULL },
	{ 61, 61, "MMU-present without P" },
	{ 60, 12, NULL },
	{ 11, 11, "MMU-present without P" },
	{ 10,  1, NULL },
	{  0,  0, "without MMU-present" },
};

/* Open to both, which may write: bit 62 shuts to the device, memory type 7 to CPUs. */
static const struct flip ept_common_flips[] = {
	{ 63, 63, NULL },			/* suppress #VE */
	{ 62, 62, NULL },
	{ 61, 61, "no use for" },
	{ 60, 60, "without MMU-present" },
	{ 59, 58, "A/D type" },
	{ 57, 56, "no use for" },
	{ 55, 55, "without MMU-writable" },
	{ 54, 54, "no use for" },
	{ 53, 53, "without host-writable" },
	{ 52, 52, "no use for" },
	{ 51, 30, NULL },			/* address */
	{ 29, 21, NULL, 1, 2 },
	{ 29, 21, "unaligned", 3, 3 },
	{ 20, 12, NULL, 1, 1 },
	{ 20, 12, "unaligned", 2, 3 },
	{ 11, 11, "SNP" },
	{ 10,  8, NULL },			/* XU, D, A */
	{  7,  7, "bit 7", 1, 1 },
	{  7,  7, "reserved bits 3-6", 2, 3 },	/* a table to both */
	{  6,  6, NULL },			/* IPAT */
	{  5,  5, "memory type" },
	{  4,  4, NULL },
	{  3,  3, NULL },
	{  2,  2, NULL },			/* X */
	{  1,  1, "W unlike" },
	{  0,  0, "without read" },
};

/* Without W, MMU-writable and host-writable. */
static const struct flip ept_both_read_flips[] = {
	{ 55, 55, "without host-writable" },
	{ 53, 53, "W unlike" },
	{  7,  7, "does not grant read and write", 2, 3 },
	{  1,  1, "without MMU-writable" },
	{ }
};

/* Shut to the device: KVM's write protection is the CPU's own. */
static const struct flip ept_cpu_only_flips[] = {
	{  7,  7, "reserved bit 62", 2, 3 },
	{  3,  3, "there for nobody" },
	{  1,  1, NULL },
	{ }
};

/* The same of a page that the host may not write. */
static const struct flip ept_cpu_only_ro_flips[] = {
	{ 55, 55, "without host-writable" },
	{ 53, 53, NULL },
	{  7,  7, "does not grant read and write", 2, 3 },
	{  3,  3, "there for nobody" },
	{  1,  1, "without MMU-writable" },
	{ }
};

/* Shut to CPUs: memory type 7. */
static const struct flip ept_device_only_flips[] = {
	{ 62, 62, "there for nobody" },
	{ }
};

static const struct flip ept_table_flips[] = {
	{ 63, 63, NULL },
	{ 62, 62, "reserved bit 62" },
	{ 61, 61, "no use for" },
	{ 60, 60, "without MMU-present" },
	{ 59, 58, "A/D type" },
	{ 57, 52, "no use for" },
	{ 51, 12, NULL },
	{ 11, 11, "SNP" },
	{ 10, 10, NULL },			/* XU */
	{  9,  9, "no use for" },
	{  8,  8, NULL },			/* A */
	{  7,  7, "unaligned", 2, 3 },		/* a leaf to both */
	{  7,  7, "above 1G", 4, 5 },
	{  6,  3, "reserved bits 3-6" },
	{  2,  2, NULL },			/* X */
	{  1,  0, "does not grant read and write" },
};

static const struct flip ept_mmio_flips[] = {
	{ 63, 63, "without MMU-present" },	/* no match, but X */
	{ 62, 61, "outside of value" },
	{ 60, 60, "MMIO entry with MMU-present" },
	{ 59, 52, NULL },			/* generation */
	{ 51, 12, NULL },			/* guest address */
	{ 11,  6, NULL },			/* generation */
	{  5,  3, "without MMU-present" },	/* no misconfiguration */
	{  2,  2, NULL },			/* not present */
	{  1,  1, "grants the IOMMU access" },
	{  0,  0, "without MMU-present" },
};

static const struct flip ept_absent_flips[] = {
	{ 63, 61, NULL },
	{ 60, 60, "without read", 1, 1 },
	{ 60, 60, "does not grant read and write", 2, 5 },
	{ 59, 11, NULL },
	{ 10, 10, "without MMU-present" },	/* XU */
	{  9,  3, NULL },
	{  2,  0, "without MMU-present" },
};

static const struct flip ept_frozen_flips[] = {
	{ 63, 61, NULL },
	{ 60, 60, "without read" },		/* bit 7 makes it a leaf then */
	{ 59, 11, NULL },
	{ 10, 10, "without MMU-present" },	/* XU */
	{  9,  3, NULL },
	{  2,  0, "without MMU-present" },
};

/* By format and kind. */
static const struct flip * const flips[][ZERO + 1] = {
	[NPT] = {
		[LEAF]		= npt_common_flips,
		[DEVICE_READS]	= npt_common_flips,
		[CPU_READS]	= npt_common_flips,
		[CPU_ONLY]	= npt_common_flips,
		[CPU_ONLY_RO]	= npt_common_flips,
		[DEVICE_ONLY]	= npt_common_flips,
		[TABLE]		= npt_table_flips,
		[MMIO]		= npt_mmio_flips,
		[NONPRESENT]	= npt_absent_flips,
		[FROZEN]	= npt_absent_flips,
		[ZERO]		= npt_absent_flips,
	},
	[EPT] = {
		[LEAF]		= ept_common_flips,
		[DEVICE_READS]	= ept_common_flips,
		[CPU_ONLY]	= ept_common_flips,
		[CPU_ONLY_RO]	= ept_common_flips,
		[DEVICE_ONLY]	= ept_common_flips,
		[TABLE]		= ept_table_flips,
		[MMIO]		= ept_mmio_flips,
		[NONPRESENT]	= ept_absent_flips,
		[FROZEN]	= ept_frozen_flips,
		[ZERO]		= ept_absent_flips,
	},
};

/* What is different in a leaf that is not open to both for writing. */
static const struct flip * const leaf_flips[][ZERO + 1] = {
	[NPT] = {
		[CPU_READS]	= npt_cpu_reads_flips,
		[CPU_ONLY]	= npt_cpu_only_flips,
		[CPU_ONLY_RO]	= npt_cpu_only_ro_flips,
		[DEVICE_ONLY]	= npt_device_only_flips,
	},
	[EPT] = {
		[DEVICE_READS]	= ept_both_read_flips,
		[CPU_ONLY]	= ept_cpu_only_flips,
		[CPU_ONLY_RO]	= ept_cpu_only_ro_flips,
		[DEVICE_ONLY]	= ept_device_only_flips,
	},
};

static bool is_for_level(const struct flip *f, int level)
{
	return !f->max_level || (level >= f->min_level && level <= f->max_level);
}

/* The line of a leaf's kind for a bit, or else @f, that of all. Bit 0 is all's. */
static const struct flip *line_for(const struct entry_case *c,
				   const struct flip *f, int bit)
{
	const struct flip *own = leaf_flips[c->fmt][c->kind];

	for (; own && own->hi; own++) {
		if (bit <= own->hi && bit >= own->lo && is_for_level(own, c->level))
			return own;
	}
	return f;
}

/* The samples are legal: without that no flip would say anything. */
static void sample_is_legal(struct kunit *test)
{
	const struct entry_case *c = test->param_value;

	expect_verdict(test, c->fmt, mmu_share_sample(c), c->level, NULL);
}

static void every_flip_has_its_verdict(struct kunit *test)
{
	const struct entry_case *c = test->param_value;
	const u64 legal = mmu_share_sample(c);
	const struct flip *f;
	int bit = 63;

	for (f = flips[c->fmt][c->kind]; bit >= 0; f++) {
		if (!is_for_level(f, c->level))
			continue;
		KUNIT_ASSERT_EQ(test, f->hi, bit);
		KUNIT_ASSERT_GE(test, f->hi, f->lo);
		for (; bit >= f->lo; bit--)
			expect_verdict(test, c->fmt, legal ^ BIT_ULL(bit),
				       c->level, line_for(c, f, bit)->what);
	}
}

static void can_follow_open_leaf_and_table_only(struct kunit *test)
{
	const struct entry_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test,
			mmu_share_iommu_can_follow(c->fmt, mmu_share_sample(c),
						   c->level),
			is_open_kind(c->kind));
}

/*
 * AMD-Vi: IR alone, IW alone, a next level below the table's without either; never
 * without PR, and no next level that is not below (2.2.3).
 */
static void npt_can_follow_is_conservative(struct kunit *test)
{
	const u64 pr = 0x12345000 | BIT_ULL(0);
	int next, level;

	for (level = LVL_4K; level <= LVL_TOP; level++) {
		KUNIT_EXPECT_TRUE(test, mmu_share_iommu_can_follow(NPT, pr | BIT_ULL(61), level));
		KUNIT_EXPECT_TRUE(test, mmu_share_iommu_can_follow(NPT, pr | BIT_ULL(62), level));
		KUNIT_EXPECT_FALSE(test, mmu_share_iommu_can_follow(NPT, ~BIT_ULL(0), level));

		for (next = 0; next < 8; next++) {
			u64 entry = pr | npt_next_level(next);

			KUNIT_EXPECT_EQ(test, mmu_share_iommu_can_follow(NPT, entry, level),
					next >= 1 && next < level);
		}
	}
}

/* VT-d: R or W, without bit 62, and nothing else. */
static void ept_can_follow_is_read_or_write(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, mmu_share_iommu_can_follow(EPT, BIT_ULL(0) | BIT_ULL(62),
							    LVL_4K));
	KUNIT_EXPECT_FALSE(test, mmu_share_iommu_can_follow(EPT, BIT_ULL(1) | BIT_ULL(62),
							    LVL_2M));
	KUNIT_EXPECT_TRUE(test, mmu_share_iommu_can_follow(EPT, BIT_ULL(0), LVL_4K));
	KUNIT_EXPECT_TRUE(test, mmu_share_iommu_can_follow(EPT, BIT_ULL(1), LVL_4K));
	KUNIT_EXPECT_FALSE(test, mmu_share_iommu_can_follow(EPT, ~(BIT_ULL(0) | BIT_ULL(1)),
							    LVL_4K));
}

static void no_such_level_is_refused(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);

	expect_verdict(test, fmt, 0, 0, "no such level");
	expect_verdict(test, fmt, 0, LVL_TOP + 1, "no such level");
	KUNIT_EXPECT_NULL(test, mmu_share_leaf_bits(fmt, 0));
	KUNIT_EXPECT_NULL(test, mmu_share_leaf_bits(fmt, LVL_1G + 1));
}

/* AMD-Vi could skip levels; the CPU cannot. */
static void npt_next_level_is_the_child_only(struct kunit *test)
{
	int level, next;

	for (level = LVL_2M; level <= LVL_TOP; level++) {
		for (next = 0; next < 8; next++) {
			u64 entry = npt_table(level) & ~GENMASK_ULL(11, 9);

			expect_verdict(test, NPT, entry | npt_next_level(next),
				       level, next == level - 1 ?
				       NULL : "next level does not match");
		}
	}
}

static void leaf_above_1g_is_refused(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	int level;

	for (level = LVL_1G + 1; level <= LVL_TOP; level++)
		expect_verdict(test, fmt, sample_leaf(fmt, LVL_1G), level,
			       "above 1G");
}

/*
 * All eight combinations of host-writable, MMU-writable and W; four exist, in a
 * CPU-only leaf: where the device's door is open, host-writable is not a mark of its
 * own, see doors_test.c.
 */
static void only_kvms_writable_states_are_legal(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	const u64 host = fmt == NPT ? BIT_ULL(10) : BIT_ULL(53);
	const u64 mmu = fmt == NPT ? BIT_ULL(8) : BIT_ULL(55);
	const u64 w = BIT_ULL(1);
	const u64 base = (fmt == NPT ? npt_cpu_only(LVL_4K) : ept_cpu_only(LVL_4K)) &
			 ~(host | mmu | w);

	expect_verdict(test, fmt, base, LVL_4K, NULL);
	expect_verdict(test, fmt, base | host, LVL_4K, NULL);
	expect_verdict(test, fmt, base | host | mmu, LVL_4K, NULL);
	expect_verdict(test, fmt, base | host | mmu | w, LVL_4K, NULL);
	expect_verdict(test, fmt, base | mmu, LVL_4K, "without host-writable");
	expect_verdict(test, fmt, base | mmu | w, LVL_4K, "without host-writable");
	expect_verdict(test, fmt, base | w, LVL_4K, "without MMU-writable");
	expect_verdict(test, fmt, base | host | w, LVL_4K, "without MMU-writable");
}

/* 7 is the CPUs' door, which is shut to them alone or there for nobody. */
static void ept_memory_types(struct kunit *test)
{
	int type;

	for (type = 0; type < 8; type++) {
		u64 entry = (ept_leaf(LVL_4K) & ~GENMASK_ULL(5, 3)) | (u64)type << 3;
		bool reserved = type == 2 || type == 3;

		expect_verdict(test, EPT, entry, LVL_4K,
			       reserved ? "memory type" : NULL);
		expect_verdict(test, EPT, entry | BIT_ULL(62), LVL_4K,
			       reserved ? "memory type" :
			       type == 7 ? "there for nobody" : NULL);
	}
}

/* The layout's positions, as the contract's tables in format.h have them. */
static void npt_layout_is_the_contract(struct kunit *test)
{
	const struct mmu_share_layout *l = &mmu_share_layouts[NPT];

	KUNIT_EXPECT_EQ(test, l->mmu_present, BIT_ULL(61) | BIT_ULL(11));
	KUNIT_EXPECT_EQ(test, l->host_writable,
			BIT_ULL(62) | BIT_ULL(10) | BIT_ULL(8));
	KUNIT_EXPECT_EQ(test, l->mmu_writable, BIT_ULL(8));
	KUNIT_EXPECT_EQ(test, l->ad_type_shift, 56);
	KUNIT_EXPECT_EQ(test, l->leaf_set, BIT_ULL(60) | BIT_ULL(11));
	KUNIT_EXPECT_EQ(test, l->leaf_writable_set, BIT_ULL(10));
	KUNIT_EXPECT_EQ(test, l->table_set, BIT_ULL(61) | BIT_ULL(62));
	KUNIT_EXPECT_EQ(test, l->next_level_shift, 9);
	KUNIT_EXPECT_EQ(test, l->mmio_value, BIT_ULL(51) | BIT_ULL(0));
	KUNIT_EXPECT_EQ(test, l->mmio_mask, BIT_ULL(51) | BIT_ULL(0));

	KUNIT_EXPECT_EQ(test, l->doors.device,
			GENMASK_ULL(11, 9) | BIT_ULL(61) | BIT_ULL(62));
	KUNIT_EXPECT_EQ(test, l->doors.device_open, BIT_ULL(61));
	KUNIT_EXPECT_EQ(test, l->doors.device_write, BIT_ULL(62));
	KUNIT_EXPECT_EQ(test, l->doors.device_shut, BIT_ULL(11));
	KUNIT_EXPECT_EQ(test, l->doors.shut_writable, BIT_ULL(10));
	KUNIT_EXPECT_EQ(test, l->doors.cpu_open, BIT_ULL(2));
	KUNIT_EXPECT_EQ(test, l->doors.mmu_writable, BIT_ULL(8));
}

static void ept_layout_is_the_contract(struct kunit *test)
{
	const struct mmu_share_layout *l = &mmu_share_layouts[EPT];

	KUNIT_EXPECT_EQ(test, l->mmu_present, BIT_ULL(60));
	KUNIT_EXPECT_EQ(test, l->host_writable, BIT_ULL(53));
	KUNIT_EXPECT_EQ(test, l->mmu_writable, BIT_ULL(55));
	KUNIT_EXPECT_EQ(test, l->ad_type_shift, 58);
	KUNIT_EXPECT_EQ(test, l->leaf_set, BIT_ULL(60) | BIT_ULL(62));
	KUNIT_EXPECT_EQ(test, l->leaf_writable_set, BIT_ULL(53));
	KUNIT_EXPECT_EQ(test, l->table_set, BIT_ULL(60));
	KUNIT_EXPECT_EQ(test, l->next_level_shift, 0);
	KUNIT_EXPECT_EQ(test, l->mmio_value, 0x3cULL);
	KUNIT_EXPECT_EQ(test, l->mmio_mask, 0x3fULL | BIT_ULL(63));

	KUNIT_EXPECT_EQ(test, l->doors.device, BIT_ULL(60) | BIT_ULL(62) |
			BIT_ULL(1) | BIT_ULL(53) | BIT_ULL(55));
	KUNIT_EXPECT_EQ(test, l->doors.device_open, BIT_ULL(60));
	KUNIT_EXPECT_EQ(test, l->doors.device_write,
			BIT_ULL(1) | BIT_ULL(53) | BIT_ULL(55));
	KUNIT_EXPECT_EQ(test, l->doors.device_shut, BIT_ULL(60) | BIT_ULL(62));
	KUNIT_EXPECT_EQ(test, l->doors.cpu, 7ULL << 3);
	KUNIT_EXPECT_EQ(test, l->doors.cpu_shut, 7ULL << 3);
	KUNIT_EXPECT_EQ(test, l->doors.one_write, BIT_ULL(1));
}

/* What make_spte() and make_nonleaf_spte() build with the layout is legal. */
static void layout_builds_legal_entries(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	const struct mmu_share_layout *l = &mmu_share_layouts[fmt];
	/* P W U A D, or R W X A D XU memory type WB. */
	const u64 leaf_hw = fmt == NPT ? 0x67 : 0x737;
	/* P W U A, or R W X A XU. */
	const u64 table_hw = fmt == NPT ? 0x27 : 0x507;
	int level;

	for (level = LVL_4K; level <= LVL_1G; level++) {
		u64 ps = level > LVL_4K ? BIT_ULL(7) : 0;

		/* A page that the host may write, and one that it may not. */
		expect_verdict(test, fmt, l->leaf_set | l->leaf_writable_set |
			       l->mmu_writable | leaf_hw | ps, level, NULL);
		expect_verdict(test, fmt, l->leaf_set | (leaf_hw & ~BIT_ULL(1)) |
			       ps, level, NULL);
		/* No IOMMU finds anything there. */
		KUNIT_EXPECT_FALSE(test,
				   mmu_share_iommu_can_follow(fmt, l->leaf_set | leaf_hw | ps,
							      level));
	}

	for (level = LVL_2M; level <= LVL_TOP; level++)
		expect_verdict(test, fmt, l->table_set | table_hw |
			       (l->next_level_shift ?
				(u64)(level - 1) << l->next_level_shift : 0),
			       level, NULL);
}

/* The tables say the same as the check: bits that must be 0, or 1. */
static void check_bits_table(struct kunit *test,
			     const struct mmu_share_entry_bits *bits,
			     enum mmu_share_format fmt, u64 entry, int level)
{
	int bit;

	KUNIT_ASSERT_NOT_NULL(test, bits);
	KUNIT_EXPECT_EQ(test, bits->zero & bits->one, 0ULL);
	KUNIT_EXPECT_EQ(test, bits->zero & bits->kvm, 0ULL);
	KUNIT_EXPECT_EQ(test, bits->cpu & bits->kvm, 0ULL);
	KUNIT_EXPECT_EQ(test, bits->cpu | bits->iommu | bits->zero | bits->kvm,
			~0ULL);
	/* Of KVM's bits AMD-Vi reads IR and IW, which it is meant to. */
	KUNIT_EXPECT_EQ(test, bits->iommu & bits->kvm,
			fmt == NPT ? BIT_ULL(61) | BIT_ULL(62) : 0ULL);

	for (bit = 0; bit < 64; bit++) {
		const char *what;

		if (bits->zero & BIT_ULL(bit)) {
			what = mmu_share_check_entry(fmt, entry | BIT_ULL(bit),
						     level);
			KUNIT_EXPECT_NOT_NULL_MSG(test, what,
						  "bit %d must be 0", bit);
		}
		if (bits->one & BIT_ULL(bit)) {
			what = mmu_share_check_entry(fmt, entry & ~BIT_ULL(bit),
						     level);
			KUNIT_EXPECT_NOT_NULL_MSG(test, what,
						  "bit %d must be 1", bit);
		}
	}
}

static void leaf_tables_match_the_check(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	int level;

	for (level = LVL_4K; level <= LVL_1G; level++)
		check_bits_table(test, mmu_share_leaf_bits(fmt, level), fmt,
				 sample_leaf(fmt, level), level);
}

static void table_tables_match_the_check(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	int level;

	for (level = LVL_2M; level <= LVL_TOP; level++)
		check_bits_table(test, mmu_share_table_bits(fmt), fmt,
				 sample_table(fmt, level), level);
}

/*
 * Upstream's MMU-present, host-writable and MMU-writable, where they clash with the
 * next level: 11, 9 and 10.  A stock leaf of a page that the host may not write has
 * next level 4, but no FC.
 */
static void npt_stock_software_bits_are_refused(struct kunit *test)
{
	int bit;

	for (bit = 9; bit <= 11; bit++)
		expect_verdict(test, NPT, npt_leaf(LVL_4K) | BIT_ULL(bit),
			       LVL_4K, "leaf with a next level");

	/* Leaves, and tables, as KVM would build them. */
	expect_verdict(test, NPT, 0x12345e67, LVL_4K, "not 4, 6");
	expect_verdict(test, NPT, 0x12345a65, LVL_4K, "not 4, 6");
	expect_verdict(test, NPT, 0x12345865, LVL_4K, "without FC");
	expect_verdict(test, NPT, 0x12345827, LVL_2M, "next level does not match");
	expect_verdict(test, NPT, 0x12345827, LVL_TOP, "does not grant the IOMMU");
	/* From level 5 AMD-Vi descends into the read-only one. */
	KUNIT_EXPECT_TRUE(test, mmu_share_iommu_can_follow(NPT, 0x12345825, LVL_TOP));
}

static void ept_stock_software_bits_are_refused(struct kunit *test)
{
	expect_verdict(test, EPT, ept_leaf(LVL_4K) | BIT_ULL(11), LVL_4K, "SNP");
	expect_verdict(test, EPT, ept_table() | BIT_ULL(11), LVL_2M, "SNP");

	/* A stock leaf: its MMU-present is SNP, and 60 is clear. */
	expect_verdict(test, EPT, (ept_leaf(LVL_4K) & ~BIT_ULL(60)) | BIT_ULL(11),
		       LVL_4K, "without MMU-present");
}

/* KVM looks for neither a leaf, a table nor MMIO in these. */
static void absent_entries_are_nothing_to_kvm(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	const struct mmu_share_layout *l = &mmu_share_layouts[fmt];
	static const u64 absent[] = { 0, TEST_NONPRESENT, TEST_FROZEN };
	int i;

	for (i = 0; i < ARRAY_SIZE(absent); i++) {
		KUNIT_EXPECT_EQ(test, absent[i] & l->mmu_present, 0ULL);
		KUNIT_EXPECT_NE(test, absent[i] & l->mmio_mask, l->mmio_value);
		KUNIT_EXPECT_FALSE(test, mmu_share_iommu_can_follow(fmt, absent[i], LVL_TOP));
	}
}

static struct kunit_case mmu_share_format_cases[] = {
	KUNIT_CASE_PARAM(sample_is_legal, mmu_share_entry_params),
	KUNIT_CASE_PARAM(every_flip_has_its_verdict, mmu_share_entry_params),
	KUNIT_CASE_PARAM(can_follow_open_leaf_and_table_only, mmu_share_entry_params),
	KUNIT_CASE(npt_can_follow_is_conservative),
	KUNIT_CASE(ept_can_follow_is_read_or_write),
	KUNIT_CASE_PARAM(no_such_level_is_refused, mmu_share_format_params),
	KUNIT_CASE(npt_next_level_is_the_child_only),
	KUNIT_CASE_PARAM(leaf_above_1g_is_refused, mmu_share_format_params),
	KUNIT_CASE_PARAM(only_kvms_writable_states_are_legal, mmu_share_format_params),
	KUNIT_CASE(ept_memory_types),
	KUNIT_CASE(npt_layout_is_the_contract),
	KUNIT_CASE(ept_layout_is_the_contract),
	KUNIT_CASE_PARAM(layout_builds_legal_entries, mmu_share_format_params),
	KUNIT_CASE_PARAM(leaf_tables_match_the_check, mmu_share_format_params),
	KUNIT_CASE_PARAM(table_tables_match_the_check, mmu_share_format_params),
	KUNIT_CASE(npt_stock_software_bits_are_refused),
	KUNIT_CASE(ept_stock_software_bits_are_refused),
	KUNIT_CASE_PARAM(absent_entries_are_nothing_to_kvm, mmu_share_format_params),
	{ }
};

static struct kunit_suite mmu_share_format_suite = {
	.name = "mmu_share_format",
	.test_cases = mmu_share_format_cases,
};

kunit_test_suite(mmu_share_format_suite);

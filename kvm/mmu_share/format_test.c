// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the entry-format contract.
 *
 * What is expected is written out here a second time, from the specifications
 * and generic_pt's walkers, and not taken from format.c's tables: legal sample
 * entries, the verdict for each of their 64 bits flipped, software walkers of
 * the CPU and the IOMMU for both formats, and upstream's layout as the
 * positive control.
 */
#include <kunit/test.h>
#include <linux/array_size.h>
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "format.h"

#define TEST_FROZEN		(BIT_ULL(63) | 0x1a0ULL)
#define TEST_NONPRESENT		BIT_ULL(63)

/* Levels as KVM and AMD-Vi count them: 1 is 4K. */
#define LVL_4K			1
#define LVL_2M			2
#define LVL_1G			3
#define LVL_TOP			5

#define NPT			MMU_SHARE_NPT_AMDV1
#define EPT			MMU_SHARE_EPT_VTDSS

static const char * const fmt_names[] = {
	[NPT] = "NPT/AMDv1",
	[EPT] = "EPT/VTDSS",
};

/*
 * Samples.  The bit numbers are meant to be compared with the tables in
 * format.h, so they are plain here.
 */
static u64 npt_next_level(int next)
{
	return (u64)next << 9;
}

/* P W U A D MMU-writable FC IR IW, PS if large. */
static u64 npt_leaf(int level)
{
	u64 entry = 0x0000123440000000ULL | BIT_ULL(0) | BIT_ULL(1) |
		    BIT_ULL(2) | BIT_ULL(5) | BIT_ULL(6) | BIT_ULL(8) |
		    BIT_ULL(60) | BIT_ULL(61) | BIT_ULL(62);

	return level > LVL_4K ? entry | BIT_ULL(7) : entry;
}

/* P W U A next-level IR IW. */
static u64 npt_table(int level)
{
	return 0x0000123456789000ULL | BIT_ULL(0) | BIT_ULL(1) | BIT_ULL(2) |
	       BIT_ULL(5) | npt_next_level(level - 1) | BIT_ULL(61) |
	       BIT_ULL(62);
}

/* R W X WB IPAT A D XU host-writable MMU-writable MMU-present SVE. */
static u64 ept_leaf(int level)
{
	u64 entry = 0x0000123440000000ULL | BIT_ULL(0) | BIT_ULL(1) |
		    BIT_ULL(2) | (6ULL << 3) | BIT_ULL(6) | BIT_ULL(8) |
		    BIT_ULL(9) | BIT_ULL(10) | BIT_ULL(53) | BIT_ULL(55) |
		    BIT_ULL(60) | BIT_ULL(63);

	return level > LVL_4K ? entry | BIT_ULL(7) : entry;
}

/* R W X A XU MMU-present SVE. */
static u64 ept_table(void)
{
	return 0x0000123456789000ULL | BIT_ULL(0) | BIT_ULL(1) | BIT_ULL(2) |
	       BIT_ULL(8) | BIT_ULL(10) | BIT_ULL(60) | BIT_ULL(63);
}

static u64 sample_leaf(enum mmu_share_format fmt, int level)
{
	return fmt == NPT ? npt_leaf(level) : ept_leaf(level);
}

static u64 sample_table(enum mmu_share_format fmt, int level)
{
	return fmt == NPT ? npt_table(level) : ept_table();
}

/* MMIO entries of a guest address, with some generation and access. */
static u64 sample_mmio(enum mmu_share_format fmt)
{
	if (fmt == NPT)
		return BIT_ULL(51) | BIT_ULL(0) | BIT_ULL(1) | 0xfee00000ULL |
		       BIT_ULL(4) | BIT_ULL(6) | BIT_ULL(53) | BIT_ULL(57);
	return BIT_ULL(2) | (7ULL << 3) | 0xfee00000ULL | BIT_ULL(6) |
	       BIT_ULL(8) | BIT_ULL(53) | BIT_ULL(57);
}

/* make_mmio_spte()'s spread of the generation, and its inverse. */
static u64 gen_spread(const struct mmu_share_layout *l, u64 gen)
{
	u64 low = gen & (BIT_ULL(l->gen_low_bits) - 1);
	u64 high = gen >> l->gen_low_bits;

	return low << l->gen_low_start | high << l->gen_high_start;
}

static u64 gen_gather(const struct mmu_share_layout *l, u64 entry)
{
	u64 low = entry >> l->gen_low_start & (BIT_ULL(l->gen_low_bits) - 1);
	u64 high = entry >> l->gen_high_start & (BIT_ULL(l->gen_high_bits) - 1);

	return low | high << l->gen_low_bits;
}

/* Upstream's: generation bits 0-6 in 3-9, 7-17 in 52-62. */
#define STOCK_GEN_BITS		18

static u64 stock_gen_spread(u64 gen)
{
	return (gen & 0x7f) << 3 | (gen >> 7) << 52;
}

/*
 * Expected verdicts.
 *
 * One line is a range of bits, highest first, and what the check has to say
 * if one of them is flipped in the sample: a part of the string, or NULL for
 * a legal entry.  The lines of a sample cover the 64 bits without gaps.
 */
struct flip {
	int hi;
	int lo;
	const char *what;
};

static const struct flip npt_leaf_4k_flips[] = {
	{ 63, 63, NULL },			/* NX */
	{ 62, 62, "without host-writable" },	/* IW, but MMU-writable stays */
	{ 61, 61, "without MMU-present" },	/* IR */
	{ 60, 60, "without FC" },
	{ 59, 59, "(59)" },
	{ 58, 52, "reserved bits 52-58" },
	{ 51, 12, NULL },			/* address */
	{ 11,  9, "leaf with a next level" },
	{  8,  8, "without MMU-writable" },
	{  7,  7, "bit 7" },
	{  6,  5, NULL },			/* D, A */
	{  4,  3, "PWT, PCD" },
	{  2,  2, NULL },			/* U: 0 with GMET */
	{  1,  1, NULL },			/* W: write-protected for the CPU only */
	{  0,  0, "MMU-present without P" },
};

static const struct flip npt_leaf_2m_flips[] = {
	{ 63, 63, NULL },
	{ 62, 62, "without host-writable" },
	{ 61, 61, "without MMU-present" },
	{ 60, 60, "without FC" },
	{ 59, 59, "(59)" },
	{ 58, 52, "reserved bits 52-58" },
	{ 51, 21, NULL },
	{ 20, 12, "unaligned" },
	{ 11,  9, "leaf with a next level" },
	{  8,  8, "without MMU-writable" },
	{  7,  7, "next level does not match" },	/* a table to the CPU */
	{  6,  5, NULL },
	{  4,  3, "PWT, PCD" },
	{  2,  2, NULL },
	{  1,  1, NULL },
	{  0,  0, "MMU-present without P" },
};

static const struct flip npt_leaf_1g_flips[] = {
	{ 63, 63, NULL },
	{ 62, 62, "without host-writable" },
	{ 61, 61, "without MMU-present" },
	{ 60, 60, "without FC" },
	{ 59, 59, "(59)" },
	{ 58, 52, "reserved bits 52-58" },
	{ 51, 30, NULL },
	{ 29, 12, "unaligned" },
	{ 11,  9, "leaf with a next level" },
	{  8,  8, "without MMU-writable" },
	{  7,  7, "next level does not match" },
	{  6,  5, NULL },
	{  4,  3, "PWT, PCD" },
	{  2,  2, NULL },
	{  1,  1, NULL },
	{  0,  0, "MMU-present without P" },
};

static const struct flip npt_table_flips[] = {
	{ 63, 63, NULL },			/* NX */
	{ 62, 62, "does not grant the IOMMU write" },
	{ 61, 61, "without MMU-present" },
	{ 60, 52, "reserved bits 52-60" },
	{ 51, 12, NULL },
	{ 11,  9, "next level does not match" },
	{  8,  8, "bit 8" },
	{  7,  7, "leaf with a next level" },	/* a leaf to the CPU */
	{  6,  6, "no use for" },
	{  5,  5, NULL },			/* A */
	{  4,  3, "PWT, PCD" },
	{  2,  2, "without U" },
	{  1,  1, "does not grant the CPU write" },
	{  0,  0, "MMU-present without P" },
};

static const struct flip npt_top_table_flips[] = {
	{ 63, 63, NULL },
	{ 62, 62, "does not grant the IOMMU write" },
	{ 61, 61, "without MMU-present" },
	{ 60, 52, "reserved bits 52-60" },
	{ 51, 12, NULL },
	{ 11,  9, "next level does not match" },
	{  8,  8, "bit 8" },
	{  7,  7, "above 1G" },
	{  6,  6, "no use for" },
	{  5,  5, NULL },
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
	{ 11,  9, "grants the IOMMU access" },	/* next level */
	{  8,  3, NULL },			/* generation */
	{  2,  1, NULL },			/* access */
	{  0,  0, NULL },			/* not present */
};

static const struct flip npt_absent_flips[] = {
	{ 63, 62, NULL },
	{ 61, 61, "MMU-present without P" },
	{ 60,  1, NULL },
	{  0,  0, "without MMU-present" },
};

static const struct flip ept_leaf_4k_flips[] = {
	{ 63, 63, NULL },			/* suppress #VE */
	{ 62, 62, "TM" },
	{ 61, 61, "no use for" },
	{ 60, 60, "without MMU-present" },
	{ 59, 58, "A/D type" },
	{ 57, 56, "no use for" },
	{ 55, 55, "without MMU-writable" },
	{ 54, 54, "no use for" },
	{ 53, 53, "without host-writable" },
	{ 52, 52, "no use for" },
	{ 51, 12, NULL },
	{ 11, 11, "SNP" },
	{ 10,  8, NULL },			/* XU, D, A */
	{  7,  7, "bit 7" },
	{  6,  6, NULL },			/* IPAT */
	{  5,  5, "memory type" },		/* 2 */
	{  4,  4, NULL },			/* 4, WT */
	{  3,  3, "memory type" },		/* 7 */
	{  2,  1, NULL },			/* X, W */
	{  0,  0, "without read" },
};

static const struct flip ept_leaf_2m_flips[] = {
	{ 63, 63, NULL },
	{ 62, 62, "TM" },
	{ 61, 61, "no use for" },
	{ 60, 60, "without MMU-present" },
	{ 59, 58, "A/D type" },
	{ 57, 56, "no use for" },
	{ 55, 55, "without MMU-writable" },
	{ 54, 54, "no use for" },
	{ 53, 53, "without host-writable" },
	{ 52, 52, "no use for" },
	{ 51, 21, NULL },
	{ 20, 12, "unaligned" },
	{ 11, 11, "SNP" },
	{ 10,  8, NULL },
	{  7,  7, "reserved bits 3-6" },	/* a table to both */
	{  6,  6, NULL },
	{  5,  5, "memory type" },
	{  4,  4, NULL },
	{  3,  3, "memory type" },
	{  2,  1, NULL },
	{  0,  0, "without read" },
};

static const struct flip ept_leaf_1g_flips[] = {
	{ 63, 63, NULL },
	{ 62, 62, "TM" },
	{ 61, 61, "no use for" },
	{ 60, 60, "without MMU-present" },
	{ 59, 58, "A/D type" },
	{ 57, 56, "no use for" },
	{ 55, 55, "without MMU-writable" },
	{ 54, 54, "no use for" },
	{ 53, 53, "without host-writable" },
	{ 52, 52, "no use for" },
	{ 51, 30, NULL },
	{ 29, 12, "unaligned" },
	{ 11, 11, "SNP" },
	{ 10,  8, NULL },
	{  7,  7, "reserved bits 3-6" },
	{  6,  6, NULL },
	{  5,  5, "memory type" },
	{  4,  4, NULL },
	{  3,  3, "memory type" },
	{  2,  1, NULL },
	{  0,  0, "without read" },
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
	{  7,  7, "unaligned" },		/* a leaf to both */
	{  6,  3, "reserved bits 3-6" },
	{  2,  2, NULL },			/* X */
	{  1,  0, "does not grant read and write" },
};

static const struct flip ept_top_table_flips[] = {
	{ 63, 63, NULL },
	{ 62, 62, "reserved bit 62" },
	{ 61, 61, "no use for" },
	{ 60, 60, "without MMU-present" },
	{ 59, 58, "A/D type" },
	{ 57, 52, "no use for" },
	{ 51, 12, NULL },
	{ 11, 11, "SNP" },
	{ 10, 10, NULL },
	{  9,  9, "no use for" },
	{  8,  8, NULL },
	{  7,  7, "above 1G" },
	{  6,  3, "reserved bits 3-6" },
	{  2,  2, NULL },
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
	{ 60, 60, "does not grant read and write" },
	{ 59, 11, NULL },
	{ 10, 10, "without MMU-present" },	/* XU */
	{  9,  3, NULL },
	{  2,  0, "without MMU-present" },
};

static const struct flip ept_absent_4k_flips[] = {
	{ 63, 61, NULL },
	{ 60, 60, "without read" },
	{ 59, 11, NULL },
	{ 10, 10, "without MMU-present" },
	{  9,  3, NULL },
	{  2,  0, "without MMU-present" },
};

enum kind {
	LEAF,
	TABLE,
	MMIO,
	NONPRESENT,
	FROZEN,
	ZERO,
};

static const char * const kind_names[] = {
	[LEAF]		= "leaf",
	[TABLE]		= "table",
	[MMIO]		= "MMIO",
	[NONPRESENT]	= "non-present",
	[FROZEN]	= "frozen",
	[ZERO]		= "zero",
};

struct entry_case {
	enum mmu_share_format fmt;
	int level;
	enum kind kind;
	const struct flip *flips;
};

#define CASE(_fmt, _level, _kind, _flips) \
	{ .fmt = (_fmt), .level = (_level), .kind = (_kind), .flips = (_flips) }

static const struct entry_case entry_cases[] = {
	CASE(NPT, 1, LEAF, npt_leaf_4k_flips),
	CASE(NPT, 2, LEAF, npt_leaf_2m_flips),
	CASE(NPT, 3, LEAF, npt_leaf_1g_flips),
	CASE(NPT, 2, TABLE, npt_table_flips),
	CASE(NPT, 3, TABLE, npt_table_flips),
	CASE(NPT, 4, TABLE, npt_top_table_flips),
	CASE(NPT, 5, TABLE, npt_top_table_flips),
	CASE(NPT, 1, MMIO, npt_mmio_flips),
	CASE(NPT, 2, MMIO, npt_mmio_flips),
	CASE(NPT, 3, MMIO, npt_mmio_flips),
	CASE(NPT, 4, MMIO, npt_mmio_flips),
	CASE(NPT, 5, MMIO, npt_mmio_flips),
	CASE(NPT, 1, NONPRESENT, npt_absent_flips),
	CASE(NPT, 2, NONPRESENT, npt_absent_flips),
	CASE(NPT, 3, NONPRESENT, npt_absent_flips),
	CASE(NPT, 4, NONPRESENT, npt_absent_flips),
	CASE(NPT, 5, NONPRESENT, npt_absent_flips),
	CASE(NPT, 1, FROZEN, npt_absent_flips),
	CASE(NPT, 2, FROZEN, npt_absent_flips),
	CASE(NPT, 3, FROZEN, npt_absent_flips),
	CASE(NPT, 4, FROZEN, npt_absent_flips),
	CASE(NPT, 5, FROZEN, npt_absent_flips),
	CASE(NPT, 1, ZERO, npt_absent_flips),
	CASE(NPT, 5, ZERO, npt_absent_flips),

	CASE(EPT, 1, LEAF, ept_leaf_4k_flips),
	CASE(EPT, 2, LEAF, ept_leaf_2m_flips),
	CASE(EPT, 3, LEAF, ept_leaf_1g_flips),
	CASE(EPT, 2, TABLE, ept_table_flips),
	CASE(EPT, 3, TABLE, ept_table_flips),
	CASE(EPT, 4, TABLE, ept_top_table_flips),
	CASE(EPT, 5, TABLE, ept_top_table_flips),
	CASE(EPT, 1, MMIO, ept_mmio_flips),
	CASE(EPT, 2, MMIO, ept_mmio_flips),
	CASE(EPT, 3, MMIO, ept_mmio_flips),
	CASE(EPT, 4, MMIO, ept_mmio_flips),
	CASE(EPT, 5, MMIO, ept_mmio_flips),
	CASE(EPT, 1, NONPRESENT, ept_absent_4k_flips),
	CASE(EPT, 2, NONPRESENT, ept_absent_flips),
	CASE(EPT, 3, NONPRESENT, ept_absent_flips),
	CASE(EPT, 4, NONPRESENT, ept_absent_flips),
	CASE(EPT, 5, NONPRESENT, ept_absent_flips),
	/* Bit 7 of a frozen entry makes it a leaf once it is MMU-present. */
	CASE(EPT, 1, FROZEN, ept_absent_4k_flips),
	CASE(EPT, 2, FROZEN, ept_absent_4k_flips),
	CASE(EPT, 3, FROZEN, ept_absent_4k_flips),
	CASE(EPT, 1, ZERO, ept_absent_4k_flips),
	CASE(EPT, 5, ZERO, ept_absent_flips),
};

static u64 sample(const struct entry_case *c)
{
	switch (c->kind) {
	case LEAF:
		return sample_leaf(c->fmt, c->level);
	case TABLE:
		return sample_table(c->fmt, c->level);
	case MMIO:
		return sample_mmio(c->fmt);
	case NONPRESENT:
		return TEST_NONPRESENT;
	case FROZEN:
		return TEST_FROZEN;
	case ZERO:
		return 0;
	}
	return 0;
}

static void entry_case_desc(const struct entry_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s level %d %s",
		 fmt_names[c->fmt], c->level, kind_names[c->kind]);
}

KUNIT_ARRAY_PARAM(entry, entry_cases, entry_case_desc);

/* @what is NULL for a legal entry, else a part of what has to be said. */
static void expect_verdict(struct kunit *test, enum mmu_share_format fmt,
			   u64 entry, int level, const char *what)
{
	const char *got = mmu_share_check_entry(fmt, entry, level);
	bool ok = what ? got && strstr(got, what) : !got;

	KUNIT_EXPECT_TRUE_MSG(test, ok,
			      "%s level %d entry %016llx: got \"%s\", expected \"%s\"",
			      fmt_names[fmt], level, entry,
			      got ? got : "legal", what ? what : "legal");
}

/*
 * Software walkers.  Each decodes one entry on its own terms.
 */
enum walk {
	ABSENT,
	TO_TABLE,
	TO_PAGE,
	FAULT,
};

struct decoded {
	enum walk walk;
	int next;		/* level of the child, if TO_TABLE */
	u64 addr;
	bool read;
	bool write;
};

#define TEST_ADDR		GENMASK_ULL(51, 12)

/*
 * AMD-Vi v1: amdv1pt_load_entry_raw(), with what the hardware checks besides.
 * MAXPHYADDR is taken to be below 52 where it matters, i.e. for MMIO only.
 */
static struct decoded amdvi_decode(u64 entry, int level)
{
	int next = entry >> 9 & 7;
	struct decoded d = {
		.addr = entry & TEST_ADDR,
		.read = entry & BIT_ULL(61),
		.write = entry & BIT_ULL(62),
	};

	if (!(entry & BIT_ULL(0)))
		return (struct decoded){ .walk = ABSENT };
	if (next == 0 || next == 7) {
		d.walk = entry & GENMASK_ULL(58, 52) || next ? FAULT : TO_PAGE;
	} else {
		d.walk = entry & GENMASK_ULL(60, 52) || next >= level ?
			 FAULT : TO_TABLE;
		d.next = next;
	}
	return d;
}

/* VT-d second stage: vtdss_pt_load_entry_raw(), R or W being present. */
static struct decoded vtdss_decode(u64 entry, int level)
{
	struct decoded d = {
		.addr = entry & TEST_ADDR,
		.read = entry & BIT_ULL(0),
		.write = entry & BIT_ULL(1),
	};

	if (!d.read && !d.write)
		return (struct decoded){ .walk = ABSENT };
	if (entry & (BIT_ULL(11) | BIT_ULL(62))) {
		d.walk = FAULT;
	} else if (level == LVL_4K || (level <= LVL_1G && entry & BIT_ULL(7))) {
		d.walk = TO_PAGE;
	} else {
		d.walk = entry & BIT_ULL(7) ? FAULT : TO_TABLE;
		d.next = level - 1;
	}
	return d;
}

/* The CPU's nested walk, of a user access, below MAXPHYADDR 52. */
static struct decoded npt_decode(u64 entry, int level)
{
	struct decoded d = {
		.addr = entry & TEST_ADDR,
		.read = entry & BIT_ULL(2),
		.write = (entry & (BIT_ULL(1) | BIT_ULL(2))) ==
			 (BIT_ULL(1) | BIT_ULL(2)),
	};

	if (!(entry & BIT_ULL(0)))
		return (struct decoded){ .walk = ABSENT };
	if (entry & BIT_ULL(51)) {
		d.walk = FAULT;
	} else if (level == LVL_4K) {
		d.walk = TO_PAGE;
	} else if (!(entry & BIT_ULL(7))) {
		d.walk = entry & BIT_ULL(8) ? FAULT : TO_TABLE;
		d.next = level - 1;
	} else if (level > LVL_1G ||
		   entry & (BIT_ULL(12 + 9 * (level - 1)) - BIT_ULL(13))) {
		d.walk = FAULT;
	} else {
		d.walk = TO_PAGE;
	}
	return d;
}

static struct decoded ept_decode(u64 entry, int level)
{
	int memtype = entry >> 3 & 7;
	struct decoded d = {
		.addr = entry & TEST_ADDR,
		.read = entry & BIT_ULL(0),
		.write = entry & BIT_ULL(1),
	};

	if (!(entry & 7))
		return (struct decoded){ .walk = ABSENT };
	if (d.write && !d.read) {
		d.walk = FAULT;
	} else if (level == LVL_4K || (level <= LVL_1G && entry & BIT_ULL(7))) {
		d.walk = memtype == 2 || memtype == 3 || memtype == 7 ?
			 FAULT : TO_PAGE;
		if (level > LVL_4K &&
		    entry & (BIT_ULL(12 + 9 * (level - 1)) - BIT_ULL(12)))
			d.walk = FAULT;
	} else {
		d.walk = entry & GENMASK_ULL(7, 3) ? FAULT : TO_TABLE;
		d.next = level - 1;
	}
	return d;
}

static struct decoded cpu_decode(enum mmu_share_format fmt, u64 entry, int level)
{
	return fmt == NPT ? npt_decode(entry, level) : ept_decode(entry, level);
}

static struct decoded iommu_decode(enum mmu_share_format fmt, u64 entry,
				   int level)
{
	return fmt == NPT ? amdvi_decode(entry, level) :
			    vtdss_decode(entry, level);
}

/* The IOMMU gets somewhere by way of this entry. */
static bool iommu_reaches(enum mmu_share_format fmt, u64 entry, int level)
{
	struct decoded d = iommu_decode(fmt, entry, level);

	return d.walk == TO_TABLE ||
	       (d.walk == TO_PAGE && (d.read || d.write));
}

/* A small generator, so that a failure can be repeated. */
static u64 next_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A legal leaf of a random state of spte.h's table, address, A, D, NX/X. */
static u64 random_leaf(enum mmu_share_format fmt, int level, u64 *rnd)
{
	static const u8 ept_memtypes[] = { 0, 1, 4, 5, 6 };
	u64 low = BIT_ULL(12 + 9 * (level - 1)) - 1;
	u64 r = next_random(rnd);
	bool host_w = r % 4 > 0, mmu_w = r % 4 > 1, cpu_w = r % 4 > 2;
	/* Bit 51 would be MMIO's reserved bit. */
	u64 entry = next_random(rnd) & GENMASK_ULL(50, 12) & ~low;

	r = next_random(rnd);
	if (level > LVL_4K)
		entry |= BIT_ULL(7);
	if (cpu_w)
		entry |= BIT_ULL(1);
	if (fmt == NPT) {
		entry |= BIT_ULL(0) | BIT_ULL(2) | BIT_ULL(60) | BIT_ULL(61);
		entry |= r & (BIT_ULL(5) | BIT_ULL(6) | BIT_ULL(63));
		if (host_w)
			entry |= BIT_ULL(62);
		if (mmu_w)
			entry |= BIT_ULL(8);
	} else {
		entry |= BIT_ULL(0) | BIT_ULL(60) | BIT_ULL(63);
		entry |= r & (BIT_ULL(2) | BIT_ULL(6) | BIT_ULL(8) |
			      BIT_ULL(9) | BIT_ULL(10));
		entry |= (u64)ept_memtypes[(r >> 32) % 5] << 3;
		if (host_w)
			entry |= BIT_ULL(53);
		if (mmu_w)
			entry |= BIT_ULL(55);
	}
	return entry;
}

/* make_nonleaf_spte()'s, with a random address and A. */
static u64 random_table(enum mmu_share_format fmt, int level, u64 *rnd)
{
	u64 addr = next_random(rnd) & GENMASK_ULL(50, 12);
	u64 r = next_random(rnd);

	if (fmt == NPT)
		return addr | (npt_table(level) & ~TEST_ADDR & ~BIT_ULL(5)) |
		       (r & BIT_ULL(5));
	return addr | (ept_table() & ~TEST_ADDR & ~BIT_ULL(8)) |
	       (r & BIT_ULL(8));
}

/* The samples are legal: without that no flip would say anything. */
static void sample_is_legal(struct kunit *test)
{
	const struct entry_case *c = test->param_value;

	expect_verdict(test, c->fmt, sample(c), c->level, NULL);
}

static void every_flip_has_its_verdict(struct kunit *test)
{
	const struct entry_case *c = test->param_value;
	const struct flip *f;
	int bit = 63;

	for (f = c->flips; bit >= 0; f++) {
		KUNIT_ASSERT_EQ(test, f->hi, bit);
		KUNIT_ASSERT_GE(test, f->hi, f->lo);
		for (; bit >= f->lo; bit--)
			expect_verdict(test, c->fmt, sample(c) ^ BIT_ULL(bit),
				       c->level, f->what);
	}
}

/*
 * Whatever is legal, both walkers agree upon.  One bit flipped is enough to
 * get at each of the fields they decode.
 */
static void legal_flips_decode_alike(struct kunit *test)
{
	const struct entry_case *c = test->param_value;
	int bit;

	for (bit = 0; bit < 64; bit++) {
		u64 entry = sample(c) ^ BIT_ULL(bit);
		struct decoded cpu = cpu_decode(c->fmt, entry, c->level);
		struct decoded iommu = iommu_decode(c->fmt, entry, c->level);

		/* Only a leaf or a table may have address bit 51. */
		if (mmu_share_check_entry(c->fmt, entry, c->level) ||
		    (bit == 51 && (c->kind == LEAF || c->kind == TABLE)))
			continue;

		if (cpu.walk == TO_PAGE || cpu.walk == TO_TABLE) {
			KUNIT_EXPECT_EQ_MSG(test, cpu.walk, iommu.walk,
					    "entry %016llx", entry);
			KUNIT_EXPECT_EQ(test, cpu.addr, iommu.addr);
			KUNIT_EXPECT_EQ(test, cpu.next, iommu.next);
		} else {
			KUNIT_EXPECT_FALSE_MSG(test,
					       iommu_reaches(c->fmt, entry, c->level),
					       "entry %016llx", entry);
		}
	}
}

/* can_follow() never says no where the walker gets somewhere. */
static void can_follow_covers_the_walker(struct kunit *test)
{
	const struct entry_case *c = test->param_value;
	int bit, other;

	for (bit = 0; bit < 64; bit++) {
		for (other = bit; other < 64; other++) {
			u64 entry = sample(c) ^ BIT_ULL(bit) ^ BIT_ULL(other);

			if (!iommu_reaches(c->fmt, entry, c->level))
				continue;
			KUNIT_EXPECT_TRUE_MSG(test,
					      mmu_share_iommu_can_follow(c->fmt, entry),
					      "entry %016llx", entry);
		}
	}
}

static void can_follow_leaf_and_table_only(struct kunit *test)
{
	const struct entry_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, mmu_share_iommu_can_follow(c->fmt, sample(c)),
			c->kind == LEAF || c->kind == TABLE);
}

static const enum mmu_share_format formats[] = { NPT, EPT };

static void format_desc(const enum mmu_share_format *fmt, char *desc)
{
	strscpy(desc, fmt_names[*fmt], KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(format, formats, format_desc);

static enum mmu_share_format param_format(struct kunit *test)
{
	return *(const enum mmu_share_format *)test->param_value;
}

/* AMD-Vi: IR alone, IW alone, a next level without either; never without PR. */
static void npt_can_follow_is_conservative(struct kunit *test)
{
	const u64 pr = 0x12345000 | BIT_ULL(0);
	int next;

	KUNIT_EXPECT_TRUE(test, mmu_share_iommu_can_follow(NPT, pr | BIT_ULL(61)));
	KUNIT_EXPECT_TRUE(test, mmu_share_iommu_can_follow(NPT, pr | BIT_ULL(62)));
	KUNIT_EXPECT_FALSE(test, mmu_share_iommu_can_follow(NPT, ~BIT_ULL(0)));

	for (next = 0; next < 8; next++) {
		u64 entry = pr | npt_next_level(next);

		KUNIT_EXPECT_EQ(test, mmu_share_iommu_can_follow(NPT, entry),
				next >= 1 && next <= 6);
	}
}

/* VT-d: R or W, and nothing else. */
static void ept_can_follow_is_read_or_write(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, mmu_share_iommu_can_follow(EPT, BIT_ULL(0)));
	KUNIT_EXPECT_TRUE(test, mmu_share_iommu_can_follow(EPT, BIT_ULL(1)));
	KUNIT_EXPECT_FALSE(test, mmu_share_iommu_can_follow(EPT, ~(BIT_ULL(0) | BIT_ULL(1))));
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

/* The CPU's W is not the device's IW: that is what the layout is for. */
static void npt_cpu_write_protect_keeps_the_device(struct kunit *test)
{
	u64 entry = npt_leaf(LVL_4K) & ~BIT_ULL(1);

	expect_verdict(test, NPT, entry, LVL_4K, NULL);
	KUNIT_EXPECT_FALSE(test, npt_decode(entry, LVL_4K).write);
	KUNIT_EXPECT_TRUE(test, amdvi_decode(entry, LVL_4K).write);
}

/* All eight combinations of host-writable, MMU-writable and W; four exist. */
static void only_kvms_writable_states_are_legal(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	const u64 host = fmt == NPT ? BIT_ULL(62) : BIT_ULL(53);
	const u64 mmu = fmt == NPT ? BIT_ULL(8) : BIT_ULL(55);
	const u64 w = BIT_ULL(1);
	const u64 base = sample_leaf(fmt, LVL_4K) & ~(host | mmu | w);

	expect_verdict(test, fmt, base, LVL_4K, NULL);
	expect_verdict(test, fmt, base | host, LVL_4K, NULL);
	expect_verdict(test, fmt, base | host | mmu, LVL_4K, NULL);
	expect_verdict(test, fmt, base | host | mmu | w, LVL_4K, NULL);
	expect_verdict(test, fmt, base | mmu, LVL_4K, "without host-writable");
	expect_verdict(test, fmt, base | mmu | w, LVL_4K, "without host-writable");
	expect_verdict(test, fmt, base | w, LVL_4K, "without MMU-writable");
	expect_verdict(test, fmt, base | host | w, LVL_4K, "without MMU-writable");
}

static void ept_memory_types(struct kunit *test)
{
	int type;

	for (type = 0; type < 8; type++) {
		u64 entry = ept_leaf(LVL_4K) & ~GENMASK_ULL(5, 3);

		expect_verdict(test, EPT, entry | (u64)type << 3, LVL_4K,
			       type == 2 || type == 3 || type == 7 ?
			       "memory type" : NULL);
	}
}

/* The layout's positions, as the contract's tables in format.h have them. */
static void npt_layout_is_the_contract(struct kunit *test)
{
	const struct mmu_share_layout *l = &mmu_share_layouts[NPT];

	KUNIT_EXPECT_EQ(test, l->mmu_present, BIT_ULL(61));
	KUNIT_EXPECT_EQ(test, l->host_writable, BIT_ULL(62));
	KUNIT_EXPECT_EQ(test, l->mmu_writable, BIT_ULL(8));
	KUNIT_EXPECT_EQ(test, l->ad_type_shift, 56);
	KUNIT_EXPECT_EQ(test, l->leaf_set, BIT_ULL(60));
	KUNIT_EXPECT_EQ(test, l->table_set, BIT_ULL(62));
	KUNIT_EXPECT_EQ(test, l->next_level_shift, 9);
	KUNIT_EXPECT_EQ(test, l->mmio_value, BIT_ULL(51) | BIT_ULL(0));
	KUNIT_EXPECT_EQ(test, l->mmio_mask, BIT_ULL(51) | BIT_ULL(0));
}

static void ept_layout_is_the_contract(struct kunit *test)
{
	const struct mmu_share_layout *l = &mmu_share_layouts[EPT];

	KUNIT_EXPECT_EQ(test, l->mmu_present, BIT_ULL(60));
	KUNIT_EXPECT_EQ(test, l->host_writable, BIT_ULL(53));
	KUNIT_EXPECT_EQ(test, l->mmu_writable, BIT_ULL(55));
	KUNIT_EXPECT_EQ(test, l->ad_type_shift, 58);
	KUNIT_EXPECT_EQ(test, l->leaf_set, 0ULL);
	KUNIT_EXPECT_EQ(test, l->table_set, 0ULL);
	KUNIT_EXPECT_EQ(test, l->next_level_shift, 0);
	KUNIT_EXPECT_EQ(test, l->mmio_value, 0x3cULL);
	KUNIT_EXPECT_EQ(test, l->mmio_mask, 0x3fULL | BIT_ULL(63));
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

	for (level = LVL_4K; level <= LVL_1G; level++)
		expect_verdict(test, fmt, l->mmu_present | l->host_writable |
			       l->mmu_writable | l->leaf_set | leaf_hw |
			       (level > LVL_4K ? BIT_ULL(7) : 0), level, NULL);

	for (level = LVL_2M; level <= LVL_TOP; level++)
		expect_verdict(test, fmt, l->mmu_present | l->table_set |
			       table_hw | (l->next_level_shift ?
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

/* Upstream's MMU-present, host-writable and MMU-writable, where they clash. */
static void npt_stock_software_bits_are_refused(struct kunit *test)
{
	int bit;

	for (bit = 9; bit <= 11; bit++)
		expect_verdict(test, NPT, npt_leaf(LVL_4K) | BIT_ULL(bit),
			       LVL_4K, "leaf with a next level");

	/* A stock leaf, and a stock table, as KVM would build them. */
	expect_verdict(test, NPT, 0x12345e67, LVL_4K, "without MMU-present");
	expect_verdict(test, NPT, 0x12345827, LVL_2M, "without MMU-present");
	/* Read-only, its next level is 4: AMD-Vi descends into a data page. */
	KUNIT_EXPECT_TRUE(test, mmu_share_iommu_can_follow(NPT, 0x12345825));
}

static void ept_stock_software_bits_are_refused(struct kunit *test)
{
	expect_verdict(test, EPT, ept_leaf(LVL_4K) | BIT_ULL(11), LVL_4K, "SNP");
	expect_verdict(test, EPT, ept_table() | BIT_ULL(11), LVL_2M, "SNP");

	/* A stock leaf: its MMU-present is SNP, and 60 is clear. */
	expect_verdict(test, EPT, (ept_leaf(LVL_4K) & ~BIT_ULL(60)) | BIT_ULL(11),
		       LVL_4K, "without MMU-present");
}

/*
 * Positive control of the MMIO attack: with upstream's spread of the
 * generation the IOMMU gets access as soon as it reaches IR or IW, or it
 * takes the entry for a table as soon as it reaches bit 9.
 */
static void npt_stock_mmio_is_followable(struct kunit *test)
{
	const u64 mmio = BIT_ULL(51) | 0xfee00000ULL | 7;
	u64 gen;

	for (gen = 0; gen < BIT_ULL(STOCK_GEN_BITS); gen++) {
		u64 entry = mmio | stock_gen_spread(gen);
		bool reaches = entry & (BIT_ULL(61) | BIT_ULL(62) | BIT_ULL(9));

		if (mmu_share_iommu_can_follow(NPT, entry) != reaches)
			break;
	}
	KUNIT_EXPECT_EQ(test, gen, BIT_ULL(STOCK_GEN_BITS));

	/* The next level is 1 by bit 9, IR is bit 61, IW is bit 62. */
	expect_verdict(test, NPT, mmio | BIT_ULL(9), LVL_4K,
		       "MMIO entry grants the IOMMU access");
	expect_verdict(test, NPT, mmio | BIT_ULL(61), LVL_4K,
		       "MMIO entry grants the IOMMU access");
	expect_verdict(test, NPT, mmio | BIT_ULL(62), LVL_4K,
		       "MMIO entry grants the IOMMU access");
	expect_verdict(test, NPT, mmio | BIT_ULL(61) | BIT_ULL(62), LVL_4K,
		       "MMIO entry grants the IOMMU access");
}

/* EPT's upstream value is W without R: always followable, and refused. */
static void ept_stock_mmio_is_followable(struct kunit *test)
{
	u64 gen;

	for (gen = 0; gen < BIT_ULL(STOCK_GEN_BITS); gen++) {
		u64 entry = 0xfee00006ULL | stock_gen_spread(gen);

		if (!mmu_share_iommu_can_follow(EPT, entry) ||
		    !mmu_share_check_entry(EPT, entry, LVL_4K))
			break;
	}
	KUNIT_EXPECT_EQ(test, gen, BIT_ULL(STOCK_GEN_BITS));

	expect_verdict(test, EPT, 0xfee00006ULL, LVL_4K,
		       "MMIO entry grants the IOMMU access");
}

/* No generation and no access makes a shared MMIO entry followable. */
static void mmio_of_every_generation_is_safe(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	const struct mmu_share_layout *l = &mmu_share_layouts[fmt];
	const int bits = l->gen_low_bits + l->gen_high_bits;
	const u64 nr_access = fmt == NPT ? 4 : 1;
	u64 gen, access, bad = 0;

	for (gen = 0; gen < BIT_ULL(bits); gen++) {
		for (access = 0; access < nr_access; access++) {
			u64 entry = l->mmio_value | gen_spread(l, gen) |
				    access << 1 | (0xfee00000ULL ^ gen << 12);
			int level;

			for (level = LVL_4K; level <= LVL_TOP; level++) {
				bad += !!mmu_share_check_entry(fmt, entry, level);
				bad += iommu_reaches(fmt, entry, level);
				bad += cpu_decode(fmt, entry, level).walk != FAULT;
			}
			bad += mmu_share_iommu_can_follow(fmt, entry);
			bad += !!(entry & l->mmu_present);
			bad += (entry & l->mmio_mask) != l->mmio_value;
		}
	}
	KUNIT_EXPECT_EQ(test, bad, 0ULL);
}

static void generation_round_trips(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	const struct mmu_share_layout *l = &mmu_share_layouts[fmt];
	const int bits = l->gen_low_bits + l->gen_high_bits;
	/* Everything else an MMIO entry may have. */
	const u64 rest = l->mmio_value | TEST_ADDR | (fmt == NPT ? 6 : 0);
	u64 gen, bad = 0;

	for (gen = 0; gen < BIT_ULL(bits); gen++) {
		bad += gen_gather(l, gen_spread(l, gen)) != gen;
		bad += gen_gather(l, gen_spread(l, gen) | rest) != gen;
	}
	KUNIT_EXPECT_EQ(test, bad, 0ULL);
}

static void generation_has_its_width(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	const struct mmu_share_layout *l = &mmu_share_layouts[fmt];

	KUNIT_EXPECT_EQ(test, gen_spread(l, BIT_ULL(l->gen_low_bits +
						    l->gen_high_bits) - 1),
			fmt == NPT ? GENMASK_ULL(60, 52) | GENMASK_ULL(8, 3) :
				     GENMASK_ULL(59, 52) | GENMASK_ULL(11, 6));
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
		KUNIT_EXPECT_FALSE(test, mmu_share_iommu_can_follow(fmt, absent[i]));
	}
}

/* make_small_spte(): every child of a split leaf is legal, and alike. */
static void split_leaf_has_legal_children(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	u64 rnd = 0x9e3779b97f4a7c15ULL;
	int level, n, i;

	for (level = LVL_2M; level <= LVL_1G; level++) {
		for (n = 0; n < 16; n++) {
			u64 huge = random_leaf(fmt, level, &rnd);
			struct decoded old = iommu_decode(fmt, huge, level);
			u64 bad = 0;

			for (i = 0; i < 512; i++) {
				u64 off = (u64)i << (12 + 9 * (level - 2));
				u64 small = huge | off;
				struct decoded d;

				if (level - 1 == LVL_4K)
					small &= ~BIT_ULL(7);
				d = iommu_decode(fmt, small, level - 1);

				bad += !!mmu_share_check_entry(fmt, small,
							       level - 1);
				bad += d.walk != TO_PAGE;
				bad += d.addr != old.addr + off;
				bad += d.read != old.read;
				bad += d.write != old.write;
			}
			KUNIT_EXPECT_EQ(test, bad, 0ULL);
		}
	}
}

/* make_huge_spte(): a merged leaf is the one that was split. */
static void merge_undoes_split(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	u64 rnd = 0xd1b54a32d192ed03ULL;
	int level, n;

	for (level = LVL_2M; level <= LVL_1G; level++) {
		u64 low = (BIT_ULL(12 + 9 * (level - 1)) - 1) & TEST_ADDR;

		for (n = 0; n < 16; n++) {
			u64 huge = random_leaf(fmt, level, &rnd);
			u64 off = next_random(&rnd) & low;
			u64 small = (huge | off) & ~BIT_ULL(7);
			u64 merged = (small | BIT_ULL(7)) & ~low;

			expect_verdict(test, fmt, small, LVL_4K, NULL);
			expect_verdict(test, fmt, merged, level, NULL);
			KUNIT_EXPECT_EQ(test, merged, huge);
		}
	}
}

/* Left as a large leaf without the low address bits gone, it is refused. */
static void merge_without_alignment_is_refused(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	u64 small = sample_leaf(fmt, LVL_4K) | BIT_ULL(12);

	expect_verdict(test, fmt, small | BIT_ULL(7), LVL_2M, "unaligned");
	expect_verdict(test, fmt, small | BIT_ULL(7), LVL_1G, "unaligned");
}

typedef struct decoded (*decode_fn)(enum mmu_share_format fmt, u64 entry,
				    int level);

/*
 * Walk from @top on, permissions ANDed.  @entry has one entry for each level;
 * the walk stops in front of a level that it has none for.
 */
static struct decoded walk(decode_fn decode, enum mmu_share_format fmt,
			   const u64 *entry, int top, int leaf, int *level)
{
	bool read = true, write = true;
	struct decoded d;

	for (*level = top; ; *level = d.next) {
		d = decode(fmt, entry[*level], *level);
		read &= d.read;
		write &= d.write;
		if (d.walk != TO_TABLE || d.next < leaf)
			break;
	}
	d.read = read;
	d.write = write;
	return d;
}

/* Both walkers go down random legal tables to the same end. */
static void random_walk(struct kunit *test, enum mmu_share_format fmt, int top,
			int leaf, u64 *rnd)
{
	struct decoded cpu, iommu;
	u64 entry[LVL_TOP + 1];
	int level;

	for (level = top; level > leaf; level--)
		entry[level] = random_table(fmt, level, rnd);
	entry[leaf] = random_leaf(fmt, leaf, rnd);

	for (level = top; level >= leaf; level--) {
		bool follow = mmu_share_iommu_can_follow(fmt, entry[level]);

		expect_verdict(test, fmt, entry[level], level, NULL);
		KUNIT_EXPECT_TRUE(test, follow);
	}

	cpu = walk(cpu_decode, fmt, entry, top, leaf, &level);
	KUNIT_EXPECT_EQ(test, level, leaf);
	iommu = walk(iommu_decode, fmt, entry, top, leaf, &level);
	KUNIT_EXPECT_EQ(test, level, leaf);

	KUNIT_EXPECT_EQ(test, cpu.walk, TO_PAGE);
	KUNIT_EXPECT_EQ(test, iommu.walk, TO_PAGE);
	KUNIT_EXPECT_EQ(test, cpu.addr, iommu.addr);
	KUNIT_EXPECT_TRUE(test, cpu.read);
	KUNIT_EXPECT_TRUE(test, iommu.read);
	/* EPT has one W.  With NPT the CPU never has more than the device. */
	if (fmt == EPT)
		KUNIT_EXPECT_EQ(test, cpu.write, iommu.write);
	else
		KUNIT_EXPECT_TRUE(test, iommu.write || !cpu.write);
}

static void random_walks_end_alike(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	u64 rnd = 0x2545f4914f6cdd1dULL;
	int top, leaf, n;

	for (top = LVL_TOP - 1; top <= LVL_TOP; top++) {
		for (leaf = LVL_4K; leaf <= LVL_1G; leaf++) {
			for (n = 0; n < 16; n++)
				random_walk(test, fmt, top, leaf, &rnd);
		}
	}
}

static struct kunit_case mmu_share_format_cases[] = {
	KUNIT_CASE_PARAM(sample_is_legal, entry_gen_params),
	KUNIT_CASE_PARAM(every_flip_has_its_verdict, entry_gen_params),
	KUNIT_CASE_PARAM(legal_flips_decode_alike, entry_gen_params),
	KUNIT_CASE_PARAM(can_follow_covers_the_walker, entry_gen_params),
	KUNIT_CASE_PARAM(can_follow_leaf_and_table_only, entry_gen_params),
	KUNIT_CASE(npt_can_follow_is_conservative),
	KUNIT_CASE(ept_can_follow_is_read_or_write),
	KUNIT_CASE_PARAM(no_such_level_is_refused, format_gen_params),
	KUNIT_CASE(npt_next_level_is_the_child_only),
	KUNIT_CASE_PARAM(leaf_above_1g_is_refused, format_gen_params),
	KUNIT_CASE(npt_cpu_write_protect_keeps_the_device),
	KUNIT_CASE_PARAM(only_kvms_writable_states_are_legal, format_gen_params),
	KUNIT_CASE(ept_memory_types),
	KUNIT_CASE(npt_layout_is_the_contract),
	KUNIT_CASE(ept_layout_is_the_contract),
	KUNIT_CASE_PARAM(layout_builds_legal_entries, format_gen_params),
	KUNIT_CASE_PARAM(leaf_tables_match_the_check, format_gen_params),
	KUNIT_CASE_PARAM(table_tables_match_the_check, format_gen_params),
	KUNIT_CASE(npt_stock_software_bits_are_refused),
	KUNIT_CASE(ept_stock_software_bits_are_refused),
	KUNIT_CASE(npt_stock_mmio_is_followable),
	KUNIT_CASE(ept_stock_mmio_is_followable),
	KUNIT_CASE_PARAM(mmio_of_every_generation_is_safe, format_gen_params),
	KUNIT_CASE_PARAM(generation_round_trips, format_gen_params),
	KUNIT_CASE_PARAM(generation_has_its_width, format_gen_params),
	KUNIT_CASE_PARAM(absent_entries_are_nothing_to_kvm, format_gen_params),
	KUNIT_CASE_PARAM(split_leaf_has_legal_children, format_gen_params),
	KUNIT_CASE_PARAM(merge_undoes_split, format_gen_params),
	KUNIT_CASE_PARAM(merge_without_alignment_is_refused, format_gen_params),
	KUNIT_CASE_PARAM(random_walks_end_alike, format_gen_params),
	{ }
};

static struct kunit_suite mmu_share_format_suite = {
	.name = "mmu_share_format",
	.test_cases = mmu_share_format_cases,
};

kunit_test_suite(mmu_share_format_suite);

/* SPDX-License-Identifier: GPL-2.0-only */
/* Legal sample entries, and what else the tests of the entry format share. */
#ifndef __KVM_MMU_SHARE_FORMAT_TEST_H
#define __KVM_MMU_SHARE_FORMAT_TEST_H

#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/string.h>

#include "format.h"

#define TEST_ADDR		GENMASK_ULL(51, 12)
#define TEST_FROZEN		(BIT_ULL(63) | 0x1a0ULL)
#define TEST_NONPRESENT		BIT_ULL(63)

/* Levels as KVM and AMD-Vi count them: 1 is 4K. */
#define LVL_4K			1
#define LVL_2M			2
#define LVL_1G			3
#define LVL_TOP			5

#define NPT			MMU_SHARE_NPT_AMDV1
#define EPT			MMU_SHARE_EPT_VTDSS

static inline const char *fmt_name(enum mmu_share_format fmt)
{
	return fmt == NPT ? "NPT/AMDv1" : "EPT/VTDSS";
}

/*
 * Samples.  The bit numbers are meant to be compared with the tables in
 * format.h, so they are plain here.
 */
static inline u64 npt_next_level(int next)
{
	return (u64)next << 9;
}

/*
 * A common leaf: P W U A D MMU-writable FC IR IW, PS if large.  The device and
 * CPUs may write.
 */
static inline u64 npt_leaf(int level)
{
	u64 entry = 0x0000123440000000ULL | BIT_ULL(0) | BIT_ULL(1) |
		    BIT_ULL(2) | BIT_ULL(5) | BIT_ULL(6) | BIT_ULL(8) |
		    BIT_ULL(60) | BIT_ULL(61) | BIT_ULL(62);

	return level > LVL_4K ? entry | BIT_ULL(7) : entry;
}

/* The same, but the device may only read: no IW. */
static inline u64 npt_device_reads(int level)
{
	return npt_leaf(level) & ~BIT_ULL(62);
}

/* The same, but CPUs may only read: neither W nor MMU-writable. */
static inline u64 npt_cpu_reads(int level)
{
	return npt_leaf(level) & ~(BIT_ULL(1) | BIT_ULL(8));
}

/* Shut to CPUs: no U either. */
static inline u64 npt_device_only(int level)
{
	return npt_cpu_reads(level) & ~BIT_ULL(2);
}

/* Shut to the device: no IR and IW, and next level 6, host-writable. */
static inline u64 npt_cpu_only(int level)
{
	return (npt_leaf(level) & ~(BIT_ULL(61) | BIT_ULL(62))) |
	       npt_next_level(6);
}

/* Likewise of a page that the host may not write: next level 4. */
static inline u64 npt_cpu_only_ro(int level)
{
	return (npt_cpu_reads(level) & ~(BIT_ULL(61) | BIT_ULL(62))) |
	       npt_next_level(4);
}

/* P W U A next-level IR IW. */
static inline u64 npt_table(int level)
{
	return 0x0000123456789000ULL | BIT_ULL(0) | BIT_ULL(1) | BIT_ULL(2) |
	       BIT_ULL(5) | npt_next_level(level - 1) | BIT_ULL(61) |
	       BIT_ULL(62);
}

/* A common leaf: R W X WB IPAT A D XU host-writable MMU-writable MMU-present SVE. */
static inline u64 ept_leaf(int level)
{
	u64 entry = 0x0000123440000000ULL | BIT_ULL(0) | BIT_ULL(1) |
		    BIT_ULL(2) | (6ULL << 3) | BIT_ULL(6) | BIT_ULL(8) |
		    BIT_ULL(9) | BIT_ULL(10) | BIT_ULL(53) | BIT_ULL(55) |
		    BIT_ULL(60) | BIT_ULL(63);

	return level > LVL_4K ? entry | BIT_ULL(7) : entry;
}

/* Neither side may write: no W, MMU-writable and host-writable. */
static inline u64 ept_both_read(int level)
{
	return ept_leaf(level) & ~(BIT_ULL(1) | BIT_ULL(53) | BIT_ULL(55));
}

/* Shut to CPUs: memory type 7. */
static inline u64 ept_device_only(int level)
{
	return ept_leaf(level) | (7ULL << 3);
}

/* Shut to the device: bit 62. */
static inline u64 ept_cpu_only(int level)
{
	return ept_leaf(level) | BIT_ULL(62);
}

/* Likewise of a page that the host may not write. */
static inline u64 ept_cpu_only_ro(int level)
{
	return ept_both_read(level) | BIT_ULL(62);
}

/* R W X A XU MMU-present SVE. */
static inline u64 ept_table(void)
{
	return 0x0000123456789000ULL | BIT_ULL(0) | BIT_ULL(1) | BIT_ULL(2) |
	       BIT_ULL(8) | BIT_ULL(10) | BIT_ULL(60) | BIT_ULL(63);
}

static inline u64 sample_leaf(enum mmu_share_format fmt, int level)
{
	return fmt == NPT ? npt_leaf(level) : ept_leaf(level);
}

static inline u64 sample_table(enum mmu_share_format fmt, int level)
{
	return fmt == NPT ? npt_table(level) : ept_table();
}

/*
 * A leaf without more is one that both sides may write.  That one of the two may
 * only read a common leaf is NPT's alone.  EPT's DEVICE_READS is that for both.
 */
enum kind {
	LEAF,
	DEVICE_READS,
	CPU_READS,
	CPU_ONLY,
	CPU_ONLY_RO,
	DEVICE_ONLY,
	TABLE,
	MMIO,
	NONPRESENT,
	FROZEN,
	ZERO,
};

static inline bool is_leaf_kind(enum kind kind)
{
	return kind <= DEVICE_ONLY;
}

/* The device finds a page or a table there. */
static inline bool is_open_kind(enum kind kind)
{
	return kind == TABLE ||
	       (is_leaf_kind(kind) && kind != CPU_ONLY && kind != CPU_ONLY_RO);
}

struct entry_case {
	enum mmu_share_format fmt;
	int level;
	enum kind kind;
};

u64 mmu_share_sample(const struct entry_case *c);

/* What a walker makes of one entry. */
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

typedef struct decoded (*decode_fn)(enum mmu_share_format fmt, u64 entry,
				    int level);

/* By the specifications. */
struct decoded mmu_share_cpu_decode(enum mmu_share_format fmt, u64 entry,
				    int level);
struct decoded mmu_share_iommu_decode(enum mmu_share_format fmt, u64 entry,
				      int level);

/* Of AMD-Vi v1, and laxer: QEMU 10.2.2's, generic_pt's. */
struct decoded mmu_share_qemu_decode(enum mmu_share_format fmt, u64 entry,
				     int level);
struct decoded mmu_share_generic_pt_decode(enum mmu_share_format fmt, u64 entry,
					   int level);

struct decoded mmu_share_walk(decode_fn decode, enum mmu_share_format fmt,
			      const u64 *entry, int top, int leaf, int *level);

static inline bool may_access(const struct decoded *d)
{
	return d->walk == TO_PAGE && (d->read || d->write);
}

/* The walker gets somewhere by way of this entry. */
static inline bool gets_anywhere(const struct decoded *d)
{
	return d->walk == TO_TABLE || may_access(d);
}

/* KUnit's parameters: every struct entry_case that has a sample. */
const void *mmu_share_entry_params(struct kunit *test, const void *prev,
				   char *desc);

/* KUnit's parameters: both formats. */
const void *mmu_share_format_params(struct kunit *test, const void *prev,
				    char *desc);

static inline enum mmu_share_format param_format(struct kunit *test)
{
	return *(const enum mmu_share_format *)test->param_value;
}

/* @what is NULL for a legal entry, else a part of what has to be said. */
static inline void expect_verdict(struct kunit *test, enum mmu_share_format fmt,
				  u64 entry, int level, const char *what)
{
	const char *got = mmu_share_check_entry(fmt, entry, level);
	bool ok = what ? got && strstr(got, what) : !got;

	KUNIT_EXPECT_TRUE_MSG(test, ok,
			      "%s level %d entry %016llx: got \"%s\", expected \"%s\"",
			      fmt_name(fmt), level, entry,
			      got ? got : "legal", what ? what : "legal");
}

#endif /* __KVM_MMU_SHARE_FORMAT_TEST_H */

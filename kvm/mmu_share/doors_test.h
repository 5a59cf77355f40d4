/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of both formats' doors share: their leaves, and whose each is. */
#ifndef __KVM_MMU_SHARE_DOORS_TEST_H
#define __KVM_MMU_SHARE_DOORS_TEST_H

#include "doors.h"
#include "format_test.h"

#define LEAF_ADDR	0x0000123440000000ULL
#define LEAF_PS		BIT_ULL(7)	/* the same for both */

enum door {
	NOBODY,			/* no leaf */
	BOTH,
	CPUS,
	DEVICE,
};

/**
 * struct leaf_kinds - the leaves of a format
 * @fmt: the format
 * @base: set in each leaf, besides the address
 * @bits: what leaves differ in
 * @nr_bits: number of @bits
 * @x: set in a leaf that may be executed
 * @nx: clear in it
 * @whose: by the table in format.h
 */
struct leaf_kinds {
	enum mmu_share_format fmt;
	u64 base;
	const u8 *bits;
	unsigned int nr_bits;
	u64 x;
	u64 nx;
	enum door (*whose)(u64 entry);
};

static inline const struct mmu_share_doors *kinds_doors(const struct leaf_kinds *k)
{
	return &mmu_share_layouts[k->fmt].doors;
}

static inline u64 combination(const struct leaf_kinds *k, unsigned int n, int level)
{
	u64 entry = LEAF_ADDR | k->base | (level > LVL_4K ? LEAF_PS : 0);
	unsigned int i;

	for (i = 0; i < k->nr_bits; i++) {
		if (n & BIT(i))
			entry |= BIT_ULL(k->bits[i]);
	}
	return entry;
}

/* The next legal leaf of a level, from combination @n on. */
static inline bool next_leaf(const struct leaf_kinds *k, unsigned int *n, int level,
			     u64 *entry)
{
	for (; *n < BIT(k->nr_bits); (*n)++) {
		*entry = combination(k, *n, level);
		if (k->whose(*entry) != NOBODY) {
			(*n)++;
			return true;
		}
	}
	return false;
}

#define for_each_leaf(_k, _entry, _level)	\
	for (unsigned int __n = 0; next_leaf((_k), &__n, (_level), &(_entry)); )

/* @entry is a legal leaf, and of that kind; by the contract and by doors.h. */
static inline void expect_door(struct kunit *test, const struct leaf_kinds *k,
			       u64 entry, int level, enum door door)
{
	const struct mmu_share_doors *doors = kinds_doors(k);

	expect_verdict(test, k->fmt, entry, level, NULL);
	KUNIT_EXPECT_EQ_MSG(test, k->whose(entry), door, "entry %016llx", entry);
	KUNIT_EXPECT_EQ(test, __spte_is_open_to_device(doors, entry), door != CPUS);
	KUNIT_EXPECT_EQ(test, __spte_is_open_to_cpus(doors, entry), door != DEVICE);
}

/* What one of the walkers finds has not changed. */
static inline void expect_same(struct kunit *test, const struct leaf_kinds *k,
			       decode_fn decode, u64 old, u64 new, int level)
{
	struct decoded was = decode(k->fmt, old, level);
	struct decoded is = decode(k->fmt, new, level);
	bool same = is.walk == was.walk && is.addr == was.addr &&
		    is.read == was.read && is.write == was.write;

	KUNIT_EXPECT_TRUE_MSG(test, same, "%016llx became %016llx", old, new);
}

/* The check takes for legal what the table has, so many of each, and nothing else. */
static inline void expect_kinds(struct kunit *test, const struct leaf_kinds *k,
				int level, unsigned int common,
				unsigned int cpu_only, unsigned int device_only)
{
	unsigned int n, nr[DEVICE + 1] = {};

	for (n = 0; n < BIT(k->nr_bits); n++) {
		u64 entry = combination(k, n, level);
		enum door door = k->whose(entry);

		nr[door]++;
		if (door != NOBODY)
			expect_door(test, k, entry, level, door);
		else
			KUNIT_EXPECT_NOT_NULL_MSG(test,
						  mmu_share_check_entry(k->fmt, entry, level),
						  "entry %016llx", entry);
	}
	KUNIT_EXPECT_EQ(test, nr[BOTH], common);
	KUNIT_EXPECT_EQ(test, nr[CPUS], cpu_only);
	KUNIT_EXPECT_EQ(test, nr[DEVICE], device_only);
}

/* make_small_spte() and make_huge_spte(). */
static inline void expect_splits_and_merges(struct kunit *test,
					    const struct leaf_kinds *k, int level)
{
	static const int children[] = { 0, 1, 255, 511 };
	u64 huge;
	int i;

	if (level == LVL_4K)
		return;

	for_each_leaf(k, huge, level) {
		for (i = 0; i < ARRAY_SIZE(children); i++) {
			u64 off = (u64)children[i] << (12 + 9 * (level - 2));
			u64 low = (BIT_ULL(12 + 9 * (level - 1)) - 1) & TEST_ADDR;
			u64 small = huge | off;

			if (level - 1 == LVL_4K)
				small &= ~LEAF_PS;
			expect_door(test, k, small, level - 1, k->whose(huge));
			/* To 4K, where NX huge pages are on. */
			expect_door(test, k, (small | k->x) & ~k->nx, level - 1,
				    k->whose(huge));

			KUNIT_EXPECT_EQ(test, (small | LEAF_PS) & ~low, huge);
		}
	}
}

/* KUnit's parameters: the levels that have leaves. */
static inline void level_desc(const int *level, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "level %d", *level);
}

static const int leaf_levels[] = { LVL_4K, LVL_2M, LVL_1G };

KUNIT_ARRAY_PARAM(level, leaf_levels, level_desc);

static inline int param_level(struct kunit *test)
{
	return *(const int *)test->param_value;
}

#endif /* __KVM_MMU_SHARE_DOORS_TEST_H */

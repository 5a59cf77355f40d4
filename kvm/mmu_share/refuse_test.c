// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the refusals, among them those that no test machine can meet.
 */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/string.h>

#include "refuse.h"

#define ALL_MET		GENMASK(MMU_SHARE_NEEDS - 1, 0)

static void all_met_is_not_refused(struct kunit *test)
{
	KUNIT_EXPECT_NULL(test, mmu_share_refusal(ALL_MET));
}

static void each_need_has_an_errno_of_its_own(struct kunit *test)
{
	const struct mmu_share_refusal *a, *b;
	int i, j;

	for (i = 0; i < MMU_SHARE_NEEDS; i++) {
		a = mmu_share_refusal(ALL_MET & ~BIT(i));
		KUNIT_ASSERT_NOT_NULL(test, a);
		KUNIT_EXPECT_LT(test, a->err, 0);

		for (j = 0; j < i; j++) {
			b = mmu_share_refusal(ALL_MET & ~BIT(j));
			KUNIT_EXPECT_NE(test, a->err, b->err);
		}
	}
}

static void each_refusal_says_what_to_do(struct kunit *test)
{
	const struct mmu_share_refusal *r;
	int i;

	for (i = 0; i < MMU_SHARE_NEEDS; i++) {
		r = mmu_share_refusal(ALL_MET & ~BIT(i));
		KUNIT_ASSERT_NOT_NULL(test, r);
		KUNIT_EXPECT_NOT_NULL(test, strstr(r->why, "; "));
	}
}

static void no_ad_bits_is_eprotonosupport(struct kunit *test)
{
	const struct mmu_share_refusal *r;

	r = mmu_share_refusal(ALL_MET & ~BIT(MMU_SHARE_AD_BITS));
	KUNIT_ASSERT_NOT_NULL(test, r);
	KUNIT_EXPECT_EQ(test, r->err, -EPROTONOSUPPORT);
}

/* KVM's own ioctls say EIO there, which is a dead VM's errno here. */
static void another_process_vm_is_eperm(struct kunit *test)
{
	const struct mmu_share_refusal *r;

	r = mmu_share_refusal(ALL_MET & ~BIT(MMU_SHARE_OWN_VM));
	KUNIT_ASSERT_NOT_NULL(test, r);
	KUNIT_EXPECT_EQ(test, r->err, -EPERM);
}

static void the_switch_is_named_before_all_else(struct kunit *test)
{
	const struct mmu_share_refusal *r = mmu_share_refusal(0);

	KUNIT_ASSERT_NOT_NULL(test, r);
	KUNIT_EXPECT_EQ(test, r->err, -EOPNOTSUPP);
}

static struct kunit_case refuse_cases[] = {
	KUNIT_CASE(all_met_is_not_refused),
	KUNIT_CASE(each_need_has_an_errno_of_its_own),
	KUNIT_CASE(each_refusal_says_what_to_do),
	KUNIT_CASE(no_ad_bits_is_eprotonosupport),
	KUNIT_CASE(another_process_vm_is_eperm),
	KUNIT_CASE(the_switch_is_named_before_all_else),
	{}
};

static struct kunit_suite refuse_suite = {
	.name = "mmu_share_refuse",
	.test_cases = refuse_cases,
};

kunit_test_suite(refuse_suite);

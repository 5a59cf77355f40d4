// SPDX-License-Identifier: GPL-2.0-only
/*
 * A short run of the bench's own code: what it counts, faults, bytes of tables
 * and flushes, is as sharing promises. Instructions are scripts/bench's.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include "bench_round.h"
#include "slow_host.h"
#include "tap.h"

#define SIZE		less_if_slow(32 * SIZE_2M, 8 * SIZE_2M)
#define KINDS		2	/* HWPT_ORDINARY, HWPT_SHARED */
#define LEVELS		3	/* of tables that may be the memslot's own */
#define TABLE_PERCENT	51	/* of what separate tables take, at most */

static void print_round(int kind, const struct bench_round *r)
{
	ksft_print_msg("%s: tables %llu, faults %llu, flushes %llu (tables %llu, yields %llu)\n",
		       kind == HWPT_SHARED ? "shared" : "separate",
		       r->table_bytes, r->npt_faults, r->flushes,
		       r->table_flushes, r->yields);
}

static void both_kinds(struct bench_round r[KINDS],
		       enum guest_mem_backing backing, unsigned int devices)
{
	struct bench_mem mem;
	char bdf[BDF_LEN];
	int kind;

	if (!bench_can_count_flushes())
		tap_skip_case("no kprobe events");
	if (!vfio_dev_find(bdf, EDU_VENDOR, EDU_DEVICE, devices - 1))
		tap_skip_case("no %u edu devices", devices);
	if (!bench_mem_alloc(&mem, backing, SIZE))
		tap_skip_case("no %s pages", bench_backing_name(backing));
	for (kind = 0; kind < KINDS; kind++) {
		bench_round(&r[kind], kind, &mem, devices, true);
		print_round(kind, &r[kind]);
	}
	bench_mem_free(&mem);
}

static void expect_savings(const struct bench_round r[KINDS], __u64 leaves)
{
	const struct bench_round *two = &r[HWPT_ORDINARY];
	const struct bench_round *one = &r[HWPT_SHARED];

	/* Control: the counters count, and there was something to save. */
	TEST_ASSERT_EQ(two->npt_faults, leaves);
	TEST_ASSERT(two->table_bytes && two->flushes,
		    "nothing was counted");
	TEST_ASSERT(one->flushes, "an unmap without a flush");

	TEST_ASSERT_EQ(one->npt_faults, 0);
	TEST_ASSERT(one->table_bytes * 100 <= two->table_bytes * TABLE_PERCENT,
		    "%llu bytes of tables shared, %llu separate",
		    one->table_bytes, two->table_bytes);
	/* The unmap takes no more; the memslot's empty tables go, level by level. */
	TEST_ASSERT(one->flushes <= two->flushes + one->table_flushes,
		    "%llu flushes shared, %llu of tables, %llu separate",
		    one->flushes, one->table_flushes, two->flushes);
	TEST_ASSERT_EQ(two->table_flushes, 0);
	/* A yield comes when the host's scheduler likes. */
	TEST_ASSERT(one->table_flushes <= LEVELS + one->yields,
		    "%llu flushes of tables", one->table_flushes);
}

static void small_pages(void)
{
	struct bench_round r[KINDS];

	both_kinds(r, BACKING_4K, 1);
	TEST_ASSERT_EQ(r[HWPT_SHARED].leaves[1], 0);
	expect_savings(r, SIZE / SIZE_4K);
}

static void huge_pages(void)
{
	struct bench_round r[KINDS];

	both_kinds(r, BACKING_2M, 1);
	TEST_ASSERT_EQ(r[HWPT_SHARED].leaves[1], SIZE / SIZE_2M);
	expect_savings(r, SIZE / SIZE_2M);
}

static void two_devices(void)
{
	struct bench_round r[KINDS];

	both_kinds(r, BACKING_4K, 2);
	expect_savings(r, SIZE / SIZE_4K);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "4K pages: half the tables, no fault, no more flushes",
		  small_pages, 120 },
		{ "2M pages: likewise", huge_pages, 120 },
		{ "two devices: likewise", two_devices, 120 },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

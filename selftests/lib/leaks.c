// SPDX-License-Identifier: GPL-2.0-only
/* Counts what must be the same before and after: objects, pins, table pages. */
#include "leaks.h"
#include "memstat.h"
#include "sysfile.h"
#include "test_util.h"

#define SETTLE_TRIES	200
#define SETTLE_STEP_US	10000

static __u64 pins_held(void)
{
	__u64 acquired = 0, released = 0;
	char text[16384];

	/* Fold the per-CPU deltas: without this the sums lag by hundreds. */
	sysfile_read("/proc/sys/vm/stat_refresh", text, sizeof(text));
	TEST_ASSERT(sysfile_read("/proc/vmstat", text, sizeof(text)),
		    "read /proc/vmstat");
	text_get(text, "nr_foll_pin_acquired", 10, &acquired);
	text_get(text, "nr_foll_pin_released", 10, &released);
	return acquired - released;
}

void leak_counts_read(struct leak_counts *c)
{
	char text[4096];

	debugfs_mount();
	memset(c, 0, sizeof(*c));
	c->pins = pins_held();
	c->tables = memstat_second_level_bytes();
	if (sysfile_read("/proc/self/status", text, sizeof(text)))
		text_get(text, "VmPin", 10, &c->locked_kb);
	if (sysfile_read(DEBUGFS "/tdp_bridge/objects", text, sizeof(text))) {
		text_get(text, "domains", 10, &c->domains);
		text_get(text, "shares", 10, &c->shares);
	}
}

static bool same(const struct leak_counts *before,
		 const struct leak_counts *after)
{
	return before->domains == after->domains &&
	       before->shares == after->shares &&
	       before->pins == after->pins &&
	       before->locked_kb == after->locked_kb &&
	       (before->any_tables || before->tables == after->tables);
}

bool leak_counts_settle(const struct leak_counts *before,
			struct leak_counts *after)
{
	int i;

	for (i = 0; i < SETTLE_TRIES; i++) {
		leak_counts_read(after);
		if (same(before, after))
			return true;
		usleep(SETTLE_STEP_US);
	}
	return false;
}

static void print_diff(const char *what, __u64 before, __u64 after)
{
	if (before != after)
		ksft_print_msg("leak: %s were %llu, are %llu\n", what, before,
			       after);
}

void leak_counts_print_diff(const struct leak_counts *before,
			    const struct leak_counts *after)
{
	print_diff("bridge domains", before->domains, after->domains);
	print_diff("KVM shares", before->shares, after->shares);
	print_diff("pinned pages", before->pins, after->pins);
	print_diff("VmPin kB", before->locked_kb, after->locked_kb);
	if (!before->any_tables)
		print_diff("bytes of tables", before->tables, after->tables);
}

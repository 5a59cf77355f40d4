// SPDX-License-Identifier: GPL-2.0-only
/* Checks a refusal: the errno, the line in the kernel's log, no leak. */
#include "kmsg.h"
#include "refusal.h"
#include "test_util.h"

void refusal_watch_start(struct refusal_watch *w)
{
	leak_counts_read(&w->before);
	w->before.any_tables = true;
	w->log = kmsg_open_at_end();
}

static void expect(struct refusal_watch *w, int result, int err, bool logged)
{
	static const char * const ours[] = {
		"tdp_bridge: ", "kvm: mmu_share: ", NULL
	};
	struct leak_counts after;
	char line[KMSG_LINE];
	bool found;

	TEST_ASSERT(result == -err, "got %d (%s), wanted %d (%s)", result,
		    result ? strerror(-result) : "accepted", -err,
		    strerror(err));
	found = kmsg_find(w->log, ours, line);
	close(w->log);
	if (found)
		ksft_print_msg("%s\n", line);
	TEST_ASSERT(found || !logged, "refused without a line in the log");

	if (!leak_counts_settle(&w->before, &after)) {
		leak_counts_print_diff(&w->before, &after);
		TEST_FAIL("the refusal left something behind");
	}
}

void refusal_expect(struct refusal_watch *w, int result, int err)
{
	expect(w, result, err, true);
}

void refusal_expect_silent(struct refusal_watch *w, int result, int err)
{
	expect(w, result, err, false);
}

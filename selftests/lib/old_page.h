/* SPDX-License-Identifier: GPL-2.0-only */
/* Takes a freed page and watches whether somebody still writes to it. */
#ifndef TDP_SELFTEST_OLD_PAGE_H
#define TDP_SELFTEST_OLD_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

struct old_page {
	void *va;
	size_t size;
	bool caught;	/* the page is among them */
};

/*
 * Takes free pages until the one with @pfn is among them, or there are enough,
 * and fills them with a pattern. Who writes by a stale translation spoils it.
 */
void old_page_catch(struct old_page *old, __u64 pfn);
bool old_page_intact(const struct old_page *old);
void old_page_free(struct old_page *old);

#endif

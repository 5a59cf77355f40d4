/* SPDX-License-Identifier: GPL-2.0-only */
/* A userfaultfd over a range, answered by the test itself, step by step. */
#ifndef TDP_SELFTEST_UFFD_H
#define TDP_SELFTEST_UFFD_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include <linux/userfaultfd.h>

#include "background.h"

struct uffd {
	int fd;
	void *start;
	size_t len;
};

/* @mode is UFFDIO_REGISTER_MODE_MISSING or _WP. Skips the case without it. */
void uffd_watch(struct uffd *u, void *start, size_t len, __u64 mode);
void uffd_close(struct uffd *u);

/*
 * Waits for the next fault that @call takes, and ends the case if that comes to
 * its end without. Returns the offset of the fault's page in the range;
 * @protected says whether it is a write to a write-protected page or a missing
 * page.
 */
size_t uffd_wait(struct uffd *u, struct background *call, bool *protected);
bool uffd_has_fault(struct uffd *u);

/* Give the pages that are missing, or (un)protect them. Waiters go on. */
void uffd_give(struct uffd *u, size_t offset, const void *from, size_t len);
void uffd_protect(struct uffd *u, size_t offset, size_t len, bool on);

#endif

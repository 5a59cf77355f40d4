/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes the host look for unused pages among those of this process. */
#ifndef TDP_SELFTEST_AGING_H
#define TDP_SELFTEST_AGING_H

#include "guest_mem.h"

struct aging {
	bool own_swap;
};

/*
 * What the process allocates from here on is what is looked at: a memory cgroup
 * of its own. Without swap space the host would not look, so there is some.
 * Skips the case where the kernel lacks any of that.
 */
void aging_start(struct aging *a);
void aging_stop(struct aging *a);

/*
 * Looks at all pages of @mem. Sets in @pages the bits of those whose SPTEs lost
 * A; ends the case if an SPTE lost something else.
 */
void aging_run(struct aging *a, struct guest_mem *mem, unsigned long *pages);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Asks the kernel's leak detector, in builds that have one. */
#ifndef TDP_SELFTEST_KMEMLEAK_H
#define TDP_SELFTEST_KMEMLEAK_H

#include <stdbool.h>

bool kmemleak_exists(void);

/* Forgets what was found so far: it is not the tests' doing. */
void kmemleak_clear(void);

/* Scans, prints what is found, and returns whether that is nothing. */
bool kmemleak_is_clean(void);

#endif

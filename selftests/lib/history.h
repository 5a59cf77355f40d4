/* SPDX-License-Identifier: GPL-2.0-only */
/* What a random test did last, printed if it fails. */
#ifndef TDP_SELFTEST_HISTORY_H
#define TDP_SELFTEST_HISTORY_H

#include <linux/compiler.h>
#include <linux/types.h>

/* From here on an exit of the process prints it, until history_end(). */
void history_start(__u64 seed);
void history_end(void);

/* One step. */
void __printf(1, 2) history_step(const char *fmt, ...);

#endif

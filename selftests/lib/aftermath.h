/* SPDX-License-Identifier: GPL-2.0-only */
/* What must hold when all that shared a table is gone. */
#ifndef TDP_SELFTEST_AFTERMATH_H
#define TDP_SELFTEST_AFTERMATH_H

#include "leaks.h"

/* Ends the case unless all that was made since @before is freed. */
void expect_all_freed(const struct leak_counts *before);

/* A new VM shares with a new HWPT, in a new process; vCPU and DMA work. */
void expect_fresh_share_works(void);

#endif

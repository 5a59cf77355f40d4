/* SPDX-License-Identifier: GPL-2.0-only */
/* Instructions that the machine executes, where its clock counts these. */
#ifndef TDP_SELFTEST_BENCH_CLOCK_H
#define TDP_SELFTEST_BENCH_CLOCK_H

#include <linux/types.h>

/*
 * On a machine of one CPU that QEMU runs with -icount shift=0 the TSC counts
 * instructions, but leaps when the CPU idles. bench_clock_start() sees to it
 * that it never does, by a thread that nobody else has to wait for, and
 * bench_clock() leaves out what that thread executes. All else is in it: the
 * program, its vCPUs' guests, interrupts, kernel threads. Before the start it
 * stands at 0.
 */
void bench_clock_start(void);
__u64 bench_clock(void);

#endif

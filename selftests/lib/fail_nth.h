/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes the kernel fail: one allocation of this thread, or calls of a function. */
#ifndef TDP_SELFTEST_FAIL_NTH_H
#define TDP_SELFTEST_FAIL_NTH_H

#include <stdbool.h>

/*
 * Lets every allocation be failed. From then on whatever is armed is disarmed
 * when a process of this program exits. False: this kernel can't do it.
 */
bool fault_injection_setup(void);

/*
 * The @nth allocation (from 1) of the calling thread fails, iommufd's own points
 * of failure being counted like allocations. Disarming tells whether it came to
 * that.
 */
void fail_nth_arm(unsigned int nth);
bool fail_nth_disarm(void);

/*
 * The @nth call of @function, or each call, returns @err (-errno), by whatever
 * thread. One function at a time; the kernel must have declared that this one
 * may be made to fail.
 */
void fail_function_arm(const char *function, int err, unsigned int nth);
void fail_function_arm_all(const char *function, int err);

/* The @nth call (from 1) and all that follow. */
void fail_function_arm_from(const char *function, int err, unsigned int nth);

/* True when a call was failed. */
bool fail_function_disarm(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs a file's test cases, one child process and one TAP line each. */
#ifndef TDP_SELFTEST_TAP_H
#define TDP_SELFTEST_TAP_H

#include "test_util.h"

struct tap_case {
	const char *name;	/* the behaviour, as a sentence */
	void (*run)(void);	/* TEST_ASSERT()s, or returns */
	unsigned int timeout;	/* seconds, 0: TAP_DEFAULT_TIMEOUT */

	/* Instead of @run, for cases that differ in data alone. */
	void (*run_with)(const void *arg);
	const void *arg;
};

#define TAP_DEFAULT_TIMEOUT 60

/*
 * Each case runs in a child: an assertion that fails ends that case only, and
 * whatever the case did not close is closed for it, as when a VMM dies. The
 * parent then checks for every case alike that no object and no page pin was
 * left behind and that the kernel log has no complaint. A debug build's leak
 * detector is one more line at the end.
 */
int tap_run(const struct tap_case *cases, unsigned int nr);

/* Ends the calling case as skipped. */
void __printf(1, 2) __noreturn tap_skip_case(const char *why, ...);

#endif

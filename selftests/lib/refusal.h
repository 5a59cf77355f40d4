/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks a refusal: the errno, the line in the kernel's log, no leak. */
#ifndef TDP_SELFTEST_REFUSAL_H
#define TDP_SELFTEST_REFUSAL_H

#include "leaks.h"

struct refusal_watch {
	struct leak_counts before;
	int log;
};

/* Call it right before what is to be refused, then one of the others. */
void refusal_watch_start(struct refusal_watch *w);

/* @result is what the refused call returned: 0 or -errno. */
void refusal_expect(struct refusal_watch *w, int result, int err);

/* iommufd's own refusals log nothing. */
void refusal_expect_silent(struct refusal_watch *w, int result, int err);

#endif

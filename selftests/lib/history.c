// SPDX-License-Identifier: GPL-2.0-only
/* What a random test did last, printed if it fails. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "history.h"
#include "test_util.h"

#define STEPS	24
#define STEP_LEN 96

static char steps[STEPS][STEP_LEN];
static unsigned long nr_steps;
static __u64 history_seed;
static bool running;

static void print_history(void)
{
	unsigned long i = nr_steps > STEPS ? nr_steps - STEPS : 0;

	if (!running)
		return;
	ksft_print_msg("seed %#llx, failed at step %lu; the last ones:\n",
		       history_seed, nr_steps);
	for (; i < nr_steps; i++)
		ksft_print_msg("%8lu %s\n", i + 1, steps[i % STEPS]);
}

void history_start(__u64 seed)
{
	history_seed = seed;
	nr_steps = 0;
	running = true;
	TEST_ASSERT(!atexit(print_history), "atexit");
}

void history_end(void)
{
	running = false;
}

void history_step(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(steps[nr_steps++ % STEPS], STEP_LEN, fmt, ap);
	va_end(ap);
}

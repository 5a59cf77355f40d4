/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs a bpftrace script beside a test. */
#ifndef TDP_SELFTEST_BPFTRACE_H
#define TDP_SELFTEST_BPFTRACE_H

#include "command.h"

/*
 * Starts ../bin/@script with @arg, or with none if that is NULL, and returns
 * once it has printed a line that begins with @mark: it misses nothing then.
 */
void bpftrace_start(struct command *c, const char *script, const char *arg,
		    const char *mark);

/* Ends it. What it printed is in @text, COMMAND_TEXT bytes; nothing was lost. */
void bpftrace_end(struct command *c, char *text);

#endif

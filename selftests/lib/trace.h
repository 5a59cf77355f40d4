/* SPDX-License-Identifier: GPL-2.0-only */
/* Records kernel events in a trace buffer of the test's own, in order. */
#ifndef TDP_SELFTEST_TRACE_H
#define TDP_SELFTEST_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define TRACE_LINE 512

struct trace_event {
	char name[64];
	char fields[TRACE_LINE];
};

/* Whether the kernel has it: "system/name". */
bool trace_event_exists(const char *event);

/* A kprobe event "tdp/name", by the part of its definition behind that. */
bool trace_kprobe_add(const char *name, const char *definition);
void trace_kprobe_remove(const char *name);

/*
 * Opens the buffer, or empties the one that a failed case left behind. Nothing
 * is recorded before trace_record().
 */
void trace_open(void);
void trace_close(void);
void trace_enable(const char *event);

/* Empties the buffer and records from here on. */
void trace_record(void);

/*
 * Ends the recording and gives what it caught, oldest first, whatever CPU it
 * came from: the clock is a counter. Ends the case if there are more than @max.
 */
size_t trace_stop(struct trace_event *events, size_t max);

/* The same without an end to the recording, for a wait. */
size_t trace_peek(struct trace_event *events, size_t max);

/* A number among the event's fields; ends the case if there is none. */
__u64 trace_field(const struct trace_event *event, const char *name);

static inline bool trace_is(const struct trace_event *event, const char *name)
{
	return !__builtin_strcmp(event->name, name);
}

#endif

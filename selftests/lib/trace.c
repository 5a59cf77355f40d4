// SPDX-License-Identifier: GPL-2.0-only
/* Records kernel events in a trace buffer of the test's own, in order. */
#include <sys/mount.h>
#include <sys/stat.h>

#include "sysfile.h"
#include "test_util.h"
#include "trace.h"

#define TRACEFS		"/sys/kernel/tracing"
#define INSTANCE	TRACEFS "/instances/tdp"

static void tracefs_mount(void)
{
	if (!access(TRACEFS "/events", F_OK))
		return;
	if (mount("tracefs", TRACEFS, "tracefs", 0, NULL) && errno != EBUSY)
		TEST_FAIL("mount tracefs");
}

static void set(const char *file, const char *value)
{
	char path[256];

	snprintf(path, sizeof(path), INSTANCE "/%s", file);
	TEST_ASSERT(sysfile_write(path, value), "write %s to %s", value, path);
}

bool trace_event_exists(const char *event)
{
	char path[256];

	tracefs_mount();
	snprintf(path, sizeof(path), TRACEFS "/events/%s", event);
	return !access(path, F_OK);
}

static bool kprobe_command(const char *command)
{
	ssize_t len = strlen(command), n;
	int fd;

	fd = open(TRACEFS "/kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = write(fd, command, len);
	close(fd);
	return n == len;
}

void trace_kprobe_remove(const char *name)
{
	char command[80];

	/* There may be none. */
	snprintf(command, sizeof(command), "-:tdp/%s", name);
	kprobe_command(command);
}

bool trace_kprobe_add(const char *name, const char *definition)
{
	char command[200];

	tracefs_mount();
	trace_kprobe_remove(name);
	snprintf(command, sizeof(command), "p:tdp/%s %s", name, definition);
	return kprobe_command(command);
}

void trace_open(void)
{
	tracefs_mount();
	trace_close();
	TEST_ASSERT(!mkdir(INSTANCE, 0700), "mkdir " INSTANCE);
	set("tracing_on", "0");

	/* Timestamps of several CPUs may tie, a counter's values do not. */
	set("trace_clock", "counter");
	/* By name and value, however an event would print itself. */
	set("options/fields", "1");
}

void trace_close(void)
{
	if (rmdir(INSTANCE) && errno != ENOENT)
		TEST_FAIL("rmdir " INSTANCE ": %s", strerror(errno));
}

void trace_enable(const char *event)
{
	char file[160];

	snprintf(file, sizeof(file), "events/%s/enable", event);
	set(file, "1");
}

void trace_record(void)
{
	int fd;

	set("tracing_on", "0");
	/* To truncate it is to empty the buffer. */
	fd = open(INSTANCE "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC);
	TEST_ASSERT(fd >= 0, "open " INSTANCE "/trace");
	close(fd);
	set("tracing_on", "1");
}

/* "   task-12   [000] .....     5: name: a=0x1 (1) b=(0)" */
static bool parse(const char *line, struct trace_event *event)
{
	const char *name, *colon;
	size_t len;

	name = line[0] == '#' ? NULL : strstr(line, ": ");
	colon = name ? strchr(name + 2, ':') : NULL;
	if (!colon)
		return false;

	len = colon - name - 2;
	TEST_ASSERT(len < sizeof(event->name), "a long name: %s", line);
	memcpy(event->name, name + 2, len);
	event->name[len] = '\0';
	snprintf(event->fields, sizeof(event->fields), "%s", colon + 1);
	return true;
}

/* A buffer that overran has lost what a test would judge. */
static void check_complete(const char *line)
{
	unsigned long kept, written;
	const char *p;

	p = strstr(line, "entries-written: ");
	if (line[0] != '#' || !p ||
	    sscanf(p, "entries-written: %lu/%lu", &kept, &written) != 2)
		return;
	TEST_ASSERT(kept == written, "%lu of %lu events were lost",
		    written - kept, written);
}

size_t trace_peek(struct trace_event *events, size_t max)
{
	FILE *f = fopen(INSTANCE "/trace", "re");
	char line[TRACE_LINE];
	size_t n = 0;

	TEST_ASSERT(f, "open " INSTANCE "/trace");
	while (fgets(line, sizeof(line), f)) {
		struct trace_event event;

		check_complete(line);
		if (!parse(line, &event))
			continue;
		TEST_ASSERT(n < max, "more than %zu events", max);
		events[n++] = event;
	}
	fclose(f);
	return n;
}

size_t trace_stop(struct trace_event *events, size_t max)
{
	set("tracing_on", "0");
	return trace_peek(events, max);
}

__u64 trace_field(const struct trace_event *event, const char *name)
{
	size_t len = strlen(name);
	const char *p = event->fields;

	while ((p = strstr(p, name))) {
		if (p > event->fields && p[-1] == ' ' && p[len] == '=') {
			/* In hex or as a symbol, then in decimal: (1). */
			p = strchr(p, '(');
			TEST_ASSERT(p, "no value of %s in %s", name,
				    event->fields);
			return strtoll(p + 1, NULL, 10);
		}
		p += len;
	}
	TEST_FAIL("no field %s in %s:%s", name, event->name, event->fields);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Runs a bpftrace script beside a test. */
#include <limits.h>
#include <sys/stat.h>

#include "bpftrace.h"
#include "test_util.h"

#define HEADERS		"/tmp/tdp-headers"
#define LIMIT_SECONDS	240	/* it compiles on an emulated CPU */
#define WAIT_US		10000

/*
 * bpftrace takes the types in a tracepoint's fields from the kernel's BTF, or,
 * where there is none as on the emulated host, from this header.
 */
static void write_headers(void)
{
	FILE *f;

	mkdir(HEADERS, 0755);
	mkdir(HEADERS "/linux", 0755);
	f = fopen(HEADERS "/linux/types.h", "we");
	TEST_ASSERT(f, "open " HEADERS "/linux/types.h");
	fputs("typedef _Bool bool; typedef unsigned char u8;\n"
	      "typedef unsigned int u32; typedef unsigned long long u64;\n"
	      "typedef int pid_t;\n", f);
	fclose(f);
}

static bool has_line(const char *text, const char *mark)
{
	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (!strncmp(text, mark, strlen(mark)))
			return true;
	}
	return false;
}

void bpftrace_start(struct command *c, const char *script, const char *arg,
		    const char *mark)
{
	static char path[PATH_MAX], text[COMMAND_TEXT];
	const char * const argv[] = {
		"bpftrace", "-B", "line", "-I", HEADERS, path, arg, NULL
	};
	unsigned int left;

	write_headers();
	command_path(path, sizeof(path), script);
	command_start(c, argv);
	for (left = LIMIT_SECONDS * (1000000 / WAIT_US); left; left--) {
		command_output(c, text);
		if (has_line(text, mark))
			return;
		if (!command_running(c))
			break;
		usleep(WAIT_US);
	}
	command_errors(c, text);
	TEST_FAIL("bpftrace does not trace: %s", text);
}

/*
 * Where the kernel has no list of functions that can be traced bpftrace warns
 * of each kprobe. One that it then can't attach is an error.
 */
static bool has_complaint(char *errors)
{
	char *line;

	while ((line = strsep(&errors, "\n")))
		if (*line && !strstr(line, "is not traceable"))
			return true;
	return false;
}

void bpftrace_end(struct command *c, char *text)
{
	static char errors[COMMAND_TEXT];
	int status;

	kill(c->pid, SIGINT);
	status = command_wait(c, LIMIT_SECONDS);
	command_errors(c, text);
	memcpy(errors, text, COMMAND_TEXT);
	TEST_ASSERT(!status && !has_complaint(errors),
		    "bpftrace: status %d, %s", status, text);
	command_output(c, text);
	command_close(c);
	TEST_ASSERT(!strstr(text, "Lost"), "%s", text);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Runs commands in the guest of a QEMU, over its second serial port. */
#include "test_util.h"
#include "vmm_guest.h"

#define SHORT_SECONDS	120	/* for what takes no time by itself */

/*
 * Waits for a line that begins with @mark. The lines before it are put in
 * @before, its own rest in @rest; the caller frees both.
 */
static void wait_line(struct vmm *v, unsigned int seconds, const char *mark,
		      const char *what, char **before, char **rest)
{
	unsigned int left = seconds * VMM_TEXT_PER_SECOND;
	struct vmm_text lines;
	char *line;

	vmm_text_open(&lines, -1);
	for (;;) {
		while ((line = vmm_text_line(&v->console))) {
			if (!strncmp(line, mark, strlen(mark))) {
				*rest = strdup(line + strlen(mark));
				*before = lines.buf;
				free(line);
				return;
			}
			vmm_text_add(&lines, line, strlen(line));
			vmm_text_add(&lines, "\n", 1);
			free(line);
		}
		TEST_ASSERT(left--, "the guest is not done with: %s\n%s%s",
			    what, lines.buf, v->console.buf);
		TEST_ASSERT(vmm_text_receive(&v->console),
			    "QEMU ended before the guest was done with: %s",
			    what);
	}
}

void vmm_wait_boot(struct vmm *v, unsigned int seconds)
{
	char *before, *rest;

	wait_line(v, seconds, "@ready", "its boot", &before, &rest);
	free(before);
	free(rest);
}

static int run(struct vmm *v, unsigned int seconds, char **output,
	       const char *command)
{
	char *text, mark[16], *rest;
	size_t len;
	int status;

	snprintf(mark, sizeof(mark), "@%u ", ++v->orders);
	TEST_ASSERT(asprintf(&text, "%s%s\n", mark + 1, command) >= 0,
		    "asprintf");
	TEST_ASSERT(vmm_text_send(&v->console, text), "QEMU ended before: %s",
		    command);
	free(text);
	wait_line(v, seconds, mark, command, output, &rest);
	status = atoi(rest);
	free(rest);

	/* The guest begins the line of its mark, whether or not it is at one. */
	len = strlen(*output);
	while (len && (*output)[len - 1] == '\n')
		(*output)[--len] = '\0';
	return status;
}

/* The same for a format; the caller frees *@text, the command that came of it. */
static int run_formatted(struct vmm *v, unsigned int seconds, char **output,
			 char **text, const char *command, va_list ap)
{
	TEST_ASSERT(vasprintf(text, command, ap) >= 0, "vasprintf");
	return run(v, seconds, output, *text);
}

int __vmm_guest_run(struct vmm *v, unsigned int seconds, char **output,
		    const char *command, ...)
{
	char *text, *out;
	va_list ap;
	int status;

	va_start(ap, command);
	status = run_formatted(v, seconds, &out, &text, command, ap);
	va_end(ap);
	free(text);
	if (output)
		*output = out;
	else
		free(out);
	return status;
}

void vmm_guest_run(struct vmm *v, unsigned int seconds, const char *command,
		   ...)
{
	char *text, *out;
	va_list ap;
	int status;

	va_start(ap, command);
	status = run_formatted(v, seconds, &out, &text, command, ap);
	va_end(ap);
	TEST_ASSERT(!status, "in the guest: %s: status %d\n%s", text, status,
		    out);
	free(text);
	free(out);
}

__u64 vmm_guest_number(struct vmm *v, const char *command, ...)
{
	char *text, *out, *end;
	va_list ap;
	int status;
	__u64 n;

	va_start(ap, command);
	status = run_formatted(v, SHORT_SECONDS, &out, &text, command, ap);
	va_end(ap);
	n = strtoull(out, &end, 0);
	TEST_ASSERT(!status && end != out && !*end,
		    "in the guest: %s: status %d, not a number\n%s", text,
		    status, out);
	free(text);
	free(out);
	return n;
}

void vmm_guest_send(struct vmm *v, const char *command)
{
	char *text;

	TEST_ASSERT(asprintf(&text, "%u %s\n", ++v->orders, command) >= 0,
		    "asprintf");
	TEST_ASSERT(vmm_text_send(&v->console, text), "QEMU ended before: %s",
		    command);
	free(text);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Speaks QMP with a QEMU that vmm_start() started. */
#include "test_util.h"
#include "vmm_qmp.h"

static bool is_event(const char *line)
{
	return !strncmp(line, "{\"timestamp\":", strlen("{\"timestamp\":"));
}

/* The next line that is no event, or NULL; events are put aside. */
static char *take_reply(struct vmm *v)
{
	char *line;

	while ((line = vmm_text_line(&v->qmp))) {
		if (!is_event(line))
			return line;
		vmm_text_add(&v->events, line, strlen(line));
		vmm_text_add(&v->events, "\n", 1);
		free(line);
	}
	return NULL;
}

static char *wait_reply(struct vmm *v, const char *what)
{
	unsigned int left = VMM_QMP_SECONDS * VMM_TEXT_PER_SECOND;
	char *line = NULL;

	while (!(line = take_reply(v)) && left--)
		TEST_ASSERT(vmm_text_receive(&v->qmp),
			    "QEMU ended instead of answering %s", what);
	TEST_ASSERT(line, "QEMU does not answer %s", what);
	return line;
}

void vmm_qmp_connect(struct vmm *v)
{
	char *greeting = wait_reply(v, "at all");

	TEST_ASSERT(!strncmp(greeting, "{\"QMP\":", strlen("{\"QMP\":")),
		    "no QMP: %s", greeting);
	free(greeting);
	vmm_qmp(v, "qmp_capabilities", NULL);
}

static bool call(struct vmm *v, char **reply, const char *command,
		 const char *args, va_list ap)
{
	char *line, *inside = NULL, *text;
	bool ok;

	if (args)
		TEST_ASSERT(vasprintf(&inside, args, ap) >= 0, "vasprintf");
	TEST_ASSERT(asprintf(&text,
			     "{\"execute\": \"%s\", \"arguments\": {%s}}\n",
			     command, inside ?: "") >= 0, "asprintf");
	TEST_ASSERT(vmm_text_send(&v->qmp, text), "QEMU ended before %s",
		    command);
	line = wait_reply(v, command);
	ok = !strncmp(line, "{\"return\":", strlen("{\"return\":"));
	free(inside);
	free(text);
	if (reply)
		*reply = line;
	else
		free(line);
	return ok;
}

bool __vmm_qmp(struct vmm *v, char **reply, const char *command,
	       const char *args, ...)
{
	va_list ap;
	bool ok;

	va_start(ap, args);
	ok = call(v, reply, command, args, ap);
	va_end(ap);
	return ok;
}

void vmm_qmp(struct vmm *v, const char *command, const char *args, ...)
{
	char *reply;
	va_list ap;
	bool ok;

	va_start(ap, args);
	ok = call(v, &reply, command, args, ap);
	va_end(ap);
	TEST_ASSERT(ok, "QMP %s: %s", command, reply);
	free(reply);
}

/* Takes that event from those put aside; the others stay, in their order. */
static bool take_event(struct vmm *v, const char *name, const char *needle)
{
	struct vmm_text others;
	bool found = false;
	char *line;

	vmm_text_open(&others, -1);
	while ((line = vmm_text_line(&v->events))) {
		if (!found && strstr(line, name) &&
		    (!needle || strstr(line, needle))) {
			found = true;
		} else {
			vmm_text_add(&others, line, strlen(line));
			vmm_text_add(&others, "\n", 1);
		}
		free(line);
	}
	vmm_text_close(&v->events);
	v->events = others;
	return found;
}

void vmm_qmp_wait(struct vmm *v, const char *event, const char *needle,
		  unsigned int seconds)
{
	unsigned int left = seconds * VMM_TEXT_PER_SECOND;
	char name[64], *stray;

	snprintf(name, sizeof(name), "\"event\": \"%s\"", event);
	for (;;) {
		stray = take_reply(v);
		TEST_ASSERT(!stray, "QEMU answers nothing that was asked: %s",
			    stray);
		if (take_event(v, name, needle))
			return;
		TEST_ASSERT(left--, "no event %s (%s); those that came:\n%s",
			    event, needle ?: "any", v->events.buf);
		TEST_ASSERT(vmm_text_receive(&v->qmp),
			    "QEMU ended before the event %s", event);
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/* Runs tdpshare, as an operator does. */
#include <limits.h>
#include <linux/types.h>

#include "json.h"
#include "operator.h"
#include "sysfile.h"
#include "test_util.h"

#define RUN_LIMIT	30	/* seconds */
#define WAIT_TRIES	1000
#define WAIT_US		10000
#define VALUE_LEN	128
#define PARAMETERS	"/sys/module/iommufd/parameters"

/* What a case changed, latest last. */
static struct parameter {
	char path[128];
	char value[32];
} before[8];
static unsigned int changed;

static void run(struct operator_result *r, const char *format, va_list ap)
{
	char program[PATH_MAX], args[512], *rest = args;
	const char *argv[COMMAND_ARGS] = { program };
	unsigned int argc = 1;
	struct command c;

	command_path(program, sizeof(program), "tdpshare");
	vsnprintf(args, sizeof(args), format, ap);
	while (rest && argc < COMMAND_ARGS - 1) {
		argv[argc] = strsep(&rest, " ");
		if (*argv[argc])
			argc++;
	}
	argv[argc] = NULL;

	command_start(&c, argv);
	r->status = command_wait(&c, RUN_LIMIT);
	command_output(&c, r->out);
	command_errors(&c, r->err);
	command_close(&c);
}

void operator_run(struct operator_result *r, const char *args, ...)
{
	va_list ap;

	va_start(ap, args);
	run(r, args, ap);
	va_end(ap);
}

void operator_do(const char *args, ...)
{
	static struct operator_result r;
	va_list ap;

	va_start(ap, args);
	run(&r, args, ap);
	va_end(ap);
	TEST_ASSERT(!r.status, "tdpshare %s: status %d, %s", args, r.status,
		    r.err);
}

void operator_get(pid_t pid, const char *key, char *value, size_t size)
{
	static struct operator_result r;
	char path[64];

	operator_run(&r, "--json --pid %d", pid);
	TEST_ASSERT(!r.status, "tdpshare --json: %s", r.err);
	snprintf(path, sizeof(path), "[0].%s", key);
	TEST_ASSERT(json_get(r.out, path, value, size) != JSON_ABSENT,
		    "no %s in %s", path, r.out);
}

__u64 operator_get_number(pid_t pid, const char *key)
{
	char value[VALUE_LEN];

	operator_get(pid, key, value, sizeof(value));
	return strtoull(value, NULL, 10);
}

void operator_wait(pid_t pid, const char *key, const char *value)
{
	char now[VALUE_LEN];
	int i;

	for (i = 0; i < WAIT_TRIES; i++) {
		operator_get(pid, key, now, sizeof(now));
		if (!strcmp(now, value))
			return;
		usleep(WAIT_US);
	}
	TEST_FAIL("%s is still %s, not %s", key, now, value);
}

static void restore_parameters(void)
{
	while (changed--)
		sysfile_write(before[changed].path, before[changed].value);
}

void operator_set_parameter(const char *name, const char *value)
{
	struct parameter *p = &before[changed];

	TEST_ASSERT(changed < ARRAY_SIZE(before), "too many parameters");
	snprintf(p->path, sizeof(p->path), PARAMETERS "/%s", name);
	TEST_ASSERT(sysfile_read(p->path, p->value, sizeof(p->value)),
		    "no %s", p->path);
	if (!changed++)
		atexit(restore_parameters);
	TEST_ASSERT(sysfile_write(p->path, value), "write %s to %s", value,
		    p->path);
}

void operator_share_by_order_only(void)
{
	static const char never[] = "3600000";	/* ms: longer than any test */

	operator_set_parameter("tdp_quiet_ms", never);
	operator_set_parameter("tdp_memslot_quiet_ms", never);
}

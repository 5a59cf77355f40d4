/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs tdpshare, as an operator does. */
#ifndef TDP_SELFTEST_OPERATOR_H
#define TDP_SELFTEST_OPERATOR_H

#include <linux/compiler.h>
#include <linux/types.h>

#include "command.h"

struct operator_result {
	int status;
	char out[COMMAND_TEXT];
	char err[COMMAND_TEXT];
};

/* Arguments as on a command line, split at blanks. */
void __printf(2, 3) operator_run(struct operator_result *r, const char *args,
				 ...);

/* The same, and it must succeed. */
void __printf(1, 2) operator_do(const char *args, ...);

/* What it says of that process's VM in JSON: one key's value. */
void operator_get(pid_t pid, const char *key, char *value, size_t size);
__u64 operator_get_number(pid_t pid, const char *key);

/* Waits until it says so. */
void operator_wait(pid_t pid, const char *key, const char *value);

/* Sets iommufd's parameter, until the case ends. */
void operator_set_parameter(const char *name, const char *value);

/* No VM is quiet for long enough to share by itself, until the case ends. */
void operator_share_by_order_only(void);

#endif

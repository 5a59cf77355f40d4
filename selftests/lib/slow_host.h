/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests do less of on the Intel bench, whose emulator is slow. */
#ifndef TDP_SELFTEST_SLOW_HOST_H
#define TDP_SELFTEST_SLOW_HOST_H

#include <stdbool.h>

/* Bochs, with 1G of memory, and 16 hugepages of 2M. */
bool host_is_slow(void);

/* @n, or @slow there. */
#define less_if_slow(n, slow)	(host_is_slow() ? (slow) : (n))

#endif

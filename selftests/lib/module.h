/* SPDX-License-Identifier: GPL-2.0-only */
/* Loads modules of selftests/modules, which belong to the kernel that was booted. */
#ifndef TDP_SELFTEST_MODULE_H
#define TDP_SELFTEST_MODULE_H

#include <stdbool.h>

/* Whether there is one of that name, without ".ko", for this kernel. */
bool module_exists(const char *name);

/* Loads it, or finds it loaded. */
void module_load(const char *name);

/* Gives a PCI device to a driver that takes it by driver_override. */
void module_bind(const char *driver, const char *bdf);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Tells a guest that the emulator has lost from one that KVM keeps waiting. */
#ifndef TDP_SELFTEST_LOST_GUEST_H
#define TDP_SELFTEST_LOST_GUEST_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Whether a vCPU that a thread of @pid runs is at an address of the kernel's
 * half. Test programs' guests have nothing there: the emulated CPU went on with
 * the host's registers in guest mode (docs/testing.rst, trap 37). Says so.
 */
bool guest_is_lost(pid_t pid);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs commands in the guest of a QEMU, over its second serial port. */
#ifndef TDP_SELFTEST_VMM_GUEST_H
#define TDP_SELFTEST_VMM_GUEST_H

#include "vmm.h"

/* Waits until the guest takes orders, also after a reboot. */
void vmm_wait_boot(struct vmm *v, unsigned int seconds);

/*
 * Runs a shell command in the guest: busybox, mkfs.ext4, e2fsck, and the programs
 * of selftests/guest. Returns its exit status, and in @output, unless that is
 * NULL, what it printed, without the last line's end; the caller frees that.
 * One that goes on behind must have its output elsewhere.
 */
int __printf(4, 5) __vmm_guest_run(struct vmm *v, unsigned int seconds,
				   char **output, const char *command, ...);

/* Ends the case unless its status is 0. */
void __printf(3, 4) vmm_guest_run(struct vmm *v, unsigned int seconds,
				  const char *command, ...);

/* What it printed, as a number. */
__u64 __printf(2, 3) vmm_guest_number(struct vmm *v, const char *command, ...);

/* Starts a command that gives no answer: reboot, poweroff. */
void vmm_guest_send(struct vmm *v, const char *command);

#endif

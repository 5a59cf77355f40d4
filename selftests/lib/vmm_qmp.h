/* SPDX-License-Identifier: GPL-2.0-only */
/* Speaks QMP with a QEMU that vmm_start() started. */
#ifndef TDP_SELFTEST_VMM_QMP_H
#define TDP_SELFTEST_VMM_QMP_H

#include "vmm.h"

#define VMM_QMP_SECONDS	120

/* Takes QEMU's greeting. vmm_start() does it. */
void vmm_qmp_connect(struct vmm *v);

/*
 * Executes @command with @args, which is the inside of a JSON object and a
 * format, or NULL. Returns whether it succeeded, and in @reply, unless that is
 * NULL, the whole line that QEMU answered, which the caller frees.
 */
bool __printf(4, 5) __vmm_qmp(struct vmm *v, char **reply, const char *command,
			      const char *args, ...);

/* Ends the case when it fails. */
void __printf(3, 4) vmm_qmp(struct vmm *v, const char *command,
			    const char *args, ...);

/*
 * Waits for an event that has not been waited for yet, with @needle in its
 * line unless that is NULL. Ends the case when it does not come in time.
 */
void vmm_qmp_wait(struct vmm *v, const char *event, const char *needle,
		  unsigned int seconds);

#endif

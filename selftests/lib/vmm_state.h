/* SPDX-License-Identifier: GPL-2.0-only */
/* Shows where a QEMU and its guest stand, when a case fails. */
#ifndef TDP_SELFTEST_VMM_STATE_H
#define TDP_SELFTEST_VMM_STATE_H

#include "vmm.h"

/*
 * Prints registers and interrupt controllers twice, a second apart, what KVM
 * counted in between, and the kernel stacks of QEMU's threads: a vCPU that
 * hangs can be told from one that waits, and from a guest that works on. Ends
 * no case, whatever QEMU answers.
 */
void vmm_print_state(struct vmm *v);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the Intel bench's VT-d tells of itself: bochs/regs.h, in an edu's BAR 0. */
#ifndef TDP_SELFTEST_VTD_MODEL_H
#define TDP_SELFTEST_VTD_MODEL_H

#include "bochs/regs.h"
#include "share_vm.h"

/*
 * Ends the program as skipped unless this is the Intel bench: VMX with EPT, a VT-d,
 * and an edu that has test registers. Mounts debugfs.
 */
void vtd_require(void);

/* Whether the VT-d is in scalable mode. */
bool vtd_is_scalable(void);

__u64 vtd_read(struct vfio_dev *edu, unsigned int reg);
void vtd_write(struct vfio_dev *edu, unsigned int reg, __u64 value);

/*
 * A HWPT with a table of its own, of @flags, to which the edu is attached. The
 * driver takes a first stage for it if it can and the flags allow that.
 */
__u32 vtd_attach(struct share_vm *s, __u32 flags);

/*
 * Whether a write by @testdev reaches the page at @offset. Anything but the word
 * arriving without a fault, or not arriving with exactly one, asserts.
 */
bool vtd_reaches(struct share_vm *s, struct vfio_dev *testdev,
		 struct guest_mem *mem, size_t offset);

#endif

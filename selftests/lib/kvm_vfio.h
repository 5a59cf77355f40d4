/* SPDX-License-Identifier: GPL-2.0-only */
/* Opens a device as VMMs do: its file is given to kvm-vfio before it is bound. */
#ifndef TDP_SELFTEST_KVM_VFIO_H
#define TDP_SELFTEST_KVM_VFIO_H

#include "vfio_dev.h"

/*
 * The VM's kvm-vfio device, for any number of files. It holds the VM and these
 * files: close it before the devices.
 */
int kvm_vfio_create(int vm_fd);

/* Bound to @iommufd, which thereby learns of the VM; without its BAR. */
void kvm_vfio_open_dev(int kvm_vfio, struct vfio_dev *dev, const char *bdf,
		       int iommufd);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes a VM's kvm-vfio device, by which VFIO learns of the VM. */
#ifndef TDP_SELFTEST_KVM_VFIO_H
#define TDP_SELFTEST_KVM_VFIO_H

/*
 * For any number of devices, see vfio_dev_open_in_vm(). It holds the VM and the
 * devices' files: close it before the devices.
 */
int kvm_vfio_create(int vm_fd);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* Makes a VM's kvm-vfio device. */
#include <sys/ioctl.h>

#include "kvm_util.h"
#include "kvm_vfio.h"

int kvm_vfio_create(int vm_fd)
{
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_VFIO };

	TEST_ASSERT(!ioctl(vm_fd, KVM_CREATE_DEVICE, &create),
		    "KVM_CREATE_DEVICE");
	return create.fd;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Opens a device as VMMs do: its file is given to kvm-vfio before it is bound. */
#include <glob.h>
#include <sys/ioctl.h>
#include <linux/vfio.h>

#include "kvm_util.h"
#include "kvm_vfio.h"

int kvm_vfio_create(int vm_fd)
{
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_VFIO };

	TEST_ASSERT(!ioctl(vm_fd, KVM_CREATE_DEVICE, &create),
		    "KVM_CREATE_DEVICE");
	return create.fd;
}

static int open_cdev(const char *bdf)
{
	char path[128];
	glob_t found;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev/vfio*",
		 bdf);
	TEST_ASSERT(!glob(path, 0, NULL, &found), "%s is not bound to vfio-pci",
		    bdf);
	snprintf(path, sizeof(path), "/dev/vfio/devices%s",
		 strrchr(found.gl_pathv[0], '/'));
	globfree(&found);
	fd = open(path, O_RDWR | O_CLOEXEC);
	TEST_ASSERT(fd >= 0, "open %s", path);
	return fd;
}

void kvm_vfio_open_dev(int kvm_vfio, struct vfio_dev *dev, const char *bdf,
		       int iommufd)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = iommufd,
	};
	struct kvm_device_attr add = {
		.group = KVM_DEV_VFIO_FILE,
		.attr = KVM_DEV_VFIO_FILE_ADD,
		.addr = (unsigned long)&dev->fd,
	};

	memset(dev, 0, sizeof(*dev));
	memcpy(dev->bdf, bdf, BDF_LEN);
	dev->fd = open_cdev(bdf);
	TEST_ASSERT(!ioctl(kvm_vfio, KVM_SET_DEVICE_ATTR, &add),
		    "KVM_DEV_VFIO_FILE_ADD");
	TEST_ASSERT(!ioctl(dev->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind),
		    "bind %s to iommufd", bdf);
	dev->dev_id = bind.out_devid;
}

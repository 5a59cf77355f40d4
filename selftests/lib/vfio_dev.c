// SPDX-License-Identifier: GPL-2.0-only
/* Finds a PCI device and opens it through vfio-pci's cdev and iommufd. */
#include <dirent.h>
#include <sys/ioctl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "kvm_util.h"
#include "sysfile.h"
#include "vfio_dev.h"

#define PCI_DEVICES "/sys/bus/pci/devices"

static unsigned long pci_attr(const char *bdf, const char *name)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", bdf, name);
	if (!sysfile_read(path, text, sizeof(text)))
		return 0;
	return strtoul(text, NULL, 0);
}

static bool bound_to_vfio(const char *bdf)
{
	char path[128];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/vfio-dev", bdf);
	return !access(path, F_OK);
}

static void bind_to_vfio(const char *bdf)
{
	char path[128];

	if (bound_to_vfio(bdf))
		return;
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver_override", bdf);
	TEST_ASSERT(sysfile_write(path, "vfio-pci"), "write %s", path);
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver/unbind", bdf);
	sysfile_write(path, bdf);
	sysfile_write("/sys/bus/pci/drivers_probe", bdf);
	TEST_ASSERT(bound_to_vfio(bdf), "%s does not bind to vfio-pci", bdf);
}

bool vfio_dev_find(char *bdf, __u16 vendor, __u16 device, unsigned int index)
{
	struct dirent **entries;
	bool found = false;
	int i, n;

	n = scandir(PCI_DEVICES, &entries, NULL, alphasort);
	for (i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;

		if (!found && strlen(name) == BDF_LEN - 1 &&
		    pci_attr(name, "vendor") == vendor &&
		    pci_attr(name, "device") == device && !index--) {
			memcpy(bdf, name, BDF_LEN);
			found = true;
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	if (found)
		bind_to_vfio(bdf);
	return found;
}

static int open_cdev(const char *bdf)
{
	char path[PATH_MAX];
	struct dirent *e;
	int fd = -1;
	DIR *dir;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/vfio-dev", bdf);
	dir = opendir(path);
	TEST_ASSERT(dir, "%s is not bound to vfio-pci", bdf);
	while (fd < 0 && (e = readdir(dir))) {
		if (strncmp(e->d_name, "vfio", 4))
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s", e->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	closedir(dir);
	TEST_ASSERT(fd >= 0, "open %s of %s", path, bdf);
	return fd;
}

static void region_info(struct vfio_dev *dev, unsigned int index,
			struct vfio_region_info *info)
{
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info);
	info->index = index;
	TEST_ASSERT(!ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, info),
		    "region %u of %s", index, dev->bdf);
}

/* Without it no DMA leaves a device, and every "was blocked" check passes. */
static void enable_bus_mastering(struct vfio_dev *dev)
{
	struct vfio_region_info cfg;
	__u16 cmd;

	region_info(dev, VFIO_PCI_CONFIG_REGION_INDEX, &cfg);
	TEST_ASSERT(pread(dev->fd, &cmd, 2, cfg.offset + PCI_COMMAND) == 2,
		    "read PCI_COMMAND");
	cmd |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	TEST_ASSERT(pwrite(dev->fd, &cmd, 2, cfg.offset + PCI_COMMAND) == 2,
		    "write PCI_COMMAND");
}

static void map_bar0(struct vfio_dev *dev)
{
	struct vfio_region_info bar;
	void *va;

	region_info(dev, VFIO_PCI_BAR0_REGION_INDEX, &bar);
	va = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, dev->fd,
		  bar.offset);
	TEST_ASSERT(va != MAP_FAILED, "mmap BAR 0 of %s", dev->bdf);
	dev->bar = va;
	dev->bar_size = bar.size;
}

/* VFIO learns of the VM from KVM, before the device is bound. */
static void add_to_vm(struct vfio_dev *dev, int kvm_vfio)
{
	struct kvm_device_attr add = {
		.group = KVM_DEV_VFIO_FILE,
		.attr = KVM_DEV_VFIO_FILE_ADD,
		.addr = (unsigned long)&dev->fd,
	};

	TEST_ASSERT(!ioctl(kvm_vfio, KVM_SET_DEVICE_ATTR, &add),
		    "KVM_DEV_VFIO_FILE_ADD of %s", dev->bdf);
}

void vfio_dev_open_file(struct vfio_dev *dev, const char *bdf)
{
	memcpy(dev->bdf, bdf, BDF_LEN);
	dev->fd = open_cdev(bdf);
}

void vfio_dev_bind(struct vfio_dev *dev, int iommufd, int kvm_vfio)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = iommufd,
	};

	if (kvm_vfio >= 0)
		add_to_vm(dev, kvm_vfio);
	TEST_ASSERT(!ioctl(dev->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind),
		    "bind %s to iommufd", dev->bdf);
	dev->dev_id = bind.out_devid;
	map_bar0(dev);
	enable_bus_mastering(dev);
}

void vfio_dev_take_over(struct vfio_dev *dev, int kvm_vfio)
{
	add_to_vm(dev, kvm_vfio);
	map_bar0(dev);
}

static void open_dev(struct vfio_dev *dev, const char *bdf, int iommufd,
		     int kvm_vfio)
{
	vfio_dev_open_file(dev, bdf);
	vfio_dev_bind(dev, iommufd, kvm_vfio);
}

void vfio_dev_open(struct vfio_dev *dev, const char *bdf, int iommufd)
{
	open_dev(dev, bdf, iommufd, -1);
}

void vfio_dev_open_in_vm(struct vfio_dev *dev, const char *bdf, int iommufd,
			 int kvm_vfio)
{
	open_dev(dev, bdf, iommufd, kvm_vfio);
}

void vfio_dev_close(struct vfio_dev *dev)
{
	/* The mapping holds the device's file open too. */
	munmap(dev->bar, dev->bar_size);
	close(dev->fd);
	dev->fd = -1;
}

int __vfio_dev_attach(struct vfio_dev *dev, __u32 pt_id)
{
	struct vfio_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.pt_id = pt_id,
	};

	if (ioctl(dev->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd))
		return -errno;
	return 0;
}

void vfio_dev_attach(struct vfio_dev *dev, __u32 pt_id)
{
	int r = __vfio_dev_attach(dev, pt_id);

	TEST_ASSERT(!r, "attach %s to %u: %s", dev->bdf, pt_id, strerror(-r));
}

void vfio_dev_detach(struct vfio_dev *dev)
{
	struct vfio_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	TEST_ASSERT(!ioctl(dev->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &cmd),
		    "detach %s", dev->bdf);
}

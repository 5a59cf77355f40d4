// SPDX-License-Identifier: GPL-2.0-only
/* The emulated host's PCI devices, as a VMM's user binds and unbinds them. */
#include <glob.h>
#include <libgen.h>
#include <sched.h>
#include <sys/mount.h>

#include "sysfile.h"
#include "tap.h"
#include "vmm_host.h"

#define PCI_DEVICES	"/sys/bus/pci/devices"
#define POLL_US		10000
#define POLL_LIMIT	(60 * 1000000 / POLL_US)

static bool has_id(const char *dir, __u16 vendor, __u16 device)
{
	char path[256], text[32], want[32];

	snprintf(path, sizeof(path), "%s/vendor", dir);
	snprintf(want, sizeof(want), "0x%04x\n", vendor);
	if (!sysfile_read(path, text, sizeof(text)) || strcmp(text, want))
		return false;
	snprintf(path, sizeof(path), "%s/device", dir);
	snprintf(want, sizeof(want), "0x%04x\n", device);
	return sysfile_read(path, text, sizeof(text)) && !strcmp(text, want);
}

void host_pci_find(char *bdf, __u16 vendor, __u16 device, unsigned int index)
{
	bool found = false;
	glob_t g;
	size_t i;

	TEST_ASSERT(!glob(PCI_DEVICES "/*", 0, NULL, &g), "no PCI devices");
	for (i = 0; i < g.gl_pathc && !found; i++) {
		if (!has_id(g.gl_pathv[i], vendor, device) || index--)
			continue;
		snprintf(bdf, BDF_LEN, "%s", basename(g.gl_pathv[i]));
		found = true;
	}
	globfree(&g);
	if (!found)
		tap_skip_case("no device %04x:%04x (scripts/boot --for-vmm)",
			      vendor, device);
}

void host_pci_take(char *bdf, __u16 vendor, __u16 device, unsigned int index)
{
	host_pci_find(bdf, vendor, device, index);
	TEST_ASSERT(vfio_dev_find(bdf, vendor, device, index),
		    "%s is gone", bdf);
}

static bool write_attr(const char *bdf, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", bdf, name);
	return sysfile_write(path, text);
}

void host_pci_give_back(const char *bdf)
{
	unsigned int polls = POLL_LIMIT;
	char path[128];

	TEST_ASSERT(write_attr(bdf, "driver_override", "\n") &&
		    write_attr(bdf, "driver/unbind", bdf) &&
		    sysfile_write("/sys/bus/pci/drivers_probe", bdf),
		    "give %s back", bdf);
	/* Some drivers probe in the background. */
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver", bdf);
	while (access(path, F_OK) && polls--)
		usleep(POLL_US);
	TEST_ASSERT(!access(path, F_OK), "no driver takes %s", bdf);
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/vfio-dev", bdf);
	TEST_ASSERT(access(path, F_OK), "%s is still vfio-pci's", bdf);
}

void host_use_iommufd_container(void)
{
	/* It has the old container's ioctls, whatever the kernel's config. */
	TEST_ASSERT(!unshare(CLONE_NEWNS) &&
		    !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
		    !mount("/dev/iommu", "/dev/vfio/vfio", NULL, MS_BIND, NULL),
		    "put /dev/iommu in the place of /dev/vfio/vfio");
}

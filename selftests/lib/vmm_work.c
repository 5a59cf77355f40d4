// SPDX-License-Identifier: GPL-2.0-only
/* Assigned disks of a QEMU's guest: the guest's work on them, and conversions. */
#include <glob.h>

#include "iommu_hw.h"
#include "sysfile.h"
#include "tap.h"
#include "vmm_guest.h"
#include "vmm_host.h"
#include "vmm_qmp.h"
#include "vmm_share.h"
#include "vmm_work.h"

#define SOME_IOS	64

void vmm_args_add(struct vmm_args *a, const char *option, const char *value)
{
	TEST_ASSERT(a->n + 2 < ARRAY_SIZE(a->args), "too many arguments");
	a->args[a->n++] = option;
	a->args[a->n++] = value;
	a->args[a->n] = NULL;
}

void vmm_args_add_ports(struct vmm_args *a)
{
	static const char * const ports[] = {
		"pcie-root-port,id=port0,chassis=0,slot=0,addr=0x10",
		"pcie-root-port,id=port1,chassis=1,slot=1,addr=0x11",
		"pcie-root-port,id=port2,chassis=2,slot=2,addr=0x12",
	};
	int i;

	vmm_args_add(a, "-object", "iommufd,id=iommufd0");
	for (i = 0; i < ARRAY_SIZE(ports); i++)
		vmm_args_add(a, "-device", ports[i]);
}

void vmm_disk_take(struct vmm_disk *d, unsigned int number)
{
	host_pci_take(d->bdf, NVME_VENDOR, NVME_DEVICE, number);
	snprintf(d->id, sizeof(d->id), "disk%u", number);
}

void vmm_args_add_disk(struct vmm_args *a, struct vmm_disk *d,
		       unsigned int number, unsigned int port)
{
	vmm_disk_take(d, number);
	snprintf(d->arg, sizeof(d->arg),
		 "vfio-pci,id=%s,host=%s,iommufd=iommufd0,bus=port%u", d->id,
		 d->bdf, port);
	vmm_args_add(a, "-device", d->arg);
}

void vmm_disk_wait(struct vmm *v, struct vmm_disk *d)
{
	char *path, controller[8];
	int status;

	/* Controllers are probed side by side, so that their order is none. */
	status = __vmm_guest_run(v, VMM_SECONDS, &path,
				 "until grep -ls %s /sys/class/nvme/*/serial; do sleep 0.1; done",
				 d->id);
	TEST_ASSERT(!status &&
		    sscanf(path, "/sys/class/nvme/%7[^/]", controller) == 1,
		    "%s in the guest: %s", d->id, path);
	free(path);
	snprintf(d->name, sizeof(d->name), "%sn1", controller);
	vmm_guest_run(v, VMM_SECONDS,
		      "until [ -b /dev/%s ]; do sleep 0.1; done", d->name);
}

void vmm_disk_plug(struct vmm *v, struct vmm_disk *d, unsigned int port)
{
	vmm_qmp(v, "device_add",
		"\"driver\": \"vfio-pci\", \"id\": \"%s\", \"host\": \"%s\", \"iommufd\": \"iommufd0\", \"bus\": \"port%u\"",
		d->id, d->bdf, port);
	vmm_disk_wait(v, d);
}

void vmm_disk_unplug(struct vmm *v, const struct vmm_disk *d)
{
	char needle[32];

	snprintf(needle, sizeof(needle), "\"device\": \"%s\"", d->id);
	vmm_qmp(v, "device_del", "\"id\": \"%s\"", d->id);
	vmm_qmp_wait(v, "DEVICE_DELETED", needle, VMM_SECONDS);
	vmm_guest_run(v, VMM_SECONDS,
		      "while [ -e /dev/%s ]; do sleep 0.1; done", d->name);
}

void vmm_work_start(struct vmm *v, const struct vmm_disk *d)
{
	vmm_guest_run(v, VMM_SECONDS, "work start %s", d->name);
}

__u64 vmm_work_count(struct vmm *v, const struct vmm_disk *d)
{
	return vmm_guest_number(v, "work count %s", d->name);
}

void vmm_work_more(struct vmm *v, const struct vmm_disk *d)
{
	vmm_guest_run(v, VMM_SECONDS, "work more %s %u", d->name, SOME_IOS);
}

void vmm_work_stop(struct vmm *v, const struct vmm_disk *d)
{
	vmm_guest_run(v, VMM_SECONDS, "work stop %s", d->name);
}

void vmm_work_some(struct vmm *v, const struct vmm_disk *d)
{
	vmm_work_start(v, d);
	vmm_work_more(v, d);
	vmm_work_stop(v, d);
}

void vmm_convert(struct vmm *v, unsigned int pairs)
{
	while (pairs--) {
		vmm_share_control(v->pid, "private");
		vmm_share_control(v->pid, "share");
	}
}

__u64 vmm_pinned_bytes(pid_t pid)
{
	char pattern[64], text[4096];
	__u64 bytes = 0;
	glob_t g;

	snprintf(pattern, sizeof(pattern), DEBUGFS "/kvm/%d-*/mmu_share", pid);
	TEST_ASSERT(!glob(pattern, 0, NULL, &g) && g.gl_pathc == 1,
		    "not one %s", pattern);
	TEST_ASSERT(sysfile_read(g.gl_pathv[0], text, sizeof(text)),
		    "read %s", g.gl_pathv[0]);
	globfree(&g);
	/* A VM that does not share has no such line, or 0. */
	text_get(text, "pinned_bytes", 10, &bytes);
	return bytes;
}

void vmm_expect_one_table(struct vmm *v, const char *bdf)
{
	__u64 root = vmm_kvm_root(v->pid);
	struct iommu_entry entry;

	iommu_entry_read(bdf, &entry);
	TEST_ASSERT(root && entry.translates && entry.root == root,
		    "%s: the IOMMU's root is %#llx, KVM's %#llx", bdf,
		    entry.root, root);
}

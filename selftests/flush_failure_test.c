// SPDX-License-Identifier: GPL-2.0-only
/*
 * An IOMMU that does not answer a flush may go on using what KVM frees next. So
 * the devices of the shared HWPT are cut off before the flush returns, and the
 * HWPT is of no more use.
 *
 * The emulated IOMMU answers, and it is the driver that is made to miss it:
 * what was flushed is gone in any case. That a device is cut off is seen in
 * memory which is mapped and which it reached before.
 */
#include <sys/ioctl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "amd_iommu.h"
#include "dma_page.h"
#include "fail_nth.h"
#include "kmsg.h"
#include "mmu_share.h"
#include "share_vm.h"
#include "sysfile.h"
#include "tap.h"

#define TEST_SIZE	SIZE_2M
#define MEM_SLOT	(TEST_SLOT + 1)
#define MEM_GPA		(GPA_HIGH + SIZE_1G)
#define SEED		0xf1054

/* Where the driver waits for an answer. */
#define WAIT		"iommu_completion_wait"

struct setup {
	struct share_vm s;
	struct vfio_dev devs[2];
	struct guest_mem kept;	/* mapped all the time */
	struct guest_mem mem;	/* what is flushed */
	int log;
};

static void open_devices(struct setup *t)
{
	char bdf[BDF_LEN];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t->devs); i++) {
		if (!vfio_dev_find(bdf, TESTDEV_VENDOR, TESTDEV_DEVICE, i))
			tap_skip_case("no second iommu-testdev");
		vfio_dev_open(&t->devs[i], bdf, t->s.iommufd);
	}
}

/* Which device goes where is the case's own affair. */
static void setup(struct setup *t)
{
	share_vm_create_detached(&t->s);
	open_devices(t);
	guest_mem_add(&t->kept, t->s.vm, TEST_SLOT, BACKING_4K, GPA_HIGH,
		      TEST_SIZE);
	guest_mem_add(&t->mem, t->s.vm, MEM_SLOT, BACKING_4K, MEM_GPA,
		      TEST_SIZE);
	share_vm_map(&t->s, &t->kept);
	t->s.hwpt = iommufd_hwpt_alloc(t->s.iommufd, t->s.edu.dev_id, t->s.ioas,
				       HWPT_SHARED, t->s.vm->fd);
	t->log = kmsg_open_at_end();
}

static void teardown(struct setup *t)
{
	close(t->log);
	vfio_dev_close(&t->devs[0]);
	vfio_dev_close(&t->devs[1]);
	share_vm_destroy(&t->s);
}

static void expect_guest_works(struct setup *t, struct guest_mem *mem)
{
	guest_fill(t->s.vcpus[0], mem->gpa, mem->size, SIZE_4K, SEED);
	TEST_ASSERT_EQ(guest_diff(t->s.vcpus[1], mem->gpa, mem->size, SIZE_4K,
				  mem->gpa, SEED), 0);
}

static bool bus_master(struct vfio_dev *dev)
{
	char path[64];
	__u16 cmd = 0;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config",
		 dev->bdf);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	TEST_ASSERT(fd >= 0 && pread(fd, &cmd, 2, PCI_COMMAND) == 2,
		    "read %s", path);
	close(fd);
	return cmd & PCI_COMMAND_MASTER;
}

/* As a VMM does for its guest, whenever that wants it. */
static void set_bus_master(struct vfio_dev *dev)
{
	struct vfio_region_info cfg = {
		.argsz = sizeof(cfg),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	__u16 cmd = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	TEST_ASSERT(!ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, &cfg) &&
		    pwrite(dev->fd, &cmd, 2, cfg.offset + PCI_COMMAND) == 2,
		    "write PCI_COMMAND");
	TEST_ASSERT(bus_master(dev), "bus mastering stays off");
}

static bool walks_kvms_root(struct setup *t, struct vfio_dev *dev)
{
	struct mmu_share_info info;
	struct amd_dte dte;

	mmu_share_read(t->s.vm, &info);
	amd_dte_read(dev->bdf, &dte);
	return info.shared && dte.translates && dte.root == info.root;
}

static void expect_in_use(struct setup *t, struct vfio_dev *dev)
{
	TEST_ASSERT(bus_master(dev), "no bus mastering");
	TEST_ASSERT(walks_kvms_root(t, dev), "another root");
	dma_expect_reached(dev, &t->kept, true);
}

/*
 * By two means, as the IOMMU may not look at its device table either, and as
 * bus mastering is the user's to set again. iommu-testdev does not heed bus
 * mastering, so that its DMA tells of the device-table entry alone.
 */
static void expect_cut_off(struct setup *t, struct vfio_dev *dev)
{
	TEST_ASSERT(!bus_master(dev), "%s may still do DMA", dev->bdf);
	TEST_ASSERT(!walks_kvms_root(t, dev), "%s still has KVM's root",
		    dev->bdf);
	dma_expect_reached(dev, &t->kept, false);
	dma_expect_reached(dev, &t->mem, false);
}

/* edu does heed it. */
static bool edu_copies(struct setup *t)
{
	guest_mem_fill(&t->kept, 0, SIZE_4K, SEED);
	guest_mem_fill(&t->kept, SIZE_4K, SIZE_4K, ~SEED);
	edu_copy(&t->s.edu, t->kept.gpa + SIZE_4K, t->kept.gpa, SIZE_4K);
	return !guest_mem_diff(&t->kept, SIZE_4K, SIZE_4K, 0, SEED);
}

static void expect_logged(struct setup *t, const char *what)
{
	const char * const needles[] = { what, NULL };
	char line[KMSG_LINE];

	TEST_ASSERT(kmsg_find(t->log, needles, line), "not in the log: %s",
		    what);
	ksft_print_msg("%s\n", line);
}

static void expect_cut_off_logged(struct setup *t)
{
	char what[64];

	snprintf(what, sizeof(what), "%s: AMD-Vi: the IOMMU does not answer",
		 t->devs[0].bdf);
	expect_logged(t, what);
}

static void discard_mem(struct setup *t)
{
	TEST_ASSERT(!madvise(t->mem.hva, t->mem.size, MADV_DONTNEED),
		    "madvise");
}

/* The vCPUs have been there, so that the device gets there, unpinned. */
static void touch_mem(struct setup *t)
{
	expect_guest_works(t, &t->mem);
	dma_expect_reached(&t->devs[0], &t->mem, true);
}

static void unanswered(struct setup *t, void (*what)(struct setup *t))
{
	fail_function_arm_all(WAIT, -EIO);
	what(t);
	TEST_ASSERT(fail_function_disarm(), "there was no flush to answer");
}

static void break_hwpt(struct setup *t)
{
	touch_mem(t);
	unanswered(t, discard_mem);
	expect_cut_off_logged(t);
}

/* Control: the same with an IOMMU that answers takes nothing but the memory. */
static void discard(void)
{
	struct setup t;

	setup(&t);
	vfio_dev_attach(&t.s.edu, t.s.hwpt);
	vfio_dev_attach(&t.devs[0], t.s.hwpt);
	vfio_dev_attach(&t.devs[1], t.s.hwpt);
	touch_mem(&t);
	discard_mem(&t);
	dma_expect_reached(&t.devs[0], &t.mem, false);
	expect_in_use(&t, &t.devs[0]);
	expect_in_use(&t, &t.devs[1]);
	TEST_ASSERT(edu_copies(&t), "edu lost more than the memory");

	break_hwpt(&t);
	expect_cut_off(&t, &t.devs[0]);
	expect_cut_off(&t, &t.devs[1]);
	TEST_ASSERT(!bus_master(&t.s.edu) && !edu_copies(&t), "edu is not");
	set_bus_master(&t.s.edu);
	TEST_ASSERT(!edu_copies(&t), "edu is back, by its own register");

	/* The guest has its memory, with or without a device. */
	expect_guest_works(&t, &t.kept);
	expect_guest_works(&t, &t.mem);
	teardown(&t);
}

static void unmap_mem(struct setup *t)
{
	share_vm_unmap(&t->s, &t->mem);
}

static void unmap(void)
{
	struct setup t;

	setup(&t);
	vfio_dev_attach(&t.devs[0], t.s.hwpt);
	share_vm_map(&t.s, &t.mem);
	dma_expect_reached(&t.devs[0], &t.mem, true);
	unmap_mem(&t);
	dma_expect_reached(&t.devs[0], &t.mem, false);
	expect_in_use(&t, &t.devs[0]);

	share_vm_map(&t.s, &t.mem);
	dma_expect_reached(&t.devs[0], &t.mem, true);
	unanswered(&t, unmap_mem);
	expect_cut_off_logged(&t);
	expect_cut_off(&t, &t.devs[0]);
	expect_guest_works(&t, &t.kept);
	expect_guest_works(&t, &t.mem);
	teardown(&t);
}

static int map_mem(struct setup *t)
{
	return __iommufd_map(t->s.iommufd, t->s.ioas, IOAS_MAP_RW, t->mem.gpa,
			     t->mem.hva, t->mem.size);
}

static void no_more_maps_and_devices(void)
{
	struct setup t;

	setup(&t);
	vfio_dev_attach(&t.devs[0], t.s.hwpt);
	expect_in_use(&t, &t.devs[0]);

	/* Control: before the failure both are taken. */
	TEST_ASSERT_EQ(map_mem(&t), 0);
	unmap_mem(&t);
	TEST_ASSERT_EQ(__vfio_dev_attach(&t.devs[1], t.s.hwpt), 0);
	vfio_dev_detach(&t.devs[1]);

	break_hwpt(&t);
	TEST_ASSERT_EQ(map_mem(&t), -EIO);
	expect_logged(&t, "a flush of the IOTLB has failed");
	TEST_ASSERT_EQ(__vfio_dev_attach(&t.devs[1], t.s.hwpt), -EIO);
	dma_expect_reached(&t.devs[1], &t.kept, false);

	/* Nor does the device that was cut off come back to it. */
	vfio_dev_detach(&t.devs[0]);
	TEST_ASSERT_EQ(__vfio_dev_attach(&t.devs[0], t.s.hwpt), -EIO);
	dma_expect_reached(&t.devs[0], &t.kept, false);
	teardown(&t);
}

static int map_msi_window(struct setup *t)
{
	return __iommufd_map(t->s.iommufd, t->s.ioas, IOAS_MAP_RW, 0xfee00000,
			     t->kept.hva, SIZE_4K);
}

/* Upstream's iommufd gave it back: docs/errata.rst, replace-reserved. */
static void refused_replace_reserves(void)
{
	struct setup t;
	__u32 ordinary;

	setup(&t);
	ordinary = iommufd_hwpt_alloc(t.s.iommufd, t.s.edu.dev_id, t.s.ioas,
				      HWPT_ORDINARY, 0);
	vfio_dev_attach(&t.devs[0], t.s.hwpt);
	break_hwpt(&t);
	vfio_dev_detach(&t.devs[0]);

	vfio_dev_attach(&t.devs[1], ordinary);
	TEST_ASSERT_EQ(map_msi_window(&t), -EINVAL);
	TEST_ASSERT_EQ(__vfio_dev_attach(&t.devs[1], t.s.hwpt), -EIO);
	iommufd_destroy(t.s.iommufd, t.s.hwpt);
	TEST_ASSERT_EQ(map_msi_window(&t), -EINVAL);
	dma_expect_reached(&t.devs[1], &t.kept, true);

	/* Control: without a device it is a range like any other. */
	vfio_dev_detach(&t.devs[1]);
	TEST_ASSERT_EQ(map_msi_window(&t), 0);
	teardown(&t);
}

static void share_again(struct setup *t, struct vfio_dev *dev)
{
	iommufd_destroy(t->s.iommufd, t->s.hwpt);
	t->s.hwpt = iommufd_hwpt_alloc(t->s.iommufd, t->s.edu.dev_id, t->s.ioas,
				       HWPT_SHARED, t->s.vm->fd);
	vfio_dev_attach(dev, t->s.hwpt);
}

static void new_share_after_bus_master(void)
{
	struct setup t;

	setup(&t);
	vfio_dev_attach(&t.s.edu, t.s.hwpt);
	vfio_dev_attach(&t.devs[0], t.s.hwpt);
	TEST_ASSERT(edu_copies(&t), "edu does not work");
	break_hwpt(&t);
	vfio_dev_detach(&t.devs[0]);
	vfio_dev_detach(&t.s.edu);

	share_again(&t, &t.s.edu);
	TEST_ASSERT(walks_kvms_root(&t, &t.s.edu), "another root");
	TEST_ASSERT(!edu_copies(&t), "DMA without bus mastering");
	set_bus_master(&t.s.edu);
	TEST_ASSERT(edu_copies(&t), "edu does not come back");
	teardown(&t);
}

/* VFIO resets a device for its next user, as far as it can be reset. */
static void new_share_after_reopening(void)
{
	struct setup t;
	char bdf[BDF_LEN];

	setup(&t);
	vfio_dev_attach(&t.devs[0], t.s.hwpt);
	expect_in_use(&t, &t.devs[0]);
	break_hwpt(&t);

	memcpy(bdf, t.devs[0].bdf, BDF_LEN);
	vfio_dev_close(&t.devs[0]);
	vfio_dev_open(&t.devs[0], bdf, t.s.iommufd);
	share_again(&t, &t.devs[0]);
	expect_in_use(&t, &t.devs[0]);
	share_vm_map(&t.s, &t.mem);
	dma_expect_reached(&t.devs[0], &t.mem, true);
	expect_guest_works(&t, &t.mem);

	/* Flushes are answered again: what goes is lost, the rest is not. */
	unmap_mem(&t);
	dma_expect_reached(&t.devs[0], &t.mem, false);
	expect_in_use(&t, &t.devs[0]);
	teardown(&t);
}

/* The IOMMU's own tables are none of this: the driver goes on as it did. */
static void device_beside_it(void)
{
	struct setup t;
	struct amd_dte before, after;
	__u32 ordinary;

	setup(&t);
	ordinary = iommufd_hwpt_alloc(t.s.iommufd, t.s.edu.dev_id, t.s.ioas,
				      HWPT_ORDINARY, 0);
	vfio_dev_attach(&t.devs[0], t.s.hwpt);
	vfio_dev_attach(&t.devs[1], ordinary);
	share_vm_map(&t.s, &t.mem);
	dma_expect_reached(&t.devs[0], &t.mem, true);
	dma_expect_reached(&t.devs[1], &t.mem, true);
	amd_dte_read(t.devs[1].bdf, &before);

	/* It is flushed for both, and nobody answers. */
	unanswered(&t, unmap_mem);
	expect_cut_off(&t, &t.devs[0]);
	amd_dte_read(t.devs[1].bdf, &after);
	TEST_ASSERT(bus_master(&t.devs[1]), "bus mastering is off");
	TEST_ASSERT_EQ(after.root, before.root);
	dma_expect_reached(&t.devs[1], &t.kept, true);
	dma_expect_reached(&t.devs[1], &t.mem, false);
	teardown(&t);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "the host discards memory: all devices are cut off",
		  discard },
		{ "the IOAS is unmapped: the device is cut off", unmap },
		{ "the HWPT takes no more maps and no device: EIO",
		  no_more_maps_and_devices },
		{ "a replace that it refuses leaves the MSI window reserved",
		  refused_replace_reserves },
		{ "a device on an ordinary HWPT is not cut off",
		  device_beside_it },
		{ "a new share works once bus mastering is set again",
		  new_share_after_bus_master },
		{ "a new share works, with the device opened again",
		  new_share_after_reopening },
	};

	share_vm_require(true);
	__TEST_REQUIRE(fault_injection_setup(),
		       "needs a kernel that can inject faults");
	return tap_run(cases, ARRAY_SIZE(cases));
}

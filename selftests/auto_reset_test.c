// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices with ATS are reset while their HWPT changes its domain, again and again.
 * From the beginning to the end of a reset the IOMMU core lets nobody change the
 * device's domain, so that conversions fail in the middle, and their way back.
 *
 * 1. Each order is obeyed or refused, EBUSY or EAGAIN, and a device that is not
 *    being reset reaches its memory all the time. Afterwards all are at one table.
 * 2. Control: orders were refused, and others obeyed, while resets went on.
 *
 * bench: --bench amd-full --share
 */
#include <sys/ioctl.h>
#include <linux/vfio.h>

#include "auto_vm.h"
#include "background.h"
#include "dma_page.h"
#include "dma_test.h"
#include "iommu_hw.h"
#include "operator.h"
#include "tap.h"

#define ORDERS		300

struct resets {
	struct vfio_dev *dev;
	bool stop;
	unsigned long done;
};

/* Those that can be reset are behind ports; the one at the root can't. */
static unsigned int find_resettable(struct vfio_dev *devs, struct auto_vm *a)
{
	unsigned int i, found = 0;
	struct vfio_dev dev;
	char bdf[BDF_LEN];

	for (i = 0; found < 2 && vfio_dev_find(bdf, DMA_TEST_VENDOR,
					       DMA_TEST_DEVICE, i); i++) {
		vfio_dev_open_in_vm(&dev, bdf, a->s.iommufd, a->kvm_vfio);
		if (ioctl(dev.fd, VFIO_DEVICE_RESET))
			vfio_dev_close(&dev);
		else
			devs[found++] = dev;
	}
	return found;
}

static void reset_all_the_time(void *arg)
{
	struct resets *r = arg;

	while (!READ_ONCE(r->stop)) {
		TEST_ASSERT(!ioctl(r->dev->fd, VFIO_DEVICE_RESET), "reset");
		r->done++;
		/* So that there is a time when none is being reset. */
		usleep(50000);
	}
}

static void converted_while_reset(void)
{
	unsigned int i, obeyed = 0, refused = 0, split = 0;
	struct background threads[2] = { 0 };
	struct resets resets[2] = { 0 };
	struct vmm_share_status st;
	struct vfio_dev devs[2];
	struct iommu_entry entry;
	struct auto_vm a;

	operator_share_by_order_only();
	auto_vm_create_detached(&a);
	if (find_resettable(devs, &a) < 2)
		tap_skip_case("no two devices that can be reset");
	auto_vm_attach(&a, AUTO_HWPT);
	for (i = 0; i < 2; i++)
		vfio_dev_attach(&devs[i], a.s.ioas);
	auto_vm_map_slot0(&a);
	share_vm_map(&a.s, &a.mem);

	for (i = 0; i < 2; i++) {
		resets[i].dev = &devs[i];
		background_start(&threads[i], reset_all_the_time, &resets[i]);
	}
	for (i = 0; i < ORDERS; i++) {
		int r = __vmm_share_control(getpid(), i % 2 ? "private" : "share");

		TEST_ASSERT(!r || r == -EBUSY || r == -EAGAIN, "order %u: %s",
			    i, strerror(-r));
		if (r)
			refused++;
		else
			obeyed++;
		st = auto_vm_status();
		split += !strcmp(st.reason, "split");
		dma_expect_reached(&a.testdev, &a.mem, true);
		usleep(5000);
	}
	for (i = 0; i < 2; i++)
		WRITE_ONCE(resets[i].stop, true);
	for (i = 0; i < 2; i++)
		background_join(&threads[i]);
	ksft_print_msg("%lu and %lu resets, %u orders obeyed, %u refused, %u times split\n",
		       resets[0].done, resets[1].done, obeyed, refused, split);
	TEST_ASSERT(obeyed && refused, "control: %u obeyed, %u refused", obeyed,
		    refused);

	/* A device that was being reset may have been the last to move. */
	for (i = 0; i < 1000 && __vmm_share_control(getpid(), "share"); i++)
		usleep(10000);
	auto_vm_expect_shared(&a);
	for (i = 0; i < 2; i++) {
		iommu_entry_read(devs[i].bdf, &entry);
		TEST_ASSERT(entry.translates &&
			    entry.root == vmm_kvm_root(getpid()),
			    "%s is at %#llx", devs[i].bdf, entry.root);
		vfio_dev_close(&devs[i]);
	}
	auto_vm_destroy(&a);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "converted again and again while devices are reset",
		  converted_while_reset, .timeout = 300 },
	};
	char bdf[BDF_LEN];

	share_vm_require(true);
	__TEST_REQUIRE(vfio_dev_find(bdf, DMA_TEST_VENDOR, DMA_TEST_DEVICE, 1),
		       "needs the bench amd-full");
	return tap_run(cases, ARRAY_SIZE(cases));
}

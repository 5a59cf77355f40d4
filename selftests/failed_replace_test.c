// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a device has reserved in its IOAS stays reserved when a replace of its
 * HWPT fails: the MSI window can't be mapped.
 *
 * 1. Each allocation, and each call that may fail by itself, of a replace within
 *    an IOAS fails in turn.
 * 2. Those of a replace by a HWPT of another IOAS: nothing stays reserved there.
 * 3. Controls: a replace that goes well keeps it reserved, or moves it; with the
 *    device gone the window is like any other range.
 *
 * bench: --append kvm.share_iommu_tdp=0
 */
#include "fail_nth.h"
#include "guest_mem.h"
#include "iommufd.h"
#include "tap.h"
#include "testdev.h"

#define MSI_WINDOW	0xfee00000
#define MOST_FAULTS	60

struct attached {
	int iommufd;
	__u32 ioas, other_ioas;
	__u32 hwpt, same, other;	/* same: as @hwpt in @ioas */
	struct vfio_dev dev;
	void *mem;
};

static void setup(struct attached *a)
{
	char bdf[BDF_LEN];

	if (!fault_injection_setup())
		tap_skip_case("needs CONFIG_FAULT_INJECTION");
	if (!vfio_dev_find(bdf, TESTDEV_VENDOR, TESTDEV_DEVICE, 0))
		tap_skip_case("no iommu-testdev");
	a->iommufd = iommufd_open();
	a->ioas = iommufd_ioas_alloc(a->iommufd);
	a->other_ioas = iommufd_ioas_alloc(a->iommufd);
	vfio_dev_open(&a->dev, bdf, a->iommufd);
	a->hwpt = iommufd_hwpt_alloc(a->iommufd, a->dev.dev_id, a->ioas,
				     HWPT_ORDINARY, 0);
	a->same = iommufd_hwpt_alloc(a->iommufd, a->dev.dev_id, a->ioas,
				     HWPT_ORDINARY, 0);
	a->other = iommufd_hwpt_alloc(a->iommufd, a->dev.dev_id, a->other_ioas,
				      HWPT_ORDINARY, 0);
	a->mem = kvm_mmap(SIZE_4K, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1);
	memset(a->mem, 0, SIZE_4K);
	vfio_dev_attach(&a->dev, a->hwpt);
}

static void end(struct attached *a)
{
	vfio_dev_close(&a->dev);
	close(a->iommufd);
}

static bool window_is_reserved(struct attached *a, __u32 ioas)
{
	int r = __iommufd_map(a->iommufd, ioas, IOAS_MAP_RW, MSI_WINDOW, a->mem,
			      SIZE_4K);

	if (!r)
		iommufd_unmap(a->iommufd, ioas, MSI_WINDOW, SIZE_4K);
	else
		TEST_ASSERT_EQ(r, -EINVAL);
	return r;
}

/* Attaches to @to with one fault after the other, and back where it went well. */
static void sweep(struct attached *a, __u32 to)
{
	unsigned int i, failed = 0;
	bool hit;
	int r;

	for (i = 1; i < MOST_FAULTS; i++) {
		fail_nth_arm(i);
		r = __vfio_dev_attach(&a->dev, to);
		hit = fail_nth_disarm();
		if (!r && !hit)
			break;
		if (r)
			failed++;
		else
			vfio_dev_attach(&a->dev, a->hwpt);
		TEST_ASSERT(window_is_reserved(a, a->ioas),
			    "fault %u (%d): the MSI window can be mapped", i, r);
		TEST_ASSERT(!window_is_reserved(a, a->other_ioas),
			    "fault %u (%d): reserved in the other IOAS", i, r);
	}
	TEST_ASSERT(failed && i < MOST_FAULTS, "%u replaces failed", failed);
}

static void within_an_ioas(void)
{
	struct attached a;

	setup(&a);
	sweep(&a, a.same);
	TEST_ASSERT(window_is_reserved(&a, a.ioas), "not reserved at last");
	end(&a);
}

static void to_another_ioas(void)
{
	struct attached a;

	setup(&a);
	sweep(&a, a.other);
	TEST_ASSERT(!window_is_reserved(&a, a.ioas) &&
		    window_is_reserved(&a, a.other_ioas), "it has not moved");
	end(&a);
}

static void without_faults(void)
{
	struct attached a;

	setup(&a);
	TEST_ASSERT(window_is_reserved(&a, a.ioas), "attached");
	vfio_dev_attach(&a.dev, a.same);
	TEST_ASSERT(window_is_reserved(&a, a.ioas), "replaced");
	iommufd_map(a.iommufd, a.ioas, SIZE_1G, a.mem, SIZE_4K);
	TEST_ASSERT(testdev_write(&a.dev, SIZE_1G, 64), "DMA");
	vfio_dev_detach(&a.dev);
	TEST_ASSERT(!window_is_reserved(&a, a.ioas), "detached");
	end(&a);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "replace within an IOAS that fails", within_an_ioas },
		{ "replace to another IOAS that fails", to_another_ioas },
		{ "control: nothing fails", without_faults },
	};

	__TEST_REQUIRE(!access("/dev/iommu", R_OK | W_OK), "no /dev/iommu");
	return tap_run(cases, ARRAY_SIZE(cases));
}

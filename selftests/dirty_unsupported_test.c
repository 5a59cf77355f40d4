// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control of dirty_bitmap_test, on an IOMMU that sets no D bits:
 *
 * 1. GET_HW_INFO does not say that dirty tracking is there.
 * 2. A HWPT with it is refused: EOPNOTSUPP. An ordinary one is not, and DMA works.
 *
 * bench: --kernel stock --bench amd-full --iommu-opt host-ad=off
 */
#include <sys/mman.h>

#include "dma_test.h"
#include "edu.h"
#include "guest_mem.h"
#include "iommufd.h"
#include "iommufd_dirty.h"
#include "tap.h"
#include "vfio_dev.h"

static void refused(void)
{
	struct vfio_dev dev;
	char bdf[BDF_LEN];
	__u32 ioas, hwpt;
	int iommufd, r;
	__u8 *mem;

	/* Not iommu-dma-test: GET_HW_INFO warns of a device with PASIDs, 7.3. */
	vfio_dev_find(bdf, EDU_VENDOR, EDU_DEVICE, 0);
	iommufd = iommufd_open();
	ioas = iommufd_ioas_alloc(iommufd);
	vfio_dev_open(&dev, bdf, iommufd);
	TEST_ASSERT(!iommufd_can_track(iommufd, dev.dev_id),
		    "GET_HW_INFO: dirty tracking");
	r = __iommufd_hwpt_alloc(iommufd, dev.dev_id, ioas,
				 IOMMU_HWPT_ALLOC_DIRTY_TRACKING, 0, &hwpt);
	TEST_ASSERT_EQ(r, -EOPNOTSUPP);

	mem = mmap(NULL, SIZE_4K, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(mem != MAP_FAILED, "mmap");
	mem[5] = 0x42;
	hwpt = iommufd_hwpt_alloc(iommufd, dev.dev_id, ioas, HWPT_ORDINARY, -1);
	iommufd_map(iommufd, ioas, SIZE_2M, mem, SIZE_4K);
	vfio_dev_attach(&dev, hwpt);
	edu_copy(&dev, SIZE_2M + 8, SIZE_2M + 5, 1);
	TEST_ASSERT_EQ(READ_ONCE(mem[8]), 0x42);
	vfio_dev_detach(&dev);
	vfio_dev_close(&dev);
	close(iommufd);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "no D bits: tracking is refused, EOPNOTSUPP", refused },
	};
	char bdf[BDF_LEN];

	__TEST_REQUIRE(vfio_dev_find(bdf, DMA_TEST_VENDOR, DMA_TEST_DEVICE, 0),
		       "needs the bench amd-full");
	return tap_run(cases, ARRAY_SIZE(cases));
}

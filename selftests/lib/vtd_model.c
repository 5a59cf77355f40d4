// SPDX-License-Identifier: GPL-2.0-only
/* What the Intel bench's VT-d tells of itself: bochs/regs.h, in an edu's BAR 0. */
#include <linux/io.h>

#include "dma_page.h"
#include "sysfile.h"
#include "tap.h"
#include "vtd_model.h"

#define DMAR_SYSFS	"/sys/class/iommu/dmar0/intel-iommu"
#define ECAP_SMTS	BIT_ULL(43)

void vtd_require(void)
{
	char text[16], bdf[BDF_LEN];

	debugfs_mount();
	__TEST_REQUIRE(!access(DMAR_SYSFS, F_OK), "no VT-d");
	__TEST_REQUIRE(sysfile_read("/sys/module/kvm_intel/parameters/ept",
				    text, sizeof(text)) && text[0] == 'Y',
		       "no EPT");
	__TEST_REQUIRE(!access("/dev/kvm", R_OK | W_OK), "no VMX");
	__TEST_REQUIRE(!access("/dev/iommu", R_OK | W_OK), "no /dev/iommu");
	__TEST_REQUIRE(vfio_dev_find(bdf, EDU_VENDOR, EDU_DEVICE, 0),
		       "no edu device");
}

bool vtd_is_scalable(void)
{
	char text[32];

	TEST_ASSERT(sysfile_read(DMAR_SYSFS "/ecap", text, sizeof(text)),
		    "read " DMAR_SYSFS "/ecap");
	return strtoull(text, NULL, 16) & ECAP_SMTS;
}

__u64 vtd_read(struct vfio_dev *edu, unsigned int reg)
{
	return readq(edu->bar + reg);
}

void vtd_write(struct vfio_dev *edu, unsigned int reg, __u64 value)
{
	writeq(value, edu->bar + reg);
}

__u32 vtd_attach(struct share_vm *s, __u32 flags)
{
	int r = __iommufd_hwpt_alloc(s->iommufd, s->edu.dev_id, s->ioas, flags,
				     0, &s->hwpt);

	TEST_ASSERT(!r, "HWPT_ALLOC with flags %#x: %s", flags, strerror(-r));
	vfio_dev_attach(&s->edu, s->hwpt);
	return s->hwpt;
}

bool vtd_reaches(struct share_vm *s, struct vfio_dev *testdev,
		 struct guest_mem *mem, size_t offset)
{
	__u64 faults = vtd_read(&s->edu, VTDT_FAULTS);
	bool reached = dma_page_reached(testdev, mem, offset);

	faults = vtd_read(&s->edu, VTDT_FAULTS) - faults;
	TEST_ASSERT(faults == !reached, "gpa %#llx: %s, and %llu faults",
		    mem->gpa + offset, reached ? "reached" : "blocked", faults);
	return reached;
}

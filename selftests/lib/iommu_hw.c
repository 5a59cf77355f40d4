// SPDX-License-Identifier: GPL-2.0-only
/* Looks into the IOMMU itself, AMD's or Intel's: a device's entry, and faults. */
#include "amd_iommu.h"
#include "intel_iommu.h"
#include "iommu_hw.h"
#include "test_util.h"

enum iommu_hw iommu_hw(void)
{
	if (amd_iommu_exists())
		return IOMMU_HW_AMD;
	return intel_iommu_exists() ? IOMMU_HW_INTEL : IOMMU_HW_NONE;
}

static bool is_intel(void)
{
	enum iommu_hw hw = iommu_hw();

	TEST_ASSERT(hw != IOMMU_HW_NONE, "no IOMMU in debugfs");
	return hw == IOMMU_HW_INTEL;
}

bool iommu_hw_rights_are_one(void)
{
	return is_intel();
}

const struct iommu_driver *iommu_driver(void)
{
	static const struct iommu_driver amd = {
		.sync = "amd_iommu_iotlb_sync",
		.flush_all = "amd_iommu_flush_iotlb_all",
		.flush = "amd_iommu_domain_flush_pages",
	}, intel = {
		.sync = "intel_iommu_tlb_sync",
		.flush_all = "intel_flush_iotlb_all",
		.flush = "cache_tag_flush_iotlb",
	};

	return is_intel() ? &intel : &amd;
}

void iommu_entry_read(const char *bdf, struct iommu_entry *entry)
{
	memset(entry, 0, sizeof(*entry));
	if (is_intel())
		intel_entry_read(bdf, entry);
	else
		amd_entry_read(bdf, entry);
}

__u64 iommu_events_mark(void)
{
	return is_intel() ? intel_faults() : amd_events_mark();
}

unsigned int iommu_events_since(__u64 mark)
{
	return is_intel() ? intel_faults() - mark : amd_events_since(mark);
}

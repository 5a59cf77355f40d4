// SPDX-License-Identifier: GPL-2.0-only
/* What tests do less of on the Intel bench, whose emulator is slow. */
#include "iommu_hw.h"
#include "slow_host.h"

bool host_is_slow(void)
{
	return iommu_hw() == IOMMU_HW_INTEL;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Has the AMD IOMMU driver behave as on bare metal. Emulated AMD IOMMUs say
 * NpCache; the driver then flushes after each map and cuts flushes into aligned
 * pieces, which would be measured as the cost of either table. QEMU's IOTLB
 * holds nothing that is not present, so that it works without as well.
 *
 *	insmod np_cache_off.ko flag=0xADDRESS	of amd_iommu_np_cache
 */
#include <linux/init.h>
#include <linux/module.h>

static unsigned long flag;
module_param(flag, ulong, 0);
MODULE_PARM_DESC(flag, "address of amd_iommu_np_cache, from /proc/kallsyms");

static int __init np_cache_off_init(void)
{
	bool *np_cache = (bool *)flag;

	if (!np_cache || !*np_cache)
		return -ENODEV;
	WRITE_ONCE(*np_cache, false);
	return 0;
}
module_init(np_cache_off_init);

MODULE_DESCRIPTION("Takes NpCache from the AMD IOMMU driver");
MODULE_LICENSE("GPL");

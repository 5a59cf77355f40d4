// SPDX-License-Identifier: GPL-2.0-only
/* Looks into an AMD IOMMU: device-table entries and its event log. */
#include <linux/bits.h>

#include "amd_iommu.h"
#include "sysfile.h"
#include "test_util.h"

#define AMD_DEBUGFS	DEBUGFS "/iommu/amd"

#define DTE_V		BIT_ULL(0)
#define DTE_TV		BIT_ULL(1)
#define DTE_MODE_SHIFT	9
#define DTE_MODE_MASK	0x7

#define REG_EVENT_BASE	0x0010
#define REG_EVENT_TAIL	0x2018
#define EVENT_SIZE	16
#define LOG_LEN_SHIFT	56	/* in EVENT_BASE: log2 of the entries */
#define LOG_LEN_MASK	0xf

#define EVENT_POLLS	50
#define EVENT_POLL_US	1000

bool amd_iommu_exists(void)
{
	return !access(AMD_DEBUGFS "/devtbl", R_OK);
}

void amd_dte_read(const char *bdf, struct amd_dte *dte)
{
	char text[1024], *line;
	__u64 *q = dte->q;

	TEST_ASSERT(sysfile_write(AMD_DEBUGFS "/devid", bdf) &&
		    sysfile_read(AMD_DEBUGFS "/devtbl", text, sizeof(text)),
		    "no AMD IOMMU debugfs, or %s is not behind the IOMMU", bdf);

	/* A heading, then: BDF QWORD[3] QWORD[2] QWORD[1] QWORD[0] iommuN */
	line = strchr(text, '\n');
	TEST_ASSERT(line && sscanf(line, "%*s %llx %llx %llx %llx", &q[3],
				   &q[2], &q[1], &q[0]) == 4,
		    "cannot parse devtbl: %s", text);
}

void amd_entry_read(const char *bdf, struct iommu_entry *entry)
{
	struct amd_dte dte;

	amd_dte_read(bdf, &dte);
	entry->translates = (dte.q[0] & DTE_V) && (dte.q[0] & DTE_TV);
	if (!entry->translates)
		return;
	entry->levels = (dte.q[0] >> DTE_MODE_SHIFT) & DTE_MODE_MASK;
	entry->root = dte.q[0] & DTE_ROOT_MASK;
	entry->domain = dte.q[1] & DTE_DOMAIN_MASK;
}

/* Of the first IOMMU, which the emulated machine has one of. */
static __u64 mmio_read(unsigned int offset)
{
	char text[128], *value;

	snprintf(text, sizeof(text), "0x%x", offset);
	TEST_ASSERT(sysfile_write(AMD_DEBUGFS "/iommu00/mmio", text) &&
		    sysfile_read(AMD_DEBUGFS "/iommu00/mmio", text,
				 sizeof(text)), "no AMD IOMMU debugfs");
	value = strstr(text, "Value:");
	TEST_ASSERT(value, "cannot parse mmio: %s", text);
	return strtoull(value + strlen("Value:"), NULL, 16);
}

__u64 amd_events_mark(void)
{
	return mmio_read(REG_EVENT_TAIL) / EVENT_SIZE;
}

unsigned int amd_events_since(__u64 mark)
{
	__u64 len = 1ULL << ((mmio_read(REG_EVENT_BASE) >> LOG_LEN_SHIFT) &
			     LOG_LEN_MASK);
	unsigned int n = 0;
	int i;

	for (i = 0; i < EVENT_POLLS && !n; i++) {
		if (i)
			usleep(EVENT_POLL_US);
		n = (amd_events_mark() + len - mark) % len;
	}
	return n;
}

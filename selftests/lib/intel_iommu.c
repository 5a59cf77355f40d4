// SPDX-License-Identifier: GPL-2.0-only
/* Looks into an Intel IOMMU: context and PASID-table entries, faults. */
#include <linux/bits.h>
#include <linux/io.h>
#include <linux/pci_regs.h>
#include <sys/mman.h>

#include "bochs/regs.h"
#include "edu.h"
#include "intel_iommu.h"
#include "sysfile.h"
#include "test_util.h"

#define INTEL_ENTRIES	DEBUGFS "/iommu/intel/dmar_translation_struct"
#define PCI_DEVICES	"/sys/bus/pci/devices"

#define NOT_SCALABLE	-1	/* what is printed as PASID in legacy mode */
#define NO_PASID	0	/* requests without one have it in scalable mode */

#define ROOT_MASK	GENMASK_ULL(51, 12)
#define AW_LEVELS	2	/* address width 1 is 3 levels */
#define FIRST_LEVELS	4	/* FSPM 0; 1 is one more */

/* One line of the file: a context entry, and one of its PASID-table entries. */
struct line {
	char bdf[16];
	int pasid;
	__u64 context_hi, context_lo;
	__u64 q2, q1, q0;
};

bool intel_iommu_exists(void)
{
	return !access(INTEL_ENTRIES, R_OK);
}

static unsigned int field(__u64 word, unsigned int shift, __u64 mask)
{
	return word >> shift & mask;
}

static void read_context(const struct line *l, struct iommu_entry *entry)
{
	entry->translates = field(l->context_lo, 2, 3) < 2; /* 2: pass-through */
	if (!entry->translates)
		return;
	entry->levels = field(l->context_hi, 0, 7) + AW_LEVELS;
	entry->root = l->context_lo & ROOT_MASK;
	entry->domain = field(l->context_hi, 8, 0xffff);
}

/* Of two stages the second one, which has physical addresses. */
static void read_pasid_entry(const struct line *l, struct iommu_entry *entry)
{
	entry->domain = field(l->q1, 0, 0xffff);
	switch (field(l->q0, 6, 7)) {
	case 1:
		entry->levels = field(l->q2, 2, 3) + FIRST_LEVELS;
		entry->root = l->q2 & ROOT_MASK;
		break;
	case 2:
	case 3:
		entry->levels = field(l->q0, 2, 7) + AW_LEVELS;
		entry->root = l->q0 & ROOT_MASK;
		break;
	default:
		entry->domain = 0;
		return;
	}
	entry->translates = true;
}

/*
 * B.D.F, root entry, context entry, PASID, PASID-table entry, each with its high
 * words first. Only what is present is there.
 */
static bool parse(const char *text, struct line *l)
{
	return sscanf(text,
		      "%15s %*x:%*x %llx:%llx %d %llx:%llx:%llx", l->bdf,
		      &l->context_hi, &l->context_lo, &l->pasid, &l->q2, &l->q1,
		      &l->q0) == 7;
}

void intel_entry_read(const char *bdf, struct iommu_entry *entry)
{
	const char *in_bus = strchr(bdf, ':') + 1;
	char text[256];
	struct line l;
	FILE *f;

	f = fopen(INTEL_ENTRIES, "r");
	TEST_ASSERT(f, "open " INTEL_ENTRIES);
	while (fgets(text, sizeof(text), f)) {
		if (!parse(text, &l) || strcmp(l.bdf, in_bus))
			continue;
		if (l.pasid == NOT_SCALABLE)
			read_context(&l, entry);
		else if (l.pasid == NO_PASID)
			read_pasid_entry(&l, entry);
	}
	fclose(f);
}

static void *map_edu(char *bdf)
{
	char path[128];
	void *bar;
	int fd;

	TEST_ASSERT(vfio_dev_find(bdf, EDU_VENDOR, EDU_DEVICE, 0), "no edu");
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/resource0", bdf);
	fd = open(path, O_RDWR | O_CLOEXEC);
	TEST_ASSERT(fd >= 0, "open %s", path);
	bar = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   0);
	TEST_ASSERT(bar != MAP_FAILED, "mmap %s", path);
	close(fd);
	return bar;
}

/* VFIO leaves a device that nobody has open without it. */
static void enable_memory(const char *bdf)
{
	char path[128];
	__u16 command;
	int fd;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/config", bdf);
	fd = open(path, O_RDWR | O_CLOEXEC);
	TEST_ASSERT(fd >= 0, "open %s", path);
	TEST_ASSERT(pread(fd, &command, 2, PCI_COMMAND) == 2, "read %s", path);
	command |= PCI_COMMAND_MEMORY;
	TEST_ASSERT(pwrite(fd, &command, 2, PCI_COMMAND) == 2, "write %s", path);
	close(fd);
}

__u64 intel_faults(void)
{
	static char bdf[BDF_LEN];
	static void *bar;
	__u64 faults;

	if (!bar)
		bar = map_edu(bdf);
	faults = readq(bar + VTDT_FAULTS);
	if (faults == ~0ULL) {
		enable_memory(bdf);
		faults = readq(bar + VTDT_FAULTS);
	}
	TEST_ASSERT(faults != ~0ULL, "%s does not count faults", bdf);
	return faults;
}

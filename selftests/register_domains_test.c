// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommufd maps a device's registers (a dma-buf of VFIO's) as registers, with
 * IOMMU_MMIO, in each domain of an IOAS:
 *
 * 1. in the first, when the range is mapped;
 * 2. in a second one, which is filled while the first has the range already;
 * 3. and memory beside them as memory (control).
 *
 * What iommu_map() and iommu_map_pfns() are told is seen by kprobes.
 *
 * bench: --append kvm.share_iommu_tdp=0
 */
#include <sys/ioctl.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>

#include "edu.h"
#include "guest_mem.h"
#include "iommufd.h"
#include "tap.h"
#include "testdev.h"
#include "trace.h"

/* A batch of pages goes by the second; the stock kernel has the first alone. */
#define PROBE		"iommu_map"
#define DEFINITION	"iommu_map iova=%si:x64 prot=%r8:x32"
#define PROBE_PFNS	"iommu_map_pfns"
#define DEFINITION_PFNS	"iommu_map_pfns iova=%si:x64 prot=%cx:x32"
#define PROT_MMIO	BIT(4)	/* include/linux/iommu.h's IOMMU_MMIO */
#define MEM_IOVA	SIZE_1G
#define BAR_IOVA	(2 * SIZE_1G)
#define MAX_EVENTS	64

static int registers_dma_buf(struct vfio_dev *dev)
{
	struct {
		struct vfio_device_feature feature;
		struct vfio_device_feature_dma_buf dma_buf;
		struct vfio_region_dma_range range;
	} __packed get = {
		.feature = {
			.argsz = sizeof(get),
			.flags = VFIO_DEVICE_FEATURE_GET |
				 VFIO_DEVICE_FEATURE_DMA_BUF,
		},
		.dma_buf = {
			.region_index = VFIO_PCI_BAR0_REGION_INDEX,
			.open_flags = O_RDWR | O_CLOEXEC,
			.nr_ranges = 1,
		},
		.range = { .length = dev->bar_size },
	};
	int fd = ioctl(dev->fd, VFIO_DEVICE_FEATURE, &get);

	if (fd < 0)
		tap_skip_case("VFIO gives no dma-buf: %s", strerror(errno));
	return fd;
}

/* Of what was mapped since trace_record(): all registers, and no memory. */
static void expect_mapped_as_they_are(const char *where)
{
	static struct trace_event events[MAX_EVENTS];
	unsigned int registers = 0, memory = 0;
	size_t i, n = trace_stop(events, MAX_EVENTS);

	for (i = 0; i < n; i++) {
		__u64 iova = trace_field(&events[i], "iova");
		bool mmio = trace_field(&events[i], "prot") & PROT_MMIO;
		bool bar = iova >= BAR_IOVA;

		TEST_ASSERT(mmio == bar, "%s: %s at %#llx mapped as %s", where,
			    bar ? "registers" : "memory", iova,
			    mmio ? "registers" : "memory");
		registers += bar;
		memory += !bar;
	}
	TEST_ASSERT(registers && memory, "%s: %u maps of registers, %u of memory",
		    where, registers, memory);
}

static void both_domains(void)
{
	struct iommu_ioas_map_file file = {
		.size = sizeof(file),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOAS_MAP_RW,
		.iova = BAR_IOVA,
	};
	struct vfio_dev dev, edu;
	bool pfns;
	char bdf[BDF_LEN];
	int iommufd;
	__u32 ioas;
	void *mem;

	if (!trace_kprobe_add(PROBE, DEFINITION))
		tap_skip_case("no kprobe events");
	pfns = trace_kprobe_add(PROBE_PFNS, DEFINITION_PFNS);
	iommufd = iommufd_open();
	ioas = iommufd_ioas_alloc(iommufd);
	TEST_ASSERT(vfio_dev_find(bdf, TESTDEV_VENDOR, TESTDEV_DEVICE, 0),
		    "no iommu-testdev");
	vfio_dev_open(&dev, bdf, iommufd);
	TEST_ASSERT(vfio_dev_find(bdf, EDU_VENDOR, EDU_DEVICE, 0), "no edu");
	vfio_dev_open(&edu, bdf, iommufd);
	vfio_dev_attach(&dev, ioas);
	mem = kvm_mmap(SIZE_4K, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1);

	trace_open();
	trace_enable("tdp/" PROBE);
	if (pfns)
		trace_enable("tdp/" PROBE_PFNS);
	trace_record();
	iommufd_map(iommufd, ioas, MEM_IOVA, mem, SIZE_4K);
	file.ioas_id = ioas;
	file.fd = registers_dma_buf(&edu);
	file.length = edu.bar_size;
	TEST_ASSERT(!ioctl(iommufd, IOMMU_IOAS_MAP_FILE, &file), "MAP_FILE");
	expect_mapped_as_they_are("the first domain");

	trace_record();
	iommufd_hwpt_alloc(iommufd, dev.dev_id, ioas, HWPT_ORDINARY, 0);
	expect_mapped_as_they_are("the second domain");

	trace_close();
	trace_kprobe_remove(PROBE);
	trace_kprobe_remove(PROBE_PFNS);
	close(file.fd);
	vfio_dev_close(&edu);
	vfio_dev_close(&dev);
	close(iommufd);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "registers and memory, in two domains", both_domains },
	};

	__TEST_REQUIRE(!access("/dev/iommu", R_OK | W_OK), "no /dev/iommu");
	return tap_run(cases, ARRAY_SIZE(cases));
}

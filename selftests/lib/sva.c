// SPDX-License-Identifier: GPL-2.0-only
/* Has iommu-dma-test work in this process's address space: modules/sva_bind.c. */
#include <sys/mman.h>

#include "dma_test.h"
#include "module.h"
#include "sva.h"
#include "test_util.h"
#include "vfio_dev.h"

#define DEVICE_NODE	"/dev/sva_bind"
#define BAR_SIZE	4096

bool sva_exists(void)
{
	char bdf[BDF_LEN];

	return module_exists("sva_bind") &&
	       vfio_dev_find(bdf, DMA_TEST_VENDOR, DMA_TEST_DEVICE, 0);
}

/* Away from vfio-pci, which a test before may have bound it to. */
static void bind_driver(void)
{
	char bdf[BDF_LEN];

	if (!access(DEVICE_NODE, F_OK))
		return;
	TEST_ASSERT(vfio_dev_find(bdf, DMA_TEST_VENDOR, DMA_TEST_DEVICE, 0),
		    "no iommu-dma-test");
	module_bind("sva_bind", bdf);
}

void sva_open(struct sva *sva)
{
	module_load("sva_bind");
	bind_driver();
	sva->fd = open(DEVICE_NODE, O_RDWR | O_CLOEXEC);
	TEST_ASSERT(sva->fd >= 0, "open " DEVICE_NODE);
	TEST_ASSERT(read(sva->fd, &sva->pasid, sizeof(sva->pasid)) ==
		    sizeof(sva->pasid), "read the PASID");
	sva->bar = mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			sva->fd, 0);
	TEST_ASSERT(sva->bar != MAP_FAILED, "mmap BAR 0");
}

/* The mapping holds the file open too, and with it the binding. */
void sva_close(struct sva *sva)
{
	munmap(sva->bar, BAR_SIZE);
	close(sva->fd);
}

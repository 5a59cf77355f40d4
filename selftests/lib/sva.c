// SPDX-License-Identifier: GPL-2.0-only
/* Has iommu-dma-test work in this process's address space: modules/sva_bind.c. */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "dma_test.h"
#include "sva.h"
#include "sysfile.h"
#include "test_util.h"
#include "vfio_dev.h"

#define PCI_DEVICES	"/sys/bus/pci/devices"
#define DEVICE_NODE	"/dev/sva_bind"
#define BAR_SIZE	4096

/* scripts/boot says in bench.tree= which kernel tree it booted. */
static bool module_path(char *path, size_t size)
{
	char cmdline[4096], *tree;

	if (!sysfile_read("/proc/cmdline", cmdline, sizeof(cmdline)))
		return false;
	tree = strstr(cmdline, "bench.tree=");
	if (!tree)
		return false;
	tree += strlen("bench.tree=");
	tree[strcspn(tree, "\n ")] = '\0';
	snprintf(path, size, "/share/modules/%s/sva_bind.ko", tree);
	return !access(path, F_OK);
}

bool sva_exists(void)
{
	char path[256], bdf[BDF_LEN];

	return module_path(path, sizeof(path)) &&
	       vfio_dev_find(bdf, DMA_TEST_VENDOR, DMA_TEST_DEVICE, 0);
}

static void load_module(void)
{
	char path[256];
	int fd;

	TEST_ASSERT(module_path(path, sizeof(path)), "no sva_bind.ko");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	TEST_ASSERT(fd >= 0, "open %s", path);
	TEST_ASSERT(!syscall(SYS_finit_module, fd, "", 0) || errno == EEXIST,
		    "load %s", path);
	close(fd);
}

/* Away from vfio-pci, which a test before may have bound it to. */
static void bind_driver(void)
{
	char path[128], bdf[BDF_LEN];

	if (!access(DEVICE_NODE, F_OK))
		return;
	TEST_ASSERT(vfio_dev_find(bdf, DMA_TEST_VENDOR, DMA_TEST_DEVICE, 0),
		    "no iommu-dma-test");
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver_override", bdf);
	TEST_ASSERT(sysfile_write(path, "sva_bind"), "write %s", path);
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver/unbind", bdf);
	sysfile_write(path, bdf);
	sysfile_write("/sys/bus/pci/drivers_probe", bdf);
}

void sva_open(struct sva *sva)
{
	load_module();
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

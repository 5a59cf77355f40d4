// SPDX-License-Identifier: GPL-2.0-only
/* Loads modules of selftests/modules, which belong to the kernel that was booted. */
#include <sys/syscall.h>

#include "module.h"
#include "sysfile.h"
#include "test_util.h"

#define PCI_DEVICES	"/sys/bus/pci/devices"

/* scripts/boot says in bench.tree= which kernel tree it booted. */
static bool module_path(char *path, size_t size, const char *name)
{
	char cmdline[4096], *tree;

	if (!sysfile_read("/proc/cmdline", cmdline, sizeof(cmdline)))
		return false;
	tree = strstr(cmdline, "bench.tree=");
	if (!tree)
		return false;
	tree += strlen("bench.tree=");
	tree[strcspn(tree, "\n ")] = '\0';
	snprintf(path, size, "/share/modules/%s/%s.ko", tree, name);
	return !access(path, F_OK);
}

bool module_exists(const char *name)
{
	char path[256];

	return module_path(path, sizeof(path), name);
}

void module_load(const char *name)
{
	char path[256];
	int fd;

	TEST_ASSERT(module_path(path, sizeof(path), name), "no %s.ko", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	TEST_ASSERT(fd >= 0, "open %s", path);
	TEST_ASSERT(!syscall(SYS_finit_module, fd, "", 0) || errno == EEXIST,
		    "load %s", path);
	close(fd);
}

void module_bind(const char *driver, const char *bdf)
{
	char path[128];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver_override", bdf);
	TEST_ASSERT(sysfile_write(path, driver), "write %s", path);
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver/unbind", bdf);
	sysfile_write(path, bdf);
	sysfile_write("/sys/bus/pci/drivers_probe", bdf);
	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/%s", driver, bdf);
	TEST_ASSERT(!access(path, F_OK), "%s does not take %s", driver, bdf);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Reads what KVM says of a VM's shared table, and the module parameter. */
#include "mmu_share.h"
#include "sysfile.h"

#define PARAMETER "/sys/module/kvm/parameters/share_iommu_tdp"

bool mmu_share_read_fd(pid_t pid, int vm_fd, struct mmu_share_info *info)
{
	const struct {
		const char *key;
		__u64 *value;
		int base;
	} fields[] = {
		{ "shared", &info->shared, 10 },
		{ "root", &info->root, 16 },
		{ "root_level", &info->root_level, 10 },
		{ "pinned_bytes", &info->pinned_bytes, 10 },
		{ "leaf_4k", &info->leaf_4k, 10 },
		{ "leaf_2m", &info->leaf_2m, 10 },
		{ "leaf_1g", &info->leaf_1g, 10 },
		{ "table_pages", &info->table_pages, 10 },
		{ "iotlb_flushes", &info->iotlb_flushes, 10 },
		{ "mmio_entries", &info->mmio_entries, 10 },
		{ "common_bytes", &info->common_bytes, 10 },
		{ "cpu_only_bytes", &info->cpu_only_bytes, 10 },
		{ "device_only_bytes", &info->device_only_bytes, 10 },
		{ "shut_to_cpus", &info->shut_to_cpus, 10 },
		{ "opened_to_cpus", &info->opened_to_cpus, 10 },
		{ "conflicts", &info->conflicts, 10 },
	};
	char path[128], text[4096];
	unsigned int i;

	debugfs_mount();
	snprintf(path, sizeof(path), DEBUGFS "/kvm/%d-%d/mmu_share", pid,
		 vm_fd);
	if (!sysfile_read(path, text, sizeof(text)))
		return false;
	memset(info, 0, sizeof(*info));
	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		bool found = text_get(text, fields[i].key, fields[i].base,
				      fields[i].value);

		/* A VM that does not share need not say more than that. */
		TEST_ASSERT(found || (i && !info->shared), "no %s in %s",
			    fields[i].key, path);
	}
	return true;
}

void mmu_share_read(struct kvm_vm *vm, struct mmu_share_info *info)
{
	TEST_ASSERT(mmu_share_read_fd(getpid(), vm->fd, info),
		    "no mmu_share file in the VM's debugfs directory");
}

bool mmu_share_parameter_exists(void)
{
	return !access(PARAMETER, R_OK);
}

bool mmu_share_parameter(void)
{
	char text[16];

	return sysfile_read(PARAMETER, text, sizeof(text)) &&
	       (text[0] == 'Y' || text[0] == '1');
}

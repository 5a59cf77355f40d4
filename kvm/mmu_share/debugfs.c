// SPDX-License-Identifier: GPL-2.0-only
/*
 * The per-VM debugfs file mmu_share: what is shared, and how it is mapped.
 */
#include <linux/debugfs.h>
#include <linux/kvm_host.h>
#include <linux/seq_file.h>

#include "mmu.h"
#include "mmu/tdp_iter.h"
#include "mmu/tdp_mmu.h"
#include "doors.h"
#include "share.h"

/**
 * struct share_census - what is in the shared root
 * @leaf: leaves by level, from 4K on
 * @common: pages that vCPUs and the device find
 * @cpu_only: pages that only vCPUs find
 * @device_only: pages that only the device finds
 * @tables: tables, the root included
 * @mmio: MMIO SPTEs
 */
struct share_census {
	u64 leaf[KVM_NR_PAGE_SIZES];
	u64 common;
	u64 cpu_only;
	u64 device_only;
	u64 tables;
	u64 mmio;
};

static void count_leaf(struct share_census *c, u64 spte, int level)
{
	u64 pages = KVM_PAGES_PER_HPAGE(level);

	c->leaf[level - PG_LEVEL_4K]++;
	if (!spte_is_open_to_device(spte))
		c->cpu_only += pages;
	else if (spte_is_open_to_cpus(spte))
		c->common += pages;
	else
		c->device_only += pages;
}

static void census(struct kvm *kvm, struct kvm_mmu_page *root,
		   struct share_census *c)
{
	gfn_t counted[PT64_ROOT_MAX_LEVEL + 1];
	struct tdp_iter iter;

	c->tables = 1;
	memset(counted, 0xff, sizeof(counted));

	rcu_read_lock();
	for_each_tdp_pte(iter, kvm, root, 0, kvm_mmu_max_gfn() + 1) {
		if (kvm_tdp_mmu_cond_resched(kvm, &iter, false, true))
			continue;

		if (is_mmio_spte(kvm, iter.old_spte))
			c->mmio++;
		else if (!is_shadow_present_pte(iter.old_spte))
			continue;
		else if (is_last_spte(iter.old_spte, iter.level))
			count_leaf(c, iter.old_spte, iter.level);
		else if (counted[iter.level] != iter.gfn)
			c->tables++;
		else
			continue; /* met again on the way down after a yield */
		counted[iter.level] = iter.gfn;
	}
	rcu_read_unlock();
}

static int mmu_share_show(struct seq_file *m, void *unused)
{
	struct share_census c = {};
	struct kvm *kvm = m->private;
	struct kvm_mmu_share *share;
	struct kvm_mmu_page *root;
	u64 shut = 0, opened = 0, conflicts = 0, flushes = 0, pa = 0;
	bool bound = false;
	int level = 0;

	read_lock(&kvm->mmu_lock);
	root = mmu_share_get_root(kvm);
	if (root) {
		share = mmu_share_locked(kvm);
		bound = READ_ONCE(share->sink_ops);
		shut = share->shut_to_cpus;
		opened = atomic64_read(&share->opened_to_cpus);
		conflicts = atomic64_read(&share->conflicts);
		flushes = atomic64_read(&share->flushes);
		/* One that nobody has walked yet is nobody's root. */
		if (bound || share->activated) {
			pa = __pa(root->spt);
			level = root->role.level;
			/* The share may be gone once this has yielded. */
			census(kvm, root, &c);
		}
		kvm_tdp_mmu_put_root(kvm, root);
	}
	read_unlock(&kvm->mmu_lock);

	seq_printf(m, "shared: %d\n", bound);
	seq_printf(m, "root: 0x%llx\n", pa);
	seq_printf(m, "root_level: %d\n", level);
	seq_printf(m, "pinned_bytes: %llu\n",
		   (c.common + c.device_only) << PAGE_SHIFT);
	seq_printf(m, "leaf_4k: %llu\n", c.leaf[0]);
	seq_printf(m, "leaf_2m: %llu\n", c.leaf[1]);
	seq_printf(m, "leaf_1g: %llu\n", c.leaf[2]);
	seq_printf(m, "table_pages: %llu\n", c.tables);
	seq_printf(m, "iotlb_flushes: %llu\n", flushes);
	seq_printf(m, "mmio_entries: %llu\n", c.mmio);
	seq_printf(m, "common_bytes: %llu\n", c.common << PAGE_SHIFT);
	seq_printf(m, "cpu_only_bytes: %llu\n", c.cpu_only << PAGE_SHIFT);
	seq_printf(m, "device_only_bytes: %llu\n", c.device_only << PAGE_SHIFT);
	seq_printf(m, "shut_to_cpus: %llu\n", shut);
	seq_printf(m, "opened_to_cpus: %llu\n", opened);
	seq_printf(m, "conflicts: %llu\n", conflicts);
	return 0;
}

static int mmu_share_open(struct inode *inode, struct file *file)
{
	struct kvm *kvm = inode->i_private;
	int ret;

	if (!kvm_get_kvm_safe(kvm))
		return -ENOENT;

	ret = single_open(file, mmu_share_show, kvm);
	if (ret)
		kvm_put_kvm(kvm);
	return ret;
}

static int mmu_share_release(struct inode *inode, struct file *file)
{
	kvm_put_kvm(inode->i_private);
	return single_release(inode, file);
}

static const struct file_operations mmu_share_fops = {
	.owner = THIS_MODULE,
	.open = mmu_share_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = mmu_share_release,
};

/**
 * mmu_share_create_debugfs() - Add the file to a VM's debugfs directory
 * @kvm: the VM; KVM removes the directory with all in it
 *
 * With share_iommu_tdp=0 there is nothing to see.
 *
 * Context: VM creation.
 */
void mmu_share_create_debugfs(struct kvm *kvm)
{
	if (!static_branch_unlikely(&mmu_share_key))
		return;

	debugfs_create_file("mmu_share", 0444, kvm->debugfs_dentry, kvm,
			    &mmu_share_fops);
}

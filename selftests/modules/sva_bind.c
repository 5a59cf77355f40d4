// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lets a process have an iommu-dma-test work in its own address space. There is no
 * other way to ask for that: iommu_sva_bind_device() is for drivers.
 *
 * Each open of /dev/sva_bind binds the caller's mm until the file is closed. Reading
 * gives the PASID, 4 bytes; mmap gives BAR 0.
 */
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/uaccess.h>

#define SVA_BIND_VENDOR	0x1234
#define SVA_BIND_DEVICE	0x11e9

/* The one device. Files hold the module, and sysfs's unbind waits for nobody. */
static struct pci_dev *sva_pdev;

static int sva_bind_open(struct inode *inode, struct file *file)
{
	struct iommu_sva *handle;

	handle = iommu_sva_bind_device(&sva_pdev->dev, current->mm);
	if (IS_ERR(handle))
		return PTR_ERR(handle);
	file->private_data = handle;
	return 0;
}

static int sva_bind_release(struct inode *inode, struct file *file)
{
	iommu_sva_unbind_device(file->private_data);
	return 0;
}

static ssize_t sva_bind_read(struct file *file, char __user *buf, size_t len,
			     loff_t *pos)
{
	u32 pasid = iommu_sva_get_pasid(file->private_data);

	if (len < sizeof(pasid))
		return -EINVAL;
	if (copy_to_user(buf, &pasid, sizeof(pasid)))
		return -EFAULT;
	return sizeof(pasid);
}

static int sva_bind_mmap(struct file *file, struct vm_area_struct *vma)
{
	return vm_iomap_memory(vma, pci_resource_start(sva_pdev, 0),
			       pci_resource_len(sva_pdev, 0));
}

static const struct file_operations sva_bind_fops = {
	.owner = THIS_MODULE,
	.open = sva_bind_open,
	.release = sva_bind_release,
	.read = sva_bind_read,
	.mmap = sva_bind_mmap,
};

static struct miscdevice sva_bind_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "sva_bind",
	.fops = &sva_bind_fops,
};

static int sva_bind_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int r;

	if (sva_pdev)
		return -EBUSY;
	r = pcim_enable_device(pdev);
	if (r)
		return r;
	pci_set_master(pdev);
	sva_pdev = pdev;
	r = misc_register(&sva_bind_misc);
	if (r)
		sva_pdev = NULL;
	return r;
}

static void sva_bind_remove(struct pci_dev *pdev)
{
	misc_deregister(&sva_bind_misc);
	pci_clear_master(pdev);
	sva_pdev = NULL;
}

static const struct pci_device_id sva_bind_ids[] = {
	{ PCI_DEVICE(SVA_BIND_VENDOR, SVA_BIND_DEVICE) },
	{ }
};

static struct pci_driver sva_bind_driver = {
	.name = "sva_bind",
	.id_table = sva_bind_ids,
	.probe = sva_bind_probe,
	.remove = sva_bind_remove,
};
module_pci_driver(sva_bind_driver);

MODULE_DESCRIPTION("Binds a process to iommu-dma-test");
MODULE_LICENSE("GPL");

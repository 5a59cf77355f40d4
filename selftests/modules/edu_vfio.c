// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vfio-pci variant driver for QEMU's edu, which can be migrated with it: no
 * emulated device has such a driver. For tests.
 *
 * What goes along are the registers. The device's buffer of 4 KiB does not, because
 * nothing but the device's own DMA reads it: whoever works on the device has to do
 * a transfer anew that was between two of its steps. There is no pre-copy, and what
 * the device writes to memory is tracked by the IOMMU.
 */
#include <linux/anon_inodes.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/uaccess.h>
#include <linux/vfio_pci_core.h>

#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8

#define EDU_REG_CHECK	0x04	/* reads as the inverse of what is written */
#define EDU_REG_STATUS	0x20
#define EDU_REG_SRC	0x80
#define EDU_REG_DST	0x88
#define EDU_REG_COUNT	0x90
#define EDU_REG_CMD	0x98
#define EDU_CMD_RUN	0x1

#define EDU_DMA_MS	2000	/* a transfer takes 100 */

/* The data of a stop-copy. */
struct edu_state {
	__le32 check;
	__le32 status;
	__le64 src;
	__le64 dst;
	__le64 count;
};

/**
 * struct edu_transfer - one transfer of that data
 * @lock: protects the rest
 * @file: what user space reads from or writes to; it and the device hold it
 * @ended: the device is in another state by now
 * @done: how much of @data
 * @data: what is read, or was written
 */
struct edu_transfer {
	struct mutex lock; /* see above */
	struct file *file;
	bool ended;
	size_t done;
	struct edu_state data;
};

/**
 * struct edu_vfio - one device
 * @core: VFIO's
 * @lock: protects the rest
 * @state: where it is
 * @transfer: in STOP_COPY and RESUMING
 */
struct edu_vfio {
	struct vfio_pci_core_device core;
	struct mutex lock; /* see above */
	enum vfio_device_mig_state state;
	struct edu_transfer *transfer;
};

static struct edu_vfio *to_edu(struct vfio_device *vdev)
{
	return container_of(vdev, struct edu_vfio, core.vdev);
}

/* QEMU gives the destination its configuration space later than its state. */
static u16 enable_memory(struct edu_vfio *edu)
{
	u16 command;

	pci_read_config_word(edu->core.pdev, PCI_COMMAND, &command);
	pci_write_config_word(edu->core.pdev, PCI_COMMAND,
			      command | PCI_COMMAND_MEMORY);
	return command;
}

/* vCPUs have stopped: nobody starts another transfer. */
static int wait_for_dma(void __iomem *bar)
{
	int left;

	for (left = EDU_DMA_MS; left; left--) {
		if (!(readq(bar + EDU_REG_CMD) & EDU_CMD_RUN))
			return 0;
		usleep_range(1000, 1500);
	}
	return -EIO;
}

static int with_registers(struct edu_vfio *edu,
			  int (*work)(struct edu_vfio *edu, void __iomem *bar))
{
	void __iomem *bar = vfio_pci_core_get_iomap(&edu->core, 0);
	u16 command;
	int ret;

	if (IS_ERR(bar))
		return PTR_ERR(bar);
	down_write(&edu->core.memory_lock);
	command = enable_memory(edu);
	ret = work(edu, bar);
	pci_write_config_word(edu->core.pdev, PCI_COMMAND, command);
	up_write(&edu->core.memory_lock);
	return ret;
}

static int stop(struct edu_vfio *edu, void __iomem *bar)
{
	return wait_for_dma(bar);
}

static int save(struct edu_vfio *edu, void __iomem *bar)
{
	edu->transfer->data = (struct edu_state) {
		.check = cpu_to_le32(~readl(bar + EDU_REG_CHECK)),
		.status = cpu_to_le32(readl(bar + EDU_REG_STATUS)),
		.src = cpu_to_le64(readq(bar + EDU_REG_SRC)),
		.dst = cpu_to_le64(readq(bar + EDU_REG_DST)),
		.count = cpu_to_le64(readq(bar + EDU_REG_COUNT)),
	};
	return 0;
}

static int load(struct edu_vfio *edu, void __iomem *bar)
{
	struct edu_state *data = &edu->transfer->data;

	if (edu->transfer->done != sizeof(*data))
		return -EINVAL;
	writel(le32_to_cpu(data->check), bar + EDU_REG_CHECK);
	writel(le32_to_cpu(data->status), bar + EDU_REG_STATUS);
	writeq(le64_to_cpu(data->src), bar + EDU_REG_SRC);
	writeq(le64_to_cpu(data->dst), bar + EDU_REG_DST);
	writeq(le64_to_cpu(data->count), bar + EDU_REG_COUNT);
	return 0;
}

static ssize_t edu_file_read(struct file *file, char __user *buf, size_t len,
			     loff_t *pos)
{
	struct edu_transfer *t = file->private_data;

	guard(mutex)(&t->lock);
	if (t->ended)
		return -ENODEV;
	len = min(len, sizeof(t->data) - t->done);
	if (copy_to_user(buf, (void *)&t->data + t->done, len))
		return -EFAULT;
	t->done += len;
	return len;
}

static ssize_t edu_file_write(struct file *file, const char __user *buf,
			      size_t len, loff_t *pos)
{
	struct edu_transfer *t = file->private_data;

	guard(mutex)(&t->lock);
	if (t->ended)
		return -ENODEV;
	if (len > sizeof(t->data) - t->done)
		return -ENOSPC;
	if (copy_from_user((void *)&t->data + t->done, buf, len))
		return -EFAULT;
	t->done += len;
	return len;
}

static int edu_file_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

static const struct file_operations edu_save_fops = {
	.owner = THIS_MODULE,
	.read = edu_file_read,
	.release = edu_file_release,
};

static const struct file_operations edu_load_fops = {
	.owner = THIS_MODULE,
	.write = edu_file_write,
	.release = edu_file_release,
};

/* The device's transfer, and a reference to its file for user space. */
static struct file *begin_transfer(struct edu_vfio *edu,
				   const struct file_operations *fops, int flags)
{
	struct edu_transfer *t;

	t = kzalloc_obj(*t, GFP_KERNEL_ACCOUNT);
	if (!t)
		return ERR_PTR(-ENOMEM);
	mutex_init(&t->lock);
	t->file = anon_inode_getfile("edu-migration", fops, t, flags);
	if (IS_ERR(t->file)) {
		struct file *err = t->file;

		kfree(t);
		return err;
	}
	stream_open(t->file->f_inode, t->file);
	edu->transfer = t;
	return get_file(t->file);
}

/* User space may keep its file, which is of no use any more. */
static void end_transfer(struct edu_vfio *edu)
{
	struct edu_transfer *t = edu->transfer;

	if (!t)
		return;
	scoped_guard(mutex, &t->lock)
		t->ended = true;
	edu->transfer = NULL;
	fput(t->file);
}

/* One arc of VFIO's state machine. A file, NULL for none, or an ERR_PTR(). */
static struct file *step(struct edu_vfio *edu, enum vfio_device_mig_state next)
{
	enum vfio_device_mig_state now = edu->state;
	struct file *file;
	int ret = 0;

	if (now == VFIO_DEVICE_STATE_RUNNING && next == VFIO_DEVICE_STATE_STOP)
		return ERR_PTR(with_registers(edu, stop));
	if (now == VFIO_DEVICE_STATE_STOP && next == VFIO_DEVICE_STATE_RUNNING)
		return NULL;

	if (now == VFIO_DEVICE_STATE_STOP &&
	    next == VFIO_DEVICE_STATE_STOP_COPY) {
		file = begin_transfer(edu, &edu_save_fops, O_RDONLY);
		if (IS_ERR(file))
			return file;
		ret = with_registers(edu, save);
		if (!ret)
			return file;
		fput(file);
		end_transfer(edu);
		return ERR_PTR(ret);
	}
	if (now == VFIO_DEVICE_STATE_STOP && next == VFIO_DEVICE_STATE_RESUMING)
		return begin_transfer(edu, &edu_load_fops, O_WRONLY);

	if (next != VFIO_DEVICE_STATE_STOP)
		return ERR_PTR(-EINVAL);
	if (now == VFIO_DEVICE_STATE_RESUMING)
		ret = with_registers(edu, load);
	end_transfer(edu);
	return ERR_PTR(ret);
}

static struct file *edu_set_state(struct vfio_device *vdev,
				  enum vfio_device_mig_state wanted)
{
	struct edu_vfio *edu = to_edu(vdev);
	enum vfio_device_mig_state next;
	struct file *file = NULL;
	int ret;

	guard(mutex)(&edu->lock);

	while (edu->state != wanted) {
		ret = vfio_mig_get_next_state(vdev, edu->state, wanted, &next);
		if (ret)
			return ERR_PTR(ret);
		file = step(edu, next);
		if (IS_ERR(file))
			return file;
		edu->state = next;
		if (WARN_ON(file && edu->state != wanted)) {
			fput(file);
			return ERR_PTR(-EINVAL);
		}
	}
	return file;
}

static int edu_get_state(struct vfio_device *vdev,
			 enum vfio_device_mig_state *state)
{
	struct edu_vfio *edu = to_edu(vdev);

	guard(mutex)(&edu->lock);
	*state = edu->state;
	return 0;
}

static int edu_get_data_size(struct vfio_device *vdev, unsigned long *len)
{
	*len = sizeof(struct edu_state);
	return 0;
}

static const struct vfio_migration_ops edu_migration_ops = {
	.migration_set_state = edu_set_state,
	.migration_get_state = edu_get_state,
	.migration_get_data_size = edu_get_data_size,
};

static void restart(struct edu_vfio *edu)
{
	guard(mutex)(&edu->lock);
	end_transfer(edu);
	edu->state = VFIO_DEVICE_STATE_RUNNING;
}

/* Also after a reset by the guest. */
static void edu_reset_done(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);

	restart(container_of(core, struct edu_vfio, core));
}

static int edu_init(struct vfio_device *vdev)
{
	struct edu_vfio *edu = to_edu(vdev);

	mutex_init(&edu->lock);
	vdev->migration_flags = VFIO_MIGRATION_STOP_COPY;
	vdev->mig_ops = &edu_migration_ops;
	return vfio_pci_core_init_dev(vdev);
}

static int edu_open_device(struct vfio_device *vdev)
{
	struct edu_vfio *edu = to_edu(vdev);
	int ret;

	ret = vfio_pci_core_enable(&edu->core);
	if (ret)
		return ret;
	restart(edu);
	vfio_pci_core_finish_enable(&edu->core);
	return 0;
}

static void edu_close_device(struct vfio_device *vdev)
{
	restart(to_edu(vdev));
	vfio_pci_core_close_device(vdev);
}

static const struct vfio_device_ops edu_ops = {
	.name = "edu-vfio-pci",
	.init = edu_init,
	.release = vfio_pci_core_release_dev,
	.open_device = edu_open_device,
	.close_device = edu_close_device,
	.ioctl = vfio_pci_core_ioctl,
	.get_region_info_caps = vfio_pci_ioctl_get_region_info,
	.device_feature = vfio_pci_core_ioctl_feature,
	.read = vfio_pci_core_read,
	.write = vfio_pci_core_write,
	.mmap = vfio_pci_core_mmap,
	.request = vfio_pci_core_request,
	.match = vfio_pci_core_match,
	.match_token_uuid = vfio_pci_core_match_token_uuid,
	.bind_iommufd = vfio_iommufd_physical_bind,
	.unbind_iommufd = vfio_iommufd_physical_unbind,
	.attach_ioas = vfio_iommufd_physical_attach_ioas,
	.detach_ioas = vfio_iommufd_physical_detach_ioas,
};

static const struct vfio_pci_device_ops edu_pci_ops = {
	.get_dmabuf_phys = vfio_pci_core_get_dmabuf_phys,
};

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu_vfio *edu;
	int ret;

	edu = vfio_alloc_device(edu_vfio, core.vdev, &pdev->dev, &edu_ops);
	if (IS_ERR(edu))
		return PTR_ERR(edu);
	dev_set_drvdata(&pdev->dev, &edu->core);
	edu->core.pci_ops = &edu_pci_ops;
	ret = vfio_pci_core_register_device(&edu->core);
	if (ret)
		vfio_put_device(&edu->core.vdev);
	return ret;
}

static void edu_remove(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);

	vfio_pci_core_unregister_device(core);
	vfio_put_device(&core->vdev);
}

static const struct pci_device_id edu_ids[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(EDU_VENDOR, EDU_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, edu_ids);

static const struct pci_error_handlers edu_error_handlers = {
	.reset_done = edu_reset_done,
	.error_detected = vfio_pci_core_aer_err_detected,
};

static struct pci_driver edu_driver = {
	.name = "edu_vfio",
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
	.err_handler = &edu_error_handlers,
	.driver_managed_dma = true,
};
module_pci_driver(edu_driver);

MODULE_DESCRIPTION("vfio-pci for QEMU's edu, with migration");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM hands its devices over to its successor and exits: IOAS_CHANGE_PROCESS,
 * then the successor adds the devices' files, still bound, to a VM of its own.
 *
 * 1. The list of VMs has the IOAS by the process that it belongs to now, which is
 *    the control as well: it was shared by the old VM.
 * 2. The devices go over to the new VM's table, with the last of them, and DMA
 *    reaches the same memory all the time; nothing of the old VM is left.
 * 3. The new VM obeys orders.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <linux/iommufd.h>

#include "auto_vm.h"
#include "dma_page.h"
#include "iommu_hw.h"
#include "kvm_vfio.h"
#include "mmu_share.h"
#include "tap.h"

#define MEM_SIZE	(2 * SIZE_2M)
#define DEVICES		2

struct parts {
	int memfd;
	int iommufd;
	__u32 ioas;
	struct vfio_dev devs[DEVICES];
};

/* What each of the processes has for itself. */
struct vmm {
	int vm;
	int kvm_vfio;
	struct guest_mem mem;
};

static void create_vm(struct vmm *v, int memfd)
{
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = GPA_HIGH,
		.memory_size = MEM_SIZE,
	};
	int kvm = open_kvm_dev_path_or_exit();

	v->mem.gpa = GPA_HIGH;
	v->mem.size = MEM_SIZE;
	v->mem.hva = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			  memfd, 0);
	TEST_ASSERT(v->mem.hva != MAP_FAILED, "mmap");
	memset(v->mem.hva, 0, MEM_SIZE);
	region.userspace_addr = (unsigned long)v->mem.hva;
	v->vm = ioctl(kvm, KVM_CREATE_VM, 0);
	TEST_ASSERT(v->vm >= 0, "KVM_CREATE_VM");
	close(kvm);
	TEST_ASSERT(!ioctl(v->vm, KVM_SET_USER_MEMORY_REGION, &region),
		    "memslot");
	v->kvm_vfio = kvm_vfio_create(v->vm);
}

static void map_memfd(struct parts *p)
{
	struct iommu_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = IOAS_MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = p->ioas,
		.fd = p->memfd,
		.length = MEM_SIZE,
		.iova = GPA_HIGH,
	};

	TEST_ASSERT(!ioctl(p->iommufd, IOMMU_IOAS_MAP_FILE, &cmd), "MAP_FILE");
}

static void __noreturn be_the_old_vmm(struct parts *p, int fd)
{
	struct vmm v;
	__u32 id;
	int i;

	create_vm(&v, p->memfd);
	p->ioas = iommufd_ioas_alloc(p->iommufd);
	map_memfd(p);
	for (i = 0; i < DEVICES; i++) {
		vfio_dev_bind(&p->devs[i], p->iommufd, v.kvm_vfio);
		vfio_dev_attach(&p->devs[i], p->ioas);
	}
	vmm_wait_shared(getpid(), AUTO_VM_SECONDS);
	for (i = 0; i < DEVICES; i++)
		dma_expect_reached(&p->devs[i], &v.mem, true);
	id = p->ioas;
	TEST_ASSERT(write(fd, &id, sizeof(id)) == sizeof(id), "pipe");
	for (;;)
		pause();
}

static __u64 device_root(struct vfio_dev *dev)
{
	struct iommu_entry entry;

	iommu_entry_read(dev->bdf, &entry);
	TEST_ASSERT(entry.translates, "%s is not translated", dev->bdf);
	return entry.root;
}

static void handed_over(void)
{
	struct iommu_ioas_change_process change = { .size = sizeof(change) };
	struct vmm_share_status st;
	struct parts p = { 0 };
	int fds[2], status, i;
	char bdf[BDF_LEN];
	struct vmm v;
	__u64 old;
	pid_t pid;

	p.memfd = memfd_create("guest", 0);
	TEST_ASSERT(p.memfd >= 0 && !ftruncate(p.memfd, MEM_SIZE), "memfd");
	p.iommufd = iommufd_open();
	for (i = 0; i < DEVICES; i++) {
		TEST_ASSERT(vfio_dev_find(bdf, TESTDEV_VENDOR, TESTDEV_DEVICE,
					  i), "no iommu-testdev");
		vfio_dev_open_file(&p.devs[i], bdf);
	}
	TEST_ASSERT(!pipe(fds), "pipe");
	pid = fork();
	TEST_ASSERT(pid >= 0, "fork");
	if (!pid)
		be_the_old_vmm(&p, fds[1]);
	close(fds[1]);
	TEST_ASSERT(read(fds[0], &p.ioas, sizeof(p.ioas)) == sizeof(p.ioas),
		    "the old VMM died");
	TEST_ASSERT(vmm_share_status(pid, &st) && st.shared, "not shared");
	TEST_ASSERT(!vmm_share_status(getpid(), &st), "listed: %s", st.line);
	old = device_root(&p.devs[0]);

	TEST_ASSERT(!ioctl(p.iommufd, IOMMU_IOAS_CHANGE_PROCESS, &change),
		    "IOAS_CHANGE_PROCESS");
	TEST_ASSERT(!vmm_share_status(pid, &st), "the old VMM: %s", st.line);
	TEST_ASSERT(vmm_share_status(getpid(), &st), "not listed");
	kill(pid, SIGKILL);
	TEST_ASSERT(waitpid(pid, &status, 0) == pid, "waitpid");

	create_vm(&v, p.memfd);
	for (i = 0; i < DEVICES; i++) {
		vfio_dev_take_over(&p.devs[i], v.kvm_vfio);
		dma_expect_reached(&p.devs[0], &v.mem, true);
	}
	vmm_wait_shared(getpid(), AUTO_VM_SECONDS);
	for (i = 0; i < DEVICES; i++) {
		TEST_ASSERT_EQ(device_root(&p.devs[i]), vmm_kvm_root(getpid()));
		TEST_ASSERT(device_root(&p.devs[i]) != old, "the old root");
		dma_expect_reached(&p.devs[i], &v.mem, true);
	}

	vmm_share_control(getpid(), "off");
	vmm_wait_private(getpid(), "off", AUTO_VM_SECONDS);
	TEST_ASSERT(device_root(&p.devs[0]) != vmm_kvm_root(getpid()), "off");
	dma_expect_reached(&p.devs[1], &v.mem, true);

	close(v.kvm_vfio);
	for (i = 0; i < DEVICES; i++)
		vfio_dev_close(&p.devs[i]);
	close(p.iommufd);
	close(v.vm);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "devices go over to the next VMM's VM", handed_over },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM's table is for devices of the VM's own process. Another one that has a
 * descriptor of the VM, and none of its memory, gets EPERM: it reaches nothing,
 * and takes nothing from the VM's own process.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include <sys/wait.h>

#include "auto_vm.h"
#include "dma_page.h"
#include "refusal.h"
#include "tap.h"

static int ask_for_table(struct share_vm *s, int vm_fd, __u32 *hwpt)
{
	return __iommufd_hwpt_alloc(s->iommufd, s->edu.dev_id, s->ioas,
				    IOMMU_HWPT_ALLOC_KVM_TDP, vm_fd, hwpt);
}

/* A device, an IOAS, and no VM. */
static void open_device(struct share_vm *s, unsigned int index)
{
	char bdf[BDF_LEN];

	s->iommufd = iommufd_open();
	s->ioas = iommufd_ioas_alloc(s->iommufd);
	TEST_ASSERT(vfio_dev_find(bdf, EDU_VENDOR, EDU_DEVICE, index), "no edu");
	vfio_dev_open(&s->edu, bdf, s->iommufd);
}

static void close_device(struct share_vm *s)
{
	vfio_dev_close(&s->edu);
	close(s->iommufd);
}

/* In the other process; it has the same descriptors, by fork(). */
static void ask_in_vain(int vm_fd, unsigned int index)
{
	struct refusal_watch w;
	struct share_vm s;
	__u32 hwpt;

	open_device(&s, index);
	refusal_watch_start(&w);
	refusal_expect(&w, ask_for_table(&s, vm_fd, &hwpt), EPERM);

	/* It is not for want of a VM of its own that the device has no table. */
	hwpt = iommufd_hwpt_alloc(s.iommufd, s.edu.dev_id, s.ioas,
				  HWPT_ORDINARY, 0);
	vfio_dev_attach(&s.edu, hwpt);
	close_device(&s);
}

static void in_another_process(int vm_fd, unsigned int index)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	TEST_ASSERT(pid >= 0, "fork");
	if (!pid) {
		ask_in_vain(vm_fd, index);
		fflush(NULL);
		_exit(0);
	}
	TEST_ASSERT(waitpid(pid, &status, 0) == pid, "waitpid");
	TEST_ASSERT(!status, "the other process failed: %#x", status);
}

static void explicit_hwpt(void)
{
	struct guest_mem mem;
	struct share_vm s;
	__u32 hwpt;

	share_vm_create_bare(&s, 64);
	close(s.iommufd);
	guest_mem_add(&mem, s.vm, TEST_SLOT, BACKING_4K, GPA_HIGH, SIZE_2M);
	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, 1);
	in_another_process(s.vm->fd, 0);

	/* Control: the same descriptor, in its own process. */
	open_device(&s, 0);
	TEST_ASSERT_EQ(ask_for_table(&s, s.vm->fd, &hwpt), 0);
	vfio_dev_attach(&s.edu, hwpt);
	close_device(&s);
	kvm_vm_free(s.vm);
}

/* Its own process's HWPT shares by itself, and goes on. */
static void shares_by_itself(void)
{
	struct vmm_share_status before, after;
	struct auto_vm a;
	char bdf[BDF_LEN];

	if (!vfio_dev_find(bdf, EDU_VENDOR, EDU_DEVICE, 1))
		tap_skip_case("no second edu");
	auto_vm_create(&a);
	before = auto_vm_status();
	in_another_process(a.s.vm->fd, 1);
	after = auto_vm_status();
	TEST_ASSERT_EQ(after.to_private, before.to_private);
	auto_vm_expect_shared(&a);

	/* Control: asked for by its own process it steps aside. */
	iommufd_destroy(a.s.iommufd,
			iommufd_hwpt_alloc(a.s.iommufd, a.s.edu.dev_id,
					   a.s.ioas, HWPT_SHARED, a.s.vm->fd));
	after = auto_vm_status();
	TEST_ASSERT_EQ(vmm_share_triggers(&after, "claim"), 1);
	auto_vm_wait_shared(&a);
	auto_vm_destroy(&a);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "another process asks for the VM's table: EPERM",
		  explicit_hwpt },
		{ "it asks while the VM shares by itself: EPERM, that goes on",
		  shares_by_itself },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

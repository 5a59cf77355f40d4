// SPDX-License-Identifier: GPL-2.0-only
/*
 * VM, iommufd and device may be closed in any order, or all at once when the
 * process is killed. Nothing breaks, and nothing stays: that the objects and
 * pins are gone, and that the kernel has not complained, is checked after
 * every case by tap_run().
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include <sys/wait.h>

#include "aftermath.h"
#include "iommu_hw.h"
#include "mmu_share.h"
#include "share_vm.h"
#include "tap.h"

#define TEST_SIZE	(8 * SIZE_2M)
#define SEED		0x11fe

static void setup(struct share_vm *s, struct guest_mem *mem)
{
	share_vm_create(s, HWPT_SHARED);
	share_vm_add_mem(s, mem, BACKING_4K, GPA_HIGH, TEST_SIZE);
	guest_fill(s->vcpus[0], mem->gpa, mem->size, SIZE_4K, SEED);
}

static void expect_dma_works(struct share_vm *s, struct guest_mem *mem)
{
	guest_mem_fill(mem, 0, SIZE_4K, SEED);
	guest_mem_fill(mem, SIZE_4K, SIZE_4K, ~SEED);
	edu_copy(&s->edu, mem->gpa + SIZE_4K, mem->gpa, SIZE_4K);
	TEST_ASSERT_EQ(guest_mem_diff(mem, SIZE_4K, SIZE_4K, 0, SEED), 0);
}

/* Its file descriptors, not its memory: that is what the process maps. */
static void close_vm(struct share_vm *s)
{
	kvm_vm_release(s->vm);
}

static void close_iommufd(struct share_vm *s)
{
	close(s->iommufd);
}

static void close_device(struct share_vm *s)
{
	vfio_dev_close(&s->edu);
}

typedef void (*close_fn)(struct share_vm *s);

static void close_in_order(close_fn first, close_fn second, close_fn third)
{
	struct leak_counts before;
	struct guest_mem mem;
	struct share_vm s;

	leak_counts_read(&before);
	setup(&s, &mem);
	first(&s);
	second(&s);
	third(&s);
	expect_all_freed(&before);
}

static void vm_iommufd_device(void)
{
	close_in_order(close_vm, close_iommufd, close_device);
}

static void vm_device_iommufd(void)
{
	close_in_order(close_vm, close_device, close_iommufd);
}

static void iommufd_vm_device(void)
{
	close_in_order(close_iommufd, close_vm, close_device);
}

static void iommufd_device_vm(void)
{
	close_in_order(close_iommufd, close_device, close_vm);
}

static void device_vm_iommufd(void)
{
	close_in_order(close_device, close_vm, close_iommufd);
}

static void device_iommufd_vm(void)
{
	close_in_order(close_device, close_iommufd, close_vm);
}

/* The domain holds the VM's table: closing the VM takes nothing from it. */
static void dma_after_vm_is_closed(void)
{
	struct guest_mem mem;
	struct share_vm s;

	setup(&s, &mem);
	expect_dma_works(&s, &mem);
	close_vm(&s);
	expect_dma_works(&s, &mem);
	close_device(&s);
	close_iommufd(&s);
}

/* Unmapped by the host while the device may use it: the pins keep it. */
static void dma_after_munmap(void)
{
	struct guest_mem mem;
	struct share_vm s;
	__u64 mark;

	setup(&s, &mem);
	expect_dma_works(&s, &mem);
	TEST_ASSERT(!munmap(mem.hva, mem.size), "munmap");

	/* Nobody is left to see the data, but the IOMMU must not object. */
	mark = iommu_events_mark();
	edu_copy(&s.edu, mem.gpa + SIZE_4K, mem.gpa, SIZE_4K);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
	close_vm(&s);
	close_device(&s);
	close_iommufd(&s);
}

/* SIGKILL with DMA and a vCPU running: the kernel picks the order. */
static void killed_at_work(void)
{
	struct guest_loop loop = { .len = TEST_SIZE, .step = SIZE_4K };
	struct guest_mem mem;
	struct share_vm s;
	int status;
	pid_t pid;

	pid = fork();
	TEST_ASSERT(pid >= 0, "fork");
	if (!pid) {
		setup(&s, &mem);
		loop.vcpu = s.vcpus[1];
		loop.gpa = mem.gpa;
		guest_loop_start(&loop);
		for (;;)
			edu_copy(&s.edu, mem.gpa + SIZE_4K, mem.gpa, SIZE_4K);
	}
	sleep(2);
	TEST_ASSERT(!kill(pid, SIGKILL) && waitpid(pid, &status, 0) == pid,
		    "kill or waitpid");
	TEST_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		    "the child ended by itself: %#x", status);
}

/* Several HWPTs of several IOASes may share with one VM, one after another. */
static void many_times(void)
{
	struct guest_mem mem;
	struct share_vm s;
	int i;

	setup(&s, &mem);
	for (i = 0; i < 10; i++) {
		vfio_dev_detach(&s.edu);
		iommufd_destroy(s.iommufd, s.hwpt);
		share_vm_attach(&s, HWPT_SHARED);
	}
	expect_dma_works(&s, &mem);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "closed in the order VM, iommufd, device", vm_iommufd_device },
		{ "closed in the order VM, device, iommufd", vm_device_iommufd },
		{ "closed in the order iommufd, VM, device", iommufd_vm_device },
		{ "closed in the order iommufd, device, VM", iommufd_device_vm },
		{ "closed in the order device, VM, iommufd", device_vm_iommufd },
		{ "closed in the order device, iommufd, VM", device_iommufd_vm },
		{ "the device keeps its memory when the VM is closed",
		  dma_after_vm_is_closed },
		{ "the device's memory outlives the process's mapping of it",
		  dma_after_munmap },
		{ "the process is killed while DMA and a vCPU run",
		  killed_at_work },
		{ "a share is made and dropped ten times", many_times },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

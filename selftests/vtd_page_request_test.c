// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stock kernel on the Intel bench: a device asks for pages (PRI), user space
 * answers by iommufd's fault object.
 *
 * 1. A request comes with address, permissions, group and the device's id.
 * 2. The device gets the answer: its code and its group; not before it is given.
 * 3. After memory was mapped and success answered the same DMA is not blocked
 *    (control: before that it was). After "invalid" it still is.
 *
 * bench: --bench intel --kernel stock --vtd 'mode=scalable nest=1 ats=1 pri=1 pasid=1'
 */
#include <poll.h>
#include <sys/ioctl.h>

#include "tap.h"
#include "vtd_model.h"

#define WAIT_MS		2000
#define QUIET_MS	50

struct fault_vm {
	struct share_vm s;
	struct guest_mem mem;
	int fault_fd;
};

static void create(struct fault_vm *v)
{
	struct iommu_fault_alloc fault = { .size = sizeof(fault) };
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_HWPT_FAULT_ID_VALID |
			 IOMMU_HWPT_ALLOC_DIRTY_TRACKING, /* a second stage */
	};

	share_vm_create_detached(&v->s);
	TEST_ASSERT(!ioctl(v->s.iommufd, IOMMU_FAULT_QUEUE_ALLOC, &fault),
		    "FAULT_QUEUE_ALLOC");
	v->fault_fd = fault.out_fault_fd;
	cmd.dev_id = v->s.edu.dev_id;
	cmd.pt_id = v->s.ioas;
	cmd.fault_id = fault.out_fault_id;
	TEST_ASSERT(!ioctl(v->s.iommufd, IOMMU_HWPT_ALLOC, &cmd),
		    "HWPT_ALLOC with a fault object");
	v->s.hwpt = cmd.out_hwpt_id;
	vfio_dev_attach(&v->s.edu, v->s.hwpt);
	guest_mem_add(&v->mem, v->s.vm, TEST_SLOT, BACKING_4K, GPA_LOW,
		      SIZE_2M);
}

static void destroy(struct fault_vm *v)
{
	vfio_dev_detach(&v->s.edu);
	close(v->fault_fd);
	share_vm_destroy(&v->s);
}

static bool readable(struct fault_vm *v, int ms)
{
	struct pollfd p = { .fd = v->fault_fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

static void ask(struct fault_vm *v, __u64 iova, unsigned int group,
		struct iommu_hwpt_pgfault *fault)
{
	TEST_ASSERT(!readable(v, 0), "a request that nobody made");
	vtd_write(&v->s.edu, VTDT_PRG, group);
	vtd_write(&v->s.edu, VTDT_PRQ,
		  iova | VTDT_WANT_READ | VTDT_WANT_WRITE);
	TEST_ASSERT(readable(v, WAIT_MS), "no request came");
	TEST_ASSERT_EQ(read(v->fault_fd, fault, sizeof(*fault)),
		       sizeof(*fault));
	TEST_ASSERT_EQ(fault->addr, iova);
	TEST_ASSERT_EQ(fault->grpid, group);
	TEST_ASSERT_EQ(fault->dev_id, v->s.edu.dev_id);
	TEST_ASSERT_EQ(fault->perm, IOMMU_PGFAULT_PERM_READ |
				    IOMMU_PGFAULT_PERM_WRITE);
	TEST_ASSERT(fault->flags & IOMMU_PGFAULT_FLAGS_LAST_PAGE,
		    "not the last of its group");
}

static void answer(struct fault_vm *v, struct iommu_hwpt_pgfault *fault,
		   __u32 code)
{
	struct iommu_hwpt_page_response r = {
		.cookie = fault->cookie,
		.code = code,
	};
	__u64 had = vtd_read(&v->s.edu, VTDT_RESPONSES);
	int i;

	usleep(QUIET_MS * 1000);
	TEST_ASSERT_EQ(vtd_read(&v->s.edu, VTDT_RESPONSES), had);
	TEST_ASSERT_EQ(write(v->fault_fd, &r, sizeof(r)), sizeof(r));
	for (i = 0; i < WAIT_MS; i++) {
		if (vtd_read(&v->s.edu, VTDT_RESPONSES) != had)
			break;
		usleep(1000);
	}
	TEST_ASSERT_EQ(vtd_read(&v->s.edu, VTDT_RESPONSES), had + 1);
	TEST_ASSERT_EQ(vtd_read(&v->s.edu, VTDT_RESPONSE_CODE), code);
	TEST_ASSERT_EQ(vtd_read(&v->s.edu, VTDT_RESPONSE_PRG), fault->grpid);
}

static bool device_reaches(struct fault_vm *v)
{
	__u64 faults = vtd_read(&v->s.edu, VTDT_FAULTS);

	edu_store(&v->s.edu, v->mem.gpa, 64);
	return vtd_read(&v->s.edu, VTDT_FAULTS) == faults;
}

static void mapped_on_request(void)
{
	struct iommu_hwpt_pgfault fault;
	struct fault_vm v;

	create(&v);
	TEST_ASSERT(!device_reaches(&v), "reached before it is mapped");
	ask(&v, v.mem.gpa, 5, &fault);
	share_vm_map(&v.s, &v.mem);
	answer(&v, &fault, IOMMUFD_PAGE_RESP_SUCCESS);
	TEST_ASSERT(device_reaches(&v), "mapped, and blocked");
	destroy(&v);
}

static void refused(void)
{
	struct iommu_hwpt_pgfault fault;
	struct fault_vm v;

	create(&v);
	ask(&v, v.mem.gpa, 6, &fault);
	answer(&v, &fault, IOMMUFD_PAGE_RESP_INVALID);
	TEST_ASSERT(!device_reaches(&v), "reached, and never mapped");
	destroy(&v);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "a page is requested, mapped, and the device told",
		  mapped_on_request },
		{ "a request is answered with \"invalid\"", refused },
	};

	vtd_require();
	__TEST_REQUIRE(vtd_is_scalable(), "needs scalable mode");
	return tap_run(cases, ARRAY_SIZE(cases));
}

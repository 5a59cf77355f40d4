// SPDX-License-Identifier: GPL-2.0-only
/* What holds in every boot that can't share: the flag is refused, no more. */
#include "no_sharing.h"
#include "refusal.h"

#define SEED 0x0ff

void no_sharing_refused(struct share_vm *s, int err)
{
	struct refusal_watch w;
	__u32 hwpt;
	int r;

	share_vm_create_detached(s);
	refusal_watch_start(&w);
	r = __iommufd_hwpt_alloc(s->iommufd, s->edu.dev_id, s->ioas,
				 IOMMU_HWPT_ALLOC_KVM_TDP, s->vm->fd, &hwpt);
	refusal_expect(&w, r, err);
}

void no_sharing_ordinary_works(void)
{
	struct guest_mem mem;
	struct share_vm s;

	share_vm_create(&s, HWPT_ORDINARY);
	share_vm_add_mem(&s, &mem, BACKING_4K, GPA_HIGH, SIZE_2M);
	guest_fill(s.vcpus[0], mem.gpa, SIZE_4K, 8, SEED);
	edu_copy(&s.edu, mem.gpa + SIZE_4K, mem.gpa, SIZE_4K);
	TEST_ASSERT_EQ(guest_diff(s.vcpus[1], mem.gpa + SIZE_4K, SIZE_4K, 8,
				  mem.gpa, SEED), 0);
	share_vm_destroy(&s);
}

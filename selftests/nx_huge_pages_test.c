// SPDX-License-Identifier: GPL-2.0-only
/*
 * The NX huge page mitigation zaps what it splits, so that it and a shared
 * table exclude each other, whichever comes first.
 */
#include "refusal.h"
#include "share_vm.h"
#include "tap.h"

#define PARAMETER "/sys/module/kvm/parameters/nx_huge_pages"

static int set_nx_huge_pages(const char *value)
{
	int fd = open(PARAMETER, O_WRONLY);
	int r = 0;

	TEST_ASSERT(fd >= 0, "open %s", PARAMETER);
	if (write(fd, value, strlen(value)) < 0)
		r = -errno;
	close(fd);
	return r;
}

static void not_switched_on_while_shared(void)
{
	struct refusal_watch w;
	struct share_vm s;

	share_vm_create(&s, HWPT_SHARED);
	refusal_watch_start(&w);
	refusal_expect(&w, set_nx_huge_pages("force"), EBUSY);
	TEST_ASSERT_EQ(set_nx_huge_pages("off"), 0);
	share_vm_destroy(&s);
}

static void not_shared_while_on(void)
{
	struct refusal_watch w;
	struct share_vm s;
	__u32 hwpt;
	int r;

	share_vm_create_detached(&s);
	TEST_ASSERT_EQ(set_nx_huge_pages("force"), 0);
	refusal_watch_start(&w);
	r = __iommufd_hwpt_alloc(s.iommufd, s.edu.dev_id, s.ioas,
				 IOMMU_HWPT_ALLOC_KVM_TDP, s.vm->fd, &hwpt);
	TEST_ASSERT_EQ(set_nx_huge_pages("off"), 0);
	refusal_expect(&w, r, EPERM);

	/* And with the mitigation off again all is well. */
	share_vm_attach(&s, HWPT_SHARED);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "not switched on while a VM shares: EBUSY",
		  not_switched_on_while_shared },
		{ "no share while it is on: EPERM", not_shared_while_on },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

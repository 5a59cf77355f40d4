// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM as a module is not unloaded while a device walks a VM's table, though
 * nothing but the HWPT may hold that VM. When the HWPT has gone it is, and a
 * share is refused until KVM is loaded again.
 *
 * Runs where kvm and kvm_amd are modules, which lie in /run/modules.
 */
#include <sys/syscall.h>

#include "aftermath.h"
#include "refusal.h"
#include "share_vm.h"
#include "sysfile.h"
#include "tap.h"

#define MODULES		"/run/modules"
#define PARAMETERS	"share_iommu_tdp=1 share_iommu_tdp_check=1"
#define TEST_SIZE	(2 * SIZE_2M)
#define SEED		0x30d
#define TRIES		500
#define TRY_US		10000

static int unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

static bool is_loaded(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", name);
	return !access(path, F_OK);
}

static void insert(const char *file, const char *parameters)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	TEST_ASSERT(fd >= 0, "open %s", file);
	TEST_ASSERT(!syscall(SYS_finit_module, fd, parameters, 0),
		    "%s does not load", file);
	close(fd);
}

static void load_kvm(void)
{
	insert(MODULES "/kvm.ko", PARAMETERS);
	insert(MODULES "/kvm-amd.ko", "");
}

/* The vendor's module is what a VM holds, and it holds kvm. */
static void expect_not_unloaded(const char *when)
{
	int r = unload("kvm_amd");

	TEST_ASSERT(r == -EWOULDBLOCK, "%s kvm_amd is unloaded: %s", when,
		    strerror(-r));
	r = unload("kvm");
	TEST_ASSERT(r == -EWOULDBLOCK, "%s kvm is unloaded: %s", when,
		    strerror(-r));
	TEST_ASSERT(is_loaded("kvm_amd") && is_loaded("kvm"), "unloaded");
}

/* The last reference may go a moment after what held it. */
static void unload_soon(const char *name)
{
	int i, r;

	for (i = 0; i < TRIES; i++) {
		r = unload(name);
		if (r != -EWOULDBLOCK)
			break;
		usleep(TRY_US);
	}
	TEST_ASSERT(!r && !is_loaded(name), "%s is not unloaded: %s", name,
		    strerror(-r));
}

static void expect_unloaded(void)
{
	unload_soon("kvm_amd");
	unload_soon("kvm");
}

static void expect_copy(struct share_vm *s, struct guest_mem *mem)
{
	guest_mem_fill(mem, 0, SIZE_4K, SEED);
	guest_mem_fill(mem, SIZE_2M, SIZE_4K, ~SEED);
	edu_copy(&s->edu, mem->gpa + SIZE_2M, mem->gpa, SIZE_4K);
	TEST_ASSERT_EQ(guest_mem_diff(mem, SIZE_2M, SIZE_4K, 0, SEED), 0);
}

static void not_while_in_use(void)
{
	struct leak_counts before;
	struct guest_mem mem;
	struct share_vm s;

	leak_counts_read(&before);
	share_vm_create(&s, HWPT_SHARED);
	share_vm_add_mem(&s, &mem, BACKING_4K, GPA_HIGH, TEST_SIZE);
	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, SEED);
	expect_not_unloaded("with a VM open");

	/* From here on the HWPT alone holds the VM. */
	kvm_vm_release(s.vm);
	expect_not_unloaded("with a HWPT on a VM");
	expect_copy(&s, &mem);

	vfio_dev_close(&s.edu);
	close(s.iommufd);
	expect_all_freed(&before);
	expect_unloaded();

	load_kvm();
	expect_fresh_share_works();
}

static void refused_while_unloaded(void)
{
	struct refusal_watch watch;
	struct vfio_dev edu;
	int iommufd, null, r;
	char bdf[BDF_LEN];
	__u32 ioas, hwpt;

	iommufd = iommufd_open();
	ioas = iommufd_ioas_alloc(iommufd);
	TEST_ASSERT(vfio_dev_find(bdf, EDU_VENDOR, EDU_DEVICE, 0), "no edu");
	vfio_dev_open(&edu, bdf, iommufd);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	TEST_ASSERT(null >= 0, "open /dev/null");

	/* Control: with KVM it is the descriptor that is wrong. */
	refusal_watch_start(&watch);
	r = __iommufd_hwpt_alloc(iommufd, edu.dev_id, ioas,
				 IOMMU_HWPT_ALLOC_KVM_TDP, null, &hwpt);
	refusal_expect(&watch, r, EBADF);

	expect_unloaded();
	refusal_watch_start(&watch);
	r = __iommufd_hwpt_alloc(iommufd, edu.dev_id, ioas,
				 IOMMU_HWPT_ALLOC_KVM_TDP, null, &hwpt);
	refusal_expect(&watch, r, ENODEV);
	hwpt = iommufd_hwpt_alloc(iommufd, edu.dev_id, ioas, HWPT_ORDINARY, -1);
	vfio_dev_attach(&edu, hwpt);

	load_kvm();
	vfio_dev_close(&edu);
	close(iommufd);
	close(null);
	expect_fresh_share_works();
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "KVM is not unloaded while a HWPT holds a VM",
		  not_while_in_use },
		{ "without KVM a share is refused: ENODEV",
		  refused_while_unloaded },
	};

	__TEST_REQUIRE(is_loaded("kvm_amd"), "kvm_amd is no module");
	__TEST_REQUIRE(!access(MODULES "/kvm.ko", R_OK), "no " MODULES);
	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

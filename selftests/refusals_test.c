// SPDX-License-Identifier: GPL-2.0-only
/*
 * What cannot be shared is refused: with an errno of its own for each reason,
 * a line in the kernel's log, and nothing left behind. After each refusal the
 * same objects are used for something that must work.
 *
 * Refusals that need another boot: parameter_off_test, tdp_mmu_off_test. A/D
 * bits cannot be off on AMD: KUnit tests that one.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include "dma_check.h"
#include "fd_pass.h"
#include "iommufd_dirty.h"
#include "mmu_share.h"
#include "mock_iommu.h"
#include "processor.h"
#include "refusal.h"
#include "share_vm.h"
#include "tap.h"

#define TEST_SIZE	SIZE_2M

static int alloc_shared(struct share_vm *s, __u32 flags, int kvm_fd)
{
	__u32 hwpt;

	return __iommufd_hwpt_alloc(s->iommufd, s->edu.dev_id, s->ioas,
				    flags | IOMMU_HWPT_ALLOC_KVM_TDP, kvm_fd,
				    &hwpt);
}

/* The control of every refused allocation. */
static void expect_sharing_works(struct share_vm *s)
{
	share_vm_attach(s, HWPT_SHARED);
	share_vm_destroy(s);
}

static void not_a_vm(void)
{
	struct refusal_watch w;
	struct share_vm s;
	int fds[5], i;

	share_vm_create_detached(&s);
	fds[0] = -1;
	fds[1] = open("/dev/null", O_RDWR);
	fds[2] = s.vm->kvm_fd;
	fds[3] = s.vcpus[0]->fd;
	fds[4] = s.iommufd;
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		refusal_watch_start(&w);
		refusal_expect(&w, alloc_shared(&s, 0, fds[i]), EBADF);
	}
	close(fds[1]);
	expect_sharing_works(&s);
}

/*
 * The child's VM lives on in the file that it sent, without a process.
 * lifetime_processes_test has one whose process lives.
 */
static void vm_of_dead_process(void)
{
	struct refusal_watch w;
	struct share_vm s;
	int vm_fd;

	vm_fd = fd_from_child(vm_fd_of_new_vm);
	share_vm_create_detached(&s);
	refusal_watch_start(&w);
	refusal_expect(&w, alloc_shared(&s, 0, vm_fd), EPERM);
	close(vm_fd);
	expect_sharing_works(&s);
}

static void other_flags(void)
{
	static const __u32 flags[] = {
		IOMMU_HWPT_ALLOC_NEST_PARENT,
		IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
		IOMMU_HWPT_FAULT_ID_VALID,
		IOMMU_HWPT_ALLOC_PASID,
	};
	struct refusal_watch w;
	struct share_vm s;
	int i;

	share_vm_create_detached(&s);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		refusal_watch_start(&w);
		refusal_expect(&w, alloc_shared(&s, flags[i], s.vm->fd), EINVAL);
	}
	expect_sharing_works(&s);
}

static void expect_not_shared(struct share_vm *s)
{
	struct mmu_share_info info;

	if (mmu_share_read_fd(getpid(), s->vm->fd, &info))
		TEST_ASSERT_EQ(info.shared, 0);
}

/* KVM's root has one owner; more devices attach to the HWPT that there is. */
/* Control: shared_dirty_test has one that can. */
static void no_dirty_bits(void)
{
	struct refusal_watch w;
	struct share_vm s;

	share_vm_create_detached(&s);
	if (iommufd_can_track(s.iommufd, s.edu.dev_id))
		tap_skip_case("the IOMMU sets dirty bits");
	refusal_watch_start(&w);
	refusal_expect(&w, alloc_shared(&s, IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
					s.vm->fd), ENODATA);
	expect_sharing_works(&s);
}

static void second_hwpt_of_a_vm(void)
{
	struct refusal_watch w;
	struct share_vm s;

	share_vm_create(&s, HWPT_SHARED);
	refusal_watch_start(&w);
	refusal_expect(&w, alloc_shared(&s, 0, s.vm->fd), EBUSY);
	vfio_dev_detach(&s.edu);
	iommufd_destroy(s.iommufd, s.hwpt);
	expect_sharing_works(&s);
}

/* That field was padding that nobody checked: old programs may have any. */
static void fd_without_the_flag(void)
{
	struct share_vm s;
	__u32 hwpt;
	int r;

	share_vm_create_detached(&s);
	r = __iommufd_hwpt_alloc(s.iommufd, s.edu.dev_id, s.ioas, 0, s.vm->fd,
				 &hwpt);
	TEST_ASSERT(!r, "HWPT_ALLOC: %s", strerror(-r));
	vfio_dev_attach(&s.edu, hwpt);
	expect_not_shared(&s);
	share_vm_destroy(&s);
}

static void other_iommu(void)
{
	struct refusal_watch w;
	struct share_vm s;
	__u32 hwpt, dev_id;
	int r;

	share_vm_create_detached(&s);
	if (!mock_iommu_add_device(s.iommufd, s.ioas, &dev_id))
		tap_skip_case("needs CONFIG_IOMMUFD_TEST");
	refusal_watch_start(&w);
	r = __iommufd_hwpt_alloc(s.iommufd, dev_id, s.ioas,
				 IOMMU_HWPT_ALLOC_KVM_TDP, s.vm->fd, &hwpt);
	refusal_expect(&w, r, ENODEV);
	r = __iommufd_hwpt_alloc(s.iommufd, dev_id, s.ioas, 0, 0, &hwpt);
	TEST_ASSERT(!r, "the mock device takes no HWPT at all: %d", r);
	share_vm_destroy(&s);
}

/* A VM with a memslot, and a shared HWPT that nothing is mapped in yet. */
static void setup_map(struct share_vm *s, struct guest_mem *mem)
{
	share_vm_create(s, HWPT_SHARED);
	guest_mem_add(mem, s->vm, TEST_SLOT, BACKING_4K, GPA_HIGH, TEST_SIZE);
}

static void expect_nothing_mapped(struct share_vm *s)
{
	struct mmu_share_info info;

	mmu_share_read(s->vm, &info);
	TEST_ASSERT_EQ(info.pinned_bytes, 0);
	TEST_ASSERT_EQ(info.common_bytes + info.device_only_bytes, 0);
}

/* The control of every refused map. */
static void expect_map_works(struct share_vm *s, struct guest_mem *mem)
{
	expect_nothing_mapped(s);
	share_vm_map(s, mem);
	share_vm_unmap(s, mem);
	share_vm_destroy(s);
}

static int map_rw(struct share_vm *s, __u64 iova, void *va, size_t len)
{
	return __iommufd_map(s->iommufd, s->ioas, IOAS_MAP_RW, iova, va, len);
}

static void other_page(void)
{
	struct refusal_watch w;
	struct guest_mem mem;
	struct share_vm s;
	void *other;

	setup_map(&s, &mem);
	other = kvm_mmap(SIZE_4K, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1);
	refusal_watch_start(&w);
	refusal_expect(&w, map_rw(&s, mem.gpa, other, SIZE_4K), EADDRNOTAVAIL);

	/* The right memory, but shifted by a page. */
	refusal_watch_start(&w);
	refusal_expect(&w, map_rw(&s, mem.gpa, mem.hva + SIZE_4K,
				  mem.size - SIZE_4K), EADDRNOTAVAIL);
	expect_map_works(&s, &mem);
}

/* Memory that the process has twice; the memslot's mapping is not used yet. */
static void *add_aliased_memslot(struct share_vm *s)
{
	vm_userspace_mem_region_add(s->vm, VM_MEM_SRC_SHMEM, GPA_HIGH, TEST_SLOT,
				    TEST_SIZE / SIZE_4K, 0);
	virt_map_level(s->vm, GPA_HIGH, GPA_HIGH, TEST_SIZE, PG_LEVEL_2M);
	return addr_gpa2alias(s->vm, GPA_HIGH);
}

/*
 * It is pages that are compared, not addresses: a second mapping of the same
 * memory will do, until a single page in it is another one.
 */
static void one_other_page_in_an_alias(void)
{
	struct refusal_watch w;
	struct share_vm s;
	void *alias, *page;

	share_vm_create(&s, HWPT_SHARED);
	alias = add_aliased_memslot(&s);
	TEST_ASSERT(!madvise(addr_gpa2hva(s.vm, GPA_HIGH), TEST_SIZE,
			     MADV_POPULATE_WRITE), "MADV_POPULATE_WRITE");
	iommufd_map(s.iommufd, s.ioas, GPA_HIGH, alias, TEST_SIZE);
	iommufd_unmap(s.iommufd, s.ioas, GPA_HIGH, TEST_SIZE);

	page = mmap(alias + TEST_SIZE / 2, SIZE_4K, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	TEST_ASSERT(page != MAP_FAILED, "mmap");
	refusal_watch_start(&w);
	refusal_expect(&w, map_rw(&s, GPA_HIGH, alias, TEST_SIZE),
		       EADDRNOTAVAIL);
	expect_nothing_mapped(&s);

	/* What was mapped before that page was met is taken back. */
	dma_check_write_stopped(&s, GPA_HIGH);
	share_vm_destroy(&s);
}

/* What lies behind a memslot is no reason, other memory behind that is. */
static void range_ends_in_other_memory(void)
{
	struct refusal_watch w;
	struct share_vm s;
	void *va;

	share_vm_create(&s, HWPT_SHARED);
	va = mmap(NULL, 3 * TEST_SIZE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	TEST_ASSERT(va != MAP_FAILED, "mmap");
	vm_set_user_memory_region(s.vm, TEST_SLOT, 0, GPA_HIGH, TEST_SIZE, va);
	vm_set_user_memory_region(s.vm, TEST_SLOT + 1, 0,
				  GPA_HIGH + 2 * TEST_SIZE, SIZE_4K, va);
	refusal_watch_start(&w);
	refusal_expect(&w, map_rw(&s, GPA_HIGH, va, 2 * TEST_SIZE + SIZE_4K),
		       EADDRNOTAVAIL);
	expect_nothing_mapped(&s);
	dma_check_write_stopped(&s, GPA_HIGH);
	dma_check_write_stopped(&s, GPA_HIGH + TEST_SIZE);

	/* Control: up to there the device reaches both. */
	iommufd_map(s.iommufd, s.ioas, GPA_HIGH, va, 2 * TEST_SIZE);
	WRITE_ONCE(*(__u64 *)va, 0x5eed);
	edu_copy(&s.edu, GPA_HIGH + TEST_SIZE, GPA_HIGH, sizeof(__u64));
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)(va + TEST_SIZE)), 0x5eed);
	share_vm_destroy(&s);
}

static int map_with(struct share_vm *s, struct guest_mem *mem, __u32 rights)
{
	return __iommufd_map(s->iommufd, s->ioas, rights, mem->gpa, mem->hva,
			     mem->size);
}

/*
 * The one bit that says that a device may read says KVM that there is a leaf.
 * All other rights that an IOAS gives are the device's, whatever the memslot's.
 */
static void write_only_map(void)
{
	struct refusal_watch w;
	struct guest_mem mem;
	struct share_vm s;

	setup_map(&s, &mem);
	refusal_watch_start(&w);
	refusal_expect(&w, map_with(&s, &mem, IOMMU_IOAS_MAP_WRITEABLE), EACCES);
	expect_map_works(&s, &mem);
}

/* iommufd refuses these two before anyone else sees them. */
static void unaligned(void)
{
	struct refusal_watch w;
	struct guest_mem mem;
	struct share_vm s;
	int r;

	setup_map(&s, &mem);
	refusal_watch_start(&w);
	r = map_rw(&s, mem.gpa + 0x800, mem.hva + 0x800, SIZE_4K);
	refusal_expect_silent(&w, r, EINVAL);
	refusal_watch_start(&w);
	r = map_rw(&s, mem.gpa, mem.hva + 0x800, SIZE_4K);
	refusal_expect_silent(&w, r, EINVAL);
	expect_map_works(&s, &mem);
}

static void over_the_width(void)
{
	struct mmu_share_info info;
	struct refusal_watch w;
	struct guest_mem mem;
	struct share_vm s;
	int r;

	setup_map(&s, &mem);
	mmu_share_read(s.vm, &info);
	refusal_watch_start(&w);
	r = map_rw(&s, 1ULL << (12 + 9 * info.root_level), mem.hva, SIZE_4K);
	refusal_expect_silent(&w, r, EINVAL);
	expect_map_works(&s, &mem);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "not a KVM VM's fd: EBADF", not_a_vm },
		{ "VM of a process that is gone: EPERM", vm_of_dead_process },
		{ "together with another flag: EINVAL", other_flags },
		{ "dirty tracking where the IOMMU sets no D: ENODATA",
		  no_dirty_bits },
		{ "second shared HWPT of a VM: EBUSY", second_hwpt_of_a_vm },
		{ "kvm_fd without the flag is not looked at",
		  fd_without_the_flag },
		{ "device of an IOMMU that cannot: ENODEV", other_iommu },
		{ "map of other memory than the memslot's: EADDRNOTAVAIL",
		  other_page },
		{ "one wrong page in an alias of it: EADDRNOTAVAIL",
		  one_other_page_in_an_alias },
		{ "range that ends in other memory: EADDRNOTAVAIL",
		  range_ends_in_other_memory },
		{ "map that a device may not read: EACCES", write_only_map },
		{ "unaligned map: EINVAL", unaligned },
		{ "map above the table's width: EINVAL", over_the_width },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

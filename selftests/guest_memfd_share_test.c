// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that KVM may take back though the host has pinned it: guest_memfd's,
 * where a hole can be punched at any time. It can't be mapped for a device in a
 * shared HWPT, and so the device never reaches it. vCPUs use it as ever, until a
 * hole takes it. VMs that can have private memory don't share at all.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include <linux/falloc.h>

#include "dma_check.h"
#include "iommu_hw.h"
#include "mmu_share.h"
#include "processor.h"
#include "refusal.h"
#include "tap.h"

#define TEST_SIZE	SIZE_2M
#define GMEM_SLOT	(TEST_SLOT + 1)
#define SEED		0x93e3

struct gmem_vm {
	struct share_vm s;
	struct guest_mem plain;
	struct guest_mem gmem;
	int fd;
};

static void add_gmem(struct gmem_vm *g)
{
	__u64 flags = GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED;
	struct guest_mem *mem = &g->gmem;
	struct kvm_vm *vm = g->s.vm;

	if (!kvm_has_cap(KVM_CAP_GUEST_MEMFD_FLAGS) ||
	    (vm_check_cap(vm, KVM_CAP_GUEST_MEMFD_FLAGS) & flags) != flags)
		tap_skip_case("no guest_memfd that the process can map");

	*mem = (struct guest_mem) {
		.vm = vm, .slot = GMEM_SLOT, .gpa = GPA_LOW, .size = TEST_SIZE,
	};
	g->fd = vm_create_guest_memfd(vm, mem->size, flags);
	mem->hva = mmap(NULL, mem->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			g->fd, 0);
	TEST_ASSERT(mem->hva != MAP_FAILED, "mmap of guest_memfd");
	vm_set_user_memory_region2(vm, mem->slot, KVM_MEM_GUEST_MEMFD, mem->gpa,
				   mem->size, mem->hva, g->fd, 0);
	virt_map_level(vm, mem->gpa, mem->gpa, mem->size, PG_LEVEL_2M);
}

static void setup(struct gmem_vm *g)
{
	share_vm_create_detached(&g->s);
	guest_mem_add(&g->plain, g->s.vm, TEST_SLOT, BACKING_4K, GPA_HIGH,
		      TEST_SIZE);
	share_vm_map(&g->s, &g->plain);
	add_gmem(g);
}

static void teardown(struct gmem_vm *g)
{
	close(g->fd);
	share_vm_destroy(&g->s);
}

static int try_map(struct gmem_vm *g)
{
	return __iommufd_map(g->s.iommufd, g->s.ioas, IOAS_MAP_RW, g->gmem.gpa,
			     g->gmem.hva, g->gmem.size);
}

static void expect_vcpus_use_it(struct gmem_vm *g)
{
	static __u64 seed = SEED;

	seed++;
	guest_fill(g->s.vcpus[0], g->gmem.gpa, g->gmem.size, SIZE_4K, seed);
	TEST_ASSERT_EQ(guest_diff(g->s.vcpus[1], g->gmem.gpa, g->gmem.size,
				  SIZE_4K, g->gmem.gpa, seed), 0);
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)g->gmem.hva),
		       pattern_word(g->gmem.gpa, seed));
}

static void expect_nothing_mapped(struct gmem_vm *g)
{
	struct mmu_share_info info;

	mmu_share_read(g->s.vm, &info);
	TEST_ASSERT_EQ(info.pinned_bytes, g->plain.size);
	dma_check_write_stopped(&g->s, g->gmem.gpa);
}

static void map_is_refused(void)
{
	struct refusal_watch w;
	struct gmem_vm g;

	setup(&g);
	share_vm_attach(&g.s, HWPT_SHARED);
	refusal_watch_start(&w);
	refusal_expect(&w, try_map(&g), EMEDIUMTYPE);
	expect_nothing_mapped(&g);

	/* The pages being there already makes no difference. */
	expect_vcpus_use_it(&g);
	refusal_watch_start(&w);
	refusal_expect(&w, try_map(&g), EMEDIUMTYPE);
	expect_vcpus_use_it(&g);
	dma_check_copies(&g.s, &g.plain, 0, SIZE_4K);
	teardown(&g);
}

static void attach_is_refused(void)
{
	struct refusal_watch w;
	struct gmem_vm g;
	__u32 hwpt;

	setup(&g);
	TEST_ASSERT_EQ(try_map(&g), 0);
	refusal_watch_start(&w);
	refusal_expect(&w, __iommufd_hwpt_alloc(g.s.iommufd, g.s.edu.dev_id,
						g.s.ioas,
						IOMMU_HWPT_ALLOC_KVM_TDP,
						g.s.vm->fd, &hwpt),
		       EMEDIUMTYPE);
	expect_vcpus_use_it(&g);

	/* Without it in the IOAS the same VM shares. */
	share_vm_unmap(&g.s, &g.gmem);
	share_vm_attach(&g.s, HWPT_SHARED);
	dma_check_copies(&g.s, &g.plain, 0, SIZE_4K);
	expect_vcpus_use_it(&g);
	teardown(&g);
}

/* Control: it is the sharing that is refused, not this memory. */
static void ordinary_takes_it(void)
{
	struct gmem_vm g;

	setup(&g);
	share_vm_attach(&g.s, HWPT_ORDINARY);
	TEST_ASSERT_EQ(try_map(&g), 0);
	dma_check_copies(&g.s, &g.gmem, 0, SIZE_4K);
	expect_vcpus_use_it(&g);
	share_vm_unmap(&g.s, &g.gmem);
	teardown(&g);
}

static void punch_hole(struct gmem_vm *g, size_t offset, size_t len)
{
	TEST_ASSERT(!fallocate(g->fd, FALLOC_FL_KEEP_SIZE |
			       FALLOC_FL_PUNCH_HOLE, offset, len), "fallocate");
}

/* The device has it neither before the hole nor in it nor beside it. */
static void hole_is_the_vcpus(void)
{
	struct mmu_share_info before, after;
	struct guest_mem *mem;
	struct gmem_vm g;
	size_t half;

	setup(&g);
	mem = &g.gmem;
	half = mem->size / 2;
	share_vm_attach(&g.s, HWPT_SHARED);
	guest_fill(g.s.vcpus[0], mem->gpa, mem->size, SIZE_4K, SEED);
	expect_nothing_mapped(&g);
	TEST_ASSERT_EQ(guest_diff(g.s.vcpus[1], mem->gpa, mem->size, SIZE_4K,
				  mem->gpa, SEED), 0);
	mmu_share_read(g.s.vm, &before);

	punch_hole(&g, 0, half);
	mmu_share_read(g.s.vm, &after);
	TEST_ASSERT_EQ(after.cpu_only_bytes, before.cpu_only_bytes - half);
	expect_nothing_mapped(&g);

	/* The guest finds new pages there, empty ones; and the old ones beside. */
	TEST_ASSERT_EQ(guest_diff(g.s.vcpus[1], mem->gpa, half, SIZE_4K,
				  mem->gpa, SEED), half / SIZE_4K);
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)mem->hva), 0);
	TEST_ASSERT_EQ(guest_diff(g.s.vcpus[1], mem->gpa + half, half, SIZE_4K,
				  mem->gpa + half, SEED), 0);
	expect_vcpus_use_it(&g);
	expect_nothing_mapped(&g);
	dma_check_write_stopped(&g.s, mem->gpa + half);

	/* Control: what is mapped it reaches. */
	dma_check_copies(&g.s, &g.plain, 0, SIZE_4K);
	teardown(&g);
}

static int try_share(struct share_vm *s, int vm_fd, __u32 *hwpt)
{
	return __iommufd_hwpt_alloc(s->iommufd, s->edu.dev_id, s->ioas,
				    IOMMU_HWPT_ALLOC_KVM_TDP, vm_fd, hwpt);
}

static void protected_vm(void)
{
	struct refusal_watch w;
	struct guest_mem mem;
	struct kvm_vm *vm;
	struct share_vm s;
	__u32 hwpt;

	if (!(kvm_check_cap(KVM_CAP_VM_TYPES) & BIT(KVM_X86_SW_PROTECTED_VM)))
		tap_skip_case("no KVM_X86_SW_PROTECTED_VM");
	share_vm_create_detached(&s);
	vm = vm_create_barebones_type(KVM_X86_SW_PROTECTED_VM);
	refusal_watch_start(&w);
	refusal_expect(&w, try_share(&s, vm->fd, &hwpt), EPROTOTYPE);

	/* Control: an ordinary HWPT serves that VM's memory ... */
	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, GPA_HIGH,
				    TEST_SLOT, TEST_SIZE / SIZE_4K, 0);
	mem = (struct guest_mem) {
		.vm = vm, .slot = TEST_SLOT, .gpa = GPA_HIGH, .size = TEST_SIZE,
		.hva = addr_gpa2hva(vm, GPA_HIGH),
	};
	share_vm_map(&s, &mem);
	share_vm_attach(&s, HWPT_ORDINARY);
	dma_check_copies(&s, &mem, 0, SIZE_4K);
	share_vm_unmap(&s, &mem);
	kvm_vm_free(vm);

	/* ... and a default VM shares, with the same device and IOAS. */
	TEST_ASSERT_EQ(try_share(&s, s.vm->fd, &hwpt), 0);
	share_vm_destroy(&s);
}

static int set_attributes(struct kvm_vm *vm, __u64 gpa, __u64 size,
			  __u64 attributes)
{
	struct kvm_memory_attributes attr = {
		.address = gpa,
		.size = size,
		.attributes = attributes,
	};

	return __vm_ioctl(vm, KVM_SET_MEMORY_ATTRIBUTES, &attr) ? -errno : 0;
}

/* A default VM has no private memory, whether or not it shares. */
static void attributes_change_nothing(void)
{
	struct mmu_share_info before, after;
	struct steady_dma dma;
	struct guest_mem mem;
	struct share_vm s;

	share_vm_create_detached(&s);
	guest_mem_add(&mem, s.vm, TEST_SLOT, BACKING_4K, GPA_HIGH, TEST_SIZE);
	share_vm_map(&s, &mem);
	TEST_ASSERT_EQ(set_attributes(s.vm, mem.gpa, mem.size,
				      KVM_MEMORY_ATTRIBUTE_PRIVATE), -EINVAL);
	share_vm_attach(&s, HWPT_SHARED);
	share_vm_warm_up(&s);
	mmu_share_read(s.vm, &before);
	steady_dma_start(&dma, &s, mem.gpa, mem.hva, mem.size);
	TEST_ASSERT_EQ(set_attributes(s.vm, mem.gpa, mem.size,
				      KVM_MEMORY_ATTRIBUTE_PRIVATE), -EINVAL);
	TEST_ASSERT_EQ(set_attributes(s.vm, mem.gpa, mem.size, 0), 0);
	steady_dma_stop(&dma);
	mmu_share_read(s.vm, &after);
	TEST_ASSERT_EQ(after.pinned_bytes, before.pinned_bytes);
	TEST_ASSERT_EQ(after.leaf_4k, before.leaf_4k);
	TEST_ASSERT_EQ(after.iotlb_flushes, before.iotlb_flushes);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "guest_memfd: IOAS_MAP is refused, EMEDIUMTYPE",
		  map_is_refused },
		{ "guest_memfd: HWPT_ALLOC is refused, EMEDIUMTYPE",
		  attach_is_refused },
		{ "guest_memfd: an ordinary HWPT takes it", ordinary_takes_it },
		{ "guest_memfd: a hole takes it from vCPUs, the device has none",
		  hole_is_the_vcpus },
		{ "KVM_X86_SW_PROTECTED_VM is refused, EPROTOTYPE",
		  protected_vm },
		{ "KVM_SET_MEMORY_ATTRIBUTES changes nothing",
		  attributes_change_nothing },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

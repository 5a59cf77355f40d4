// SPDX-License-Identifier: GPL-2.0-only
/*
 * Features of KVM that touch memory or its tables, used on a VM that shares its
 * table with a device: each works as ever, and DMA goes on.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include <asm/barrier.h>
#include <linux/bitmap.h>

#include "aging.h"
#include "dma_check.h"
#include "iommu_hw.h"
#include "mmu_share.h"
#include "processor.h"
#include "tap.h"

#define TEST_SIZE	(2 * SIZE_2M)
#define TEST_PAGES	(TEST_SIZE / SIZE_4K)
#define SEED		0xfea7
#define EXTRA_PAGES	4096
#define ROUNDS		5

/* The testdev writes the second half, unless a case says something else. */
#define LOAD_AT		SIZE_2M
#define LOAD_LEN	SIZE_2M

/* No memory here, and no host memory at that address either. */
#define MMIO_GPA	(64 * SIZE_1G)

/* Where VMMs put what Intel's vCPUs need, below 4 GiB. */
#define IDENTITY_GPA	0xfffbc000ULL
#define TSS_GPA		0xfffbd000ULL

#define RING_ENTRIES	4096

static void open_device(struct share_vm *s)
{
	char bdf[BDF_LEN];

	s->iommufd = iommufd_open();
	s->ioas = iommufd_ioas_alloc(s->iommufd);
	TEST_ASSERT(vfio_dev_find(bdf, EDU_VENDOR, EDU_DEVICE, 0), "no edu");
	vfio_dev_open(&s->edu, bdf, s->iommufd);
}

/* Some things can only be asked for as long as the VM has no vCPU. */
static void create_without_vcpus(struct share_vm *s)
{
	s->vm = __vm_create(VM_SHAPE_DEFAULT, SHARE_VM_VCPUS, EXTRA_PAGES);
	open_device(s);
}

static void add_vcpus(struct share_vm *s)
{
	int i;

	for (i = 0; i < SHARE_VM_VCPUS; i++) {
		s->vcpus[i] = vm_vcpu_add(s->vm, i, guest_main);
		vcpu_args_set(s->vcpus[i], 1, (__u64)i);
	}
}

static void setup(struct share_vm *s, struct guest_mem *mem)
{
	share_vm_create(s, HWPT_SHARED);
	share_vm_add_mem(s, mem, BACKING_4K, GPA_HIGH, TEST_SIZE);
	share_vm_warm_up(s);
}

static void load_start(struct steady_dma *dma, struct share_vm *s,
		       struct guest_mem *mem)
{
	steady_dma_start(dma, s, mem->gpa + LOAD_AT, mem->hva + LOAD_AT,
			 LOAD_LEN);
}

static void expect_same_leaves(struct share_vm *s,
			       struct mmu_share_info *before)
{
	struct mmu_share_info now;

	mmu_share_read(s->vm, &now);
	TEST_ASSERT_EQ(now.root, before->root);
	TEST_ASSERT_EQ(now.pinned_bytes, before->pinned_bytes);
	TEST_ASSERT_EQ(now.leaf_4k, before->leaf_4k);
	TEST_ASSERT_EQ(now.leaf_2m, before->leaf_2m);
}

/* The guest writes a word where KVM has something else than memory. */
static void guest_writes_mmio(struct share_vm *s)
{
	guest_fill(s->vcpus[0], MMIO_GPA, 8, 8, SEED);
}

/* Writes go to a ring instead of to the VMM. The device's must go nowhere. */
static void coalesced_mmio(void)
{
	struct kvm_coalesced_mmio_ring *ring;
	struct steady_dma dma;
	struct guest_mem mem;
	struct share_vm s;
	__u64 data;

	setup(&s, &mem);
	virt_map(s.vm, MMIO_GPA, MMIO_GPA, 1);
	ring = (void *)s.vcpus[0]->run +
	       kvm_check_cap(KVM_CAP_COALESCED_MMIO) * getpagesize();

	/* Control: without the zone, it is the VMM that is asked. */
	guest_mmio(s.vcpus[0], MMIO_GPA, MMIO_GPA, SEED);
	kvm_vm_register_coalesced_io(s.vm, MMIO_GPA, SIZE_4K, false);
	load_start(&dma, &s, &mem);
	TEST_ASSERT_EQ(ring->first, ring->last);
	guest_writes_mmio(&s);
	TEST_ASSERT_EQ(ring->last, ring->first + 1);
	TEST_ASSERT_EQ(ring->coalesced_mmio[ring->first].phys_addr, MMIO_GPA);
	memcpy(&data, ring->coalesced_mmio[ring->first].data, sizeof(data));
	TEST_ASSERT_EQ(data, pattern_word(MMIO_GPA, SEED));

	dma_check_write_stopped(&s, MMIO_GPA);
	TEST_ASSERT_EQ(ring->last, ring->first + 1);
	dma_check_copies(&s, &mem, 0, SIZE_4K);

	kvm_vm_unregister_coalesced_io(s.vm, MMIO_GPA, SIZE_4K, false);
	guest_mmio(s.vcpus[0], MMIO_GPA, MMIO_GPA, SEED);
	dma_check_write_stopped(&s, MMIO_GPA);
	steady_dma_stop_amid_events(&dma);
	share_vm_destroy(&s);
}

static __u64 times_signalled(int fd)
{
	__u64 times = 0;

	if (read(fd, &times, sizeof(times)) < 0)
		TEST_ASSERT(errno == EAGAIN, "read of an eventfd");
	return times;
}

static void ioeventfd(void)
{
	struct kvm_ioeventfd event = { .addr = MMIO_GPA, .len = 8 };
	struct steady_dma dma;
	struct guest_mem mem;
	struct share_vm s;

	setup(&s, &mem);
	virt_map(s.vm, MMIO_GPA, MMIO_GPA, 1);
	guest_mmio(s.vcpus[0], MMIO_GPA, MMIO_GPA, SEED);
	event.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	TEST_ASSERT(event.fd >= 0, "eventfd");
	vm_ioctl(s.vm, KVM_IOEVENTFD, &event);

	load_start(&dma, &s, &mem);
	guest_writes_mmio(&s);
	TEST_ASSERT_EQ(times_signalled(event.fd), 1);
	dma_check_write_stopped(&s, MMIO_GPA);
	TEST_ASSERT_EQ(times_signalled(event.fd), 0);
	dma_check_copies(&s, &mem, 0, SIZE_4K);

	event.flags = KVM_IOEVENTFD_FLAG_DEASSIGN;
	vm_ioctl(s.vm, KVM_IOEVENTFD, &event);
	guest_mmio(s.vcpus[0], MMIO_GPA, MMIO_GPA, SEED);
	dma_check_write_stopped(&s, MMIO_GPA);
	steady_dma_stop_amid_events(&dma);
	close(event.fd);
	share_vm_destroy(&s);
}

static int set_tss_addr(struct share_vm *s)
{
	return ioctl(s->vm->fd, KVM_SET_TSS_ADDR, TSS_GPA) ? -errno : 0;
}

static int set_identity_map_addr(struct share_vm *s)
{
	__u64 gpa = IDENTITY_GPA;

	return __vm_ioctl(s->vm, KVM_SET_IDENTITY_MAP_ADDR, &gpa) ? -errno : 0;
}

/*
 * VMMs call these whatever the CPU is. On AMD there is nothing behind them, and
 * the share does not change that; nor does it mind vCPUs that come later.
 */
static void tss_and_identity_map(void)
{
	struct mmu_share_info before;
	struct steady_dma dma;
	struct guest_mem mem;
	struct share_vm s;
	__u64 faults;

	create_without_vcpus(&s);
	TEST_ASSERT_EQ(set_identity_map_addr(&s), 0);
	TEST_ASSERT_EQ(set_tss_addr(&s), 0);
	share_vm_attach(&s, HWPT_SHARED);
	share_vm_add_mem(&s, &mem, BACKING_4K, GPA_HIGH, TEST_SIZE);
	mmu_share_read(s.vm, &before);
	load_start(&dma, &s, &mem);
	TEST_ASSERT_EQ(set_identity_map_addr(&s), 0);
	TEST_ASSERT_EQ(set_tss_addr(&s), 0);
	expect_same_leaves(&s, &before);
	dma_check_write_stopped(&s, IDENTITY_GPA);
	dma_check_write_stopped(&s, TSS_GPA);

	add_vcpus(&s);
	share_vm_warm_up(&s);
	TEST_ASSERT_EQ(set_identity_map_addr(&s), -EINVAL);
	TEST_ASSERT_EQ(set_tss_addr(&s), 0);
	faults = share_vm_tdp_faults(&s);
	guest_fill(s.vcpus[0], mem.gpa, SIZE_2M, SIZE_4K, SEED);
	TEST_ASSERT_EQ(share_vm_tdp_faults(&s), faults);
	dma_check_write_stopped(&s, TSS_GPA);
	dma_check_copies(&s, &mem, 0, SIZE_4K);
	steady_dma_stop_amid_events(&dma);
	share_vm_destroy(&s);
}

typedef int (*set_region_fn)(struct guest_mem *mem, __u64 gpa, __u64 size);

static int set_region_1(struct guest_mem *mem, __u64 gpa, __u64 size)
{
	return __vm_set_user_memory_region(mem->vm, mem->slot, 0, gpa, size,
					   mem->hva) ? -errno : 0;
}

static int set_region_2(struct guest_mem *mem, __u64 gpa, __u64 size)
{
	return __vm_set_user_memory_region2(mem->vm, mem->slot, 0, gpa, size,
					    mem->hva, 0, 0) ? -errno : 0;
}

static void region_of_either_kind(set_region_fn set_region)
{
	struct guest_mem mem = {
		.slot = TEST_SLOT, .gpa = GPA_HIGH, .size = TEST_SIZE,
	};
	struct share_vm s;

	share_vm_create(&s, HWPT_SHARED);
	mem.vm = s.vm;
	mem.hva = mmap(NULL, mem.size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(mem.hva != MAP_FAILED, "mmap");
	TEST_ASSERT_EQ(set_region(&mem, mem.gpa, mem.size), 0);
	virt_map_level(s.vm, mem.gpa, mem.gpa, mem.size, PG_LEVEL_2M);
	share_vm_map(&s, &mem);
	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, SEED);
	dma_check_copies(&s, &mem, 0, SIZE_4K);

	/* Gone for vCPUs alone, and back: the same memory. */
	TEST_ASSERT_EQ(set_region(&mem, mem.gpa, 0), 0);
	TEST_ASSERT_EQ(guest_mmio(s.vcpus[0], mem.gpa, mem.gpa, SEED), SEED);
	dma_check_copies(&s, &mem, SIZE_4K, 0);
	TEST_ASSERT_EQ(set_region(&mem, mem.gpa, mem.size), 0);
	TEST_ASSERT_EQ(guest_diff(s.vcpus[0], mem.gpa + SIZE_2M, SIZE_2M,
				  SIZE_4K, mem.gpa + SIZE_2M, SEED), 0);
	dma_check_between_vcpus(&s, &mem, 0, SIZE_4K);

	/* Moved: vCPUs have it here, the device there. */
	TEST_ASSERT_EQ(set_region(&mem, GPA_LOW, mem.size), 0);
	virt_map_level(s.vm, GPA_LOW, GPA_LOW, mem.size, PG_LEVEL_2M);
	TEST_ASSERT_EQ(guest_mmio(s.vcpus[0], mem.gpa, mem.gpa, SEED), SEED);
	guest_fill(s.vcpus[0], GPA_LOW, SIZE_4K, 8, SEED);
	edu_copy(&s.edu, mem.gpa + SIZE_4K, mem.gpa, SIZE_4K);
	TEST_ASSERT_EQ(guest_diff(s.vcpus[0], GPA_LOW + SIZE_4K, SIZE_4K, 8,
				  GPA_LOW, SEED), 0);
	dma_check_write_stopped(&s, GPA_LOW);

	/* Control: what the device has goes with its map. */
	share_vm_unmap(&s, &mem);
	dma_check_write_stopped(&s, mem.gpa);
	TEST_ASSERT_EQ(guest_diff(s.vcpus[0], GPA_LOW, SIZE_4K, 8, GPA_LOW,
				  SEED), 0);
	TEST_ASSERT_EQ(set_region(&mem, mem.gpa, 0), 0);
	share_vm_destroy(&s);
}

static void memory_region(void)
{
	region_of_either_kind(set_region_1);
}

static void memory_region2(void)
{
	region_of_either_kind(set_region_2);
}

/*
 * Neither memslot is mapped in the IOAS, so that the device reaches none; vCPUs
 * have faulted both in. One goes: vCPUs lose that, and that alone.
 */
static void memslot_is_deleted(bool zap_all)
{
	struct guest_mem gone, stays, pinned;
	struct mmu_share_info before, after;
	struct steady_dma dma;
	struct share_vm s;
	__u64 faults;

	share_vm_create(&s, HWPT_SHARED);
	if (!zap_all)
		vm_enable_cap(s.vm, KVM_CAP_DISABLE_QUIRKS2,
			      KVM_X86_QUIRK_SLOT_ZAP_ALL);
	share_vm_add_mem(&s, &pinned, BACKING_4K, GPA_HIGH, TEST_SIZE);
	guest_mem_add(&gone, s.vm, TEST_SLOT + 1, BACKING_4K, GPA_LOW, SIZE_2M);
	guest_mem_add(&stays, s.vm, TEST_SLOT + 2, BACKING_4K,
		      GPA_LOW + 2 * SIZE_2M, SIZE_2M);
	share_vm_warm_up(&s);
	load_start(&dma, &s, &pinned);
	guest_fill(s.vcpus[0], gone.gpa, gone.size, SIZE_4K, SEED);
	guest_fill(s.vcpus[0], stays.gpa, stays.size, SIZE_4K, SEED);
	dma_check_write_stopped(&s, gone.gpa);
	dma_check_write_stopped(&s, stays.gpa);

	mmu_share_read(s.vm, &before);
	faults = share_vm_tdp_faults(&s);
	vm_mem_region_delete(s.vm, gone.slot);
	mmu_share_read(s.vm, &after);
	TEST_ASSERT_EQ(after.cpu_only_bytes, before.cpu_only_bytes - gone.size);
	TEST_ASSERT_EQ(after.common_bytes, before.common_bytes);
	/* One table at least was its own. */
	TEST_ASSERT(after.table_pages < before.table_pages,
		    "%llu tables, as before", after.table_pages);
	TEST_ASSERT_EQ(guest_diff(s.vcpus[0], stays.gpa, stays.size, SIZE_4K,
				  stays.gpa, SEED), 0);
	TEST_ASSERT_EQ(share_vm_tdp_faults(&s), faults);
	TEST_ASSERT_EQ(guest_mmio(s.vcpus[0], gone.gpa, gone.gpa, SEED), SEED);
	dma_check_write_stopped(&s, gone.gpa);

	/* Control: mapped, the other one is the device's as well. */
	share_vm_map(&s, &stays);
	dma_check_copies(&s, &stays, 0, SIZE_4K);
	steady_dma_stop_amid_events(&dma);
	share_vm_destroy(&s);
}

static void deleted_with_quirk(void)
{
	memslot_is_deleted(true);
}

static void deleted_without_quirk(void)
{
	memslot_is_deleted(false);
}

/* The guest writes every @step-th page, @first being the first. */
static void guest_writes(struct share_vm *s, struct guest_mem *mem, int first,
			 int step)
{
	guest_fill(s->vcpus[0], mem->gpa + first * SIZE_4K,
		   LOAD_AT - first * SIZE_4K, step * SIZE_4K, SEED);
}

static void expect_logged(unsigned long *bitmap, int first, int step)
{
	int i;

	for (i = 0; i < TEST_PAGES; i++) {
		bool want = i < LOAD_AT / SIZE_4K && i >= first &&
			    !((i - first) % step);

		TEST_ASSERT(test_bit(i, bitmap) == want,
			    "page %d is%s logged as written", i,
			    want ? " not" : "");
	}
}

static unsigned int pages_in(unsigned long *bitmap)
{
	unsigned int i, n = 0;

	for (i = 0; i < TEST_PAGES; i++)
		n += test_bit(i, bitmap);
	return n;
}

/* Takes what the vCPU's ring has, and lets KVM watch these pages again. */
static void collect_ring(struct share_vm *s, struct guest_mem *mem,
			 unsigned long *bitmap)
{
	struct kvm_vcpu *vcpu = s->vcpus[0];
	struct kvm_dirty_gfn *gfns = vcpu_map_dirty_ring(vcpu), *gfn;
	unsigned int n = 0;

	bitmap_zero(bitmap, TEST_PAGES);
	for (;; n++, vcpu->fetch_index++) {
		gfn = &gfns[vcpu->fetch_index % RING_ENTRIES];
		/* KVM writes the rest of the entry before its flags ... */
		if (smp_load_acquire(&gfn->flags) != KVM_DIRTY_GFN_F_DIRTY)
			break;
		TEST_ASSERT(gfn->slot == mem->slot && gfn->offset < TEST_PAGES,
			    "slot %u page %llu in the ring", gfn->slot,
			    gfn->offset);
		__set_bit(gfn->offset, bitmap);
		/* ... and may fill it anew once these say so. */
		smp_store_release(&gfn->flags, KVM_DIRTY_GFN_F_RESET);
	}
	TEST_ASSERT_EQ(kvm_vm_reset_dirty_ring(s->vm), n);
}

static void dirty_ring(enum guest_mem_backing backing)
{
	DECLARE_BITMAP(bitmap, TEST_PAGES);
	struct mmu_share_info before;
	struct steady_dma dma;
	struct guest_mem mem;
	struct share_vm s;
	int i;

	create_without_vcpus(&s);
	vm_enable_dirty_ring(s.vm, RING_ENTRIES * sizeof(struct kvm_dirty_gfn));
	add_vcpus(&s);
	share_vm_attach(&s, HWPT_SHARED);
	share_vm_add_mem(&s, &mem, backing, GPA_HIGH, TEST_SIZE);
	share_vm_warm_up(&s);
	mmu_share_read(s.vm, &before);
	load_start(&dma, &s, &mem);
	share_vm_log_dirty(&s, mem.slot, true);
	for (i = 0; i < ROUNDS; i++) {
		guest_writes(&s, &mem, i, i + 2);
		collect_ring(&s, &mem, bitmap);
		expect_logged(bitmap, i, i + 2);

		/* Written twice, logged once; read, or by DMA: not at all. */
		guest_writes(&s, &mem, 0, 1);
		guest_writes(&s, &mem, 0, 1);
		collect_ring(&s, &mem, bitmap);
		expect_logged(bitmap, 0, 1);
		edu_copy(&s.edu, mem.gpa + SIZE_4K, mem.gpa, SIZE_4K);
		TEST_ASSERT_EQ(guest_diff(s.vcpus[0], mem.gpa + SIZE_4K, 8, 8,
					  mem.gpa, SEED), 0);
		collect_ring(&s, &mem, bitmap);
		TEST_ASSERT_EQ(pages_in(bitmap), 0);
	}
	share_vm_log_dirty(&s, mem.slot, false);
	steady_dma_stop(&dma);
	expect_same_leaves(&s, &before);
	share_vm_destroy(&s);
}

static void dirty_ring_4k(void)
{
	dirty_ring(BACKING_4K);
}

static void dirty_ring_2m(void)
{
	dirty_ring(BACKING_2M);
}

static void clear_log(struct share_vm *s, struct guest_mem *mem,
		      unsigned long *bitmap)
{
	kvm_vm_clear_dirty_log(s->vm, mem->slot, bitmap, 0, TEST_PAGES);
}

/*
 * All pages count as written at first, so that nothing need be split or
 * write-protected before the first clear, which does it page by page.
 */
static void initially_set(enum guest_mem_backing backing)
{
	DECLARE_BITMAP(bitmap, TEST_PAGES);
	struct mmu_share_info before;
	struct steady_dma dma;
	struct guest_mem mem;
	struct share_vm s;
	__u64 faults;
	int i;

	share_vm_create(&s, HWPT_SHARED);
	vm_enable_cap(s.vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		      KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
		      KVM_DIRTY_LOG_INITIALLY_SET);
	share_vm_add_mem(&s, &mem, backing, GPA_HIGH, TEST_SIZE);
	share_vm_warm_up(&s);
	mmu_share_read(s.vm, &before);
	load_start(&dma, &s, &mem);
	share_vm_log_dirty(&s, mem.slot, true);
	expect_same_leaves(&s, &before);
	faults = share_vm_tdp_faults(&s);
	guest_writes(&s, &mem, 0, 1);
	TEST_ASSERT_EQ(share_vm_tdp_faults(&s), faults);

	kvm_vm_get_dirty_log(s.vm, mem.slot, bitmap);
	TEST_ASSERT_EQ(pages_in(bitmap), TEST_PAGES);
	clear_log(&s, &mem, bitmap);
	for (i = 0; i < ROUNDS; i++) {
		guest_writes(&s, &mem, i, i + 2);
		edu_copy(&s.edu, mem.gpa + LOAD_AT - SIZE_4K, mem.gpa, SIZE_4K);
		kvm_vm_get_dirty_log(s.vm, mem.slot, bitmap);
		expect_logged(bitmap, i, i + 2);
		clear_log(&s, &mem, bitmap);
	}
	share_vm_log_dirty(&s, mem.slot, false);
	steady_dma_stop(&dma);
	expect_same_leaves(&s, &before);
	share_vm_destroy(&s);
}

static void initially_set_4k(void)
{
	initially_set(BACKING_4K);
}

static void initially_set_2m(void)
{
	initially_set(BACKING_2M);
}

static int pre_fault(struct share_vm *s, __u64 gpa, __u64 size)
{
	struct kvm_pre_fault_memory range = { .gpa = gpa, .size = size };
	int r = 0;

	while (range.size && (!r || errno == EINTR || errno == EAGAIN))
		r = __vcpu_ioctl(s->vcpus[0], KVM_PRE_FAULT_MEMORY, &range);
	return range.size ? -errno : 0;
}

static void pre_faulted(void)
{
	struct mmu_share_info before, after;
	struct guest_mem pinned, other;
	struct steady_dma dma;
	struct share_vm s;
	__u64 faults;

	setup(&s, &pinned);
	guest_mem_add(&other, s.vm, TEST_SLOT + 1, BACKING_4K, GPA_LOW,
		      SIZE_2M);
	load_start(&dma, &s, &pinned);
	mmu_share_read(s.vm, &before);

	/* Pinned: all of it is there. */
	TEST_ASSERT_EQ(pre_fault(&s, pinned.gpa, pinned.size), 0);
	expect_same_leaves(&s, &before);
	dma_check_copies(&s, &pinned, 0, SIZE_4K);

	/* No memory: KVM says so, and leaves nothing for a device. */
	TEST_ASSERT_EQ(pre_fault(&s, MMIO_GPA, SIZE_4K), -ENOENT);
	expect_same_leaves(&s, &before);
	dma_check_write_stopped(&s, MMIO_GPA);

	/* Not pinned: as if a vCPU had touched it, so not the device's. */
	TEST_ASSERT_EQ(pre_fault(&s, other.gpa, other.size), 0);
	mmu_share_read(s.vm, &after);
	TEST_ASSERT_EQ(after.leaf_4k, before.leaf_4k + other.size / SIZE_4K);
	TEST_ASSERT_EQ(after.cpu_only_bytes, before.cpu_only_bytes + other.size);
	TEST_ASSERT_EQ(after.pinned_bytes, before.pinned_bytes);
	dma_check_write_stopped(&s, other.gpa);
	faults = share_vm_tdp_faults(&s);
	guest_fill(s.vcpus[0], other.gpa, other.size, SIZE_4K, SEED);
	TEST_ASSERT_EQ(share_vm_tdp_faults(&s), faults);

	/* Mapped it is, and vCPUs keep what they have. */
	share_vm_map(&s, &other);
	dma_check_copies(&s, &other, 0, SIZE_4K);
	guest_fill(s.vcpus[0], other.gpa, other.size, SIZE_4K, SEED);
	TEST_ASSERT_EQ(share_vm_tdp_faults(&s), faults);

	/* What the host has taken from vCPUs alone they get back. */
	mmu_share_read(s.vm, &before);
	TEST_ASSERT(!mprotect(other.hva, other.size, PROT_NONE) &&
		    !mprotect(other.hva, other.size, PROT_READ | PROT_WRITE),
		    "mprotect");
	mmu_share_read(s.vm, &after);
	TEST_ASSERT_EQ(after.device_only_bytes,
		       before.device_only_bytes + other.size);
	TEST_ASSERT_EQ(pre_fault(&s, other.gpa, other.size), 0);
	mmu_share_read(s.vm, &after);
	TEST_ASSERT_EQ(after.device_only_bytes, before.device_only_bytes);
	guest_fill(s.vcpus[0], other.gpa, other.size, SIZE_4K, SEED);
	TEST_ASSERT_EQ(share_vm_tdp_faults(&s), faults);
	steady_dma_stop_amid_events(&dma);
	share_vm_destroy(&s);
}

/*
 * The host looks for pages that nobody uses, as it does when memory gets short:
 * KVM takes the A bits away. Nothing else of a pinned leaf may change.
 */
static void aged(void)
{
	DECLARE_BITMAP(pages, TEST_PAGES);
	struct mmu_share_info before;
	struct steady_dma dma;
	struct guest_mem mem;
	struct aging aging;
	struct share_vm s;
	__u64 faults;

	share_vm_create(&s, HWPT_SHARED);
	share_vm_warm_up(&s);
	aging_start(&aging);
	share_vm_add_mem(&s, &mem, BACKING_4K, GPA_HIGH, TEST_SIZE);
	guest_fill(s.vcpus[0], mem.gpa, SIZE_2M, SIZE_4K, SEED);
	mmu_share_read(s.vm, &before);
	load_start(&dma, &s, &mem);

	aging_run(&aging, &mem, pages);
	TEST_ASSERT_EQ(pages_in(pages), TEST_PAGES);
	expect_same_leaves(&s, &before);
	dma_check_copies(&s, &mem, 0, SIZE_4K);
	faults = share_vm_tdp_faults(&s);
	guest_writes(&s, &mem, 1, 2);
	TEST_ASSERT_EQ(share_vm_tdp_faults(&s), faults);

	/* A came back where a vCPU was. (This IOMMU does not set it.) */
	aging_run(&aging, &mem, pages);
	expect_logged(pages, 1, 2);
	steady_dma_stop(&dma);
	aging_stop(&aging);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "coalesced MMIO: the ring is the vCPUs', not the device's",
		  coalesced_mmio },
		{ "ioeventfd: the guest signals it, the device can't",
		  ioeventfd },
		{ "TSS and identity map addresses: nothing for the device",
		  tss_and_identity_map },
		{ "KVM_SET_USER_MEMORY_REGION: gone, moved, and DMA goes on",
		  memory_region },
		{ "KVM_SET_USER_MEMORY_REGION2: gone, moved, and DMA goes on",
		  memory_region2 },
		{ "memslot deleted: its leaves go, no others",
		  deleted_with_quirk },
		{ "memslot deleted without QUIRK_SLOT_ZAP_ALL: the same",
		  deleted_without_quirk },
		{ "4K leaves: dirty ring has the guest's writes, DMA goes on",
		  dirty_ring_4k },
		{ "2M leaves: dirty ring has the guest's writes, DMA goes on",
		  dirty_ring_2m },
		{ "4K leaves: KVM_DIRTY_LOG_INITIALLY_SET, DMA goes on",
		  initially_set_4k },
		{ "2M leaves: KVM_DIRTY_LOG_INITIALLY_SET, DMA goes on",
		  initially_set_2m },
		{ "KVM_PRE_FAULT_MEMORY: pinned, not pinned, no memory",
		  pre_faulted },
		{ "pinned leaves are aged, and DMA goes on", aged },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

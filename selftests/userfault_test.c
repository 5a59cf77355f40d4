// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM may resolve its guest's memory itself, page by page (postcopy), or
 * write-protect it to learn of writes (background snapshots). With one table
 * for vCPUs and device it keeps that power over both, or, over pinned memory,
 * over the vCPUs, as with a table each.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include "background.h"
#include "dma_check.h"
#include "iommu_hw.h"
#include "leaks.h"
#include "mmu_share.h"
#include "processor.h"
#include "tap.h"
#include "touch.h"
#include "uffd.h"

#define TEST_SIZE	(2 * SIZE_2M)
#define SEED		0xfa017

/* The other half of the test memory is where life goes on. */
#define WATCHED_LEN	SIZE_2M
#define OTHER_AT	SIZE_2M
#define OTHER_SLOT	(TEST_SLOT + 1)

struct fault_vm {
	struct share_vm s;
	struct guest_mem mem;
	struct uffd uffd;
	void *page;		/* what the handler gives */
};

static void setup(struct fault_vm *f, enum hwpt_kind kind)
{
	share_vm_create(&f->s, kind);
	guest_mem_add(&f->mem, f->s.vm, TEST_SLOT, BACKING_4K, GPA_HIGH,
		      TEST_SIZE);
	share_vm_warm_up(&f->s);
	f->page = malloc(SIZE_4K);
	TEST_ASSERT(f->page, "out of memory");
}

static void map_part(struct fault_vm *f, size_t offset, size_t len)
{
	iommufd_map(f->s.iommufd, f->s.ioas, f->mem.gpa + offset,
		    f->mem.hva + offset, len);
}

static void unmap_part(struct fault_vm *f, size_t offset, size_t len)
{
	iommufd_unmap(f->s.iommufd, f->s.ioas, f->mem.gpa + offset, len);
}

/* As if it had not arrived yet from where the VM comes from. */
static void make_missing(struct fault_vm *f)
{
	TEST_ASSERT(!madvise(f->mem.hva, WATCHED_LEN, MADV_DONTNEED),
		    "madvise");
	uffd_watch(&f->uffd, f->mem.hva, WATCHED_LEN,
		   UFFDIO_REGISTER_MODE_MISSING);
}

static void expect_missing(struct fault_vm *f, struct background *call,
			   size_t offset)
{
	bool protected;

	TEST_ASSERT_EQ(uffd_wait(&f->uffd, call, &protected), offset);
	TEST_ASSERT(!protected, "a missing page reported as write-protected");
}

/* The page at @offset arrives, with the pattern that belongs there. */
static void give_page(struct fault_vm *f, size_t offset)
{
	__u64 *word = f->page;
	size_t i;

	for (i = 0; i < SIZE_4K / sizeof(*word); i++)
		word[i] = pattern_word(f->mem.gpa + offset + i * sizeof(*word),
				       SEED);
	uffd_give(&f->uffd, offset, f->page, SIZE_4K);
}

static void give_rest(struct fault_vm *f, size_t offset)
{
	for (; offset < WATCHED_LEN; offset += SIZE_4K)
		give_page(f, offset);
}

/* The device reads what arrived at @offset. */
static void expect_device_reads(struct fault_vm *f, size_t offset)
{
	__u64 mark = iommu_events_mark();

	edu_copy(&f->s.edu, f->mem.gpa + OTHER_AT, f->mem.gpa + offset,
		 SIZE_4K);
	TEST_ASSERT_EQ(guest_mem_diff(&f->mem, OTHER_AT, SIZE_4K, offset, SEED),
		       0);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
}

static void map_watched(void *arg)
{
	map_part(arg, 0, WATCHED_LEN);
}

/* What else the VMM does meanwhile; all of it comes to its end. */
static void expect_life_goes_on(struct fault_vm *f)
{
	struct guest_mem more;
	struct mmu_share_info info;

	map_part(f, OTHER_AT, SIZE_2M);
	dma_check_copies(&f->s, &f->mem, OTHER_AT, OTHER_AT + SIZE_4K);
	unmap_part(f, OTHER_AT, SIZE_2M);
	dma_check_write_stopped(&f->s, f->mem.gpa + OTHER_AT);
	map_part(f, OTHER_AT, SIZE_2M);

	guest_mem_add(&more, f->s.vm, OTHER_SLOT, BACKING_4K, GPA_LOW, SIZE_2M);
	guest_fill(f->s.vcpus[1], more.gpa, more.size, SIZE_4K, SEED);
	vm_mem_region_delete(f->s.vm, OTHER_SLOT);

	mmu_share_read(f->s.vm, &info);
	TEST_ASSERT_EQ(info.pinned_bytes, SIZE_2M);
}

static void map_of_missing(void)
{
	struct background map;
	struct fault_vm f;
	__u64 faults;

	setup(&f, HWPT_SHARED);
	make_missing(&f);
	background_start(&map, map_watched, &f);
	expect_missing(&f, &map, 0);
	expect_life_goes_on(&f);

	TEST_ASSERT(!background_done(&map), "mapped what is not there yet");
	give_page(&f, 0);
	expect_missing(&f, &map, SIZE_4K);
	TEST_ASSERT(!background_done(&map), "mapped what is not there yet");
	give_rest(&f, SIZE_4K);
	background_join(&map);

	faults = share_vm_tdp_faults(&f.s);
	TEST_ASSERT_EQ(guest_diff(f.s.vcpus[0], f.mem.gpa, WATCHED_LEN, SIZE_4K,
				  f.mem.gpa, SEED), 0);
	TEST_ASSERT_EQ(share_vm_tdp_faults(&f.s), faults);
	expect_device_reads(&f, 0);
	expect_device_reads(&f, WATCHED_LEN - SIZE_4K);
	uffd_close(&f.uffd);
	share_vm_destroy(&f.s);
}

static void attach_shared(void *arg)
{
	struct fault_vm *f = arg;

	share_vm_attach(&f->s, HWPT_SHARED);
}

static void setup_detached(struct fault_vm *f)
{
	share_vm_create_detached(&f->s);
	guest_mem_add(&f->mem, f->s.vm, TEST_SLOT, BACKING_4K, GPA_HIGH,
		      TEST_SIZE);
	f->page = malloc(SIZE_4K);
	TEST_ASSERT(f->page, "out of memory");
}

/* The same where the HWPT is made over an IOAS that has the range already. */
static void attach_over_discarded(void)
{
	struct background attach;
	struct fault_vm f;

	setup_detached(&f);
	map_part(&f, OTHER_AT, SIZE_2M);
	map_part(&f, 0, WATCHED_LEN);
	make_missing(&f);
	background_start(&attach, attach_shared, &f);
	expect_missing(&f, &attach, 0);
	TEST_ASSERT(!background_done(&attach), "attached to what is missing");
	give_rest(&f, 0);
	background_join(&attach);
	expect_device_reads(&f, 0);
	uffd_close(&f.uffd);
	share_vm_destroy(&f.s);
}

struct one_read {
	struct fault_vm *f;
	int result;
	__u64 value;
};

static void vcpu_reads_one(void *arg)
{
	struct one_read *r = arg;

	r->result = touch_read(r->f->s.vcpus[1], r->f->mem.gpa, &r->value);
}

/* The vCPU asks for the page, gets one, and what is the end of it? */
static struct one_read read_and_give(struct fault_vm *f)
{
	struct one_read read = { f };
	struct background vcpu;

	background_start(&vcpu, vcpu_reads_one, &read);
	expect_missing(f, &vcpu, 0);
	TEST_ASSERT(!background_done(&vcpu), "the vCPU read what is missing");
	give_page(f, 0);
	background_join(&vcpu);
	return read;
}

/*
 * The IOAS has pages that the process has let go of since: a HWPT of another
 * kind pinned them. To share they need not be asked for: the device has its own.
 * A vCPU asks, and gets a page that is not the device's, which one table can't
 * have beside it.
 */
static void attach_over_replaced(void)
{
	__u64 old = 0x01d, value;
	struct one_read read;
	struct fault_vm f;

	setup(&f, HWPT_ORDINARY);
	touch_init(f.s.vcpus[1]);
	map_part(&f, OTHER_AT, SIZE_2M);
	map_part(&f, 0, WATCHED_LEN);
	WRITE_ONCE(*(__u64 *)f.mem.hva, old);
	make_missing(&f);
	share_vm_attach(&f.s, HWPT_SHARED);
	TEST_ASSERT(!uffd_has_fault(&f.uffd), "a fault for what a device has");
	dma_check_copies(&f.s, &f.mem, OTHER_AT, OTHER_AT + SIZE_4K);

	read = read_and_give(&f);
	TEST_ASSERT_EQ(read.result, -EFAULT);
	TEST_ASSERT_EQ(f.s.vcpus[1]->run->exit_reason, KVM_EXIT_MEMORY_FAULT);
	edu_copy(&f.s.edu, f.mem.gpa + OTHER_AT, f.mem.gpa, sizeof(old));
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)(f.mem.hva + OTHER_AT)), old);

	/* Control: without the device's page there is room for the new one. */
	unmap_part(&f, 0, WATCHED_LEN);
	TEST_ASSERT_EQ(touch_read(f.s.vcpus[1], f.mem.gpa, &value), 0);
	TEST_ASSERT_EQ(value, pattern_word(f.mem.gpa, SEED));
	uffd_close(&f.uffd);
	share_vm_destroy(&f.s);
}

static void vcpu_reads_watched(void *arg)
{
	struct fault_vm *f = arg;

	TEST_ASSERT_EQ(guest_diff(f->s.vcpus[0], f->mem.gpa, 2 * SIZE_4K,
				  SIZE_4K, f->mem.gpa, SEED), 0);
}

/*
 * The vCPU waits with KVM's SRCU held, as it does without a share: memslots
 * can't change until it goes on. The IOAS can.
 */
static void vcpu_on_missing(void)
{
	struct background vcpu;
	struct fault_vm f;
	int i;

	setup(&f, HWPT_SHARED);
	make_missing(&f);
	background_start(&vcpu, vcpu_reads_watched, &f);
	expect_missing(&f, &vcpu, 0);
	for (i = 0; i < 10; i++) {
		map_part(&f, OTHER_AT, SIZE_2M);
		dma_check_copies(&f.s, &f.mem, OTHER_AT, OTHER_AT + SIZE_4K);
		unmap_part(&f, OTHER_AT, SIZE_2M);
	}
	dma_check_write_stopped(&f.s, f.mem.gpa);
	TEST_ASSERT(!background_done(&vcpu), "the vCPU read what is missing");
	give_page(&f, 0);
	expect_missing(&f, &vcpu, SIZE_4K);
	give_page(&f, SIZE_4K);
	background_join(&vcpu);

	/* What it faulted in the device has once it is mapped, and not before. */
	map_part(&f, OTHER_AT, SIZE_2M);
	dma_check_write_stopped(&f.s, f.mem.gpa);
	map_part(&f, 0, 2 * SIZE_4K);
	TEST_ASSERT(!uffd_has_fault(&f.uffd), "a fault for what is there");
	expect_device_reads(&f, 0);
	uffd_close(&f.uffd);
	share_vm_destroy(&f.s);
}

/*
 * Fork first: descriptors that both had would not be the child's alone. The
 * child reports its fault by a byte, and waits for it for ever.
 */
static void killed_while_blocked(void (*block)(void *arg))
{
	struct leak_counts before, after;
	struct background blocked;
	struct fault_vm f;
	int status, fds[2];
	char byte = 0;
	pid_t pid;

	leak_counts_read(&before);
	TEST_ASSERT(!pipe(fds), "pipe");
	pid = fork();
	TEST_ASSERT(pid >= 0, "fork");
	if (!pid) {
		/* Should it wait in vain it must not outlive the case. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (block == attach_shared)
			setup_detached(&f);
		else
			setup(&f, HWPT_SHARED);
		map_part(&f, OTHER_AT, SIZE_2M);
		if (block == attach_shared)
			map_part(&f, 0, WATCHED_LEN);
		make_missing(&f);
		background_start(&blocked, block, &f);
		expect_missing(&f, &blocked, 0);
		if (block != attach_shared)
			dma_check_copies(&f.s, &f.mem, OTHER_AT,
					 OTHER_AT + SIZE_4K);
		TEST_ASSERT(write(fds[1], &byte, 1) == 1, "write");
		background_join(&blocked);
		exit(KSFT_FAIL);
	}
	close(fds[1]);
	TEST_ASSERT(read(fds[0], &byte, 1) == 1, "the child did not get there");
	TEST_ASSERT(!kill(pid, SIGKILL) && waitpid(pid, &status, 0) == pid,
		    "kill or waitpid");
	TEST_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		    "the child ended by itself: %#x", status);
	if (!leak_counts_settle(&before, &after)) {
		leak_counts_print_diff(&before, &after);
		TEST_FAIL("the killed process left something behind");
	}
}

static void killed_in_map(void)
{
	killed_while_blocked(map_watched);
}

static void killed_in_vcpu_run(void)
{
	killed_while_blocked(vcpu_reads_watched);
}

static void killed_in_hwpt_alloc(void)
{
	killed_while_blocked(attach_shared);
}

static void protect(struct fault_vm *f)
{
	uffd_watch(&f->uffd, f->mem.hva, WATCHED_LEN, UFFDIO_REGISTER_MODE_WP);
	uffd_protect(&f->uffd, 0, WATCHED_LEN, true);
}

static void vcpu_writes_watched(void *arg)
{
	struct fault_vm *f = arg;

	guest_fill(f->s.vcpus[0], f->mem.gpa, SIZE_4K, SIZE_4K, SEED);
}

/* The write waits for the handler, and lands once it has let it. */
static void expect_vcpu_write_is_told(struct fault_vm *f)
{
	__u64 *word = f->mem.hva, old = *word;
	struct background vcpu;
	bool protected;

	background_start(&vcpu, vcpu_writes_watched, f);
	TEST_ASSERT_EQ(uffd_wait(&f->uffd, &vcpu, &protected), 0);
	TEST_ASSERT(protected, "protected, but reported as missing");
	TEST_ASSERT(!background_done(&vcpu) && READ_ONCE(*word) == old,
		    "the vCPU wrote what is protected");
	uffd_protect(&f->uffd, 0, SIZE_4K, false);
	background_join(&vcpu);
	TEST_ASSERT_EQ(READ_ONCE(*word), pattern_word(f->mem.gpa, SEED));
}

/*
 * The device's writes are not told of: that is so with a table of its own, for
 * its memory is pinned. The vCPU's are.
 */
static void protected_pinned(enum hwpt_kind kind)
{
	struct fault_vm f;
	__u64 mark;

	setup(&f, kind);
	map_part(&f, 0, TEST_SIZE);
	guest_fill(f.s.vcpus[0], f.mem.gpa, WATCHED_LEN, SIZE_4K, ~SEED);
	protect(&f);

	/*
	 * Reads are free, and the device goes on writing. Where it can't have that
	 * right for itself a read is told of like a write.
	 */
	if (kind == HWPT_ORDINARY || !iommu_hw_rights_are_one())
		TEST_ASSERT_EQ(guest_diff(f.s.vcpus[0], f.mem.gpa, WATCHED_LEN,
					  SIZE_4K, f.mem.gpa, ~SEED), 0);
	mark = iommu_events_mark();
	guest_mem_fill(&f.mem, OTHER_AT, SIZE_4K, SEED);
	edu_copy(&f.s.edu, f.mem.gpa + SIZE_4K, f.mem.gpa + OTHER_AT, SIZE_4K);
	TEST_ASSERT_EQ(guest_mem_diff(&f.mem, SIZE_4K, SIZE_4K, OTHER_AT, SEED),
		       0);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
	TEST_ASSERT(!uffd_has_fault(&f.uffd), "a fault for a read or for DMA");

	expect_vcpu_write_is_told(&f);

	/* Only that page was let go: the next one still asks, under DMA. */
	edu_copy(&f.s.edu, f.mem.gpa, f.mem.gpa + OTHER_AT, SIZE_4K);
	TEST_ASSERT_EQ(guest_mem_diff(&f.mem, 0, SIZE_4K, OTHER_AT, SEED), 0);
	uffd_protect(&f.uffd, 0, WATCHED_LEN, true);
	expect_vcpu_write_is_told(&f);
	uffd_close(&f.uffd);
	share_vm_destroy(&f.s);
}

static void protected_pinned_ordinary(void)
{
	protected_pinned(HWPT_ORDINARY);
}

static void protected_pinned_shared(void)
{
	protected_pinned(HWPT_SHARED);
}

/*
 * Memory that the process maps twice, and write-protects in one of its mappings
 * only: the load, which clears pages, must not be the one to ask.
 */
static void *add_aliased_mem(struct fault_vm *f)
{
	int fd = memfd_create("guest memory", MFD_CLOEXEC);
	struct guest_mem *mem = &f->mem;
	void *alias;

	*mem = (struct guest_mem) {
		.vm = f->s.vm, .slot = TEST_SLOT, .gpa = GPA_HIGH,
		.size = TEST_SIZE,
	};
	TEST_ASSERT(fd >= 0 && !ftruncate(fd, mem->size), "memfd");
	mem->hva = mmap(NULL, mem->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			0);
	alias = mmap(NULL, mem->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		     0);
	TEST_ASSERT(mem->hva != MAP_FAILED && alias != MAP_FAILED, "mmap");
	close(fd);
	vm_set_user_memory_region(mem->vm, mem->slot, 0, mem->gpa, mem->size,
				  mem->hva);
	virt_map_level(mem->vm, mem->gpa, mem->gpa, mem->size, PG_LEVEL_2M);
	return alias;
}

/* As above, with the device writing the protected pages without a pause. */
static void protected_under_dma(void)
{
	struct steady_dma dma;
	struct fault_vm f;
	void *alias;
	int i;

	share_vm_create(&f.s, HWPT_SHARED);
	alias = add_aliased_mem(&f);
	map_part(&f, 0, TEST_SIZE);
	uffd_watch(&f.uffd, f.mem.hva, WATCHED_LEN, UFFDIO_REGISTER_MODE_WP);

	/* All but the page that the vCPU writes. */
	steady_dma_start(&dma, &f.s, f.mem.gpa + SIZE_4K, alias + SIZE_4K,
			 WATCHED_LEN - SIZE_4K);
	for (i = 0; i < 10; i++) {
		uffd_protect(&f.uffd, 0, WATCHED_LEN, true);
		expect_vcpu_write_is_told(&f);
		memset(alias, 0, SIZE_4K);
	}
	steady_dma_stop(&dma);
	uffd_close(&f.uffd);
	share_vm_destroy(&f.s);
}

/*
 * Memory that the IOAS does not map is not the device's, whether vCPUs have
 * faulted it in or not: no write of it gets past the protection.
 */
static void protected_unpinned(void)
{
	struct fault_vm f;

	setup(&f, HWPT_SHARED);
	map_part(&f, OTHER_AT, SIZE_2M);
	guest_fill(f.s.vcpus[0], f.mem.gpa, WATCHED_LEN, SIZE_4K, SEED);
	guest_mem_fill(&f.mem, 0, SIZE_4K, SEED);
	dma_check_write_stopped(&f.s, f.mem.gpa);

	protect(&f);
	dma_check_write_stopped(&f.s, f.mem.gpa);
	TEST_ASSERT_EQ(guest_diff(f.s.vcpus[0], f.mem.gpa, WATCHED_LEN, SIZE_4K,
				  f.mem.gpa, SEED), 0);
	dma_check_write_stopped(&f.s, f.mem.gpa);
	TEST_ASSERT_EQ(guest_mem_diff(&f.mem, 0, SIZE_4K, 0, SEED), 0);
	TEST_ASSERT(!uffd_has_fault(&f.uffd), "a fault for a read or for DMA");

	/* A vCPU's write asks, and opens the page to that vCPU alone. */
	expect_vcpu_write_is_told(&f);
	dma_check_write_stopped(&f.s, f.mem.gpa);
	TEST_ASSERT_EQ(guest_mem_diff(&f.mem, 0, SIZE_4K, 0, SEED), 0);

	/* Control: mapped, the device writes it. */
	map_part(&f, 0, SIZE_4K);
	guest_mem_fill(&f.mem, OTHER_AT, SIZE_4K, ~SEED);
	edu_copy(&f.s.edu, f.mem.gpa, f.mem.gpa + OTHER_AT, SIZE_4K);
	TEST_ASSERT_EQ(guest_mem_diff(&f.mem, 0, SIZE_4K, OTHER_AT, ~SEED), 0);
	uffd_close(&f.uffd);
	share_vm_destroy(&f.s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "missing: a map waits for it, and holds up nothing else",
		  map_of_missing },
		{ "missing: a HWPT over a range that is gone waits for it",
		  attach_over_discarded },
		{ "missing: a HWPT over replaced pages does not wait",
		  attach_over_replaced },
		{ "missing: a vCPU waits for it, maps and unmaps go on",
		  vcpu_on_missing },
		{ "missing: killed while a map waits", killed_in_map },
		{ "missing: killed while a vCPU waits", killed_in_vcpu_run },
		{ "missing: killed while a HWPT waits", killed_in_hwpt_alloc },
		{ "protected, pinned, a table each: vCPU writes are told of",
		  protected_pinned_ordinary },
		{ "protected, pinned, one table: vCPU writes are told of",
		  protected_pinned_shared },
		{ "protected, pinned, one table: again and again under DMA",
		  protected_under_dma },
		{ "protected, not mapped: the device reaches nothing",
		  protected_unpinned },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

// SPDX-License-Identifier: GPL-2.0-only
/* Guest memory for tests: a memslot with known backing, and test patterns. */
#include "guest_mem.h"
#include "processor.h"
#include "sysfile.h"
#include "tap.h"

/*
 * A stride that is odd, hence coprime to a power of two, and far from anything
 * the page allocator hands out in a row: virtual neighbours become physical
 * strangers, and nobody can map them by one large entry. Of few pages it would be
 * a multiple and one: there it is about half of them.
 */
#define SCATTER_STRIDE 12289

void fault_in_scattered(void *hva, size_t size)
{
	size_t i, page, pages = size / SIZE_4K;
	size_t stride = pages < SCATTER_STRIDE ? pages / 2 | 1 : SCATTER_STRIDE;

	TEST_ASSERT(!(pages & (pages - 1)), "size is not a power of two");
	for (i = 0; i < pages; i++) {
		page = (i * stride) & (pages - 1);
		WRITE_ONCE(*(__u64 *)(hva + page * SIZE_4K), 0);
	}
}

/*
 * Faults huge pages in, then makes the host split its mappings of them: a
 * change of protection in one page does it, and the pages stay where they are.
 */
static void fault_in_adjacent(struct guest_mem *mem)
{
	size_t at;

	for (at = 0; at < mem->size; at += SIZE_2M) {
		WRITE_ONCE(*(__u64 *)(mem->hva + at), 0);
		TEST_ASSERT(!mprotect(mem->hva + at, SIZE_4K, PROT_READ) &&
			    !mprotect(mem->hva + at, SIZE_4K,
				      PROT_READ | PROT_WRITE), "mprotect");
	}
}

static void need_hugepages(size_t page_size, size_t size)
{
	char path[128], text[32];
	__u64 have = 0;

	snprintf(path, sizeof(path),
		 "/sys/kernel/mm/hugepages/hugepages-%zukB/free_hugepages",
		 page_size / 1024);
	if (sysfile_read(path, text, sizeof(text)))
		have = strtoull(text, NULL, 10);
	if (have < size / page_size)
		tap_skip_case("%llu free hugepages of %zu kB, needs %zu", have,
			      page_size / 1024, size / page_size);
}

void guest_mem_add(struct guest_mem *mem, struct kvm_vm *vm, __u32 slot,
		   enum guest_mem_backing backing, __u64 gpa, size_t size)
{
	static const enum vm_mem_backing_src_type src[] = {
		[BACKING_4K] = VM_MEM_SRC_ANONYMOUS,
		[BACKING_4K_ADJACENT] = VM_MEM_SRC_ANONYMOUS_THP,
		[BACKING_2M] = VM_MEM_SRC_ANONYMOUS_HUGETLB_2MB,
		[BACKING_1G] = VM_MEM_SRC_ANONYMOUS_HUGETLB_1GB,
	};

	if (backing == BACKING_2M)
		need_hugepages(SIZE_2M, size);
	if (backing == BACKING_1G)
		need_hugepages(SIZE_1G, size);

	mem->vm = vm;
	mem->slot = slot;
	mem->gpa = gpa;
	mem->size = size;
	vm_userspace_mem_region_add(vm, src[backing], gpa, slot,
				    size / vm->page_size, 0);
	mem->hva = addr_gpa2hva(vm, gpa);
	if (backing == BACKING_4K)
		fault_in_scattered(mem->hva, mem->size);
	else if (backing == BACKING_4K_ADJACENT)
		fault_in_adjacent(mem);

	/* The guest's own table is not under test: 2M entries keep it small. */
	virt_map_level(vm, gpa, gpa, size, PG_LEVEL_2M);
}

void guest_mem_fill(struct guest_mem *mem, size_t offset, size_t len,
		    __u64 seed)
{
	__u64 *word = mem->hva + offset;
	size_t i;

	for (i = 0; i < len / sizeof(*word); i++)
		word[i] = pattern_word(mem->gpa + offset + i * sizeof(*word),
				       seed);
}

unsigned long guest_mem_diff(struct guest_mem *mem, size_t offset, size_t len,
			     size_t origin, __u64 seed)
{
	__u64 *word = mem->hva + offset;
	unsigned long wrong = 0;
	size_t i;

	for (i = 0; i < len / sizeof(*word); i++)
		wrong += READ_ONCE(word[i]) !=
			 pattern_word(mem->gpa + origin + i * sizeof(*word),
				      seed);
	return wrong;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Memory that one VM after the other has as its guest's, of known backing. */
#include <sys/mman.h>
#include <linux/mman.h>

#include "bench_mem.h"
#include "sysfile.h"

static const struct {
	const char *name;
	size_t page;
	int flags;
} backings[] = {
	[BACKING_4K] = { "4K", SIZE_4K, 0 },
	[BACKING_4K_IN_ORDER] = { "4Kseq", SIZE_4K, 0 },
	[BACKING_2M] = { "2M", SIZE_2M, MAP_HUGETLB | MAP_HUGE_2MB },
	[BACKING_1G] = { "1G", SIZE_1G, MAP_HUGETLB | MAP_HUGE_1GB },
};

const char *bench_backing_name(enum guest_mem_backing backing)
{
	return backings[backing].name;
}

bool bench_backing_parse(const char *name, enum guest_mem_backing *backing)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(backings); i++) {
		if (!backings[i].name || strcmp(backings[i].name, name))
			continue;
		*backing = i;
		return true;
	}
	return false;
}

/* Grows the pool as far as memory allows; 1G pages are the boot's. */
static void want_hugepages(size_t page, size_t count)
{
	char path[128], text[32];

	snprintf(path, sizeof(path),
		 "/sys/kernel/mm/hugepages/hugepages-%zukB/nr_hugepages",
		 page / 1024);
	if (!sysfile_read(path, text, sizeof(text)) ||
	    strtoull(text, NULL, 10) >= count)
		return;
	snprintf(text, sizeof(text), "%zu", count);
	sysfile_write(path, text);
}

static size_t whole_pages(const struct bench_mem *mem)
{
	size_t page = backings[mem->backing].page;

	return (mem->size + page - 1) / page * page;
}

bool bench_mem_alloc(struct bench_mem *mem, enum guest_mem_backing backing,
		     size_t size)
{
	size_t i, pages, page = backings[backing].page;

	mem->backing = backing;
	mem->size = size;
	pages = whole_pages(mem) / page;
	if (page != SIZE_4K)
		want_hugepages(page, pages);
	mem->hva = mmap(NULL, pages * page, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | backings[backing].flags,
			-1, 0);
	if (mem->hva == MAP_FAILED)
		return false;

	if (backing == BACKING_4K) {
		fault_in_scattered(mem->hva, pages * page);
		return true;
	}
	for (i = 0; i < pages; i++)
		WRITE_ONCE(*(__u64 *)(mem->hva + i * page), 0);
	return true;
}

void bench_mem_free(struct bench_mem *mem)
{
	munmap(mem->hva, whole_pages(mem));
}

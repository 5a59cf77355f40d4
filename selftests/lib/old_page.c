// SPDX-License-Identifier: GPL-2.0-only
/* Takes a freed page and watches whether somebody still writes to it. */
#include "host_event.h"
#include "old_page.h"
#include "test_util.h"

/* What may have been freed along with it, in front of it in the lists. */
#define MOST	(32 * SIZE_2M)

/* One word in so many bytes: devices write whole pages. */
#define STEP	64

static __u64 word(size_t at)
{
	return pattern_word(at, 0x01d);
}

void old_page_catch(struct old_page *old, __u64 pfn)
{
	size_t at;

	old->caught = false;
	old->va = mmap(NULL, MOST, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(old->va != MAP_FAILED, "mmap");
	for (old->size = 0; old->size < MOST && !old->caught;
	     old->size += SIZE_4K) {
		for (at = old->size; at < old->size + SIZE_4K; at += STEP)
			WRITE_ONCE(*(__u64 *)(old->va + at), word(at));
		old->caught = host_pfn(0, old->va + old->size) == pfn;
	}
	ksft_print_msg("the old page has %s after %llu others\n",
		       old->caught ? "a new owner" : "none",
		       old->size / SIZE_4K - old->caught);
}

bool old_page_intact(const struct old_page *old)
{
	size_t at;

	for (at = 0; at < old->size; at += STEP)
		if (READ_ONCE(*(__u64 *)(old->va + at)) != word(at))
			return false;
	return true;
}

void old_page_free(struct old_page *old)
{
	munmap(old->va, MOST);
}

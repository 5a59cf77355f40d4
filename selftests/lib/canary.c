// SPDX-License-Identifier: GPL-2.0-only
/* Pages that nobody but the process may change: next owners of freed memory. */
#include <sys/mman.h>
#include <linux/compiler.h>

#include "canary.h"
#include "test_util.h"

/* No two words alike, so that a word that moved shows too. */
static __u64 canary_word(const struct canary *c, size_t i)
{
	return c->value + i;
}

bool canary_start(struct canary *c, size_t len, bool huge, __u64 value)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | (huge ? MAP_HUGETLB : 0);
	void *va = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, -1, 0);
	size_t i;

	if (va == MAP_FAILED)
		return false;
	c->va = va;
	c->len = len;
	c->value = value;
	for (i = 0; i < len / sizeof(*c->va); i++)
		c->va[i] = canary_word(c, i);
	return true;
}

void canary_check(struct canary *c)
{
	size_t i;

	for (i = 0; i < c->len / sizeof(*c->va); i++)
		TEST_ASSERT(READ_ONCE(c->va[i]) == canary_word(c, i),
			    "memory that is not the VM's was changed: %#llx at %#lx of %#lx bytes",
			    READ_ONCE(c->va[i]), i * sizeof(*c->va), c->len);
}

void canary_end(struct canary *c)
{
	canary_check(c);
	TEST_ASSERT(!munmap(c->va, c->len), "munmap");
	c->va = NULL;
}

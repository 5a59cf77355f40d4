// SPDX-License-Identifier: GPL-2.0-only
/* Reads page-table memory and page frame numbers. */
#include <linux/bits.h>

#include "memstat.h"
#include "sysfile.h"
#include "test_util.h"

#define PAGEMAP_PRESENT	BIT_ULL(63)
#define PAGEMAP_PFN	(BIT_ULL(55) - 1)

__u64 memstat_second_level_bytes(void)
{
	char text[8192];
	__u64 kb;

	/* Up to a thousand pages may sit in per-CPU deltas: fold them. */
	sysfile_read("/proc/sys/vm/stat_refresh", text, sizeof(text));
	TEST_ASSERT(sysfile_read("/proc/meminfo", text, sizeof(text)) &&
		    text_get(text, "SecPageTables", 10, &kb),
		    "no SecPageTables in /proc/meminfo");
	return kb * 1024;
}

__u64 memstat_phys(const void *va)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	off_t page = (unsigned long)va / getpagesize();
	__u64 entry = 0;

	TEST_ASSERT(fd >= 0, "open /proc/self/pagemap");
	TEST_ASSERT(pread(fd, &entry, sizeof(entry), page * sizeof(entry)) ==
		    sizeof(entry), "read /proc/self/pagemap");
	close(fd);
	TEST_ASSERT(entry & PAGEMAP_PRESENT, "page at %p is not present", va);
	TEST_ASSERT(entry & PAGEMAP_PFN, "no PFN: run as root");
	return (entry & PAGEMAP_PFN) * getpagesize() +
	       (unsigned long)va % getpagesize();
}

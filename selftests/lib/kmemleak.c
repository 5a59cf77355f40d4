// SPDX-License-Identifier: GPL-2.0-only
/* Asks the kernel's leak detector, in builds that have one. */
#include "kmemleak.h"
#include "sysfile.h"
#include "test_util.h"

#define KMEMLEAK DEBUGFS "/kmemleak"

/* It reports no object that is younger, nor one that it saw change. */
#define MIN_AGE_SECONDS	6
#define SCANS		2

bool kmemleak_exists(void)
{
	debugfs_mount();
	return !access(KMEMLEAK, W_OK);
}

void kmemleak_clear(void)
{
	sysfile_write(KMEMLEAK, "clear");
}

bool kmemleak_is_clean(void)
{
	char text[16384], *line, *rest = text;
	int i;

	sleep(MIN_AGE_SECONDS);
	for (i = 0; i < SCANS; i++)
		TEST_ASSERT(sysfile_write(KMEMLEAK, "scan"), "kmemleak scan");
	TEST_ASSERT(sysfile_read(KMEMLEAK, text, sizeof(text)),
		    "read kmemleak");
	if (!text[0])
		return true;
	while ((line = strsep(&rest, "\n")))
		ksft_print_msg("%s\n", line);
	return false;
}

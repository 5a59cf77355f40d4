// SPDX-License-Identifier: GPL-2.0-only
/* One call in a thread of its own, because it may block. */
#include "background.h"
#include "test_util.h"

static void *background_thread(void *arg)
{
	struct background *b = arg;

	b->call(b->arg);
	__atomic_store_n(&b->done, true, __ATOMIC_RELEASE);
	return NULL;
}

void background_start(struct background *b, void (*call)(void *arg), void *arg)
{
	b->call = call;
	b->arg = arg;
	b->done = false;
	TEST_ASSERT(!pthread_create(&b->thread, NULL, background_thread, b),
		    "pthread_create");
}

bool background_done(struct background *b)
{
	return __atomic_load_n(&b->done, __ATOMIC_ACQUIRE);
}

void background_join(struct background *b)
{
	pthread_join(b->thread, NULL);
}

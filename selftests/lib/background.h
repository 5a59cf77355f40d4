/* SPDX-License-Identifier: GPL-2.0-only */
/* One call in a thread of its own, because it may block. */
#ifndef TDP_SELFTEST_BACKGROUND_H
#define TDP_SELFTEST_BACKGROUND_H

#include <pthread.h>
#include <stdbool.h>

struct background {
	void (*call)(void *arg);
	void *arg;
	bool done;
	pthread_t thread;
};

void background_start(struct background *b, void (*call)(void *arg), void *arg);
bool background_done(struct background *b);
void background_join(struct background *b);

#endif

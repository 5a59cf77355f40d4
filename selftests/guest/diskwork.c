// SPDX-License-Identifier: GPL-2.0-only
/* In the guest: writes a file past the page cache, reads it, checks each byte. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
#include <linux/types.h>

/*
 * usage: diskwork FILE BLOCKS WORKERS COUNTS
 *        diskwork --count COUNTS
 *
 * Each worker has BLOCKS blocks of its own in FILE, and works until SIGTERM
 * comes: it writes a random run of blocks with data that was never written
 * there before, and reads another run, which must be what it wrote there last.
 * At the end all of them are read. Exit status 0: no wrong byte and no error.
 *
 * COUNTS is a file where each worker keeps the number of reads and writes that
 * were completed; --count prints their sum.
 */

#define BLOCK		4096
#define MAX_RUN		32	/* blocks */
#define SYNC_EVERY	16
#define SAY_EVERY	8

static volatile sig_atomic_t stopped;
static pid_t leader;

/* It comes to the leader, which passes it on to its process group. */
static void stop(int sig)
{
	if (!stopped && getpid() == leader)
		kill(0, SIGTERM);
	stopped = 1;
}

static void fail(const char *what)
{
	printf("diskwork: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

struct worker {
	int fd;
	int counts;
	unsigned int index;
	unsigned int blocks;
	__u64 random;
	__u32 *versions;	/* of each block, how often it was written */
	__u64 ios;
	char *buf;
};

static __u64 next_random(struct worker *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random;
}

static __u64 pattern(struct worker *w, unsigned int block, unsigned int word)
{
	__u64 where = ((__u64)w->index << 32 | block) * (BLOCK / 8) + word;

	return (where ^ (__u64)w->versions[block] << 40) *
	       0x9e3779b97f4a7c15ULL;
}

static off_t position(struct worker *w, unsigned int block)
{
	return ((off_t)w->index * w->blocks + block) * BLOCK;
}

/* Of interest to whoever waits for I/O to go on, so it need not be exact. */
static void say_count(struct worker *w)
{
	__u64 count = w->ios;

	if (pwrite(w->counts, &count, sizeof(count), w->index * 8) != 8)
		fail("write of the count");
}

static void write_run(struct worker *w, unsigned int first, unsigned int n)
{
	__u64 *word = (__u64 *)w->buf;
	unsigned int i, j;

	for (i = 0; i < n; i++) {
		w->versions[first + i]++;
		for (j = 0; j < BLOCK / 8; j++)
			*word++ = pattern(w, first + i, j);
	}
	if (pwrite(w->fd, w->buf, n * BLOCK, position(w, first)) != n * BLOCK)
		fail("write");
	w->ios++;
}

static void read_run(struct worker *w, unsigned int first, unsigned int n)
{
	__u64 *word = (__u64 *)w->buf, want;
	unsigned int i, j;

	/* What is not read must not look as if it had been. */
	memset(w->buf, 0x5a, n * BLOCK);
	if (pread(w->fd, w->buf, n * BLOCK, position(w, first)) != n * BLOCK)
		fail("read");
	w->ios++;
	for (i = 0; i < n; i++) {
		for (j = 0; j < BLOCK / 8; j++, word++) {
			want = pattern(w, first + i, j);
			if (*word == want)
				continue;
			printf("diskwork: worker %u, block %u, word %u: read %#llx, wrote %#llx\n",
			       w->index, first + i, j, *word, want);
			fflush(stdout);
			_exit(2);
		}
	}
}

static unsigned int run_at(struct worker *w, unsigned int *first)
{
	unsigned int n = 1 + next_random(w) % MAX_RUN;

	*first = next_random(w) % (w->blocks - n + 1);
	return n;
}

static void work(struct worker *w)
{
	unsigned int first, n, turn;

	for (first = 0; first < w->blocks; first += n) {
		n = w->blocks - first < MAX_RUN ? w->blocks - first : MAX_RUN;
		write_run(w, first, n);
	}
	for (turn = 1; !stopped; turn++) {
		n = run_at(w, &first);
		write_run(w, first, n);
		n = run_at(w, &first);
		read_run(w, first, n);
		if (turn % SYNC_EVERY == 0 && fdatasync(w->fd))
			fail("fdatasync");
		if (turn % SAY_EVERY == 0)
			say_count(w);
	}
	for (first = 0; first < w->blocks; first++)
		read_run(w, first, 1);
	say_count(w);
}

static void start(struct worker *w, const char *path, const char *counts)
{
	w->random = 0x2545f4914f6cdd1dULL * (w->index + 1);
	w->versions = calloc(w->blocks, sizeof(*w->versions));
	w->fd = open(path, O_RDWR | O_CREAT | O_DIRECT, 0600);
	w->counts = open(counts, O_RDWR | O_CREAT, 0600);
	if (!w->versions || w->fd < 0 || w->counts < 0 ||
	    posix_memalign((void **)&w->buf, BLOCK, MAX_RUN * BLOCK))
		fail("open");
}

static int print_count(const char *counts)
{
	int fd = open(counts, O_RDONLY);
	__u64 sum = 0, count;

	if (fd < 0)
		fail(counts);
	while (read(fd, &count, sizeof(count)) == sizeof(count))
		sum += count;
	printf("%llu\n", sum);
	return 0;
}

int main(int argc, char **argv)
{
	struct worker w = { 0 };
	unsigned int workers;
	int status, bad = 0;
	pid_t pid;

	if (argc == 3 && !strcmp(argv[1], "--count"))
		return print_count(argv[2]);
	if (argc != 5)
		return 64;
	w.blocks = strtoul(argv[2], NULL, 0);
	workers = strtoul(argv[3], NULL, 0);
	if (w.blocks < MAX_RUN || !workers)
		return 64;

	setpgid(0, 0);
	leader = getpid();
	signal(SIGTERM, stop);
	for (w.index = 0; w.index < workers; w.index++) {
		pid = fork();
		if (pid < 0)
			fail("fork");
		if (!pid) {
			start(&w, argv[1], argv[4]);
			work(&w);
			exit(0);
		}
	}
	while (wait(&status) > 0)
		bad |= status;
	return !!bad;
}

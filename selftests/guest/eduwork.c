// SPDX-License-Identifier: GPL-2.0-only
/*
 * In the guest: has an edu copy pages, and a CPU write others, each with a number that
 * counts up. When it is told to stop it compares all of them with what it wrote last.
 *
 * usage: eduwork COUNTS          until SIGTERM; what it has done is in the file COUNTS
 *        eduwork --count COUNTS  prints how many pages the device and the CPU wrote
 *
 * Exit status 0: no page was wrong. The device's buffer does not go along with a
 * migration, so that a copy in two steps may have to be done anew.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <linux/types.h>

#define PAGE		4096
#define WORDS		(PAGE / 8)
#define DEVICE_PAGES	256
#define CPU_PAGES	4096
#define CPU_BATCH	64
#define TRIES		20

#define PCI_DEVICES	"/sys/bus/pci/devices"
#define REG_SRC		0x80
#define REG_DST		0x88
#define REG_COUNT	0x90
#define REG_CMD		0x98
#define CMD_RUN		1
#define CMD_STORE	2
#define BUFFER		0x40000

struct counts {
	__u64 device;
	__u64 cpu;
	__u64 again;
};

static int stopped;
static void *bar;
static __u64 (*device_pages)[WORDS], (*cpu_pages)[WORDS], *source;
static __u64 device_model[DEVICE_PAGES], cpu_model[CPU_PAGES];

static void stop(int sig)
{
	__atomic_store_n(&stopped, 1, __ATOMIC_RELAXED);
}

static void fail(const char *what)
{
	printf("eduwork: %s: %s\n", what, strerror(errno));
	exit(3);
}

static __u64 word(__u64 page, __u64 number, unsigned int i)
{
	return (page << 48 ^ number) * 0x9e3779b97f4a7c15ULL + i;
}

static void fill(__u64 *at, __u64 page, __u64 number)
{
	unsigned int i;

	for (i = 0; i < WORDS; i++)
		at[i] = word(page, number, i);
}

static int differs(const __u64 *at, __u64 page, __u64 number)
{
	unsigned int i;

	for (i = 0; i < WORDS; i++)
		if (__atomic_load_n(&at[i], __ATOMIC_RELAXED) !=
		    word(page, number, i))
			return 1;
	return 0;
}

static unsigned int attr(const char *device, const char *name)
{
	char path[300], text[16] = "";
	int fd;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", device, name);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		fail(path);
	close(fd);
	return strtoul(text, NULL, 0);
}

static void open_device(void)
{
	__u16 command;
	struct dirent *e;
	char path[300];
	DIR *dir;
	int fd;

	dir = opendir(PCI_DEVICES);
	while ((e = readdir(dir))) {
		if (e->d_name[0] != '.' && attr(e->d_name, "vendor") == 0x1234 &&
		    attr(e->d_name, "device") == 0x11e8)
			break;
	}
	if (!e)
		fail("no edu");
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/config", e->d_name);
	fd = open(path, O_RDWR);
	if (pread(fd, &command, 2, 4) != 2)
		fail(path);
	command |= 6; /* memory, bus master */
	if (pwrite(fd, &command, 2, 4) != 2)
		fail(path);
	close(fd);
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/resource0", e->d_name);
	fd = open(path, O_RDWR | O_SYNC);
	bar = mmap(NULL, 0x100000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bar == MAP_FAILED)
		fail(path);
	closedir(dir);
}

static void *memory(size_t pages)
{
	void *mem = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (mem == MAP_FAILED || mlock(mem, pages * PAGE))
		fail("memory");
	return mem;
}

static __u64 physical(const void *at)
{
	static int fd = -1;
	__u64 entry;

	if (fd < 0)
		fd = open("/proc/self/pagemap", O_RDONLY);
	if (pread(fd, &entry, 8, (unsigned long)at / PAGE * 8) != 8 ||
	    !(entry & ((1ULL << 55) - 1)))
		fail("pagemap");
	return (entry & ((1ULL << 55) - 1)) * PAGE;
}

static void write_reg(unsigned int reg, __u64 value)
{
	__atomic_store_n((__u64 *)(bar + reg), value, __ATOMIC_SEQ_CST);
}

static void transfer(__u64 src, __u64 dst, __u64 cmd)
{
	write_reg(REG_SRC, src);
	write_reg(REG_DST, dst);
	write_reg(REG_COUNT, PAGE);
	write_reg(REG_CMD, cmd | CMD_RUN);
	while (__atomic_load_n((__u64 *)(bar + REG_CMD), __ATOMIC_SEQ_CST) & CMD_RUN)
		usleep(2000);
}

static void device_writes(struct counts *c, unsigned int page, __u64 number)
{
	unsigned int tries;

	fill(source, page, number);
	for (tries = 0; tries < TRIES; tries++) {
		transfer(physical(source), BUFFER, 0);
		transfer(BUFFER, physical(device_pages[page]), CMD_STORE);
		if (!differs(device_pages[page], page, number)) {
			device_model[page] = number;
			c->device++;
			return;
		}
		c->again++;
	}
	printf("eduwork: the device does not write page %u\n", page);
	exit(2);
}

static void cpu_writes(struct counts *c, unsigned int page, __u64 number)
{
	if (differs(cpu_pages[page], page, cpu_model[page])) {
		printf("eduwork: CPU page %u is not as it was\n", page);
		exit(1);
	}
	fill(cpu_pages[page], page, number);
	cpu_model[page] = number;
	c->cpu++;
}

static int compare(void)
{
	unsigned int i, wrong = 0;

	for (i = 0; i < DEVICE_PAGES; i++)
		if (differs(device_pages[i], i, device_model[i]) && ++wrong < 8)
			printf("device page %u is not as it was written\n", i);
	for (i = 0; i < CPU_PAGES; i++)
		if (differs(cpu_pages[i], i, cpu_model[i]) && ++wrong < 8)
			printf("CPU page %u is not as it was written\n", i);
	return wrong;
}

static struct counts *map_counts(const char *path, int flags)
{
	int fd = open(path, flags, 0600);
	struct counts *c;

	if (fd < 0 || (flags & O_CREAT && ftruncate(fd, PAGE)))
		fail(path);
	c = mmap(NULL, PAGE, PROT_READ | (flags & O_CREAT ? PROT_WRITE : 0),
		 MAP_SHARED, fd, 0);
	if (c == MAP_FAILED)
		fail(path);
	close(fd);
	return c;
}

int main(int argc, char **argv)
{
	__u64 number = 1;
	unsigned int i, at = 0, wrong;
	struct counts *c;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc == 3 && !strcmp(argv[1], "--count")) {
		c = map_counts(argv[2], O_RDONLY);
		printf("%llu\n", (unsigned long long)c->device);
		return 0;
	}
	if (argc != 2)
		return 64;

	signal(SIGTERM, stop);
	c = map_counts(argv[1], O_RDWR | O_CREAT | O_TRUNC);
	open_device();
	device_pages = memory(DEVICE_PAGES);
	cpu_pages = memory(CPU_PAGES);
	source = memory(1);
	for (i = 0; i < DEVICE_PAGES; i++)
		fill(device_pages[i], i, 0);
	for (i = 0; i < CPU_PAGES; i++)
		fill(cpu_pages[i], i, 0);

	while (!__atomic_load_n(&stopped, __ATOMIC_RELAXED)) {
		device_writes(c, number * 37 % DEVICE_PAGES, number);
		for (i = 0; i < CPU_BATCH; i++)
			cpu_writes(c, at++ * 241 % CPU_PAGES, number);
		number++;
	}
	wrong = compare();
	printf("%llu pages written by the device, %llu anew, %llu by the CPU, %u wrong\n",
	       (unsigned long long)c->device, (unsigned long long)c->again,
	       (unsigned long long)c->cpu, wrong);
	return !!wrong;
}

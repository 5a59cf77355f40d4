// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that shares runs another program. Descriptors that exec() closes
 * take everything with them. Those that it hands on keep the device going, in
 * memory that is pinned; the VM's own process is as good as gone.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <linux/vfio.h>

#include "aftermath.h"
#include "share_vm.h"
#include "tap.h"

#define TEST_SIZE	(2 * SIZE_2M)
#define MAPPED		SIZE_2M		/* the rest is in the memslot only */

enum other_program {
	NONE,			/* the cases */
	HOLD_NOTHING,		/* wait for the pipe to be closed */
	HOLD_ALL,		/* use what was handed on */
};

enum {
	ARG_PROGRAM = 1,
	ARG_PIPE,
	ARG_VM,
	ARG_IOMMUFD,
	ARG_IOAS,
	ARG_DEVICE,
	ARG_MEMFD,
	ARGS,
};

struct parts {
	struct share_vm s;
	struct vfio_dev testdev;
	int memfd;
	void *hva;
};

static void *map_memfd(int memfd)
{
	void *hva = mmap(NULL, TEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 memfd, 0);

	TEST_ASSERT(hva != MAP_FAILED, "mmap");
	return hva;
}

static void expect_dma(struct vfio_dev *dev, __u64 offset, __u32 *word)
{
	WRITE_ONCE(*word, 0);
	TEST_ASSERT(testdev_write(dev, GPA_HIGH + offset, sizeof(*word)),
		    "DMA was blocked");
	TEST_ASSERT_EQ(READ_ONCE(*word), TESTDEV_WORD);
}

static void make(struct parts *p)
{
	share_vm_create(&p->s, HWPT_SHARED);
	if (!share_vm_add_testdev(&p->s, &p->testdev))
		tap_skip_case("no iommu-testdev");
	/* Unlike the others' descriptors this one is not closed by exec(). */
	p->memfd = memfd_create("guest", 0);
	TEST_ASSERT(p->memfd >= 0 && !ftruncate(p->memfd, TEST_SIZE), "memfd");
	p->hva = map_memfd(p->memfd);
	vm_set_user_memory_region(p->s.vm, TEST_SLOT, 0, GPA_HIGH, TEST_SIZE,
				  p->hva);
	iommufd_map(p->s.iommufd, p->s.ioas, GPA_HIGH, p->hva, MAPPED);
	guest_nop(p->s.vcpus[0]);
	expect_dma(&p->testdev, 0, p->hva);
}

static void keep_over_exec(int fd)
{
	TEST_ASSERT(!fcntl(fd, F_SETFD, 0), "F_SETFD");
}

/* This program again, as another. */
static void run_again(struct parts *p, enum other_program program, int pipe_fd)
{
	const int values[ARGS] = {
		[ARG_PROGRAM] = program,
		[ARG_PIPE] = pipe_fd,
		[ARG_VM] = p->s.vm->fd,
		[ARG_IOMMUFD] = p->s.iommufd,
		[ARG_IOAS] = p->s.ioas,
		[ARG_DEVICE] = p->testdev.fd,
		[ARG_MEMFD] = p->memfd,
	};
	char text[ARGS][16], *argv[ARGS + 1] = {};
	int i;

	for (i = 0; i < ARGS; i++) {
		snprintf(text[i], sizeof(text[i]), "%d", values[i]);
		argv[i] = text[i];
	}
	fflush(NULL);
	execv("/proc/self/exe", argv);
	TEST_FAIL("execv");
}

/*
 * @setup makes the parts and runs this program again. The pipe's other end is
 * the caller's: a byte comes when the program runs, and it ends when closed.
 */
static pid_t start(void (*setup)(int pipe_fd), int *sock)
{
	int socks[2];
	pid_t pid;

	TEST_ASSERT(!socketpair(AF_UNIX, SOCK_STREAM, 0, socks), "socketpair");
	fflush(NULL);
	pid = fork();
	TEST_ASSERT(pid >= 0, "fork");
	if (!pid) {
		close(socks[0]);
		setup(socks[1]);
	}
	close(socks[1]);
	*sock = socks[0];
	return pid;
}

static void expect_running(int sock)
{
	char byte;

	TEST_ASSERT(read(sock, &byte, 1) == 1, "the program does not run");
}

static void expect_good_end(pid_t pid)
{
	int status = 0;

	TEST_ASSERT(waitpid(pid, &status, 0) == pid, "waitpid");
	TEST_ASSERT(!status, "the program failed: %#x", status);
}

static void exec_and_close(int pipe_fd)
{
	struct parts p;

	make(&p);
	run_again(&p, HOLD_NOTHING, pipe_fd);
}

static void closed_by_exec(void)
{
	struct leak_counts before;
	pid_t pid;
	int sock;

	leak_counts_read(&before);
	pid = start(exec_and_close, &sock);
	expect_running(sock);

	/* The process lives, with the same pid, and has none of it. */
	expect_all_freed(&before);
	expect_fresh_share_works();
	close(sock);
	expect_good_end(pid);
}

static void exec_and_hand_on(int pipe_fd)
{
	struct parts p;

	make(&p);
	keep_over_exec(p.s.vm->fd);
	keep_over_exec(p.s.iommufd);
	keep_over_exec(p.testdev.fd);
	run_again(&p, HOLD_ALL, pipe_fd);
}

static void handed_on_by_exec(void)
{
	struct leak_counts before, held;
	pid_t pid;
	int sock;

	leak_counts_read(&before);
	pid = start(exec_and_hand_on, &sock);
	expect_running(sock);
	leak_counts_read(&held);
	TEST_ASSERT_EQ(held.domains, before.domains + 1);
	TEST_ASSERT_EQ(held.pins, before.pins + MAPPED / SIZE_4K);
	close(sock);
	expect_good_end(pid);
	expect_all_freed(&before);
	expect_fresh_share_works();
}

static void map_registers(struct vfio_dev *dev)
{
	struct vfio_region_info bar = {
		.argsz = sizeof(bar),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};

	TEST_ASSERT(!ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, &bar),
		    "BAR 0");
	dev->bar_size = bar.size;
	dev->bar = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			dev->fd, bar.offset);
	TEST_ASSERT(dev->bar != MAP_FAILED, "mmap BAR 0");
}

/*
 * In the new program: the address space that made the VM is gone, and with it
 * all vCPUs. The IOAS goes on as with a table of its own.
 */
static void use_what_was_handed_on(const int *value)
{
	struct vfio_dev testdev = { .fd = value[ARG_DEVICE] };
	int iommufd = value[ARG_IOMMUFD];
	void *hva = map_memfd(value[ARG_MEMFD]);
	__u32 ioas = value[ARG_IOAS];
	int r;

	map_registers(&testdev);
	expect_dma(&testdev, SIZE_4K, hva + SIZE_4K);

	r = ioctl(value[ARG_VM], KVM_CREATE_VCPU, 7);
	TEST_ASSERT(r < 0 && errno == EIO, "KVM_CREATE_VCPU: %d, errno %d", r,
		    errno);
	r = __iommufd_map(iommufd, ioas, IOAS_MAP_RW, GPA_HIGH + MAPPED,
			  hva + MAPPED, SIZE_4K);
	TEST_ASSERT_EQ(r, 0);
	expect_dma(&testdev, MAPPED, hva + MAPPED);

	/* None of that took anything away, and all of it still can be. */
	expect_dma(&testdev, 2 * SIZE_4K, hva + 2 * SIZE_4K);
	iommufd_unmap(iommufd, ioas, GPA_HIGH, MAPPED);
	TEST_ASSERT(!testdev_write(&testdev, GPA_HIGH, 4),
		    "DMA after it was unmapped");
	expect_dma(&testdev, MAPPED, hva + MAPPED);
	iommufd_unmap(iommufd, ioas, GPA_HIGH + MAPPED, SIZE_4K);
	TEST_ASSERT(!testdev_write(&testdev, GPA_HIGH + MAPPED, 4),
		    "DMA after it was unmapped");
}

static int other_program(char **argv)
{
	int value[ARGS], i;
	char byte = 1;

	for (i = 0; i < ARGS; i++)
		value[i] = atoi(argv[i]);
	TEST_ASSERT(write(value[ARG_PIPE], &byte, 1) == 1, "write");
	TEST_ASSERT(!read(value[ARG_PIPE], &byte, 1), "read");
	if (value[ARG_PROGRAM] == HOLD_ALL)
		use_what_was_handed_on(value);
	return KSFT_PASS;
}

int main(int argc, char **argv)
{
	static const struct tap_case cases[] = {
		{ "descriptors that exec() closes take everything with them",
		  closed_by_exec },
		{ "descriptors that exec() hands on keep the device going",
		  handed_on_by_exec },
	};

	if (argc == ARGS)
		return other_program(argv);
	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

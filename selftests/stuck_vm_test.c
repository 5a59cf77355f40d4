// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM that does not answer its userfaults can stop its own VM's conversion: it
 * has the IOAS in the middle of a map, which the conversion waits for. Other VMs
 * and operators do not wait with it:
 *
 * 1. The list of VMs can be read, and says that this one is busy: the control.
 * 2. Another VM gets its first device, shares, and obeys orders.
 * 3. An order for the VM that is stuck waits, and can be interrupted.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "auto_vm.h"
#include "background.h"
#include "dma_page.h"
#include "hang.h"
#include "kvm_vfio.h"
#include "tap.h"
#include "uffd.h"

#define FAR_GPA		(GPA_HIGH + 2 * SIZE_1G)
#define SECONDS		10

struct stuck {
	struct auto_vm a;
	void *hole;
};

static void map_hole(void *arg)
{
	struct stuck *v = arg;

	__iommufd_map(v->a.s.iommufd, v->a.s.ioas, IOAS_MAP_RW, FAR_GPA,
		      v->hole, SIZE_4K);
}

static void order_private(void *arg)
{
	__vmm_share_control(getpid(), "private");
}

/* The VMM that gets stuck. It says so through @fd. */
static void __noreturn be_stuck(int fd)
{
	struct background map = { 0 }, order = { 0 };
	struct stuck v;
	struct uffd u;
	bool protected;

	auto_vm_create(&v.a);
	v.hole = mmap(NULL, SIZE_4K, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(v.hole != MAP_FAILED, "mmap");
	uffd_watch(&u, v.hole, SIZE_4K, UFFDIO_REGISTER_MODE_MISSING);
	background_start(&map, map_hole, &v);
	uffd_wait(&u, &map, &protected);
	background_start(&order, order_private, &v);
	sleep(1);
	TEST_ASSERT(!background_done(&order), "the order was obeyed");
	TEST_ASSERT(write(fd, "x", 1) == 1, "pipe");
	for (;;)
		pause();
}

static void within(const char *what, void (*call)(void *arg), void *arg)
{
	struct background b = { 0 };
	int i;

	background_start(&b, call, arg);
	for (i = 0; i < SECONDS * 100 && !background_done(&b); i++)
		usleep(10000);
	TEST_ASSERT(background_done(&b), "%s: not done after %d s", what,
		    SECONDS);
	background_join(&b);
}

static void read_list(void *arg)
{
	pid_t *pid = arg;
	struct vmm_share_status st;

	TEST_ASSERT(vmm_share_status(*pid, &st), "the VM is not listed");
	TEST_ASSERT(!strcmp(st.reason, "busy"), "not stuck: %s", st.line);
}

struct other {
	struct share_vm s;
	struct vfio_dev dev;
	struct guest_mem mem;
	int kvm_vfio;
};

static void attach_first(void *arg)
{
	struct other *o = arg;

	vfio_dev_attach(&o->dev, o->s.ioas);
}

static void create_other(struct other *o)
{
	struct userspace_mem_region *slot0;
	char bdf[BDF_LEN];

	share_vm_create_bare(&o->s, 64);
	o->kvm_vfio = kvm_vfio_create(o->s.vm->fd);
	if (!vfio_dev_find(bdf, TESTDEV_VENDOR, TESTDEV_DEVICE, 1))
		tap_skip_case("no second iommu-testdev");
	vfio_dev_open_in_vm(&o->dev, bdf, o->s.iommufd, o->kvm_vfio);
	guest_mem_add(&o->mem, o->s.vm, TEST_SLOT, BACKING_4K, GPA_HIGH,
		      2 * SIZE_2M);
	slot0 = memslot2region(o->s.vm, 0);
	iommufd_map(o->s.iommufd, o->s.ioas, slot0->region.guest_phys_addr,
		    slot0->host_mem, slot0->region.memory_size);
	share_vm_map(&o->s, &o->mem);
}

/* A signal gets whoever waits with an order for the VM back. */
static void order_is_interrupted(pid_t stuck)
{
	pid_t pid = fork();
	int status;

	TEST_ASSERT(pid >= 0, "fork");
	if (!pid) {
		__vmm_share_control(stuck, "off");
		_exit(0);
	}
	sleep(1);
	TEST_ASSERT_EQ(waitpid(pid, &status, WNOHANG), 0);
	kill(pid, SIGTERM);
	TEST_ASSERT_EQ(wait_or_kill(pid, SECONDS, &status), CHILD_ENDED);
	TEST_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM,
		    "status %#x", status);
}

static void others_go_on(void)
{
	struct other o = { 0 };
	int fds[2], status;
	pid_t pid;
	char c;

	TEST_ASSERT(!pipe(fds), "pipe");
	pid = fork();
	TEST_ASSERT(pid >= 0, "fork");
	if (!pid)
		be_stuck(fds[1]);
	close(fds[1]);
	TEST_ASSERT(read(fds[0], &c, 1) == 1, "the VMM died");

	within("reading the list", read_list, &pid);
	create_other(&o);
	within("another VM's first attach", attach_first, &o);
	vmm_wait_shared(getpid(), AUTO_VM_SECONDS);
	vmm_share_control(getpid(), "off");
	vmm_wait_private(getpid(), "off", AUTO_VM_SECONDS);
	dma_expect_reached(&o.dev, &o.mem, true);
	order_is_interrupted(pid);
	within("reading the list", read_list, &pid);

	kill(pid, SIGKILL);
	TEST_ASSERT_EQ(wait_or_kill(pid, SECONDS, &status), CHILD_ENDED);
	close(o.kvm_vfio);
	vfio_dev_close(&o.dev);
	close(o.s.iommufd);
	kvm_vm_free(o.s.vm);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "a VM that is stuck stops no other", others_go_on },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

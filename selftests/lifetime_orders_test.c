// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM holds five kinds of descriptor: the VM's, its vCPUs', the device's,
 * iommufd's and the kvm-vfio device's. They are closed in every order. After
 * each close what the others still need is there, and what nobody needs is not.
 * That is so for a share that was asked for and for one that came by itself.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include <glob.h>
#include <sys/ioctl.h>
#include <linux/vfio.h>

#include "aftermath.h"
#include "mmu_share.h"
#include "share_vm.h"
#include "slow_host.h"
#include "sysfile.h"
#include "tap.h"
#include "vmm_share.h"

#define MEM_SIZE	(64 * SIZE_4K)
#define MAPPED		(16 * SIZE_4K)	/* vCPUs have the rest faulted in */
#define SHARE_SECONDS	20
#define WAIT_US		1000
#define WAIT_TRIES	5000

enum part {
	VM,
	VCPUS,
	DEVICE,
	IOMMUFD,
	KVM_VFIO,
	PARTS,
};

static const char * const part_names[] = {
	[VM] = "VM",
	[VCPUS] = "vCPUs",
	[DEVICE] = "device",
	[IOMMUFD] = "iommufd",
	[KVM_VFIO] = "kvm-vfio",
};

struct set {
	int fd[PARTS];		/* VCPUS: that of the first */
	int second_vcpu;
	int vm_number;		/* names the VM when the fd is closed */
	bool open[PARTS];
	bool by_itself;		/* nobody asked for the share */
	size_t mapped;
	void *mem;
};

static int open_cdev(const char *bdf)
{
	const char *name;
	char path[128];
	glob_t found;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev/vfio*",
		 bdf);
	TEST_ASSERT(!glob(path, 0, NULL, &found), "%s is not bound to vfio-pci",
		    bdf);
	name = strrchr(found.gl_pathv[0], '/');
	snprintf(path, sizeof(path), "/dev/vfio/devices%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	TEST_ASSERT(fd >= 0, "open %s", path);
	globfree(&found);
	return fd;
}

static void create_vm(struct set *set)
{
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = GPA_HIGH,
		.memory_size = MEM_SIZE,
		.userspace_addr = (unsigned long)set->mem,
	};
	int kvm = open_kvm_dev_path_or_exit();

	set->fd[VM] = ioctl(kvm, KVM_CREATE_VM, 0);
	TEST_ASSERT(set->fd[VM] >= 0, "KVM_CREATE_VM");
	set->vm_number = set->fd[VM];
	close(kvm);
	TEST_ASSERT(!ioctl(set->fd[VM], KVM_SET_USER_MEMORY_REGION, &region),
		    "KVM_SET_USER_MEMORY_REGION");
	set->fd[VCPUS] = ioctl(set->fd[VM], KVM_CREATE_VCPU, 0);
	set->second_vcpu = ioctl(set->fd[VM], KVM_CREATE_VCPU, 1);
	TEST_ASSERT(set->fd[VCPUS] >= 0 && set->second_vcpu >= 0,
		    "KVM_CREATE_VCPU");
}

/* As VMMs do it: KVM is told of the device before the device is bound. */
static __u32 open_device(struct set *set, const char *bdf)
{
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_VFIO };
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct kvm_device_attr add = {
		.group = KVM_DEV_VFIO_FILE,
		.attr = KVM_DEV_VFIO_FILE_ADD,
		.addr = (unsigned long)&set->fd[DEVICE],
	};

	TEST_ASSERT(!ioctl(set->fd[VM], KVM_CREATE_DEVICE, &create),
		    "KVM_CREATE_DEVICE");
	set->fd[KVM_VFIO] = create.fd;
	set->fd[DEVICE] = open_cdev(bdf);
	TEST_ASSERT(!ioctl(create.fd, KVM_SET_DEVICE_ATTR, &add),
		    "KVM_DEV_VFIO_FILE_ADD");

	set->fd[IOMMUFD] = iommufd_open();
	bind.iommufd = set->fd[IOMMUFD];
	TEST_ASSERT(!ioctl(set->fd[DEVICE], VFIO_DEVICE_BIND_IOMMUFD, &bind),
		    "VFIO_DEVICE_BIND_IOMMUFD");
	return bind.out_devid;
}

/* Each vCPU takes the shared root, and so holds it too. */
static void pre_fault(int vcpu)
{
	struct kvm_pre_fault_memory range = {
		.gpa = GPA_HIGH,
		.size = MEM_SIZE,
	};

	while (range.size)
		TEST_ASSERT(!ioctl(vcpu, KVM_PRE_FAULT_MEMORY, &range) ||
			    errno == EINTR, "KVM_PRE_FAULT_MEMORY");
}

static void make(struct set *set, bool by_itself, const char *bdf, void *mem)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
	};
	__u32 dev, ioas;
	int i;

	set->mem = mem;
	set->by_itself = by_itself;
	set->mapped = by_itself ? MEM_SIZE : MAPPED;
	create_vm(set);
	dev = open_device(set, bdf);
	ioas = iommufd_ioas_alloc(set->fd[IOMMUFD]);
	iommufd_map(set->fd[IOMMUFD], ioas, GPA_HIGH, mem, set->mapped);
	attach.pt_id = by_itself ? ioas :
		       iommufd_hwpt_alloc(set->fd[IOMMUFD], dev, ioas,
					  HWPT_SHARED, set->fd[VM]);
	TEST_ASSERT(!ioctl(set->fd[DEVICE], VFIO_DEVICE_ATTACH_IOMMUFD_PT,
			   &attach), "attach");
	if (by_itself)
		vmm_wait_shared(getpid(), SHARE_SECONDS);
	pre_fault(set->fd[VCPUS]);
	pre_fault(set->second_vcpu);
	for (i = 0; i < PARTS; i++)
		set->open[i] = true;
}

static void close_part(struct set *set, enum part part)
{
	close(set->fd[part]);
	if (part == VCPUS)
		close(set->second_vcpu);
	set->open[part] = false;
}

/*
 * kvm-vfio holds the device's file, which holds iommufd's context. An HWPT that
 * nobody asked for goes with its device.
 */
static bool domain_is_needed(const struct set *set)
{
	return (set->open[IOMMUFD] && !set->by_itself) || set->open[DEVICE] ||
	       set->open[KVM_VFIO];
}

/* vCPUs and kvm-vfio hold the VM, as does the table that the domain needs. */
static bool vm_is_needed(const struct set *set)
{
	return set->open[VM] || set->open[VCPUS] || domain_is_needed(set);
}

struct state {
	bool domain;
	bool shared;		/* the VM's table, with what is pinned in it */
	bool vm;
};

static void read_state(const struct set *set,
		       const struct leak_counts *before, struct state *state)
{
	struct mmu_share_info info = {};
	struct leak_counts now;

	leak_counts_read(&now);
	state->domain = now.domains > before->domains;
	state->vm = mmu_share_read_fd(getpid(), set->vm_number, &info);
	state->shared = info.shared && info.pinned_bytes == set->mapped;
}

/* What is not needed may go a moment later; what is needed must be there. */
static void expect_what_is_needed(const struct set *set,
				  const struct leak_counts *before,
				  const char *order)
{
	bool domain = domain_is_needed(set), vm = vm_is_needed(set);
	struct state now;
	int i;

	for (i = 0; i < WAIT_TRIES; i++) {
		read_state(set, before, &now);
		TEST_ASSERT(now.domain >= domain && now.shared >= domain &&
			    now.vm >= vm, "%s: gone too early: %s%s%s", order,
			    now.domain < domain ? "domain " : "",
			    now.shared < domain ? "share " : "",
			    now.vm < vm ? "VM" : "");
		if (now.domain == domain && now.shared == domain &&
		    now.vm == vm)
			return;
		usleep(WAIT_US);
	}
	TEST_FAIL("%s: still there: %s%s%s", order, now.domain ? "domain " : "",
		  now.shared ? "share " : "", now.vm ? "VM" : "");
}

static void close_in_order(const enum part *order, bool by_itself,
			   const char *bdf, void *mem)
{
	struct leak_counts before;
	char text[128] = "";
	struct set set;
	int i;

	leak_counts_read(&before);
	make(&set, by_itself, bdf, mem);
	expect_what_is_needed(&set, &before, "all open");
	for (i = 0; i < PARTS; i++) {
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "%s%s", i ? ", " : "", part_names[order[i]]);
		close_part(&set, order[i]);
		expect_what_is_needed(&set, &before, text);
	}
	expect_all_freed(&before);
}

/* All orders that begin as @order does, up to @nr; or some, where that takes long. */
static unsigned int walk(enum part *order, int nr, bool by_itself,
			 const char *bdf, void *mem)
{
	static unsigned int seen;
	unsigned int walked = 0;
	enum part part;
	int i;

	if (nr == PARTS) {
		if (!(seen++ % less_if_slow(1, 5)))
			close_in_order(order, by_itself, bdf, mem);
		return 1;
	}
	for (part = 0; part < PARTS; part++) {
		for (i = 0; i < nr && order[i] != part; i++)
			;
		if (i < nr)
			continue;
		order[nr] = part;
		walked += walk(order, nr + 1, by_itself, bdf, mem);
	}
	return walked;
}

struct closing {
	enum part first;
	bool by_itself;
};

static void closed_first(const void *arg)
{
	const struct closing *c = arg;
	enum part order[PARTS] = { c->first };
	char bdf[BDF_LEN];
	void *mem;

	if (c->by_itself)
		vmm_share_require();
	TEST_ASSERT(vfio_dev_find(bdf, EDU_VENDOR, EDU_DEVICE, 0), "no edu");
	mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	TEST_ASSERT(mem != MAP_FAILED, "mmap");
	TEST_ASSERT_EQ(walk(order, 1, c->by_itself, bdf, mem), 24);
	expect_fresh_share_works();
}

int main(void)
{
	static const struct closing asked[] = {
		{ VM }, { VCPUS }, { DEVICE }, { IOMMUFD }, { KVM_VFIO },
	};
	static const struct closing by_itself[] = {
		{ VM, true }, { VCPUS, true }, { DEVICE, true },
		{ IOMMUFD, true }, { KVM_VFIO, true },
	};
	static const struct tap_case cases[] = {
		{ "asked for: the VM is closed first, the others in every order",
		  .run_with = closed_first, .arg = &asked[VM] },
		{ "asked for: the vCPUs are closed first, the others in every order",
		  .run_with = closed_first, .arg = &asked[VCPUS] },
		{ "asked for: the device is closed first, the others in every order",
		  .run_with = closed_first, .arg = &asked[DEVICE] },
		{ "asked for: iommufd is closed first, the others in every order",
		  .run_with = closed_first, .arg = &asked[IOMMUFD] },
		{ "asked for: kvm-vfio is closed first, the others in every order",
		  .run_with = closed_first, .arg = &asked[KVM_VFIO] },
		{ "by itself: the VM is closed first, the others in every order",
		  .run_with = closed_first, .arg = &by_itself[VM] },
		{ "by itself: the vCPUs are closed first, the others in every order",
		  .run_with = closed_first, .arg = &by_itself[VCPUS] },
		{ "by itself: the device is closed first, the others in every order",
		  .run_with = closed_first, .arg = &by_itself[DEVICE] },
		{ "by itself: iommufd is closed first, the others in every order",
		  .run_with = closed_first, .arg = &by_itself[IOMMUFD] },
		{ "by itself: kvm-vfio is closed first, the others in every order",
		  .run_with = closed_first, .arg = &by_itself[KVM_VFIO] },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

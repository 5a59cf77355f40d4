// SPDX-License-Identifier: GPL-2.0-only
/*
 * VM, iommufd and device in the hands of several threads and processes, which
 * end one by one or are killed at work. What is in use stays, all else is
 * freed, and the next share works.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "aftermath.h"
#include "mmu_share.h"
#include "processor.h"
#include "share_vm.h"
#include "sysfile.h"
#include "tap.h"

#define TEST_SIZE	(4 * SIZE_2M)
#define BIG_SIZE	(32 * SIZE_2M)
#define SEED		0x9e75
#define SRC		0
#define DST		SIZE_2M
#define POLL_US		500
#define POLL_LIMIT	(60 * 1000000 / POLL_US)

static void expect_copy(struct vfio_dev *edu, struct guest_mem *mem)
{
	guest_mem_fill(mem, SRC, SIZE_4K, SEED);
	guest_mem_fill(mem, DST, SIZE_4K, ~SEED);
	edu_copy(edu, mem->gpa + DST, mem->gpa + SRC, SIZE_4K);
	TEST_ASSERT_EQ(guest_mem_diff(mem, DST, SIZE_4K, SRC, SEED), 0);
}

static void expect_guest_works(struct kvm_vcpu *vcpu, struct guest_mem *mem)
{
	guest_fill(vcpu, mem->gpa, mem->size, SIZE_4K, SEED);
	TEST_ASSERT_EQ(guest_diff(vcpu, mem->gpa, mem->size, SIZE_4K, mem->gpa,
				  SEED), 0);
}

/* A process and the way to talk to it, a word at a time. */
struct peer {
	pid_t pid;
	int sock;
};

static void peer_send(struct peer *p, int word)
{
	TEST_ASSERT(write(p->sock, &word, sizeof(word)) == sizeof(word),
		    "write to the other process");
}

static int peer_receive(struct peer *p)
{
	int word;

	TEST_ASSERT(read(p->sock, &word, sizeof(word)) == sizeof(word),
		    "the other process has ended");
	return word;
}

static void peer_start(struct peer *p, void (*run)(struct peer *, void *),
		       void *arg)
{
	int socks[2];

	TEST_ASSERT(!socketpair(AF_UNIX, SOCK_STREAM, 0, socks), "socketpair");
	fflush(NULL);
	p->pid = fork();
	TEST_ASSERT(p->pid >= 0, "fork");
	p->sock = socks[!p->pid];
	close(socks[!!p->pid]);
	if (!p->pid) {
		run(p, arg);
		exit(0);
	}
}

static void peer_kill(struct peer *p)
{
	int status;

	TEST_ASSERT(!kill(p->pid, SIGKILL) &&
		    waitpid(p->pid, &status, 0) == p->pid, "kill or waitpid");
	TEST_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		    "the other process ended by itself: %#x", status);
	close(p->sock);
}

static void peer_wait(struct peer *p)
{
	int status = 0;

	TEST_ASSERT(waitpid(p->pid, &status, 0) == p->pid && !status,
		    "the other process failed: %#x", status);
	close(p->sock);
}

/* Memory that several processes can have, each at an address of its own. */
static int shared_memory(void)
{
	int fd = memfd_create("guest", 0);

	TEST_ASSERT(fd >= 0 && !ftruncate(fd, TEST_SIZE), "memfd_create");
	return fd;
}

static void map_memory(struct guest_mem *mem, int memfd)
{
	mem->gpa = GPA_HIGH;
	mem->size = TEST_SIZE;
	mem->slot = TEST_SLOT;
	mem->hva = mmap(NULL, TEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			memfd, 0);
	TEST_ASSERT(mem->hva != MAP_FAILED, "mmap");
}

static struct kvm_vm *vm_with_memory(struct guest_mem *mem, int memfd,
				     struct kvm_vcpu **vcpu)
{
	struct kvm_vm *vm;

	vm = __vm_create_with_vcpus(VM_SHAPE_DEFAULT, 1, 64, guest_main, vcpu);
	vcpu_args_set(*vcpu, 1, 0ull);
	map_memory(mem, memfd);
	mem->vm = vm;
	vm_set_user_memory_region(vm, TEST_SLOT, 0, mem->gpa, mem->size,
				  mem->hva);
	virt_map_level(vm, mem->gpa, mem->gpa, mem->size, PG_LEVEL_2M);
	return vm;
}

/* All but the VM, which may be another process's. */
static void open_device(struct share_vm *s, __u16 vendor, __u16 device)
{
	char bdf[BDF_LEN];

	s->iommufd = iommufd_open();
	s->ioas = iommufd_ioas_alloc(s->iommufd);
	TEST_ASSERT(vfio_dev_find(bdf, vendor, device, 0), "no %x:%x", vendor,
		    device);
	vfio_dev_open(&s->edu, bdf, s->iommufd);
}

static void open_edu(struct share_vm *s)
{
	open_device(s, EDU_VENDOR, EDU_DEVICE);
}

static int share_with(struct share_vm *s, int vm_fd)
{
	return __iommufd_hwpt_alloc(s->iommufd, s->edu.dev_id, s->ioas,
				    IOMMU_HWPT_ALLOC_KVM_TDP, vm_fd, &s->hwpt);
}

static void attach(struct share_vm *s, enum hwpt_kind kind, int vm_fd)
{
	s->hwpt = iommufd_hwpt_alloc(s->iommufd, s->edu.dev_id, s->ioas, kind,
				     vm_fd);
	vfio_dev_attach(&s->edu, s->hwpt);
}

static void close_device(struct share_vm *s)
{
	vfio_dev_close(&s->edu);
	close(s->iommufd);
}

struct other_vm {
	int vm_fd;
	int memfd;
};

/*
 * May not share: the VM's memslots are its own process's mappings. With a table
 * of its own the device copies as well. Then waits to be killed.
 */
static void device_process(struct peer *p, void *arg)
{
	struct other_vm *other = arg;
	struct guest_mem mem;
	struct share_vm s;

	map_memory(&mem, other->memfd);
	open_edu(&s);
	TEST_ASSERT_EQ(share_with(&s, other->vm_fd), -EPERM);

	attach(&s, HWPT_ORDINARY, other->vm_fd);
	share_vm_map(&s, &mem);
	expect_copy(&s.edu, &mem);
	TEST_ASSERT_EQ(share_with(&s, other->vm_fd), -EPERM);
	peer_send(p, 1);
	peer_receive(p);
}

static void device_of_another_process(void)
{
	struct mmu_share_info info;
	struct leak_counts before;
	struct other_vm other;
	struct guest_mem mem;
	struct kvm_vcpu *vcpu;
	struct share_vm s;
	struct peer p;

	leak_counts_read(&before);
	other.memfd = shared_memory();
	s.vm = vm_with_memory(&mem, other.memfd, &vcpu);
	other.vm_fd = s.vm->fd;

	peer_start(&p, device_process, &other);
	TEST_ASSERT_EQ(peer_receive(&p), 1);
	/* The device's copy is the guest's memory. */
	TEST_ASSERT_EQ(guest_diff(vcpu, mem.gpa + DST, SIZE_4K, 8,
				  mem.gpa + SRC, SEED), 0);
	mmu_share_read(s.vm, &info);
	TEST_ASSERT_EQ(info.shared, 0);
	TEST_ASSERT_EQ(info.pinned_bytes, 0);
	peer_kill(&p);
	expect_guest_works(vcpu, &mem);

	/* Control: the VM's own process may, with the same descriptor. */
	open_edu(&s);
	attach(&s, HWPT_SHARED, s.vm->fd);
	share_vm_map(&s, &mem);
	expect_copy(&s.edu, &mem);
	mmu_share_read(s.vm, &info);
	TEST_ASSERT_EQ(info.pinned_bytes, TEST_SIZE);
	expect_guest_works(vcpu, &mem);
	close_device(&s);

	kvm_vm_free(s.vm);
	expect_all_freed(&before);
	expect_fresh_share_works();
}

/* Shares, and is asked twice whether all is well. */
static void vm_process(struct peer *p, void *arg)
{
	int memfd = *(int *)arg;
	struct guest_mem mem;
	struct kvm_vcpu *vcpu;
	struct share_vm s;

	s.vm = vm_with_memory(&mem, memfd, &vcpu);
	open_edu(&s);
	attach(&s, HWPT_SHARED, s.vm->fd);
	share_vm_map(&s, &mem);
	expect_guest_works(vcpu, &mem);
	peer_send(p, s.vm->fd);
	peer_receive(p);
	expect_copy(&s.edu, &mem);
	TEST_ASSERT_EQ(guest_diff(vcpu, mem.gpa + DST, SIZE_4K, 8,
				  mem.gpa + SRC, SEED), 0);
	peer_send(p, 1);
	peer_receive(p);
}

static int take_fd(pid_t pid, int fd)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0), taken;

	TEST_ASSERT(pidfd >= 0, "pidfd_open");
	taken = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	TEST_ASSERT(taken >= 0, "pidfd_getfd");
	close(pidfd);
	return taken;
}

/*
 * While the VM shares with its own process's device, and when that process is
 * gone and the VM's descriptor is all that is left.
 */
static void vm_of_another_process(void)
{
	struct leak_counts before;
	struct guest_mem mem;
	struct share_vm s;
	int memfd, vm_fd;
	struct peer p;

	leak_counts_read(&before);
	memfd = shared_memory();
	peer_start(&p, vm_process, &memfd);
	vm_fd = take_fd(p.pid, peer_receive(&p));
	map_memory(&mem, memfd);
	open_device(&s, TESTDEV_VENDOR, TESTDEV_DEVICE);
	TEST_ASSERT_EQ(share_with(&s, vm_fd), -EPERM);
	peer_send(&p, 1);
	TEST_ASSERT_EQ(peer_receive(&p), 1);

	attach(&s, HWPT_ORDINARY, vm_fd);
	share_vm_map(&s, &mem);
	peer_kill(&p);
	TEST_ASSERT_EQ(share_with(&s, vm_fd), -EPERM);
	TEST_ASSERT(testdev_write(&s.edu, mem.gpa, SIZE_4K),
		    "the device lost memory that is mapped");

	close(vm_fd);
	close_device(&s);
	expect_all_freed(&before);
	expect_fresh_share_works();
}

/* What a victim is at, for its killer to see. */
struct at_work {
	int vm_fd;
	int phase;
	unsigned long rounds;
};

enum { RESTING, MAPPING, UNMAPPING, ALLOCATING };

struct victim {
	void (*work)(struct at_work *w);	/* for ever */
	int phase;		/* killed when it is in this one, midway */
	unsigned long rounds;	/* or after as many rounds */
};

static void set_phase(struct at_work *w, int phase)
{
	__atomic_store_n(&w->phase, phase, __ATOMIC_SEQ_CST);
}

static void add_round(struct at_work *w)
{
	__atomic_add_fetch(&w->rounds, 1, __ATOMIC_SEQ_CST);
}

static void setup_victim(struct at_work *w, struct share_vm *s,
			 struct guest_mem *mem)
{
	share_vm_create(s, HWPT_SHARED);
	guest_mem_add(mem, s->vm, TEST_SLOT, BACKING_4K, GPA_HIGH, BIG_SIZE);
	__atomic_store_n(&w->vm_fd, s->vm->fd, __ATOMIC_SEQ_CST);
}

static void map_and_unmap(struct at_work *w)
{
	struct guest_mem mem;
	struct share_vm s;

	setup_victim(w, &s, &mem);
	for (;;) {
		set_phase(w, MAPPING);
		share_vm_map(&s, &mem);
		set_phase(w, UNMAPPING);
		share_vm_unmap(&s, &mem);
	}
}

static void alloc_and_destroy(struct at_work *w)
{
	struct guest_mem mem;
	struct share_vm s;

	setup_victim(w, &s, &mem);
	share_vm_map(&s, &mem);
	vfio_dev_detach(&s.edu);
	for (;;) {
		set_phase(w, RESTING);
		iommufd_destroy(s.iommufd, s.hwpt);
		set_phase(w, ALLOCATING);
		s.hwpt = iommufd_hwpt_alloc(s.iommufd, s.edu.dev_id, s.ioas,
					    HWPT_SHARED, s.vm->fd);
	}
}

#define STORM		SIZE_2M
#define DISCARDED	(16 * SIZE_4K)

static void *discard_thread(void *arg)
{
	struct guest_mem *mem = arg;
	size_t at;

	for (at = 0;; at = (at + DISCARDED) % STORM)
		TEST_ASSERT(!madvise(mem->hva + at, DISCARDED, MADV_DONTNEED),
			    "madvise");
	return NULL;
}

/* Half of what the vCPU touches is taken away again and again. */
static void fault_storm(struct at_work *w)
{
	struct guest_mem mem;
	struct share_vm s;
	pthread_t thread;

	setup_victim(w, &s, &mem);
	iommufd_map(s.iommufd, s.ioas, mem.gpa + STORM, mem.hva + STORM, STORM);
	TEST_ASSERT(!pthread_create(&thread, NULL, discard_thread, &mem),
		    "pthread_create");
	for (;;) {
		guest_fill(s.vcpus[0], mem.gpa, 2 * STORM, SIZE_4K, SEED);
		add_round(w);
	}
}

/* The guest's, as is guest_stop. */
static __u64 guest_spins;
static __u64 guest_stop;

static void guest_spin(void)
{
	while (!READ_ONCE(guest_stop))
		WRITE_ONCE(guest_spins, guest_spins + 1);
	GUEST_DONE();
}

static __u64 spins_of(struct kvm_vm *vm)
{
	return READ_ONCE(*(__u64 *)addr_gva2hva(vm, (gva_t)&guest_spins));
}

static void wait_for_spin(struct kvm_vm *vm)
{
	__u64 seen = spins_of(vm);
	int i;

	for (i = 0; i < POLL_LIMIT && spins_of(vm) == seen; i++)
		usleep(POLL_US);
	TEST_ASSERT(spins_of(vm) != seen, "the vCPU does not run");
}

/* Never comes back from KVM_RUN by itself. */
static void *spin_thread(void *arg)
{
	__vcpu_run(arg);
	return NULL;
}

static void run_and_never_return(struct at_work *w)
{
	struct kvm_vcpu *vcpu;
	struct guest_mem mem;
	struct share_vm s;
	pthread_t thread;

	setup_victim(w, &s, &mem);
	iommufd_map(s.iommufd, s.ioas, mem.gpa, mem.hva, SIZE_2M);
	vcpu = vm_vcpu_add(s.vm, SHARE_VM_VCPUS, guest_spin);
	TEST_ASSERT(!pthread_create(&thread, NULL, spin_thread, vcpu),
		    "pthread_create");
	for (;;) {
		wait_for_spin(s.vm);
		add_round(w);
	}
}

/* Part of what will be pinned is, so that the victim is in the middle of it. */
static bool is_midway(const struct victim *v, struct at_work *w, pid_t pid)
{
	int vm_fd = __atomic_load_n(&w->vm_fd, __ATOMIC_SEQ_CST);
	struct mmu_share_info info;

	if (!vm_fd)
		return false;
	if (v->rounds)
		return __atomic_load_n(&w->rounds, __ATOMIC_SEQ_CST) >=
		       v->rounds;

	return __atomic_load_n(&w->phase, __ATOMIC_SEQ_CST) == v->phase &&
	       mmu_share_read_fd(pid, vm_fd, &info) && info.shared &&
	       info.pinned_bytes > 0 && info.pinned_bytes < BIG_SIZE &&
	       __atomic_load_n(&w->phase, __ATOMIC_SEQ_CST) == v->phase;
}

static void killed(const struct victim *v)
{
	struct leak_counts before;
	struct at_work *w;
	int i, status;
	pid_t pid;

	w = mmap(NULL, SIZE_4K, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(w != MAP_FAILED, "mmap");
	leak_counts_read(&before);
	fflush(NULL);
	pid = fork();
	TEST_ASSERT(pid >= 0, "fork");
	if (!pid)
		v->work(w);

	for (i = 0; i < POLL_LIMIT && !is_midway(v, w, pid); i++)
		usleep(POLL_US);
	TEST_ASSERT(i < POLL_LIMIT, "the victim is never midway");
	TEST_ASSERT(!kill(pid, SIGKILL) && waitpid(pid, &status, 0) == pid,
		    "kill or waitpid");
	TEST_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		    "the victim ended by itself: %#x", status);
	expect_all_freed(&before);
	expect_fresh_share_works();
}

static void killed_mapping(void)
{
	killed(&(struct victim) { map_and_unmap, .phase = MAPPING });
}

static void killed_unmapping(void)
{
	killed(&(struct victim) { map_and_unmap, .phase = UNMAPPING });
}

static void killed_allocating(void)
{
	killed(&(struct victim) { alloc_and_destroy, .phase = ALLOCATING });
}

static void killed_faulting(void)
{
	killed(&(struct victim) { fault_storm, .rounds = 3 });
}

static void killed_running(void)
{
	killed(&(struct victim) { run_and_never_return, .rounds = 3 });
}

struct made {
	struct share_vm s;
	struct guest_mem mem;
};

static void *make_thread(void *arg)
{
	struct made *m = arg;

	share_vm_create(&m->s, HWPT_SHARED);
	share_vm_add_mem(&m->s, &m->mem, BACKING_4K, GPA_HIGH, TEST_SIZE);
	return NULL;
}

static void join_new_thread(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	TEST_ASSERT(!pthread_create(&thread, NULL, run, arg) &&
		    !pthread_join(thread, NULL), "pthread");
}

static void expect_all_works(struct made *m)
{
	expect_guest_works(m->s.vcpus[0], &m->mem);
	expect_copy(&m->s.edu, &m->mem);
	share_vm_unmap(&m->s, &m->mem);
	share_vm_map(&m->s, &m->mem);
	expect_copy(&m->s.edu, &m->mem);
}

/* The thread that made all of it is gone; the process's memory is not. */
static void makers_thread_ends(void)
{
	struct leak_counts before;
	struct made m;

	leak_counts_read(&before);
	join_new_thread(make_thread, &m);
	expect_all_works(&m);
	share_vm_destroy(&m.s);
	expect_all_freed(&before);
}

static void *wait_and_use_thread(void *arg)
{
	struct made *m = arg;
	char path[64], text[256];
	int i;

	/* A thread group leader that has exited stays as a zombie. */
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
	for (i = 0; i < POLL_LIMIT; i++) {
		if (sysfile_read(path, text, sizeof(text)) &&
		    strstr(text, ") Z "))
			break;
		usleep(POLL_US);
	}
	TEST_ASSERT(i < POLL_LIMIT, "the main thread still runs");
	expect_all_works(m);
	share_vm_destroy(&m->s);
	exit(0);
}

static void main_thread_process(struct peer *p, void *arg)
{
	static struct made m;
	pthread_t thread;

	make_thread(&m);
	TEST_ASSERT(!pthread_create(&thread, NULL, wait_and_use_thread, &m),
		    "pthread_create");
	pthread_exit(NULL);
}

static void first_thread_ends(void)
{
	struct leak_counts before;
	struct peer p;

	leak_counts_read(&before);
	peer_start(&p, main_thread_process, NULL);
	peer_wait(&p);
	expect_all_freed(&before);
}

static void on_signal(int sig)
{
}

/* A thread is taken out of KVM_RUN and ends; another takes the vCPU over. */
static void vcpu_thread_ends(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct leak_counts before;
	struct kvm_vcpu *vcpu;
	pthread_t thread;
	struct ucall uc;
	struct made m;

	leak_counts_read(&before);
	make_thread(&m);
	vcpu = vm_vcpu_add(m.s.vm, SHARE_VM_VCPUS, guest_spin);
	TEST_ASSERT(!sigaction(SIGUSR1, &action, NULL), "sigaction");

	TEST_ASSERT(!pthread_create(&thread, NULL, spin_thread, vcpu),
		    "pthread_create");
	wait_for_spin(m.s.vm);
	expect_copy(&m.s.edu, &m.mem);
	TEST_ASSERT(!pthread_kill(thread, SIGUSR1) &&
		    !pthread_join(thread, NULL), "pthread_kill");
	expect_copy(&m.s.edu, &m.mem);

	TEST_ASSERT(!pthread_create(&thread, NULL, spin_thread, vcpu),
		    "pthread_create");
	wait_for_spin(m.s.vm);
	WRITE_ONCE(*(__u64 *)addr_gva2hva(m.s.vm, (gva_t)&guest_stop), 1);
	TEST_ASSERT(!pthread_join(thread, NULL), "pthread_join");
	TEST_ASSERT_EQ(get_ucall(vcpu, &uc), UCALL_DONE);

	expect_all_works(&m);
	share_vm_destroy(&m.s);
	expect_all_freed(&before);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "another process's device is refused: EPERM",
		  device_of_another_process },
		{ "another process's VM is refused, alive or gone: EPERM",
		  vm_of_another_process },
		{ "killed in a large IOAS map", killed_mapping },
		{ "killed in a large IOAS unmap", killed_unmapping },
		{ "killed in a HWPT alloc that populates", killed_allocating },
		{ "killed while a vCPU faults all the time", killed_faulting },
		{ "killed while a vCPU is in KVM_RUN for good", killed_running },
		{ "the thread that made it all ends", makers_thread_ends },
		{ "the thread that came first ends, another goes on",
		  first_thread_ends },
		{ "a vCPU's thread ends, another takes the vCPU over",
		  vcpu_thread_ends },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}

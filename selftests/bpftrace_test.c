// SPDX-License-Identifier: GPL-2.0-only
/*
 * perf/conversions.bt says what happened: every conversion of a VM as the VM's
 * own list counts them, every flush for tables and every conflict as a trace
 * buffer has it.
 */
#include "auto_vm.h"
#include "bpftrace.h"
#include "json.h"
#include "operator.h"
#include "sysfile.h"
#include "tap.h"
#include "touch.h"
#include "trace.h"

#define CONVERT		"iommufd_tdp/iommufd_tdp_convert"
#define FLUSH		"mmu_share_iotlb_flush"
#define CONFLICT	"mmu_share_conflict"
#define FORMAT		"/sys/kernel/tracing/events/" CONVERT "/format"

#define SCRIPT		"conversions.bt"
#define CASE_LIMIT	600

#define CYCLES		5
#define CONFLICTS	37
#define OTHER_SLOT	(TEST_SLOT + 1)	/* memory that the IOAS does not map */
#define OTHER_GPA	(GPA_HIGH + SIZE_1G)
#define MEM_SIZE	(2 * SIZE_2M)
#define MAX_EVENTS	4096

static const char * const triggers[] = {
	"map", "conflict", "attach", "dirty", "claim", "off", "forced",
};

static char text[COMMAND_TEXT];

struct totals {
	unsigned long flushes, conflicts;
};

/* What the script's lines say of one process. */
struct shown {
	unsigned int shared, private, failed;
	unsigned int by[ARRAY_SIZE(triggers)];
	unsigned long long longest_us;
};

static unsigned int trigger_index(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(triggers); i++)
		if (!strcmp(name, triggers[i]))
			break;
	return i;
}

/* "18:42:39     812     3 private  forced          234  ok" */
static void read_shown(struct shown *s, pid_t wanted)
{
	char to[16], trigger[16], result[16];
	unsigned long long us;
	unsigned int hwpt, i;
	const char *line;
	int pid;

	memset(s, 0, sizeof(*s));
	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "%*d:%*d:%*d %d %u %15s %15s %llu %15s", &pid,
			   &hwpt, to, trigger, &us, result) != 6)
			continue;
		if (pid != wanted)
			continue;
		TEST_ASSERT(hwpt, "no HWPT in %.70s", line);
		if (strcmp(result, "ok")) {
			s->failed++;
			continue;
		}
		s->longest_us = max(s->longest_us, us);
		if (!strcmp(to, "shared")) {
			s->shared++;
			continue;
		}
		TEST_ASSERT(!strcmp(to, "private"), "%.70s", line);
		s->private++;
		i = trigger_index(trigger);
		TEST_ASSERT(i < ARRAY_SIZE(triggers), "%.70s", line);
		s->by[i]++;
	}
}

/* The last line of that kind: the script's own sums. */
static const char *last_line(const char *begins)
{
	const char *line, *found = NULL;

	for (line = text; (line = strstr(line, begins)); line++)
		found = line;
	TEST_ASSERT(found, "no \"%s\" in: %s", begins, text);
	return found;
}

static void expect_sums(const struct shown *s)
{
	unsigned int shared, private, failed;

	TEST_ASSERT(sscanf(last_line("\nconversions: "),
			   " conversions: %u to shared, %u to private, %u failed",
			   &shared, &private, &failed) == 3, "%s", text);
	TEST_ASSERT_EQ(shared, s->shared);
	TEST_ASSERT_EQ(private, s->private);
	TEST_ASSERT_EQ(failed, s->failed);
}

/* Each bar counts some conversions, "[512, 1K)  3" or "[1]  3": all of them. */
static void expect_histogram(const char *title, unsigned int conversions)
{
	const char *line = strchr(last_line(title) + 1, '\n');
	unsigned int sum = 0;

	for (; line && line[1] == '['; line = strchr(line + 1, '\n')) {
		line = strpbrk(line, ")]");
		TEST_ASSERT(line, "a bar without an end: %s", text);
		sum += strtoul(line + 1, NULL, 10);
	}
	TEST_ASSERT_EQ(sum, conversions);
}

static void expect_as_listed(const struct shown *s, pid_t pid)
{
	char key[32];
	unsigned int i;

	TEST_ASSERT_EQ(s->shared, operator_get_number(pid, "to_shared"));
	TEST_ASSERT_EQ(s->private, operator_get_number(pid, "to_private"));
	TEST_ASSERT_EQ(s->failed, operator_get_number(pid, "failed"));
	TEST_ASSERT_EQ(s->longest_us,
		       operator_get_number(pid, "longest_ns") / 1000);
	for (i = 0; i < ARRAY_SIZE(triggers); i++) {
		snprintf(key, sizeof(key), "triggers.%s", triggers[i]);
		TEST_ASSERT(s->by[i] == operator_get_number(pid, key),
			    "%s: shown %u times, listed %llu times",
			    triggers[i], s->by[i],
			    operator_get_number(pid, key));
	}
}

static void conversions_add_up(void)
{
	struct command ours, others;
	pid_t pid = getpid();
	char number[16];
	struct auto_vm a;
	struct shown s;
	int i;

	/* Before there is a VM, so that the first conversion is seen too. */
	snprintf(number, sizeof(number), "%d", pid);
	bpftrace_start(&ours, SCRIPT, number, "Tracing");
	snprintf(number, sizeof(number), "%d", getppid());
	bpftrace_start(&others, SCRIPT, number, "Tracing");

	auto_vm_create(&a);
	operator_share_by_order_only();
	for (i = 0; i < CYCLES; i++) {
		operator_do("private %d", pid);
		operator_do("share %d", pid);
	}

	/* Two that nobody asked for: a map that can't be read, and a vCPU. */
	TEST_ASSERT_EQ(__iommufd_map(a.s.iommufd, a.s.ioas,
				     IOMMU_IOAS_MAP_WRITEABLE, OTHER_GPA,
				     a.mem.hva, SIZE_4K), 0);
	operator_wait(pid, "state", "private");
	iommufd_unmap(a.s.iommufd, a.s.ioas, OTHER_GPA, SIZE_4K);
	operator_do("share %d", pid);
	operator_wait(pid, "state", "shared");
	TEST_ASSERT(!madvise(a.mem.hva, SIZE_4K, MADV_DONTNEED), "madvise");
	guest_fill(a.s.vcpus[0], a.mem.gpa, SIZE_4K, SIZE_4K, 1);
	operator_wait(pid, "state", "private");

	bpftrace_end(&ours, text);
	read_shown(&s, pid);
	ksft_print_msg("%u to shared, %u to private, longest %llu us\n",
		       s.shared, s.private, s.longest_us);
	TEST_ASSERT(s.by[trigger_index("forced")] == CYCLES &&
		    s.by[trigger_index("map")] == 1 &&
		    s.by[trigger_index("conflict")] == 1 && s.shared > CYCLES,
		    "%s", text);
	expect_as_listed(&s, pid);
	expect_sums(&s);
	expect_histogram("\n@us[shared]:", s.shared);
	expect_histogram("\n@us[private]:", s.private);

	/* Who asks for another process is shown nothing of ours. */
	bpftrace_end(&others, text);
	read_shown(&s, pid);
	TEST_ASSERT(!s.shared && !s.private && !s.failed, "%s", text);
	expect_sums(&s);
	auto_vm_destroy(&a);
}

static void count_traced(struct totals *t)
{
	struct trace_event *events = calloc(MAX_EVENTS, sizeof(*events));
	size_t i, n;

	TEST_ASSERT(events, "out of memory");
	n = trace_stop(events, MAX_EVENTS);
	memset(t, 0, sizeof(*t));
	for (i = 0; i < n; i++) {
		t->flushes += trace_is(&events[i], FLUSH);
		t->conflicts += trace_is(&events[i], CONFLICT);
	}
	free(events);
}

static void read_totals(struct totals *t, const char *line)
{
	TEST_ASSERT(sscanf(line, " tables: %lu flushes, %lu conflicts",
			   &t->flushes, &t->conflicts) == 2, "%s", line);
}

/* Split, and put together again: tables go. Then pages that the host takes. */
static void totals_add_up(void)
{
	struct totals traced, shown, second, sum = { 0 };
	struct guest_mem mem, small;
	const char *line;
	struct command c;
	struct share_vm s;
	__u64 value;
	int i;

	share_vm_create(&s, HWPT_SHARED);
	touch_init(s.vcpus[1]);
	share_vm_add_mem(&s, &mem, BACKING_2M, GPA_HIGH, MEM_SIZE);
	guest_mem_add(&small, s.vm, OTHER_SLOT, BACKING_4K, OTHER_GPA, SIZE_2M);
	share_vm_map(&s, &small);
	trace_open();
	trace_enable("kvm_mmu_share/" FLUSH);
	trace_enable("kvm_mmu_share/" CONFLICT);
	bpftrace_start(&c, SCRIPT, "0", "Tracing");
	trace_record();
	for (i = 0; i < CYCLES; i++) {
		vm_mem_region_set_flags(s.vm, mem.slot,
					KVM_MEM_LOG_DIRTY_PAGES);
		vm_mem_region_set_flags(s.vm, mem.slot, 0);
	}
	TEST_ASSERT(!madvise(small.hva, small.size, MADV_DONTNEED), "madvise");
	for (i = 0; i < CONFLICTS; i++)
		TEST_ASSERT_EQ(touch_read(s.vcpus[1], small.gpa + i * SIZE_4K,
					  &value), -EFAULT);
	count_traced(&traced);
	bpftrace_end(&c, text);
	trace_close();

	/* Were they equal, one could pass for the other. */
	TEST_ASSERT(traced.conflicts > traced.flushes && traced.flushes,
		    "%lu flushes, %lu conflicts", traced.flushes,
		    traced.conflicts);
	TEST_ASSERT_EQ(traced.conflicts, CONFLICTS);
	read_totals(&shown, last_line("\ntables: "));
	TEST_ASSERT_EQ(shown.flushes, traced.flushes);
	TEST_ASSERT_EQ(shown.conflicts, traced.conflicts);
	ksft_print_msg("%lu flushes, %lu conflicts\n", shown.flushes,
		       shown.conflicts);

	/* The seconds make up the total, but for what came after the last. */
	for (line = text; (line = strstr(line, " tables: ")); line++) {
		read_totals(&second, line);
		TEST_ASSERT(second.flushes || second.conflicts, "%s", text);
		sum.flushes += second.flushes;
		sum.conflicts += second.conflicts;
	}
	TEST_ASSERT(sum.flushes <= shown.flushes &&
		    sum.conflicts <= shown.conflicts, "%s", text);
	share_vm_destroy(&s);
}

/* Whatever the kernel's numbers are, the script must have the same. */
static void names_are_the_kernels(void)
{
	char path[PATH_MAX], format[8192], script[8192], line[80];
	const char *p, *names;
	unsigned int n = 0;
	unsigned long value;
	char name[16];

	command_path(path, sizeof(path), SCRIPT);
	TEST_ASSERT(sysfile_read(path, script, sizeof(script)), "no %s", path);
	TEST_ASSERT(sysfile_read(FORMAT, format, sizeof(format)),
		    "no " FORMAT);
	names = strstr(format, "__print_symbolic(REC->trigger");
	TEST_ASSERT(names, "no names in %s", format);
	for (p = names; (p = strchr(p, '{')); p++) {
		/* "{ 1, \"map\" }" */
		if (sscanf(p, "{ %lu , \"%15[^\"]\"", &value, name) != 2)
			continue;
		snprintf(line, sizeof(line), "@trigger[%lu] = \"%s\";", value,
			 name);
		TEST_ASSERT(strstr(script, line), "the script has no %s", line);
		n++;
	}
	TEST_ASSERT(n >= ARRAY_SIZE(triggers), "%u names in %s", n, names);
	for (p = script; (p = strstr(p, "@trigger[")) && strchr(p, '"'); p++)
		if (sscanf(p, "@trigger[%*u] = \"%15[^\"]", name) == 1)
			n--;
	TEST_ASSERT(!n, "the script has names that the kernel has not");
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "the script has the kernel's names of triggers",
		  names_are_the_kernels },
		{ "conversions are shown, and add up to what the VM's list has",
		  conversions_add_up, CASE_LIMIT },
		{ "flushes for tables are counted, and conflicts",
		  totals_add_up, CASE_LIMIT },
	};

	share_vm_require(true);
	__TEST_REQUIRE(trace_event_exists(CONVERT), "no tracepoint " CONVERT);
	return tap_run(cases, ARRAY_SIZE(cases));
}

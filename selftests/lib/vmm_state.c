// SPDX-License-Identifier: GPL-2.0-only
/* Shows where a QEMU and its guest stand, when a case fails. */
#include <glob.h>
#include <libgen.h>

#include "hang.h"
#include "sysfile.h"
#include "test_util.h"
#include "vmm_state.h"

#define ANSWER_SECONDS	10
#define MAX_COUNTERS	128

/* What is asked of QEMU's monitor; the last is the code at the vCPU's pc. */
static const char * const questions[] = {
	"info status", "info registers", "info lapic", "info irq", "info pic",
	"x/8i $pc",
};

/* Prints the lines of a JSON string, whose line ends are escaped. */
static void print_answer(char *text)
{
	static const char end[] = "\\r\\n";
	char *next;

	for (; text && *text; text = next) {
		next = strstr(text, end);
		if (next) {
			*next = '\0';
			next += strlen(end);
		}
		ksft_print_msg("monitor: %s\n", text);
	}
}

/* Unlike vmm_qmp() it asserts nothing: the case has failed already. */
static void ask_monitor(struct vmm *v, const char *question)
{
	unsigned int left = ANSWER_SECONDS * VMM_TEXT_PER_SECOND;
	static const char ret[] = "{\"return\": \"";
	char text[256], *line;

	snprintf(text, sizeof(text),
		 "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"%s\"}}\n",
		 question);
	if (!vmm_text_send(&v->qmp, text))
		return;
	while (left--) {
		while ((line = vmm_text_line(&v->qmp))) {
			bool mine = !strncmp(line, ret, strlen(ret));

			if (mine)
				print_answer(line + strlen(ret));
			else
				ksft_print_msg("QMP: %s\n", line);
			free(line);
			if (mine)
				return;
		}
		if (!vmm_text_receive(&v->qmp))
			break;
	}
	ksft_print_msg("QEMU does not answer: %s\n", question);
}

struct counter {
	char path[256];
	__u64 value;
};

static unsigned int read_counters(pid_t pid, struct counter *counters)
{
	char pattern[64], text[64];
	unsigned int n = 0;
	glob_t g;
	size_t i;

	snprintf(pattern, sizeof(pattern), DEBUGFS "/kvm/%d-*/vcpu*/*", pid);
	glob(pattern, 0, NULL, &g);
	snprintf(pattern, sizeof(pattern), DEBUGFS "/kvm/%d-*/*", pid);
	glob(pattern, GLOB_APPEND, NULL, &g);
	for (i = 0; i < g.gl_pathc && n < MAX_COUNTERS; i++) {
		struct counter *c = &counters[n];
		char *end;

		if (!sysfile_read(g.gl_pathv[i], text, sizeof(text)))
			continue;
		c->value = strtoull(text, &end, 0);
		if (end == text || (*end && *end != '\n'))
			continue;
		snprintf(c->path, sizeof(c->path), "%s", g.gl_pathv[i]);
		n++;
	}
	globfree(&g);
	return n;
}

void vmm_print_state(struct vmm *v)
{
	static struct counter before[MAX_COUNTERS], after[MAX_COUNTERS];
	unsigned int n = read_counters(v->pid, before), i, turn;

	for (turn = 0; turn < 2; turn++) {
		for (i = 0; i < ARRAY_SIZE(questions); i++)
			ask_monitor(v, questions[i]);
		sleep(1);
	}
	if (read_counters(v->pid, after) != n)
		n = 0;
	for (i = 0; i < n; i++)
		if (before[i].value != after[i].value)
			ksft_print_msg("KVM's %s: %llu, then %llu\n",
				       basename(after[i].path),
				       before[i].value, after[i].value);
	print_threads(v->pid);
}

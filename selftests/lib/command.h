/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs a program and keeps what it prints and how it ends. */
#ifndef TDP_SELFTEST_COMMAND_H
#define TDP_SELFTEST_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define COMMAND_ARGS	16
#define COMMAND_TEXT	65536

struct command {
	pid_t pid;
	int out;	/* memfds: nobody need read them for the program to go on */
	int err;
};

/* Where the programs that are installed with the tests are: "../bin/@name". */
void command_path(char *path, size_t size, const char *name);

/* @argv ends with NULL; its first is the program, looked up in PATH. */
void command_start(struct command *c, const char * const *argv);

/* All that it has printed so far; both ask for COMMAND_TEXT bytes. */
void command_output(struct command *c, char *text);
void command_errors(struct command *c, char *text);

/* Whether it has not ended by itself. */
bool command_running(struct command *c);

/*
 * Its exit status, or 128 and the signal that ended it. One that does not end
 * in @seconds is killed, and ends the case.
 */
int command_wait(struct command *c, unsigned int seconds);
void command_close(struct command *c);

#endif

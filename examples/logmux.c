/* SPDX-License-Identifier: MIT */
/*
 * Runs commands side by side and merges their output line by line.  Each line gets
 * the time and the number of its command.
 *
 *	$ ./logmux 'for i in a b c; do echo $i; sleep 1; done' 'sleep 2; ls /none'
 *	21:06:20.104 [1] a
 *	21:06:21.109 [1] b
 *	21:06:22.108 [2] ls: cannot access '/none': No such file or directory
 *	21:06:22.109 [2] ended with status 2
 *
 * logmux passes SIGINT, SIGTERM and SIGHUP on to each command's process group.  It
 * kills what still runs 5 seconds (or -g SECONDS) after the first SIGINT or SIGTERM, or
 * at the second one.  Its exit status is 0 if that of every command is, otherwise 1.
 *
 * asyncio: create_subprocess_shell(), readline(), loop.add_signal_handler().
 */
#include "log.h"
#include "options.h"
#include <coil.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX = 8192 };	/* longer lines are split */
struct command {
	const char *script;
	struct coil_process process;
};

static struct command *commands;
static int count, failures;
static int64_t grace = 5 * COIL_SECOND;
static sigset_t signals;

static struct log output, errors;

/* Waits for a slow reader.  One that reads nothing for 5 seconds misses lines. */
static int put_line(const struct command *command, const char *line, size_t length)
{
	static char text[64 + LINE_MAX + 1];
	struct timespec now;
	struct tm tm;
	size_t used;
	int err = log_wait(&output, sizeof(text), 5 * COIL_SECOND);

	if (err || output.error == -EPIPE)
		return err ? err : -EPIPE;
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	used = strftime(text, 64, "%H:%M:%S", &tm);
	used += (size_t)snprintf(text + used, 64 - used, ".%03ld [%d] ", now.tv_nsec / 1000000,
				 (int)(command - commands + 1));
	memcpy(text + used, line, length);
	text[used + length] = '\n';
	log_bytes(&output, text, used + length + 1);
	return 0;
}

static int copy_lines(struct coil_stream *stream, const struct command *command)
{
	char piece[LINE_MAX];
	const char *line;
	ssize_t n;
	int err = 0;

	coil_stream_set_limits(stream, LINE_MAX, 0);
	while (!err) {
		n = coil_stream_read_line(stream, &line);
		if (n == -EMSGSIZE) {
			line = piece;
			n = coil_stream_read(stream, piece, sizeof(piece));
		}
		if (n <= 0)
			return (int)n;
		err = put_line(command, line, (size_t)n - (line[n - 1] == '\n'));
	}
	return err;
}

static int put_status(const struct command *command, int status)
{
	char text[80];
	int n;

	if (WIFSIGNALED(status))
		n = snprintf(text, sizeof(text), "was ended by signal %d (%s)", WTERMSIG(status),
			     strsignal(WTERMSIG(status)));
	else
		n = snprintf(text, sizeof(text), "ended with status %d", WEXITSTATUS(status));
	failures += status != 0;
	return put_line(command, text, (size_t)n);
}

static int run_command(void *arg)
{
	struct command *command = arg;
	struct coil_process *process = &command->process;
	const char *const argv[] = { "sh", "-c", command->script, NULL };
	const struct coil_process_options options = {
		.in = COIL_DEVNULL, .out = COIL_PIPE, .err = COIL_STDOUT, .new_group = true,
	};
	struct coil_stream *stream;
	int status, err = coil_process_spawn(process, argv, &options);

	if (err)
		return err;
	stream = coil_stream_open(process->out);
	err = stream ? 0 : -errno;
	process->out = -1;	/* the stream owns it, also if coil_stream_open() failed */
	if (!err)
		err = copy_lines(stream, command);
	if (!err)
		err = coil_process_wait(process, &status);
	if (!err)
		err = put_status(command, status);
	else
		coil_process_kill_group(process, SIGKILL);
	coil_stream_close(stream);
	coil_process_close(process);
	return err;
}

/* Runs until it is cancelled.  A command that has ended gets no more signals. */
static int pass_signals_on(void *arg)
{
	bool asked = false;

	for (;;) {
		int number = 0;

		COIL_TIMEOUT(asked ? grace : COIL_FOREVER)
			number = coil_signal_wait(&signals, NULL);
		if (number == -ETIMEDOUT || (asked && number > 0 && number != SIGHUP))
			number = SIGKILL;
		if (number < 0)
			return number;
		asked |= number != SIGHUP;
		for (int i = 0; i < count; i++)
			coil_process_kill_group(&commands[i].process, number);
	}
}

static int run_all(void *arg)
{
	struct coil_group group = {0};
	struct coil_task *signaller;
	int err;

	log_open(&output, STDOUT_FILENO);
	log_open(&errors, STDERR_FILENO);
	/* Tasks start in order, so every command runs before the first signal is taken. */
	for (int i = 0; i < count; i++)
		coil_group_create_task(&group, run_command, &commands[i]);
	signaller = coil_create_task(pass_signals_on, NULL);
	if (!signaller)
		coil_group_fail(&group, -ENOMEM);
	err = coil_group_wait(&group);
	coil_cancel(signaller);
	coil_await(signaller);
	log_close(&output);
	err = err ? err : output.error ? output.error : output.len ? -EPIPE : 0;
	if (err)
		log_line(&errors, "logmux: %s", strerror(-err));
	log_close(&errors);
	return err != 0;
}

int main(int argc, char *argv[])
{
	static const char usage[] = "usage: logmux [-g SECONDS] COMMAND ...\n";
	static const struct option names[] = { OPTION_HELP, {0} };
	int err, option;

	while ((option = getopt_long(argc, argv, "g:", names, NULL)) != -1) {
		if (option != 'g' || !options_seconds(optarg, &grace))
			options_end(option == 'h', usage);
	}
	count = argc - optind;
	commands = count ? calloc((size_t)count, sizeof(*commands)) : NULL;
	if (!commands)
		options_end(false, usage);
	for (int i = 0; i < count; i++)
		commands[i].script = argv[optind + i];
	/* Blocked before any thread exists, so that each thread inherits the mask. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	err = coil_run(run_all, NULL);
	if (err < 0)
		fprintf(stderr, "logmux: %s\n", strerror(-err));
	free(commands);
	return err || failures;
}

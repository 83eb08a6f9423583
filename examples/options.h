/* SPDX-License-Identifier: MIT */
#ifndef EXAMPLES_OPTIONS_H
#define EXAMPLES_OPTIONS_H

/* The common part of the command lines of these programs. */

#include <coil.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define OPTION_HELP { "help", no_argument, NULL, 'h' }

/* Prints the usage and ends the program: with 0 for --help, with 2 for a wrong command line. */
static inline void __attribute__((noreturn)) options_end(bool help, const char *usage)
{
	fputs(usage, help ? stdout : stderr);
	exit(help ? 0 : 2);
}

/* For a program that has only --help.  Returns the index of the first of min to max words. */
static inline int options_words(int argc, char *argv[], int min, int max, const char *usage)
{
	static const struct option names[] = { OPTION_HELP, {0} };
	int option = getopt_long(argc, argv, "", names, NULL);

	if (option != -1 || argc - optind < min || argc - optind > max)
		options_end(option == 'h', usage);
	return optind;
}

/* Reads a whole number of seconds from 1 to 1000000.  Returns whether text is one. */
static inline bool options_seconds(const char *text, int64_t *ns)
{
	char *end;
	long seconds;

	errno = 0;
	seconds = strtol(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno || seconds < 1 || seconds > 1000000)
		return false;
	*ns = seconds * COIL_SECOND;
	return true;
}

#endif

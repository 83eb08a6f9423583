/* SPDX-License-Identifier: MIT */
/* The files of httpd: opens what is below its root, and lists folders. */
#pragma once
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RESOLVE_CACHED	/* Linux 5.12 */
#define RESOLVE_CACHED 0x20
#endif

/* The maximum of entries to read, and of bytes after which no entry of a list begins. */
enum { LIST_ENTRIES = 10000, LIST_BYTES = 1 << 20, FILE_PATH = 8192 + 16 };

struct file {
	unsigned cached;	/* RESOLVE_CACHED: -EAGAIN instead of a wait for a disk */
	struct stat stat;	/* of the file at path */
	char *list;		/* of a folder, or NULL */
	size_t size;
	char path[FILE_PATH];
};

static int root;

/*
 * Opens a regular file or a folder.  Returns -EPERM for anything else without opening
 * it, because an open may wake the other end of a FIFO or start a device.  It opens the
 * same file that it has checked, even if the name refers to another one by then.  The
 * kernel ensures that no path leads out of the root.
 */
static int open_beneath(const char *path, unsigned resolve, struct stat *stat)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC };
	char link[32];
	int look, fd = -1;

	how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve;
	look = (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
	if (look < 0)
		return -errno;
	errno = EPERM;
	if (!fstat(look, stat) && (S_ISREG(stat->st_mode) || S_ISDIR(stat->st_mode))) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", look);
		fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	fd = fd < 0 ? -errno : fd;
	close(look);
	return fd;
}

/* Writes a name, escaped as a target or as HTML text. */
static void put_name(FILE *out, const char *name, bool target)
{
	for (; *name; name++) {
		unsigned char byte = (unsigned char)*name;
		bool same = target ? isalnum(byte) || strchr("-._~", byte) :
				!strchr("&<>\"'", byte);

		fprintf(out, same ? "%c" : target ? "%%%02X" : "&#%d;", byte);
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Copies the name.  The byte behind its end is 1 for a folder. */
static char *copy_name(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);
	char *name = malloc(len + 2);

	if (name) {
		memcpy(name, entry->d_name, len + 1);
		name[len + 1] = entry->d_type == DT_DIR;
	}
	return name;
}

/* Returns the number of names read, at most LIST_ENTRIES.  Sets *more if there are others. */
static int read_names(DIR *folder, char **names, bool *more)
{
	const struct dirent *entry;
	int n = 0;

	*more = false;
	while (!*more && (entry = readdir(folder))) {
		if (!strcmp(entry->d_name, "."))
			continue;
		if (n == LIST_ENTRIES || !(names[n] = copy_name(entry)))
			*more = true;
		else
			n++;
	}
	qsort(names, (size_t)n, sizeof(*names), compare_names);
	return n;
}

/* Time and memory are bounded for a folder of any size: the rest is not shown. */
static void list_folder(struct file *file, int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *folder = own < 0 ? NULL : fdopendir(own);
	char **names = folder ? malloc(LIST_ENTRIES * sizeof(*names)) : NULL;
	FILE *out = names ? open_memstream(&file->list, &file->size) : NULL;
	bool more = false;
	int n = out ? read_names(folder, names, &more) : 0;

	for (int i = 0; i < n; free(names[i++])) {
		const char *end = names[i][strlen(names[i]) + 1] ? "/" : "";

		if (ftell(out) > LIST_BYTES) {
			more = true;
			continue;
		}
		fputs("<li><a href=\"", out);
		put_name(out, names[i], true);
		fprintf(out, "%s\">", end);
		put_name(out, names[i], false);
		fprintf(out, "%s</a>\n", end);
	}
	if (more)
		fputs("<p>This folder has more entries, which are not shown.\n", out);
	free(names);
	if (out && fclose(out)) {
		free(file->list);
		file->list = NULL;
	}
	if (folder)
		closedir(folder);
	else if (own >= 0)
		close(own);
}

/* Opens the file at the path.  Returns an fd or a negative errno.  May wait for a disk. */
static int find_file(void *arg)
{
	struct file *file = arg;
	size_t len = strlen(file->path);
	bool folder = !len || file->path[len - 1] == '/';
	int fd;

	if (folder && file->cached)
		return -EAGAIN;
	if (folder)
		memcpy(file->path + len, "index.html", sizeof("index.html"));
	fd = open_beneath(file->path, file->cached, &file->stat);
	if (folder && fd == -ENOENT) {
		file->path[len] = '\0';
		fd = open_beneath(file->path, 0, &file->stat);
	}
	if (fd < 0)
		return file->cached ? -EAGAIN : fd;
	if (folder && S_ISDIR(file->stat.st_mode)) {
		list_folder(file, fd);
		if (!file->list) {
			close(fd);
			return -ENOMEM;
		}
	}
	return fd;
}

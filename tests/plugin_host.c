/* SPDX-License-Identifier: MIT */
/*
 * A C program that loads C++ code by dlopen(3), before its loop runs or while it does.
 * Run by plugin.sh.
 */
#include <coil.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static const char *path;

static int (*load(void))(void *)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	int (*plugin)(void *) = NULL;

	if (library)
		*(void **)&plugin = dlsym(library, "plugin");
	if (!plugin)
		fprintf(stderr, "%s\n", dlerror());
	return plugin;
}

static int load_and_run(void *arg)
{
	int (*plugin)(void *) = load();

	(void)arg;
	return plugin ? plugin(NULL) : 4;
}

int main(int argc, char **argv)
{
	int (*plugin)(void *);

	if (argc != 3)
		return 5;
	path = argv[1];
	if (!strcmp(argv[2], "late"))
		return coil_run(load_and_run, NULL);
	plugin = load();
	return plugin ? coil_run(plugin, NULL) : 4;
}

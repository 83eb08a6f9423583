/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target without a fuzzer: the kept corpus, and then changes of it, the
 * same ones each time.  FUZZ_ROUNDS says how many, FUZZ_SEED which; a file or folder
 * that is named is run instead of the corpus, and nothing else is.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { INPUTS = 4096, LONGEST = 65536, ROUNDS = 10000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct input { uint8_t *data; size_t size; } inputs[INPUTS];
static size_t input_count;

static uint64_t state;

static uint32_t roll(uint32_t n)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return n ? (uint32_t)(state >> 33) % n : 0;
}

static void run_one(const uint8_t *data, size_t size)
{
	/* In memory of exactly that size, so that a sanitizer sees its end. */
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void add_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct input *input = &inputs[input_count];

	if (!file || input_count == INPUTS) {
		perror(path);
		exit(2);
	}
	input->data = malloc(LONGEST);
	if (!input->data)
		abort();
	input->size = fread(input->data, 1, LONGEST, file);
	fclose(file);
	input_count++;
}

static int is_shown(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* In an order that does not depend on the disk. */
static void add(const char *path)
{
	struct dirent **entries;
	char name[4096];
	int n = scandir(path, &entries, is_shown, alphasort);

	if (n < 0) {
		add_file(path);
		return;
	}
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		add_file(name);
		free(entries[i]);
	}
	free(entries);
}

static size_t change(uint8_t *data, size_t size)
{
	const struct input *other = &inputs[roll((uint32_t)input_count)];
	size_t at = roll((uint32_t)size + 1), n = roll(8) + 1;

	switch (roll(5)) {
	case 0:
		if (at < size)
			data[at] = (uint8_t)roll(256);
		return size;
	case 1:
		if (at < size)
			data[at] ^= (uint8_t)(1u << roll(8));
		return size;
	case 2:
		if (size + n > LONGEST)
			return size;
		memmove(data + at + n, data + at, size - at);
		for (size_t i = 0; i < n; i++)
			data[at + i] = (uint8_t)roll(256);
		return size + n;
	case 3:
		if (n > size - at)
			n = size - at;
		memmove(data + at, data + at + n, size - at - n);
		return size - n;
	default:
		/* Goes on as another does. */
		n = other->size - roll((uint32_t)other->size + 1);
		if (at + n > LONGEST)
			return size;
		memcpy(data + at, other->data + other->size - n, n);
		return at + n;
	}
}

static unsigned long number(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 10) : otherwise;
}

static void mutate(unsigned long rounds)
{
	static uint8_t data[LONGEST];

	for (unsigned long i = 0; i < rounds; i++) {
		const struct input *input = &inputs[roll((uint32_t)input_count)];
		size_t size = input->size;

		memcpy(data, input->data, size);
		for (uint32_t n = roll(6) + 1; n; n--)
			size = change(data, size);
		run_one(data, size);
	}
}

/* fuzz_NAME keeps its corpus in corpus/NAME. */
static void add_corpus(const char *program)
{
	const char *name = strrchr(program, '/'), *top = getenv("top_srcdir");
	char path[4096];

	name = name ? name + 1 : program;
	name = strstr(name, "fuzz_");
	if (!name)
		exit(2);
	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", top ? top : ".", name + 5);
	add(path);
}

int main(int argc, char *argv[])
{
	unsigned long rounds = argc > 1 ? 0 : number("FUZZ_ROUNDS", ROUNDS);

	state = number("FUZZ_SEED", 1);
	if (argc == 1)
		add_corpus(argv[0]);
	for (int i = 1; i < argc; i++)
		add(argv[i]);
	for (size_t i = 0; i < input_count; i++)
		run_one(inputs[i].data, inputs[i].size);
	if (input_count)
		mutate(rounds);
	printf("%zu inputs, %lu changes of them\n", input_count, rounds);
	for (size_t i = 0; i < input_count; i++)
		free(inputs[i].data);
	return input_count ? 0 : 2;
}

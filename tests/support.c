/* SPDX-License-Identifier: MIT */
#include "tests/support.h"
#include "core/backend/backend.h"
#include "core/task/sanitize.h"
#include "core/backend/uring.h"
#include <coil/run.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * Memory.  The linker (-Wl,--wrap) has every object of the program call the
 * wrappers here; libraries that are shared are not seen.
 */

struct block {
	void *at;
	size_t size;
	const void *caller;
	unsigned long number;	/* of the allocation */
};

static struct {
	pthread_mutex_t lock;
	struct block *blocks;	/* a hash table with linear probing */
	size_t capacity;
	size_t count;
	size_t bytes;
	ssize_t mapped;
	unsigned long allocations;
	unsigned long fail_at;
	bool failed;
} memory = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Check's own memory is not the library's, and never fails. */
static __thread int in_check;
static bool fail_threads;
static unsigned long threads_left = -1UL;	/* that may be started */
static unsigned long threads;
static unsigned long epoll_ctls;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *at, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *at);
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t size);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*fn)(void *), void *arg);
int __real_epoll_ctl(int epoll_fd, int verb, int fd, struct epoll_event *event);
void __real__mark_point(const char *file, int line);
TCase *__real_tcase_create(const char *name);
int __real_coil__uring_set_up(struct uring *uring, const struct coil_options *options,
			      char *reason, size_t size);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *at, size_t size);
void *__wrap_reallocarray(void *at, size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t most);
void __wrap_free(void *at);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t size);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*fn)(void *), void *arg);
int __wrap_epoll_ctl(int epoll_fd, int verb, int fd, struct epoll_event *event);
void __wrap__mark_point(const char *file, int line);
TCase *__wrap_tcase_create(const char *name);
int __wrap_coil__uring_set_up(struct uring *uring, const struct coil_options *options,
			      char *reason, size_t size);

static size_t place_of(const void *at, size_t capacity)
{
	return ((uintptr_t)at >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20 & (capacity - 1);
}

static void put(struct block *blocks, size_t capacity, const struct block *block)
{
	size_t i = place_of(block->at, capacity);

	while (blocks[i].at)
		i = (i + 1) & (capacity - 1);
	blocks[i] = *block;
}

static void grow(void)
{
	size_t capacity = memory.capacity ? 2 * memory.capacity : 4096;
	struct block *blocks = __real_mmap(NULL, capacity * sizeof(*blocks),
					   PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (blocks == MAP_FAILED)
		abort();
	for (size_t i = 0; i < memory.capacity; i++) {
		if (memory.blocks[i].at)
			put(blocks, capacity, &memory.blocks[i]);
	}
	if (memory.blocks)
		__real_munmap(memory.blocks, memory.capacity * sizeof(*blocks));
	memory.blocks = blocks;
	memory.capacity = capacity;
}

/* Whether the request that is being made is to fail. */
static bool refused(void)
{
	bool fails;

	if (in_check)
		return false;
	pthread_mutex_lock(&memory.lock);
	memory.allocations++;
	fails = memory.fail_at && memory.allocations == memory.fail_at;
	memory.failed |= fails;
	pthread_mutex_unlock(&memory.lock);
	return fails;
}

static void *enter(void *at, size_t size, const void *caller)
{
	struct block block = { at, size, caller, 0 };

	if (!at || in_check)
		return at;
	pthread_mutex_lock(&memory.lock);
	if (2 * memory.count >= memory.capacity)
		grow();
	block.number = memory.allocations;
	put(memory.blocks, memory.capacity, &block);
	memory.count++;
	memory.bytes += size;
	pthread_mutex_unlock(&memory.lock);
	return at;
}

/* One that was not entered came from a shared library, or Check. */
static bool strike(const void *at, struct block *block)
{
	size_t mask, i, next;
	bool found;

	pthread_mutex_lock(&memory.lock);
	mask = memory.capacity - 1;
	i = memory.capacity ? place_of(at, memory.capacity) : 0;
	while (memory.capacity && memory.blocks[i].at && memory.blocks[i].at != at)
		i = (i + 1) & mask;
	found = memory.capacity && memory.blocks[i].at;
	if (found) {
		*block = memory.blocks[i];
		memory.count--;
		memory.bytes -= block->size;
		memory.blocks[i].at = NULL;
		/* Those behind it must be found from their own places. */
		for (next = (i + 1) & mask; memory.blocks[next].at; next = (next + 1) & mask) {
			struct block moved = memory.blocks[next];

			memory.blocks[next].at = NULL;
			put(memory.blocks, memory.capacity, &moved);
		}
	}
	pthread_mutex_unlock(&memory.lock);
	return found;
}

void *__wrap_malloc(size_t size)
{
	if (refused()) {
		errno = ENOMEM;
		return NULL;
	}
	return enter(__real_malloc(size), size, __builtin_return_address(0));
}

void *__wrap_calloc(size_t n, size_t size)
{
	if (refused()) {
		errno = ENOMEM;
		return NULL;
	}
	return enter(__real_calloc(n, size), n * size, __builtin_return_address(0));
}

static void *resize(void *at, size_t size, const void *caller)
{
	struct block block;
	bool known;
	void *to;

	if (refused()) {
		errno = ENOMEM;
		return NULL;
	}
	known = at && strike(at, &block);
	to = __real_realloc(at, size);
	if (!to && size) {
		if (known)
			enter(at, block.size, block.caller);
		return NULL;
	}
	return enter(to, size, caller);
}

void *__wrap_realloc(void *at, size_t size)
{
	return resize(at, size, __builtin_return_address(0));
}

void *__wrap_reallocarray(void *at, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return resize(at, bytes, __builtin_return_address(0));
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	if (refused()) {
		errno = ENOMEM;
		return NULL;
	}
	return enter(__real_aligned_alloc(alignment, size), size, __builtin_return_address(0));
}

static char *copy(const char *text, size_t length, const void *caller)
{
	char *to = refused() ? NULL : __real_malloc(length + 1);

	if (!to) {
		errno = ENOMEM;
		return NULL;
	}
	memcpy(to, text, length);
	to[length] = '\0';
	return enter(to, length + 1, caller);
}

char *__wrap_strdup(const char *text)
{
	return copy(text, strlen(text), __builtin_return_address(0));
}

char *__wrap_strndup(const char *text, size_t most)
{
	return copy(text, strnlen(text, most), __builtin_return_address(0));
}

void __wrap_free(void *at)
{
	struct block block;

	if (at)
		strike(at, &block);
	__real_free(at);
}

static void count_mapping(ssize_t size)
{
	pthread_mutex_lock(&memory.lock);
	memory.mapped += size;
	pthread_mutex_unlock(&memory.lock);
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	void *to;

	if (refused()) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	to = __real_mmap(at, size, protection, flags, fd, offset);
	/* One that replaces another adds nothing. */
	if (to != MAP_FAILED && !(flags & MAP_FIXED))
		count_mapping((ssize_t)size);
	return to;
}

int __wrap_munmap(void *at, size_t size)
{
	int err = __real_munmap(at, size);

	if (!err)
		count_mapping(-(ssize_t)size);
	return err;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*fn)(void *), void *arg)
{
	if (fail_threads || !__atomic_load_n(&threads_left, __ATOMIC_RELAXED))
		return EAGAIN;
	__atomic_fetch_sub(&threads_left, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&threads, 1, __ATOMIC_RELAXED);
	return __real_pthread_create(thread, attr, fn, arg);
}

int __wrap_epoll_ctl(int epoll_fd, int verb, int fd, struct epoll_event *event)
{
	__atomic_fetch_add(&epoll_ctls, 1, __ATOMIC_RELAXED);
	return __real_epoll_ctl(epoll_fd, verb, fd, event);
}

unsigned long support_epoll_ctls(void)
{
	return __atomic_load_n(&epoll_ctls, __ATOMIC_RELAXED);
}

/*
 * Check writes a line to a file at every assertion, so that it can say after which
 * one a test crashed: a storm of an hour would fill the disk.  Where an assertion
 * failed it hears all the same.
 */
void __wrap__mark_point(const char *file, int line)
{
	static unsigned long marks;
	unsigned long n = __atomic_fetch_add(&marks, 1, __ATOMIC_RELAXED);

	if (n > 100000 && n % 100000)
		return;
	in_check++;
	__real__mark_point(file, line);
	in_check--;
}

void support_fail_allocation(unsigned long n)
{
	pthread_mutex_lock(&memory.lock);
	memory.fail_at = n ? memory.allocations + n : 0;
	memory.failed = false;
	pthread_mutex_unlock(&memory.lock);
}

bool support_allocation_failed(void)
{
	bool failed;

	pthread_mutex_lock(&memory.lock);
	failed = memory.failed;
	pthread_mutex_unlock(&memory.lock);
	return failed;
}

unsigned long support_allocations(void)
{
	unsigned long allocations;

	pthread_mutex_lock(&memory.lock);
	allocations = memory.allocations;
	pthread_mutex_unlock(&memory.lock);
	return allocations;
}

size_t support_outstanding(void)
{
	size_t bytes;

	pthread_mutex_lock(&memory.lock);
	bytes = memory.bytes;
	pthread_mutex_unlock(&memory.lock);
	return bytes;
}

void support_fail_threads(bool fail)
{
	fail_threads = fail;
}

void support_limit_threads(unsigned long n)
{
	__atomic_store_n(&threads_left, n, __ATOMIC_RELAXED);
}

unsigned long support_threads(void)
{
	return __atomic_load_n(&threads, __ATOMIC_RELAXED);
}

/*
 * The ledger.
 */

enum { FDS = 1024, TARGET = 96 };

struct ledger {
	size_t count;
	ssize_t mapped;
	unsigned long allocations;
	int fds;
	int fd[FDS];
	char target[FDS][TARGET];
};

static struct ledger ledger;

static void list_fds(struct ledger *list)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	list->fds = 0;
	while (dir && (entry = readdir(dir)) && list->fds < FDS) {
		int fd = (int)strtol(entry->d_name, NULL, 10);
		char *target = list->target[list->fds];
		ssize_t n;

		if (entry->d_name[0] == '.' || fd == dirfd(dir))
			continue;
		n = readlinkat(dirfd(dir), entry->d_name, target, TARGET - 1);
		target[n > 0 ? n : 0] = '\0';
		list->fd[list->fds++] = fd;
	}
	if (dir)
		closedir(dir);
}

static bool lists_fd(const struct ledger *list, int fd, const char *target)
{
	for (int i = 0; i < list->fds; i++) {
		if (list->fd[i] == fd)
			return !strcmp(list->target[i], target);
	}
	return false;
}

static void open_ledger(void)
{
	list_fds(&ledger);
	pthread_mutex_lock(&memory.lock);
	ledger.count = memory.count;
	ledger.mapped = memory.mapped;
	ledger.allocations = memory.allocations;
	pthread_mutex_unlock(&memory.lock);
}

static bool balanced(struct ledger *now)
{
	list_fds(now);
	pthread_mutex_lock(&memory.lock);
	now->count = memory.count;
	now->mapped = memory.mapped;
	pthread_mutex_unlock(&memory.lock);
	for (int i = 0; i < now->fds; i++) {
		if (!lists_fd(&ledger, now->fd[i], now->target[i]))
			return false;
	}
	return now->fds == ledger.fds && now->count == ledger.count &&
	       now->mapped == ledger.mapped;
}

/* Where in the program, for addr2line(1). */
static void print_caller(const void *caller)
{
	Dl_info info;

	if (dladdr(caller, &info))
		printf(" by %s+%#tx", info.dli_fname, (char *)caller - (char *)info.dli_fbase);
	printf("\n");
}

static void print_difference(const struct ledger *now)
{
	for (int i = 0; i < now->fds; i++) {
		if (!lists_fd(&ledger, now->fd[i], now->target[i]))
			printf("  fd %d is new: %s\n", now->fd[i], now->target[i]);
	}
	for (int i = 0; i < ledger.fds; i++) {
		if (!lists_fd(now, ledger.fd[i], ledger.target[i]))
			printf("  fd %d is gone: %s\n", ledger.fd[i], ledger.target[i]);
	}
	for (size_t i = 0; i < memory.capacity; i++) {
		const struct block *block = &memory.blocks[i];

		if (!block->at || block->number <= ledger.allocations)
			continue;
		printf("  %zu bytes, allocation %lu of this test,", block->size,
		       block->number - ledger.allocations);
		print_caller(block->caller);
	}
	if (now->mapped != ledger.mapped)
		printf("  %zd bytes of mappings\n", now->mapped - ledger.mapped);
	fflush(stdout);
}

/* A thread that was left behind may be about to put its things away. */
static void close_ledger(void)
{
	static struct ledger now;
	const struct timespec moment = { .tv_nsec = 5000000 };

	for (int i = 0; i < 200; i++) {
		if (balanced(&now))
			return;
		nanosleep(&moment, NULL);
	}
	print_difference(&now);
	ck_abort_msg("the test left something behind");
}

/* Every case of every suite has the ledger for a fixture. */
TCase *__wrap_tcase_create(const char *name)
{
	TCase *tcase = __real_tcase_create(name);

	tcase_add_checked_fixture(tcase, open_ledger, close_ledger);
	return tcase;
}

/*
 * Backends.
 */

static const char *backend;

/* COIL_TEST_RESTRICT: with a restricted ring, whatever the test asks for. */
int __wrap_coil__uring_set_up(struct uring *uring, const struct coil_options *options,
			      char *reason, size_t size)
{
	struct coil_options restricted = *options;

	if (getenv("COIL_TEST_RESTRICT"))
		restricted.restrict_ring = true;
	return __real_coil__uring_set_up(uring, &restricted, reason, size);
}

const char *support_backend(void)
{
	return backend;
}

bool support_on_valgrind(void)
{
	return RUNNING_ON_VALGRIND;
}

bool support_simulated(void)
{
	return !strcmp(backend, "sim");
}

static bool skip(const char *reason)
{
	printf("skip on %s: %s\n", backend, reason);
	fflush(stdout);
	return true;
}

bool support_skip_on(const char *name, const char *reason)
{
	return !strcmp(backend, name) && skip(reason);
}

bool support_skip_but_on(const char *name, const char *reason)
{
	return strcmp(backend, name) && skip(reason);
}

void support_run(int (*fn)(void *arg))
{
	int result = coil_run(fn, NULL);

	ck_assert_msg(!result, "coil_run returned %d (%s)", result,
		      result < 0 ? strerror(-result) : "not an error");
}

int support_patience(void)
{
#ifdef COIL_VALGRIND
	if (RUNNING_ON_VALGRIND)
		return 20;
#endif
	return SANITIZED ? 5 : 1;
}

uint64_t support_seed(void)
{
	const char *asked = getenv("COIL_TEST_SEED");
	struct timespec now;
	uint64_t seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = (uint64_t)now.tv_nsec << 20 ^ (uint64_t)now.tv_sec;
	if (asked)
		seed = strtoull(asked, NULL, 0);
	printf("COIL_TEST_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	return seed;
}

static int do_nothing(void *arg)
{
	return (int)(intptr_t)arg;
}

/* 0, or why this backend cannot be had, asked in a process of its own. */
static int probe(void)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (!pid)
		_exit(-coil_run(do_nothing, NULL) & 0xff);
	if (waitpid(pid, &status, 0) != pid)
		return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EFAULT;
}

/* Failures, or -1 if nothing ran. */
static int run_suite(const char *name)
{
	SRunner *runner;
	Suite *tests;
	int err, failures;

	backend = name;
	setenv("COIL_BACKEND", name, 1);
	printf("backend %s\n", name);
	fflush(stdout);
	err = probe();
	if (err) {
		printf("skip on %s: %s\n", name, strerror(err));
		return -1;
	}
	tests = suite();
	if (!tests)
		return -1;
	runner = srunner_create(tests);
	srunner_run_all(runner, CK_ENV);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures;
}

static void add_sim(void)
{
	size_t i = 0;

	while (coil__backends[i])
		i++;
	coil__backends[i] = &coil__sim;
}

/* Whether the list, words with commas between, has this one; NULL has all. */
static bool is_listed(const char *list, const char *name)
{
	size_t length = strlen(name);

	if (!list || !*list)
		return true;
	while (list && *list) {
		if (!strncmp(list, name, length) && (!list[length] || list[length] == ','))
			return true;
		list = strchr(list, ',');
		list += list != NULL;
	}
	return false;
}

int main(void)
{
	static const char *const backends[] = { "sim", "uring", "epoll" };
	const char *list = getenv("COIL_TEST_BACKENDS");
	bool ran = false, failed = false;
	char limit[16];

	snprintf(limit, sizeof(limit), "%d", 60 * support_patience());
	setenv("CK_DEFAULT_TIMEOUT", limit, 0);
	add_sim();
	for (size_t i = 0; i < sizeof(backends) / sizeof(*backends); i++) {
		int failures = is_listed(list, backends[i]) ? run_suite(backends[i]) : -1;

		ran |= failures >= 0;
		failed |= failures > 0;
	}
	if (!ran)
		return 77;
	return failed;
}

/* SPDX-License-Identifier: MIT */
/*
 * A C++ program uses coil: what the runtime keeps of exceptions in flight belongs
 * to a task, whatever others throw while it is parked.  Run by cxx.sh.
 */
#include <coil.h>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

static int failed;

#define EXPECT(what)							\
	do {								\
		if (!(what)) {						\
			printf("%s:%d: not so: %s\n", __FILE__,		\
			       __LINE__, #what);			\
			failed = 1;					\
		}							\
	} while (0)

/* Every initialiser macro compiles as C++. */
static struct coil_semaphore semaphore = COIL_SEMAPHORE(2);
static struct coil_semaphore bounded = COIL_BOUNDED_SEMAPHORE(2);
static struct coil_barrier barrier = COIL_BARRIER(2);

/* Throws its number, parks, and expects to find it as it was. */
struct thrower {
	int number;
	int turns;
	int rethrown;
};

static int throw_and_park(void *arg)
{
	thrower *own = static_cast<thrower *>(arg);

	for (int i = 0; i < own->turns; i++) {
		try {
			coil_yield();
			throw own->number;
		} catch (int caught) {
			EXPECT(caught == own->number);
			coil_yield();
			try {
				throw;
			} catch (int again) {
				coil_yield();
				EXPECT(again == own->number);
				own->rethrown++;
			}
			coil_yield();
			EXPECT(std::current_exception() != nullptr);
		}
		EXPECT(std::current_exception() == nullptr);
	}
	return 0;
}

static void parking_in_catch_blocks()
{
	thrower throwers[3] = { { 1, 10, 0 }, { 2, 7, 0 }, { 3, 13, 0 } };
	struct coil_task *tasks[3];

	for (int i = 0; i < 3; i++)
		tasks[i] = coil_create_task(throw_and_park, &throwers[i]);
	EXPECT(coil_gather(tasks, 3, nullptr) == 0);
	for (const thrower &own : throwers)
		EXPECT(own.rethrown == own.turns);
}

/* Two nested exceptions a task, each handled while others handle theirs. */
static int nest_exceptions(void *arg)
{
	const char *name = static_cast<const char *>(arg);

	try {
		throw std::runtime_error(std::string(name) + " outer");
	} catch (const std::exception &outer) {
		coil_yield();
		try {
			throw std::logic_error(std::string(name) + " inner");
		} catch (const std::exception &inner) {
			coil_sleep(COIL_MILLISECOND);
			EXPECT(std::string(inner.what()) == std::string(name) + " inner");
		}
		coil_yield();
		EXPECT(std::string(outer.what()) == std::string(name) + " outer");
	}
	return 0;
}

static void nested_exceptions()
{
	struct coil_group group = {};

	for (const char *name : { "a", "b", "c" })
		coil_group_create_task(&group, nest_exceptions, const_cast<char *>(name));
	EXPECT(coil_group_wait(&group) == 0);
}

/* A destructor that parks while the stack is unwound. */
struct parks_when_destroyed {
	int &order;

	~parks_when_destroyed()
	{
		EXPECT(std::uncaught_exceptions() == 1);
		coil_sleep(COIL_MILLISECOND);
		EXPECT(std::uncaught_exceptions() == 1);
		order++;
	}
};

static int unwind_slowly(void *arg)
{
	int order = 0;

	try {
		parks_when_destroyed first{order}, second{order};

		throw std::string("slow");
	} catch (const std::string &caught) {
		EXPECT(caught == "slow");
		EXPECT(order == 2);
	}
	*static_cast<bool *>(arg) = true;
	return 0;
}

static int see_no_exception(void *arg)
{
	const bool *done = static_cast<bool *>(arg);

	while (!*done) {
		EXPECT(std::uncaught_exceptions() == 0);
		EXPECT(std::current_exception() == nullptr);
		coil_sleep(100 * COIL_MICROSECOND);
	}
	return 0;
}

static void parking_while_unwinding()
{
	bool done = false;
	struct coil_task *tasks[2] = {
		coil_create_task(unwind_slowly, &done),
		coil_create_task(see_no_exception, &done),
	};

	EXPECT(coil_gather(tasks, 2, nullptr) == 0);
}

/* The block macros are left cleanly by an exception, too. */
static int sleep_for_ever(void *arg)
{
	return *static_cast<int *>(arg) = coil_sleep(COIL_FOREVER);
}

static void exceptions_leave_blocks()
{
	int child = 0;

	try {
		COIL_TIMEOUT(COIL_SECOND) {
			COIL_SHIELD(COIL_SECOND)
				throw 1;
		}
	} catch (int) {
	}
	EXPECT(coil_yield() == 0);
	try {
		COIL_GROUP(group) {
			coil_group_create_task(&group, sleep_for_ever, &child);
			coil_yield();
			throw 2;
		}
	} catch (int) {
		EXPECT(child == -ECANCELED);
	}
	EXPECT(coil_all_tasks(nullptr, 0) == 1);
	int inside = 0;
	COIL_TIMEOUT(COIL_MILLISECOND)
		inside = coil_sleep(COIL_FOREVER);
	EXPECT(inside == -ETIMEDOUT);
}

/* A task that stands where another ended in the middle of nothing. */
static int throw_through(void *arg)
{
	try {
		throw static_cast<long>(reinterpret_cast<intptr_t>(arg));
	} catch (long caught) {
		return static_cast<int>(caught);
	}
}

static void many_tasks()
{
	for (int i = 0; i < 1000; i++) {
		void *arg = reinterpret_cast<void *>(static_cast<intptr_t>(i));

		EXPECT(coil_await(coil_create_task(throw_through, arg)) == i);
	}
}

static int test(void *)
{
	parking_in_catch_blocks();
	nested_exceptions();
	parking_while_unwinding();
	exceptions_leave_blocks();
	many_tasks();
	EXPECT(coil_semaphore_try_acquire(&semaphore) == 0);
	EXPECT(coil_semaphore_release(&bounded) == -ERANGE);
	return failed;
}

/*
 * An exception that nobody catches.
 */

static int throw_out(void *)
{
	coil_yield();
	throw std::runtime_error("out of here");
}

static int let_one_throw(void *)
{
	const struct coil_task_options named = { "careless", 0, false, {} };

	return coil_await(coil_create_task_with(&named, throw_out, nullptr));
}

static void an_exception_that_leaves_a_task_names_it()
{
	char said[4096];
	size_t length = 0;
	int ends[2], status = 0;
	ssize_t n;

	if (pipe(ends))
		return;
	fflush(nullptr);
	pid_t pid = fork();
	if (!pid) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		coil_run(let_one_throw, nullptr);
		_exit(0);
	}
	close(ends[1]);
	while ((n = read(ends[0], said + length, sizeof(said) - 1 - length)) > 0)
		length += static_cast<size_t>(n);
	said[length] = '\0';
	close(ends[0]);
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	EXPECT(strstr(said, "task careless"));
	EXPECT(strstr(said, "out of here"));
}

int main()
{
	int result = coil_run(test, nullptr);

	EXPECT(result == 0);
	an_exception_that_leaves_a_task_names_it();
	/* Off the loop all is as it was. */
	try {
		throw 5;
	} catch (int caught) {
		EXPECT(caught == 5);
	}
	(void)barrier;
	return failed;
}

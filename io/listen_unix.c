/* SPDX-License-Identifier: MIT */
/*
 * Listening on a path.
 *
 * bind(2) makes the file; if two processes bind one path, only the first
 * succeeds.  The difficulty is a stale file, left by a process that was killed.
 * It has to be removed, but the file of a socket in use must never be.
 *
 * Which file is stale.  A socket that is bound and does not listen yet refuses
 * a connect(2) of the same type, as a stale file does.  A connect of another
 * type tells them apart: EPROTOTYPE if a socket is bound there, ECONNREFUSED if
 * none is.  For a moment in bind(2) the file exists and is not the socket's
 * yet.  During that moment bind holds the folder's lock.  So if a second bind
 * fails after the file was seen, that moment is over.
 *
 * Which process removes it.  If two processes find the same file stale, the
 * second would remove the first one's new file.  So one process at a time
 * looks, removes and binds: the process that holds the lock of PATH.lock, a
 * file beside the socket that exists only meanwhile.
 *
 * A bind under a temporary name and a rename would need no lock.  But the
 * socket would keep the temporary name: getsockname(2), getpeername(2) and
 * ss(8) report the text that was bound.
 *
 * The mode.  chmod(2) follows a symlink, which another user of the folder may
 * have put in the file's place.  So the file is opened with O_PATH and
 * O_NOFOLLOW.  Its mode is changed only if it is a socket, this user owns it,
 * and it has one name.
 */
#include "io/address.h"
#include <coil/socket.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
	const struct sockaddr_un *un;
	socklen_t len;
	mode_t mode;
};

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

static int bind_to(int fd, const struct place *place)
{
	return bind(fd, (const struct sockaddr *)place->un, place->len) ? -errno : 0;
}

/* Whether no socket is bound to the file at the path. */
static bool is_refused(const struct place *place)
{
	int fd = coil_socket(AF_UNIX, SOCK_DGRAM, 0);
	bool refused;

	if (fd < 0)
		return false;
	refused = connect(fd, (const struct sockaddr *)place->un, place->len) &&
		  errno == ECONNREFUSED;
	close(fd);
	return refused;
}

/* The caller holds the lock. */
static int replace(int fd, const struct place *place)
{
	const char *path = place->un->sun_path;
	struct stat file, now;
	int err;

	if (lstat(path, &file))
		return errno == ENOENT ? bind_to(fd, place) : -errno;
	if (!S_ISSOCK(file.st_mode))
		return -EADDRINUSE;
	err = bind_to(fd, place);
	if (err != -EADDRINUSE)
		return err;
	if (!is_refused(place) || lstat(path, &now) || !is_same(&file, &now))
		return -EADDRINUSE;
	if (unlink(path))
		return -errno;
	return bind_to(fd, place);
}

/*
 * Another process may have removed the file before flock(2) locked it, so the
 * locked file must still be the one at the path.
 */
static int lock(const char *path)
{
	struct stat locked, now;
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	if (!flock(fd, LOCK_EX | LOCK_NB) && !fstat(fd, &locked) &&
	    !lstat(path, &now) && is_same(&locked, &now))
		return fd;
	close(fd);
	return -EADDRINUSE;
}

/* Another program made a lock file that is not empty, so it stays. */
static void remove_lock(const char *path, int fd)
{
	struct stat file;

	if (!fstat(fd, &file) && !file.st_size)
		unlink(path);
}

static int bind_in_turn(int fd, const struct place *place)
{
	char path[sizeof(place->un->sun_path) + sizeof(".lock")];
	int err, guard;

	snprintf(path, sizeof(path), "%.*s.lock", (int)sizeof(place->un->sun_path),
		 place->un->sun_path);
	guard = lock(path);
	if (guard < 0)
		return guard;
	err = replace(fd, place);
	remove_lock(path, guard);
	close(guard);
	return err;
}

/* fchmod(2) refuses an O_PATH fd; chmod(2) of the fd's link in /proc does not. */
static int set_mode(const char *path, mode_t mode)
{
	char link[64];
	struct stat file;
	int err = 0, fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (fstat(fd, &file))
		err = -errno;
	else if (!S_ISSOCK(file.st_mode) || file.st_nlink != 1 || file.st_uid != geteuid())
		err = -EADDRINUSE;
	else if ((file.st_mode & 07777) != mode && chmod(link, mode))
		err = -errno;
	close(fd);
	return err;
}

static int unix_listen_at(int fd, const struct place *place, int backlog)
{
	bool is_path = *place->un->sun_path;
	int err;

	/*
	 * bind(2) gives the new file the socket's mode less the umask.  So the
	 * file is at no moment more open than set_mode() leaves it.
	 */
	if (is_path && place->mode)
		(void)!fchmod(fd, place->mode);
	err = bind_to(fd, place);
	if (err == -EADDRINUSE && is_path && is_refused(place))
		err = bind_in_turn(fd, place);
	if (err)
		return err;
	if (is_path && place->mode)
		err = set_mode(place->un->sun_path, place->mode);
	if (!err && listen(fd, backlog))
		err = -errno;
	if (err && err != -EADDRINUSE && is_path)
		unlink(place->un->sun_path);
	return err;
}

int coil__listen_unix(const struct sockaddr_un *un, socklen_t len, int backlog, mode_t mode)
{
	const struct place place = { un, len, mode };
	int fd = coil_socket(AF_UNIX, SOCK_STREAM, 0);
	int err;

	if (fd < 0)
		return fd;
	err = unix_listen_at(fd, &place, backlog);
	if (!err)
		return fd;
	close(fd);
	return err;
}

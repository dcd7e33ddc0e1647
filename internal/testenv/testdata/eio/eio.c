/*
 * A device that fails: put before the C library (LD_PRELOAD), this answers EIO to the
 * calls by which SQLite reads, writes and syncs a database, the files whose paths have
 * EIO_FILE in them. What it is to do stands in the file that EIO_CONTROL names, one line
 * "serial kind from": kind r (reads), w (writes), t (writes that get half way), s (syncs),
 * o (off); from is the first such call that fails, and all behind it do; of kind x it is
 * this one read alone. It writes the number of failed calls to EIO_CONTROL.hits. Other
 * files are read and written by the Go runtime, which asks no library.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long serial = -1, calls, hits;

static int database(int fd) {
	char name[64], path[4096];
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(name, path, sizeof path - 1);
	if (n <= 0)
		return 0;
	path[n] = 0;
	const char *file = getenv("EIO_FILE");
	return file != NULL && strstr(path, file) != NULL;
}

/* fails counts a call and tells what becomes of it: 0 nothing, else the kind. */
static char fails(char what, int fd) {
	const char *control = getenv("EIO_CONTROL");
	if (control == NULL || !database(fd))
		return 0;
	char line[64] = {0}, kind = 'o', hit = 0;
	long now = -1, from = 0;
	int f = (int)syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC, 0);
	if (f < 0)
		return 0;
	ssize_t n = syscall(SYS_read, f, line, sizeof line - 1);
	syscall(SYS_close, f);
	if (n <= 0 || sscanf(line, "%ld %c %ld", &now, &kind, &from) != 3)
		return 0;
	pthread_mutex_lock(&lock);
	if (now != serial)
		serial = now, calls = 0, hits = 0;
	if (what == kind || (what == 'w' && kind == 't') || (what == 'r' && kind == 'x')) {
		if (++calls == from || (calls > from && kind != 'x')) {
			hits++, hit = kind;
			char path[4096];
			snprintf(path, sizeof path, "%s.hits", control);
			int h = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
			int len = snprintf(line, sizeof line, "%ld %ld\n", now, hits);
			if (h >= 0) {
				syscall(SYS_write, h, line, (size_t)len);
				syscall(SYS_close, h);
			}
		}
	}
	pthread_mutex_unlock(&lock);
	return hit;
}

static ssize_t bad(void) {
	errno = EIO;
	return -1;
}

static ssize_t written(int fd, const void *b, size_t n, off_t at, int there) {
	char f = fails('w', fd);
	if (f == 't' && n > 1) { /* half of it reaches the device, the rest is an error */
		if (there)
			syscall(SYS_pwrite64, fd, b, n / 2, at);
		else
			syscall(SYS_write, fd, b, n / 2);
	}
	if (f != 0)
		return bad();
	return there ? syscall(SYS_pwrite64, fd, b, n, at) : syscall(SYS_write, fd, b, n);
}

ssize_t write(int fd, const void *b, size_t n) { return written(fd, b, n, 0, 0); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t at) { return written(fd, b, n, at, 1); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t at) { return written(fd, b, n, at, 1); }

ssize_t read(int fd, void *b, size_t n) { return fails('r', fd) ? bad() : syscall(SYS_read, fd, b, n); }
ssize_t pread(int fd, void *b, size_t n, off_t at) { return fails('r', fd) ? bad() : syscall(SYS_pread64, fd, b, n, at); }
ssize_t pread64(int fd, void *b, size_t n, off64_t at) { return fails('r', fd) ? bad() : syscall(SYS_pread64, fd, b, n, at); }

static int synced(int fd, long call) {
	return fails('s', fd) ? (int)bad() : (int)syscall(call, fd);
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

/* A disk whose reads fail: preloaded into a process that reads a spool.
 *
 * Every pread of a file whose name contains "spool.db" is counted. `fail_read(n)` lets the n-th from
 * now on fail with EIO, once; `fail_range(from, to)` lets all of the database fail that touch these
 * bytes, until `fail_range(0, 0)`.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static long count, fail_at;
static off_t bad_from, bad_to;

void fail_read(long n) { count = 0; fail_at = n; }
void fail_range(long from, long to) { bad_from = from; bad_to = to; }
long reads(void) { return count; }

static int fails(int fd, size_t size, off_t offset)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    if (!strstr(path, "spool.db"))
        return 0;
    count++;
    if (fail_at && count == fail_at)
        return 1;
    return bad_to && !strstr(path, "-wal") && offset < bad_to && offset + (off_t)size > bad_from;
}

typedef ssize_t (*pread_type)(int, void *, size_t, off_t);

ssize_t pread64(int fd, void *data, size_t size, off_t offset)
{
    static pread_type real;
    if (!real)
        real = (pread_type)dlsym(RTLD_NEXT, "pread64");
    if (fails(fd, size, offset)) {
        errno = EIO;
        return -1;
    }
    return real(fd, data, size, offset);
}

ssize_t pread(int fd, void *data, size_t size, off_t offset) { return pread64(fd, data, size, offset); }

/* A disk whose writes fail: preloaded into a service. While the file named by NSS_TEST_BAD_DISK is
 * there, every pwrite to a file whose name contains "spool.db" fails with EIO.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(int fd)
{
    char link[64], path[4096];
    const char *mark = getenv("NSS_TEST_BAD_DISK");
    if (!mark || access(mark, F_OK))
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strstr(path, "spool.db") != NULL;
}

typedef ssize_t (*pwrite_type)(int, const void *, size_t, off_t);

ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset)
{
    static pwrite_type real;
    if (!real)
        real = (pwrite_type)dlsym(RTLD_NEXT, "pwrite64");
    if (fails(fd)) {
        errno = EIO;
        return -1;
    }
    return real(fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite64(fd, data, size, offset);
}

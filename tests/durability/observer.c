/* Notes what a process does to files, in order: LD_PRELOAD=observer.so NSS_OBSERVED=log program.

   A line a call that succeeded: its name and its paths, separated by tabs. For a socket the path is
   what was sent, as far as its first line goes, since that is where promises are made. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is_socket(int number) {
    struct stat status;
    return fstat(number, &status) == 0 && S_ISSOCK(status.st_mode);
}

static void note(const char *call, const char *first, const char *second) {
    char line[2048];
    const char *log = getenv("NSS_OBSERVED");
    if (log == NULL || first == NULL || strcmp(first, log) == 0)
        return;
    int length = snprintf(line, sizeof line, "%s\t%s%s%s\n", call, first, second ? "\t" : "",
                          second ? second : "");
    int number = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (number < 0 || length >= (int)sizeof line || REAL(write)(number, line, length) != length)
        abort();
    close(number);
}

static void note_number(const char *call, int number) {
    char link[64], path[1024];
    snprintf(link, sizeof link, "/proc/self/fd/%d", number);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return;
    path[length] = 0;
    if (path[0] == '/')
        note(call, path, NULL);
}

static void note_data(int number, const char *data, size_t size) {
    char text[64] = "";
    if (!is_socket(number)) {
        note_number("write", number);
        return;
    }
    for (size_t at = 0; at < size && at < sizeof text - 1 && data[at] >= ' '; at++)
        text[at] = data[at];
    if (text[0])
        note("send", text, NULL);
}

ssize_t write(int number, const void *data, size_t size) {
    ssize_t done = REAL(write)(number, data, size);
    if (done > 0)
        note_data(number, data, done);
    return done;
}

ssize_t writev(int number, const struct iovec *parts, int count) {
    ssize_t done = REAL(writev)(number, parts, count);
    if (done > 0)
        note_data(number, parts[0].iov_base, parts[0].iov_len);
    return done;
}

ssize_t pwrite(int number, const void *data, size_t size, off_t at) {
    ssize_t done = REAL(pwrite)(number, data, size, at);
    if (done > 0)
        note_number("write", number);
    return done;
}

ssize_t pwrite64(int number, const void *data, size_t size, off64_t at) {
    ssize_t done = REAL(pwrite64)(number, data, size, at);
    if (done > 0)
        note_number("write", number);
    return done;
}

ssize_t send(int number, const void *data, size_t size, int flags) {
    ssize_t done = REAL(send)(number, data, size, flags);
    if (done > 0)
        note_data(number, data, done);
    return done;
}

ssize_t sendmsg(int number, const struct msghdr *message, int flags) {
    ssize_t done = REAL(sendmsg)(number, message, flags);
    if (done > 0)
        note_data(number, message->msg_iov[0].iov_base, message->msg_iov[0].iov_len);
    return done;
}

int fsync(int number) {
    int failed = REAL(fsync)(number);
    if (!failed)
        note_number("sync", number);
    return failed;
}

int fdatasync(int number) {
    int failed = REAL(fdatasync)(number);
    if (!failed)
        note_number("sync", number);
    return failed;
}

int rename(const char *from, const char *to) {
    int failed = REAL(rename)(from, to);
    if (!failed)
        note("rename", from, to);
    return failed;
}

int unlink(const char *path) {
    int failed = REAL(unlink)(path);
    if (!failed)
        note("unlink", path, NULL);
    return failed;
}

int mkdir(const char *path, mode_t mode) {
    int failed = REAL(mkdir)(path, mode);
    if (!failed)
        note("mkdir", path, NULL);
    return failed;
}

/* The same with folders as descriptors. */

static const char *full(int folder, const char *name, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = name[0] == '/' ? 0 : readlink(link, path, size - strlen(name) - 2);
    if (length < 0)
        return NULL;
    snprintf(path + length, size - length, "%s%s", length ? "/" : "", name);
    return path;
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    char first[1024], second[1024];
    int failed = REAL(renameat)(from_folder, from, to_folder, to);
    if (!failed)
        note("rename", full(from_folder, from, first, sizeof first),
             full(to_folder, to, second, sizeof second));
    return failed;
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    char first[1024], second[1024];
    ssize_t length = readlink(from, first, sizeof first - 1); /* what a descriptor's name leads to */
    int failed = REAL(linkat)(from_folder, from, to_folder, to, flags);
    if (!failed && length > 0) {
        first[length] = 0;
        note("link", first, full(to_folder, to, second, sizeof second));
    }
    return failed;
}

int unlinkat(int folder, const char *name, int flags) {
    char path[1024];
    int failed = REAL(unlinkat)(folder, name, flags);
    if (!failed)
        note("unlink", full(folder, name, path, sizeof path), NULL);
    return failed;
}

int mkdirat(int folder, const char *name, mode_t mode) {
    char path[1024];
    int failed = REAL(mkdirat)(folder, name, mode);
    if (!failed)
        note("mkdir", full(folder, name, path, sizeof path), NULL);
    return failed;
}

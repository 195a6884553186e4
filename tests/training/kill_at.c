// Ends the process at the n-th operation that changes a file, in the middle of it where it writes bytes.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long left = -1; // operations still to come; below 0: not counting
static atomic_long done = 0;

void kill_at(long operation) {
    atomic_store(&done, 0);
    atomic_store(&left, operation);
}

long operations(void) { return atomic_load(&done); }

static int last(void) {
    if (atomic_load(&left) < 0) return 0;
    atomic_fetch_add(&done, 1);
    return atomic_fetch_sub(&left, 1) == 0;
}

static int regular(int file) {
    struct stat found;
    return fstat(file, &found) == 0 && S_ISREG(found.st_mode);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define WHOLE(name, types, values) \
    int name types { \
        if (last()) _exit(137); \
        return REAL(name) values; \
    }
#define BYTES(name, types, whole, half) \
    ssize_t name types { \
        if (regular(file) && last()) { \
            REAL(name) half; \
            _exit(137); \
        } \
        return REAL(name) whole; \
    }
#define OPEN(name, types, values) \
    int name types { \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TRUNC)) { \
            va_list more; \
            va_start(more, flags); \
            mode = va_arg(more, mode_t); \
            va_end(more); \
            if (last()) _exit(137); \
        } \
        return REAL(name) values; \
    }

BYTES(write, (int file, const void *bytes, size_t count), (file, bytes, count), (file, bytes, count / 2))
BYTES(pwrite, (int file, const void *bytes, size_t count, off_t at), (file, bytes, count, at), (file, bytes, count / 2, at))
BYTES(pwrite64, (int file, const void *bytes, size_t count, off64_t at), (file, bytes, count, at), (file, bytes, count / 2, at))
BYTES(writev, (int file, const struct iovec *parts, int count), (file, parts, count), (file, parts, count / 2))
BYTES(pwritev, (int file, const struct iovec *parts, int count, off_t at), (file, parts, count, at), (file, parts, count / 2, at))
OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
OPEN(openat64, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
WHOLE(fsync, (int file), (file))
WHOLE(fdatasync, (int file), (file))
WHOLE(rename, (const char *from, const char *to), (from, to))
WHOLE(renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))
WHOLE(renameat2, (int a, const char *from, int b, const char *to, unsigned flags), (a, from, b, to, flags))
WHOLE(link, (const char *from, const char *to), (from, to))
WHOLE(symlink, (const char *from, const char *to), (from, to))
WHOLE(unlink, (const char *path), (path))
WHOLE(unlinkat, (int folder, const char *path, int flags), (folder, path, flags))
WHOLE(rmdir, (const char *path), (path))
WHOLE(mkdir, (const char *path, mode_t mode), (path, mode))
WHOLE(mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode))
WHOLE(truncate, (const char *path, off_t size), (path, size))
WHOLE(truncate64, (const char *path, off64_t size), (path, size))
WHOLE(ftruncate, (int file, off_t size), (file, size))
WHOLE(ftruncate64, (int file, off64_t size), (file, size))

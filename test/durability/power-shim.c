/*
 * Journals what a process does to the files below one directory, for tests that cut the power, and makes the disk fail.
 * Relies on LD_PRELOAD; ALTHING_POWER_DIR names the directory, ALTHING_POWER_JOURNAL the journal (elsewhere),
 * ALTHING_POWER_FAULT a file that, while it exists, holds the errno with which every write fails.
 *
 * A journal entry, little-endian: u32 kind, u32 file, u64 offset, u32 length, u32 zero, then `length` bytes.
 * Kinds: 1 create (path), 2 write (bytes), 3 truncate (offset = size), 4 rename (from \0 to), 5 unlink (path),
 * 6 sync, 7 link (from \0 to), 8 sync of a directory (path). `file` numbers files as they are created.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FDS 4096
#define MAX_FILES 65536

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root;
static const char *fault;
static size_t root_length;
static int journal = -1;
/* By descriptor: the number of the file, 0 for none of ours; the path of a directory. */
static uint32_t file_of[MAX_FDS];
static char *dir_of[MAX_FDS];
static ino_t inode_of[MAX_FILES];
static uint32_t files;

static void setup(void) {
  static int done;
  if (done) return;
  done = 1;
  root = getenv("ALTHING_POWER_DIR");
  fault = getenv("ALTHING_POWER_FAULT");
  const char *path = getenv("ALTHING_POWER_JOURNAL");
  if (root) root_length = strlen(root);
  if (path) journal = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int ours(const char *path) {
  setup();
  return root && path && strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || !path[root_length]);
}

/* A number that was closed where this shim does not see it may be a socket by now: that is none of the disk's. */
static uint32_t tracked(int fd) {
  struct stat facts;
  if (fd < 0 || fd >= MAX_FDS || !file_of[fd] || fstat(fd, &facts) != 0) return 0;
  return S_ISREG(facts.st_mode) && facts.st_ino == inode_of[file_of[fd]] ? file_of[fd] : 0;
}

static void note(uint32_t kind, uint32_t file, uint64_t offset, const void *bytes, uint32_t length) {
  struct { uint32_t kind, file; uint64_t offset; uint32_t length, zero; } head = {kind, file, offset, length, 0};
  struct iovec parts[2] = {{&head, sizeof head}, {(void *)bytes, length}};
  if (journal >= 0) syscall(SYS_writev, journal, parts, 2);
}

static void note_two(uint32_t kind, const char *from, const char *to) {
  char both[8192];
  size_t a = strlen(from) + 1, b = strlen(to);
  if (a + b > sizeof both) return;
  memcpy(both, from, a);
  memcpy(both + a, to, b);
  note(kind, 0, 0, both, (uint32_t)(a + b));
}

/* The errno with which the disk is to fail now; 0 for a disk that works. */
static int failing(void) {
  setup();
  if (!fault) return 0;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, fault, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[16] = {0};
  syscall(SYS_read, fd, text, sizeof text - 1);
  syscall(SYS_close, fd);
  return atoi(text);
}

#define FAIL_IF_FAULTY(condition)       \
  do {                                  \
    int code = (condition) ? failing() : 0; \
    if (code) { errno = code; return -1; }  \
  } while (0)

static int opened(int fd, const char *path, int existed) {
  struct stat facts;
  if (fd < 0 || fd >= MAX_FDS || fstat(fd, &facts) != 0) return fd;
  if (S_ISDIR(facts.st_mode)) {
    free(dir_of[fd]);
    dir_of[fd] = strdup(path);
    return fd;
  }
  uint32_t file = 0;
  if (existed)
    for (uint32_t at = files; at > 0 && !file; at--)
      if (inode_of[at] == facts.st_ino) file = at;
  if (!file && files + 1 < MAX_FILES) {
    file = ++files;
    inode_of[file] = facts.st_ino;
    note(1, file, 0, path, (uint32_t)strlen(path));
  }
  file_of[fd] = file;
  return fd;
}

static int open_as(const char *path, int flags, mode_t mode) {
  int writes = (flags & O_ACCMODE) != O_RDONLY;
  FAIL_IF_FAULTY(ours(path) && (flags & O_CREAT) && access(path, F_OK) != 0);
  if (!ours(path) || !(writes || (flags & O_DIRECTORY) || !(flags & O_CREAT)))
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
  pthread_mutex_lock(&lock);
  int existed = access(path, F_OK) == 0;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
  if (fd >= 0) opened(fd, path, existed);
  if (fd >= 0 && writes && (flags & O_TRUNC) && existed && tracked(fd)) note(3, tracked(fd), 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  return fd;
}

#define OPEN(name)                                   \
  int name(const char *path, int flags, ...) {       \
    va_list rest;                                    \
    va_start(rest, flags);                           \
    mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                    \
    return open_as(path, flags, mode);               \
  }
OPEN(open)
OPEN(open64)

int close(int fd) {
  if (fd >= 0 && fd < MAX_FDS && (file_of[fd] || dir_of[fd])) {
    pthread_mutex_lock(&lock);
    file_of[fd] = 0;
    free(dir_of[fd]);
    dir_of[fd] = NULL;
    int result = (int)syscall(SYS_close, fd);
    pthread_mutex_unlock(&lock);
    return result;
  }
  return (int)syscall(SYS_close, fd);
}

ssize_t write(int fd, const void *bytes, size_t length) {
  if (!tracked(fd)) return syscall(SYS_write, fd, bytes, length);
  FAIL_IF_FAULTY(1);
  pthread_mutex_lock(&lock);
  ssize_t written = syscall(SYS_write, fd, bytes, length);
  if (written > 0) note(2, tracked(fd), (uint64_t)lseek(fd, 0, SEEK_CUR) - (uint64_t)written, bytes, (uint32_t)written);
  pthread_mutex_unlock(&lock);
  return written;
}

static ssize_t pwrite_as(int fd, const void *bytes, size_t length, off_t offset) {
  if (!tracked(fd)) return syscall(SYS_pwrite64, fd, bytes, length, offset);
  FAIL_IF_FAULTY(1);
  pthread_mutex_lock(&lock);
  ssize_t written = syscall(SYS_pwrite64, fd, bytes, length, offset);
  if (written > 0) note(2, tracked(fd), (uint64_t)offset, bytes, (uint32_t)written);
  pthread_mutex_unlock(&lock);
  return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite_as(fd, bytes, length, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) { return pwrite_as(fd, bytes, length, offset); }

/* Several parts are written as several writes: less atomic than the real thing, never more. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
  if (!tracked(fd)) return syscall(SYS_writev, fd, parts, count);
  ssize_t total = 0;
  for (int at = 0; at < count; at++) {
    ssize_t written = write(fd, parts[at].iov_base, parts[at].iov_len);
    if (written < 0) return total ? total : written;
    total += written;
    if ((size_t)written < parts[at].iov_len) break;
  }
  return total;
}

static int truncate_as(int fd, off_t size) {
  if (!tracked(fd)) return (int)syscall(SYS_ftruncate, fd, size);
  FAIL_IF_FAULTY(1);
  pthread_mutex_lock(&lock);
  int result = (int)syscall(SYS_ftruncate, fd, size);
  if (result == 0) note(3, tracked(fd), (uint64_t)size, NULL, 0);
  pthread_mutex_unlock(&lock);
  return result;
}

int ftruncate(int fd, off_t size) { return truncate_as(fd, size); }
int ftruncate64(int fd, off_t size) { return truncate_as(fd, size); }

static int sync_as(int fd, long call) {
  int dir = fd >= 0 && fd < MAX_FDS && dir_of[fd];
  FAIL_IF_FAULTY(dir || tracked(fd));
  /* The journal says that it is synced only after it is, and nothing written meanwhile is counted in. */
  pthread_mutex_lock(&lock);
  int result = (int)syscall(call, fd);
  if (result == 0 && tracked(fd)) note(6, tracked(fd), 0, NULL, 0);
  if (result == 0 && dir) note(8, 0, 0, dir_of[fd], (uint32_t)strlen(dir_of[fd]));
  pthread_mutex_unlock(&lock);
  return result;
}

int fsync(int fd) { return sync_as(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_as(fd, SYS_fdatasync); }

int rename(const char *from, const char *to) {
  FAIL_IF_FAULTY(ours(from));
  pthread_mutex_lock(&lock);
  int result = (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
  if (result == 0 && ours(from)) note_two(4, from, to);
  pthread_mutex_unlock(&lock);
  return result;
}

int link(const char *from, const char *to) {
  FAIL_IF_FAULTY(ours(from));
  pthread_mutex_lock(&lock);
  int result = (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
  if (result == 0 && ours(from)) note_two(7, from, to);
  pthread_mutex_unlock(&lock);
  return result;
}

int unlink(const char *path) {
  FAIL_IF_FAULTY(ours(path));
  pthread_mutex_lock(&lock);
  int result = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
  if (result == 0 && ours(path)) note(5, 0, 0, path, (uint32_t)strlen(path));
  pthread_mutex_unlock(&lock);
  return result;
}

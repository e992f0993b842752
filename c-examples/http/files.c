#define _GNU_SOURCE
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "parser.h"

/* O_NONBLOCK: opening a FIFO must not wait for its writer. */
#define FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

static const char *content_type(const char *path) {
  static const char *const types[][2] = {
      {"html", "text/html; charset=utf-8"},
      {"htm", "text/html; charset=utf-8"},
      {"css", "text/css; charset=utf-8"},
      {"js", "text/javascript; charset=utf-8"},
      {"mjs", "text/javascript; charset=utf-8"},
      {"json", "application/json"},
      {"txt", "text/plain; charset=utf-8"},
      {"md", "text/markdown; charset=utf-8"},
      {"c", "text/plain; charset=utf-8"},
      {"h", "text/plain; charset=utf-8"},
      {"rs", "text/plain; charset=utf-8"},
      {"toml", "text/plain; charset=utf-8"},
      {"xml", "application/xml"},
      {"svg", "image/svg+xml"},
      {"png", "image/png"},
      {"jpg", "image/jpeg"},
      {"jpeg", "image/jpeg"},
      {"gif", "image/gif"},
      {"webp", "image/webp"},
      {"ico", "image/x-icon"},
      {"pdf", "application/pdf"},
      {"wasm", "application/wasm"},
      {"woff2", "font/woff2"}};
  const char *dot = strrchr(path, '.');
  size_t i;

  if (dot != NULL && strchr(dot, '/') == NULL)
    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
      if (strcasecmp(dot + 1, types[i][0]) == 0)
        return types[i][1];
  return "application/octet-stream";
}

static int hex(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

/* Percent-decode the path part of `target` into `out`, which holds as many
 * bytes as the target. Returns 0 or 400. */
static int decode(const char *target, char *out) {
  int high, low;

  /* A proxy's client may send the whole URL; its host is ours. */
  if (strncasecmp(target, "http://", 7) == 0) {
    target = strchr(target + 7, '/');
    if (target == NULL)
      target = "/";
  }
  if (*target != '/')
    return 400;
  for (; *target != '\0' && *target != '?' && *target != '#'; target++) {
    if (*target != '%') {
      *out++ = *target;
      continue;
    }
    high = hex(target[1]);
    low = high < 0 ? -1 : hex(target[2]);
    if (low < 0 || (high == 0 && low == 0)) /* NUL would cut the path short */
      return 400;
    *out++ = (char) (high * 16 + low);
    target += 2;
  }
  *out = '\0';
  return 0;
}

/* Whether one of the path's segments is "..". */
static int climbs(const char *path) {
  const char *end;

  for (; *path != '\0'; path = *end == '/' ? end + 1 : end) {
    end = strchrnul(path, '/');
    if (end - path == 2 && path[0] == '.' && path[1] == '.')
      return 1;
  }
  return 0;
}

/* For kernels without openat2: step by step, refusing every symlink. */
static int open_by_steps(int root_fd, char *path) {
  int fd = dup(root_fd), next;
  char *end;

  while (fd >= 0 && *path != '\0') {
    end = strchrnul(path, '/');
    next = *end == '/';
    *end = '\0';
    if (*path != '\0') {
      int inner = openat(fd, path, FLAGS | O_NOFOLLOW);
      int saved = errno;

      close(fd);
      errno = saved;
      fd = inner;
    }
    path = next ? end + 1 : end;
  }
  return fd;
}

static int open_beneath(int root_fd, char *path, enum files_way way) {
  /* An old kernel, or a sandbox that does not know the call. */
  static atomic_int no_openat2, no_cached;
  struct open_how how;
  long fd;

  while (*path == '/')
    path++;
  if (way == FILES_CACHED && (no_openat2 || no_cached)) {
    errno = EAGAIN;
    return -1;
  }
  if (no_openat2)
    return open_by_steps(root_fd, path);
  memset(&how, 0, sizeof(how));
  how.flags = FLAGS;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  if (way == FILES_CACHED)
    how.resolve |= RESOLVE_CACHED;
  fd = syscall(SYS_openat2, root_fd, *path == '\0' ? "." : path, &how,
               sizeof(how));
  if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
    if (errno == ENOSYS)
      no_openat2 = 1;
    return way == FILES_CACHED ? (errno = EAGAIN, -1)
                               : open_by_steps(root_fd, path);
  }
  if (fd < 0 && errno == EINVAL && way == FILES_CACHED) {
    no_cached = 1; /* RESOLVE_CACHED came later than the call */
    errno = EAGAIN;
  }
  return (int) fd;
}

static int status_of(int error) {
  switch (error) {
  case EACCES:
  case EPERM:
  case ELOOP:
  case EXDEV: /* the path left the folder */
    return 403;
  case EMFILE:
  case ENFILE:
  case ENOMEM:
  case EAGAIN:
    return 503;
  default:
    return 404;
  }
}

int files_open(int root_fd, const char *target, enum files_way way,
               struct file *file) {
  char path[HTTP_TARGET_MAX + sizeof("index.html")];
  struct stat info;
  size_t len;
  int fd;

  file->fd = -1;
  if (decode(target, path) != 0)
    return 400;
  if (climbs(path))
    return 403;
  len = strlen(path);
  if (path[len - 1] == '/')
    strcpy(path + len, "index.html");
  file->type = content_type(path);

  fd = open_beneath(root_fd, path, way);
  if (fd < 0 && errno == EAGAIN && way == FILES_CACHED)
    return FILES_NOT_CACHED;
  if (fd < 0)
    return status_of(errno);
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    int folder = fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);

    close(fd);
    if (!folder)
      return 403;
    return path[len - 1] == '/' ? 404 : 301; /* index.html may be a folder */
  }
  file->fd = fd;
  file->size = (uint64_t) info.st_size;
  return 200;
}

void files_close(struct file *file) {
  if (file->fd >= 0)
    close(file->fd);
  file->fd = -1;
}

/* Mistakes of the past, in libuv or in others, one section for each: names,
 * paths, users, offsets. What both libraries print must be equal. */
#include "check.h"

#include <arpa/inet.h>
#include <grp.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- users ------------------------------------------------------------ */

static char output[8192];
static size_t output_len;

static void on_output_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  (void) handle;
  (void) size;
  *buf = uv_buf_init(output + output_len,
                     (unsigned) (sizeof(output) - 1 - output_len));
}

static void on_output(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf) {
  (void) buf;
  if (nread > 0)
    output_len += (size_t) nread;
  else if (nread < 0)
    uv_close(H(stream), NULL);
}

static void on_exit_(uv_process_t *p, int64_t status, int signum) {
  SHOW(status);
  SHOW(signum);
  uv_close(H(p), NULL);
}

static void show_line(const char *name) {
  char *line = strstr(output, name), *end = line ? strchr(line, '\n') : NULL;

  if (end != NULL)
    printf("%.*s\n", (int) (end - line), line);
}

/* A child with another user keeps none of the groups of ours. */
static void groups(uv_loop_t *loop) {
  static uv_process_t child;
  static uv_pipe_t out;
  char *args[] = {(char *) "cat", (char *) "/proc/self/status", NULL};
  uv_stdio_container_t stdio[2];
  uv_process_options_t options = {0};
  gid_t ours[] = {0, 4, 27};

  NEED(setgroups(3, ours));
  NEED(uv_pipe_init(loop, &out, 0));
  stdio[0].flags = UV_IGNORE;
  stdio[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
  stdio[1].data.stream = S(&out);
  options.file = "/bin/cat";
  options.args = args;
  options.exit_cb = on_exit_;
  options.stdio = stdio;
  options.stdio_count = 2;
  options.uid = 65534;
  options.gid = 65534;
  options.flags = UV_PROCESS_SETUID | UV_PROCESS_SETGID;
  NEED(uv_spawn(loop, &child, &options));
  NEED(uv_read_start(S(&out), on_output_alloc, on_output));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  show_line("Uid:");
  show_line("Gid:");
  show_line("Groups:");
}

static void on_fs(uv_fs_t *req) {
  SHOW(req->result < 0 ? req->result : 0);
  if (req->fs_type == UV_FS_OPEN && req->result >= 0)
    close((int) req->result);
  uv_fs_req_cleanup(req);
}

/* Removes what this process may no longer remove. */
static pid_t remover;
static int remover_pipe[2];

static void start_remover(const char *path) {
  char byte;

  NEED(pipe(remover_pipe));
  NEED(remover = fork());
  if (remover == 0) {
    close(remover_pipe[1]);
    (void) !read(remover_pipe[0], &byte, 1);
    unlink(path);
    _exit(0);
  }
  close(remover_pipe[0]);
}

/* What the loop does for a process that gave root up is not done as root. */
static void gave_root_up(uv_loop_t *loop) {
  static uv_fs_t req;
  char path[] = P_tmpdir "/uvring-security-XXXXXX";
  int fd = mkstemp(path);

  NEED(fd);
  NEED(write(fd, "secret", 6));
  close(fd);
  start_remover(path);
  NEED(uv_fs_open(loop, &req, path, O_RDONLY, 0, on_fs));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  NEED(setgroups(0, NULL));
  NEED(setgid(65534));
  NEED(setuid(65534));
  NEED(uv_fs_open(loop, &req, path, O_RDONLY, 0, on_fs));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  NEED(uv_fs_unlink(loop, &req, path, on_fs));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  NEED(uv_fs_open(loop, &req, "/proc/1/environ", O_RDONLY, 0, on_fs));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  close(remover_pipe[1]);
  NEED(waitpid(remover, NULL, 0));
}

/* ---- paths ------------------------------------------------------------ */

/* Paths far beyond 256 bytes, up to the longest that the system takes. */
static void long_paths(uv_loop_t *loop) {
  static const size_t lengths[] = {200, 255, 256, 257, 1000, 4000, 4094, 4095};
  static char path[PATH_MAX + 512];
  char dir[] = P_tmpdir "/uvring-security-XXXXXX";
  uv_fs_t req;
  size_t i, len;
  int r;

  NEED(mkdtemp(dir) == NULL ? -1 : 0);
  for (i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
    strcpy(path, dir);
    len = strlen(path);
    while (len < lengths[i]) {
      size_t part = lengths[i] - len - 1;

      if (part > 200)
        part = part > 202 ? 200 : 100;
      path[len++] = '/';
      memset(path + len, 'd', part);
      len += part;
      path[len] = '\0';
      if (mkdir(path, 0700) != 0 && errno != EEXIST)
        break;
    }
    r = uv_fs_realpath(loop, &req, path, NULL);
    printf("%zu: ", lengths[i]);
    SHOW(r);
    SHOW(r == 0 ? strcmp(req.ptr, path) : -1);
    uv_fs_req_cleanup(&req);
    while (strlen(path) > strlen(dir)) {
      rmdir(path);
      *strrchr(path, '/') = '\0';
    }
  }
  SHOW(rmdir(dir));
}

/* ---- names ------------------------------------------------------------ */

/* Never leaves the machine: only numbers are looked up. */
static int look_up(uv_loop_t *loop, const char *name) {
  struct addrinfo hints = {0};
  uv_getaddrinfo_t req;
  int r;

  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_family = AF_INET;
  r = uv_getaddrinfo(loop, &req, NULL, name, NULL, &hints);
  if (r == 0)
    uv_freeaddrinfo(req.addrinfo);
  return r;
}

/* Cut at any length up to the first "9", these are the number 127.0.0.1. */
static void long_names(uv_loop_t *loop) {
  static const size_t lengths[] = {200, 253, 254, 255, 256, 257, 1000};
  static char name[2048];
  size_t i, j;

  for (i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
    memset(name, '0', lengths[i]);
    name[1] = 'x';
    memcpy(name + lengths[i] - 8, "7f000001", 8);
    name[lengths[i]] = '\0';
    printf("%zu: ", lengths[i]);
    SHOW(look_up(loop, name));
    strcpy(name + lengths[i], ".evil");
    SHOW(look_up(loop, name));
  }
  /* Short as UTF-8, too long as punycode. */
  for (i = 40; i <= 90; i += 10) {
    name[0] = '\0';
    for (j = 0; j < i; j++)
      strcat(name, j % 7 == 6 ? "." : "\xc3\xbc");
    printf("%zu: ", i);
    SHOW(look_up(loop, name) < 0);
  }
}

/* Bytes that end in the middle of a character, and what is none at all. */
static void bad_names(uv_loop_t *loop) {
  static const char *const names[] = {
      "\xc3",         "a\xc3",          "\xe2\x82",        "\xf0\x9f\x98",
      "\x80",         "\xff",           "\xc0\x80",        "\xe0\x80\x80",
      "\xed\xa0\x80", "\xed\xbf\xbf",   "\xf4\x90\x80\x80", "\xf8\x88\x80\x80",
      "xn--\xc3",     "\xe3\x80\x82",   ".",               "..",
      "a..b\xc3\xbc", "127.0.0.1\xc3",  "127.0.0.1",       ""};
  unsigned seed = 20210622;
  char *name;
  size_t i, j, len;
  int valid = 0;

  for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
    /* On the heap and no longer than it must be: a checker sees each byte
     * read too far. */
    NEED((name = strdup(names[i])) == NULL ? -1 : 0);
    printf("%zu: ", i);
    SHOW(look_up(loop, name) < 0);
    free(name);
  }
  for (i = 0; i < 20000; i++) {
    len = (size_t) rand_r(&seed) % 24;
    NEED((name = malloc(len + 1)) == NULL ? -1 : 0);
    for (j = 0; j < len; j++)
      name[j] = (char) (128 + rand_r(&seed) % 127);
    name[len] = '\0';
    valid += look_up(loop, name) == 0;
    free(name);
  }
  SHOW(valid);
}

/* Addresses with a zone: known, unknown, a number, too long, empty. */
static void zones(uv_loop_t *loop) {
  static const char *const names[] = {
      "fe80::1%lo", "fe80::1%1",  "fe80::1%nosuch", "fe80::1%",
      "::1%lo",     "fe80::1%lo%lo", "%lo",         "fe80::1%lolololololololololo"
                                                    "lolololololololololololololo"};
  struct sockaddr_in6 address;
  char text[64];
  size_t i;

  (void) loop;
  for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
    memset(&address, 0, sizeof(address));
    TEXT(names[i]);
    SHOW(uv_ip6_addr(names[i], 80, &address));
    SHOW(address.sin6_scope_id == if_nametoindex("lo"));
    SHOW(address.sin6_scope_id != 0);
    SHOW(uv_ip6_name(&address, text, sizeof(text)));
    TEXT(text);
    SHOW(uv_inet_pton(AF_INET6, names[i], text));
  }
}

/* ---- offsets ---------------------------------------------------------- */

/* All 64 bits of an offset arrive. */
static void offsets(uv_loop_t *loop) {
  const int64_t far = (int64_t) 5 << 30;
  char path[] = P_tmpdir "/uvring-security-XXXXXX", space[8] = {0};
  uv_buf_t out = uv_buf_init((char *) "far", 3), in = uv_buf_init(space, 8);
  uv_fs_t req;
  int fd = mkstemp(path), pair[2];

  SHOW(sizeof(req.off));
  SHOW(uv_fs_write(loop, &req, fd, &out, 1, far, NULL));
  uv_fs_req_cleanup(&req);
  SHOW(uv_fs_fstat(loop, &req, fd, NULL));
  SHOW(req.statbuf.st_size - far);
  uv_fs_req_cleanup(&req);
  SHOW(uv_fs_read(loop, &req, fd, &in, 1, far, NULL));
  uv_fs_req_cleanup(&req);
  TEXT(space);
  check_tcp_pair(pair);
  SHOW(uv_fs_sendfile(loop, &req, pair[0], fd, far + 1, 100, NULL));
  uv_fs_req_cleanup(&req);
  memset(space, 0, sizeof(space));
  SHOW(recv(pair[1], space, sizeof(space), 0));
  TEXT(space);
  SHOW(uv_fs_ftruncate(loop, &req, fd, far - 1, NULL));
  SHOW(uv_fs_fstat(loop, &req, fd, NULL));
  SHOW(req.statbuf.st_size - far);
  uv_fs_req_cleanup(&req);
  close(fd);
  close(pair[0]);
  close(pair[1]);
  unlink(path);
}

/* More than one call to the kernel can copy: 2 GiB of memory, and a bit. */
static void big_copy(uv_loop_t *loop) {
  const int64_t size = ((int64_t) 1 << 31) + 3;
  char paths[2][64], space[4] = {0};
  uv_fs_t req;
  int fds[2], i;

  alarm(200);
  for (i = 0; i < 2; i++) {
    NEED(fds[i] = memfd_create("copy", MFD_CLOEXEC));
    snprintf(paths[i], sizeof(paths[i]), "/proc/self/fd/%d", fds[i]);
  }
  NEED(ftruncate(fds[0], size));
  NEED(pwrite(fds[0], "end", 3, size - 3));
  SHOW(uv_fs_copyfile(loop, &req, paths[0], paths[1], 0, NULL));
  uv_fs_req_cleanup(&req);
  SHOW(pread(fds[1], space, 4, size - 3));
  TEXT(space);
  close(fds[0]);
  close(fds[1]);
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"groups", groups},         {"gave_root_up", gave_root_up},
      {"long_paths", long_paths}, {"long_names", long_names},
      {"bad_names", bad_names},   {"zones", zones},
      {"offsets", offsets},       {"big_copy", big_copy},
      {NULL, NULL}};

  return check_main(argc, argv, table);
}

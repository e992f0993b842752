/* File requests: bad paths, files that change under a read, a full disk, big folders, waiting
 * opens, cancelling, the order of callbacks. In a folder of its own below TMPDIR. */
#include "check.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char folder[256], path[512], other[512];
static int called;

static const char *in(const char *name) {
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void enter_below(const char *below) {
  snprintf(folder, sizeof folder, "%s/files-XXXXXX", below);
  if (mkdtemp(folder) == NULL) exit(1);
}

static void enter(void) {
  const char *below = getenv("TMPDIR");
  enter_below(below == NULL ? "/tmp" : below);
}

static void leave(void) { NEED(rmdir(folder)); }

static void make(const char *name, size_t size) {
  int fd = open(in(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  NEED(fd);
  for (size_t n = 0; n < size; n++) NEED(write(fd, "x", 1));
  NEED(close(fd));
}

static void on_done(uv_fs_t *req) {
  (void) req;
  called++;
}

/* Runs the request that was just started to its end. */
static long long result_of(uv_loop_t *loop, uv_fs_t *req, int code) {
  called = 0;
  if (code != 0) return code;
  if (called != 0) return -1000000; /* from within the call */
  uv_run(loop, UV_RUN_DEFAULT);
  if (called != 1) return -2000000;
  long long result = req->result;
  uv_fs_req_cleanup(req);
  return result;
}

/* Without and with a callback. */
#define BOTH(call, ...)                                                       \
  do {                                                                        \
    SHOW(call(loop, &req, __VA_ARGS__, NULL));                                \
    uv_fs_req_cleanup(&req);                                                  \
    check_show(#call " later",                                                \
               result_of(loop, &req, call(loop, &req, __VA_ARGS__, on_done))); \
  } while (0)

static void paths(uv_loop_t *loop) {
  static const size_t lengths[] = {254, 255, 256, 4094, 4095, 4096, 4097, 70000};
  static char name[70001];
  uv_fs_t req;
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
    for (int parts = 0; parts < 2; parts++) {
      memset(name, 'n', lengths[i]);
      name[lengths[i]] = 0;
      for (size_t n = 0; parts == 1 && n < lengths[i]; n += 2) name[n] = n == 0 ? '/' : '.';
      for (size_t n = 1; parts == 1 && n < lengths[i]; n += 2) name[n] = '/';
      printf("%zu bytes, %s\n", lengths[i], parts == 1 ? "in parts" : "in one");
      BOTH(uv_fs_stat, name);
      BOTH(uv_fs_lstat, name);
      BOTH(uv_fs_open, name, O_WRONLY, 0);
      BOTH(uv_fs_access, name, F_OK);
    }
  static const char *const odd[] = {"", "\xff\xfe/\x80", "/\xff", "/nothing/here", "/dev/null/x",
                                    "//", "/.", "/..", "/proc/self/nothing"};
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
    BOTH(uv_fs_stat, odd[i]);
    BOTH(uv_fs_lstat, odd[i]);
    BOTH(uv_fs_open, odd[i], O_WRONLY, 0);
    BOTH(uv_fs_unlink, odd[i]);
  }
}

static void descriptors(uv_loop_t *loop) {
  char bytes[8];
  uv_buf_t buf = uv_buf_init(bytes, sizeof bytes);
  uv_fs_t req;
  enter();
  make("a", 4);
  static const int bad[] = {-1, 100000, 2147483647};
  for (size_t i = 0; i < 3; i++) {
    BOTH(uv_fs_read, bad[i], &buf, 1, 0);
    BOTH(uv_fs_read, bad[i], &buf, 1, -1);
    BOTH(uv_fs_fstat, bad[i]);
    BOTH(uv_fs_close, bad[i]);
    BOTH(uv_fs_write, bad[i], &buf, 1, 0);
    BOTH(uv_fs_fsync, bad[i]);
  }
  int fd = open(folder, O_RDONLY | O_CLOEXEC);
  BOTH(uv_fs_read, fd, &buf, 1, 0);
  BOTH(uv_fs_write, fd, &buf, 1, 0);
  SHOW(close(fd));
  fd = open(in("a"), O_RDONLY);
  BOTH(uv_fs_write, fd, &buf, 1, 0);
  for (int64_t at = -2; at < 6; at++) {
    printf("at %d\n", (int) at);
    BOTH(uv_fs_read, fd, &buf, 1, at);
  }
  BOTH(uv_fs_read, fd, &buf, 1, INT64_MAX);
  BOTH(uv_fs_read, fd, &buf, 0, 0);
  buf.len = 0;
  BOTH(uv_fs_read, fd, &buf, 1, 0);
  check_show("uv_fs_close", result_of(loop, &req, uv_fs_close(loop, &req, fd, on_done)));
  SHOW(fcntl(fd, F_GETFD) == -1 ? -errno : 0);
  SHOW(unlink(in("a")));
  leave();
}

/* The flags of what was opened; a second time, when all is known of the place. */
static void flags(uv_loop_t *loop) {
  static const int asked[] = {O_RDONLY, O_RDONLY | O_NONBLOCK, O_WRONLY | O_APPEND, O_RDWR,
                              O_RDONLY | O_DIRECTORY, O_RDONLY | O_NOFOLLOW, O_RDWR | O_CREAT,
                              O_WRONLY | O_CREAT | O_EXCL, O_WRONLY | O_TRUNC, O_PATH,
                              O_RDONLY | O_NOATIME};
  uv_fs_t req;
  enter();
  make("a", 10);
  NEED(symlink("a", in("link")));
  for (int round = 0; round < 3; round++)
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
      for (int which = 0; which < 3; which++) {
        const char *name = which == 0 ? in("a") : which == 1 ? in("link") : folder;
        long long fd = result_of(loop, &req, uv_fs_open(loop, &req, name, asked[i], 0600, on_done));
        if (fd < 0) {
          SHOW(fd);
          continue;
        }
        SHOW(fcntl((int) fd, F_GETFL));
        SHOW(fcntl((int) fd, F_GETFD));
        SHOW(result_of(loop, &req, uv_fs_close(loop, &req, (int) fd, on_done)));
      }
  SHOW(unlink(in("link")));
  SHOW(unlink(in("a")));
  leave();
}

/* A file that gets shorter and longer between and under reads. */
static void shrinks(uv_loop_t *loop) {
  static char bytes[65536];
  uv_buf_t bufs[2] = {uv_buf_init(bytes, 32768), uv_buf_init(bytes + 32768, 32768)};
  static const int sizes[] = {65536, 65535, 32769, 32768, 32767, 4097, 4096, 1, 0, 40000, 200000};
  uv_fs_t req;
  enter();
  make("a", 1);
  int fd = open(in("a"), O_RDWR);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    NEED(ftruncate(fd, sizes[i]));
    printf("%d bytes\n", sizes[i]);
    BOTH(uv_fs_read, fd, bufs, 2, 0);
    BOTH(uv_fs_read, fd, bufs, 2, 100);
    NEED(lseek(fd, 50, SEEK_SET));
    check_show("from 50", result_of(loop, &req, uv_fs_read(loop, &req, fd, bufs, 2, -1, on_done)));
    SHOW(lseek(fd, 0, SEEK_CUR));
    /* Started, then cut: what it says is the kernel's affair, but not more than it was. */
    int code = uv_fs_read(loop, &req, fd, bufs, 2, 0, on_done);
    NEED(ftruncate(fd, sizes[i] / 2));
    long long got = result_of(loop, &req, code);
    SHOW(got >= 0 && got <= sizes[i]);
  }
  SHOW(close(fd));
  SHOW(unlink(in("a")));
  leave();
}

static uv_fs_t reqs[64];
static int order[64], finished, inside;

static void on_order(uv_fs_t *req) {
  if (inside) puts("from within a call");
  order[finished++] = (int) (req - reqs);
}

/* No callback from within a call; each exactly once; the loop stays alive until the last. */
static void turns(uv_loop_t *loop) {
  enter();
  make("a", 5);
  for (int round = 0; round < 3; round++) {
    finished = 0;
    inside = 1;
    for (int i = 0; i < 64; i++)
      NEED(uv_fs_stat(loop, &reqs[i], in(i % 3 == 0 ? "none" : "a"), on_order));
    inside = 0;
    SHOW(finished);
    SHOW(uv_loop_alive(loop));
    SHOW(uv_run(loop, UV_RUN_DEFAULT));
    SHOW(finished);
    int seen = 0, right = 0;
    for (int i = 0; i < 64; i++) {
      for (int k = 0; k < 64; k++) seen += order[k] == i;
      right += i % 3 == 0 ? reqs[i].result == UV_ENOENT
                          : reqs[i].result == 0 && reqs[i].statbuf.st_size == 5;
      uv_fs_req_cleanup(&reqs[i]);
    }
    SHOW(seen);
    SHOW(right);
  }
  SHOW(unlink(in("a")));
  leave();
}

static int chain_left, timer_fired, chain_when_fired;
static uv_fs_t chain;

static void on_chain(uv_fs_t *req) {
  uv_fs_req_cleanup(req);
  if (chain_left > 0 && --chain_left > 0)
    NEED(uv_fs_stat(req->loop, req, "/", on_chain));
}

static void on_tick(uv_timer_t *timer) {
  if (++timer_fired == 3) {
    chain_when_fired = chain_left;
    chain_left = 0;
    uv_close(H(timer), NULL);
  }
}

/* A chain that goes on for ever holds up no timer. */
static void endless(uv_loop_t *loop) {
  uv_timer_t timer;
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_timer_start(&timer, on_tick, 5, 5));
  chain_left = 1000000000;
  NEED(uv_fs_stat(loop, &chain, "/", on_chain));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(timer_fired);
  SHOW(chain_when_fired > 0);
}

static void open_other_end(void *name) {
  usleep(50000);
  int fd = open(name, O_WRONLY);
  if (write(fd, "hello", 5) != 5) puts("cannot write");
  close(fd);
}

/* Opening a FIFO waits for its other end, on no account in the loop. */
static void fifo(uv_loop_t *loop) {
  char bytes[8];
  uv_buf_t buf = uv_buf_init(bytes, sizeof bytes);
  uv_fs_t req, warm;
  uv_timer_t timer;
  uv_thread_t thread;
  enter();
  make("a", 1);
  for (int round = 0; round < 2; round++) {
    long long fd = result_of(loop, &warm, uv_fs_open(loop, &warm, in("a"), O_RDONLY, 0, on_done));
    SHOW(result_of(loop, &warm, uv_fs_close(loop, &warm, (int) fd, on_done)));
    NEED(mkfifo(in("fifo"), 0600));
    strcpy(other, path);
    SHOW(result_of(loop, &req, uv_fs_open(loop, &req, other, O_WRONLY | O_NONBLOCK, 0, on_done)));
    timer_fired = 0;
    chain_left = 0;
    NEED(uv_timer_init(loop, &timer));
    NEED(uv_timer_start(&timer, on_tick, 2, 2));
    called = 0;
    NEED(uv_fs_open(loop, &req, other, O_RDONLY, 0, on_done));
    while (timer_fired < 3) uv_run(loop, UV_RUN_ONCE);
    SHOW(called);
    NEED(uv_thread_create(&thread, open_other_end, other));
    SHOW(uv_run(loop, UV_RUN_DEFAULT));
    SHOW(called);
    fd = req.result;
    uv_fs_req_cleanup(&req);
    SHOW(fd >= 0);
    SHOW(fcntl((int) fd, F_GETFL) & O_NONBLOCK);
    SHOW(result_of(loop, &req, uv_fs_read(loop, &req, (int) fd, &buf, 1, -1, on_done)));
    NEED(uv_thread_join(&thread));
    SHOW(result_of(loop, &req, uv_fs_read(loop, &req, (int) fd, &buf, 1, -1, on_done)));
    SHOW(result_of(loop, &req, uv_fs_close(loop, &req, (int) fd, on_done)));
    SHOW(unlink(other));
  }
  SHOW(unlink(in("a")));
  leave();
}

static int open_fds(void) {
  int count = 0;
  for (int fd = 0; fd < 1000; fd++) count += fcntl(fd, F_GETFD) != -1;
  return count;
}

static void on_cancelled(uv_fs_t *req) {
  if (req->result >= 0)
    NEED(close((int) req->result));
  else if (req->result != UV_ECANCELED)
    SHOW(req->result);
  called++;
}

/* A cancelled open leaves no descriptor, whichever way it went. */
static void cancelled(uv_loop_t *loop) {
  int lost = 0;
  uv_fs_t first;
  enter();
  make("a", 1);
  result_of(loop, &first, uv_fs_stat(loop, &first, in("a"), on_done));
  int before = 0;
  for (int round = 0; round < 20; round++) {
    called = 0;
    for (int i = 0; i < 64; i++)
      NEED(uv_fs_open(loop, &reqs[i], in(i % 2 == 0 ? "a" : "b"), i % 2 == 0 ? O_RDONLY
                                                                        : O_RDWR | O_CREAT,
                      0600, on_cancelled));
    for (int i = 0; i < 64; i++) {
      int code = uv_cancel(R(&reqs[i]));
      if (code != 0 && code != UV_EBUSY) SHOW(code);
    }
    uv_run(loop, UV_RUN_DEFAULT);
    if (called != 64) SHOW(called);
    for (int i = 0; i < 64; i++) uv_fs_req_cleanup(&reqs[i]);
    if (round == 0) before = open_fds();
    lost += open_fds() - before;
  }
  SHOW(lost);
  SHOW(unlink(in("a")));
  unlink(in("b"));
  leave();
}

/* Each look-up's callback starts it again and asks another one back, wherever that has got to. */
static int again, unasked;
static char under_way[64];

static void on_recalled(uv_fs_t *req) {
  uv_loop_t *loop = req->loop;
  int other = (int) (req - reqs + ++called) % 64;
  if (req->result == 0 ? req->statbuf.st_size != 1 : req->result != UV_ECANCELED) unasked++;
  uv_fs_req_cleanup(req);
  under_way[req - reqs] = again > 0;
  if (again-- > 0) NEED(uv_fs_stat(loop, req, in("a"), on_recalled));
  int code = under_way[other] ? uv_cancel(R(&reqs[other])) : 0;
  if (code != 0 && code != UV_EBUSY) unasked++;
}

static void recalled(uv_loop_t *loop) {
  enum { AGAIN = 20000 };
  enter();
  make("a", 1);
  called = unasked = 0;
  again = AGAIN;
  for (int i = 0; i < 64; i++) {
    under_way[i] = 1;
    NEED(uv_fs_stat(loop, &reqs[i], in("a"), on_recalled));
  }
  uv_run(loop, UV_RUN_DEFAULT);
  SHOW(called - AGAIN);
  SHOW(unasked);
  SHOW(unlink(in("a")));
  leave();
}

/* A hundred thousand names, some of which go away during the scan. */
static void crowd(uv_loop_t *loop) {
  enum { NAMES = 100000 };
  char name[32];
  uv_fs_t req;
  uv_dirent_t entry, entries[100];
  int count = 0;
  /* In memory if possible: the names are what matters. */
  if (access("/dev/shm", W_OK) == 0)
    enter_below("/dev/shm");
  else
    enter();
  alarm(120);
  for (int i = 0; i < NAMES; i++) {
    snprintf(name, sizeof name, "%d", i);
    int fd = open(in(name), O_WRONLY | O_CREAT, 0600);
    NEED(fd);
    close(fd);
  }
  called = 0;
  NEED(uv_fs_scandir(loop, &req, folder, 0, on_done));
  uv_run(loop, UV_RUN_DEFAULT);
  SHOW(req.result);
  while (uv_fs_scandir_next(&req, &entry) != UV_EOF) count++;
  SHOW(count);
  uv_fs_req_cleanup(&req);
  SHOW(uv_fs_opendir(loop, &req, folder, NULL));
  uv_dir_t *dir = req.ptr;
  uv_fs_req_cleanup(&req);
  dir->dirents = entries;
  dir->nentries = 100;
  int got, rounds = 0, strange = 0;
  do {
    called = 0;
    NEED(uv_fs_readdir(loop, &req, dir, on_done));
    uv_run(loop, UV_RUN_DEFAULT);
    got = (int) req.result;
    for (int i = 0; i < got; i++) {
      strange += strspn(entries[i].name, "0123456789") != strlen(entries[i].name);
      snprintf(name, sizeof name, "%s", entries[i].name);
      if (unlink(in(name)) != 0) strange++;
    }
    uv_fs_req_cleanup(&req);
    rounds++;
  } while (got > 0 && rounds < NAMES);
  SHOW(got);
  SHOW(strange);
  SHOW(uv_fs_closedir(loop, &req, dir, NULL));
  uv_fs_req_cleanup(&req);
  for (int i = 0; i < NAMES; i++) {
    snprintf(name, sizeof name, "%d", i);
    unlink(in(name));
  }
  leave();
}

/* A disk of one MiB, in a mount namespace of its own. */
static void full(uv_loop_t *loop) {
  static char block[65536];
  uv_buf_t buf = uv_buf_init(block, sizeof block);
  uv_fs_t req;
  struct stat st;
  enter();
  if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
    printf("skip: no mount namespace: %s\n", strerror(errno));
    leave();
    return;
  }
  mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
  if (mount("none", folder, "tmpfs", 0, "size=1m,nr_inodes=8") != 0) {
    printf("skip: no tmpfs: %s\n", strerror(errno));
    leave();
    return;
  }
  make("a", 300000);
  make("b", 300000);
  BOTH(uv_fs_copyfile, in("a"), (snprintf(other, sizeof other, "%s/c", folder), other), 0);
  SHOW(unlink(other) == -1 ? -errno : 0);
  int fd = open(in("d"), O_WRONLY | O_CREAT, 0600);
  long long total = 0, got;
  do {
    got = result_of(loop, &req, uv_fs_write(loop, &req, fd, &buf, 1, -1, on_done));
    if (got > 0) total += got;
  } while (got > 0);
  SHOW(got);
  SHOW(total);
  BOTH(uv_fs_write, fd, &buf, 1, -1);
  BOTH(uv_fs_copyfile, in("a"), other, 0);
  SHOW(stat(other, &st) == -1 ? -errno : 0);
  SHOW(close(fd));
  for (int i = 0; i < 8; i++) {
    snprintf(other, sizeof other, "%s/t-XXXXXX", folder);
    long long code = result_of(loop, &req, uv_fs_mkstemp(loop, &req, other, on_done));
    SHOW(code < 0 ? code : 0);
    if (code >= 0) close((int) code);
  }
  SHOW(umount(folder));
  leave();
}

/* How often of `times` the file is opened, read and closed with `want` bytes in it. */
static int found(uv_loop_t *loop, const char *name, int times, long long want) {
  char bytes[8];
  uv_buf_t buf = uv_buf_init(bytes, sizeof bytes);
  uv_fs_t req;
  int right = 0;
  for (int i = 0; i < times; i++) {
    long long fd = result_of(loop, &req, uv_fs_open(loop, &req, in(name), O_RDONLY, 0, on_done));
    if (fd < 0) {
      right += fd == want;
      continue;
    }
    right += result_of(loop, &req, uv_fs_read(loop, &req, (uv_file) fd, &buf, 1, 0, on_done)) == want;
    if (result_of(loop, &req, uv_fs_close(loop, &req, (uv_file) fd, on_done)) != 0) right = -1000;
  }
  return right;
}

/* Mounts over a folder in a mount namespace of its own, and says on `to` that it did. */
static void cover(const char *name, int to, int until) {
  char byte = 0;
  if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) _exit(1);
  mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
  if (mount("none", name, "tmpfs", 0, "size=64k") != 0 || write(to, &byte, 1) != 1) _exit(1);
  while (read(until, &byte, 1) > 0) {
  }
  _exit(0);
}

/* A folder that another process has mounted something over: here nothing has changed. */
static void covered(uv_loop_t *loop) {
  int told[2], over[2], status;
  char byte;
  enter();
  NEED(mkdir(in("sub"), 0700));
  make("sub/a", 3);
  SHOW(found(loop, "sub/a", 40, 3));
  NEED(pipe2(told, O_CLOEXEC));
  NEED(pipe2(over, O_CLOEXEC));
  pid_t pid = fork();
  if (pid == 0) {
    close(told[0]);
    close(over[1]);
    cover(in("sub"), told[1], over[0]);
  }
  close(told[1]);
  close(over[0]);
  if (read(told[0], &byte, 1) == 1) {
    SHOW(found(loop, "sub/a", 40, 3));
    SHOW(found(loop, "sub/none", 40, UV_ENOENT));
  } else {
    printf("skip: no mount in a namespace of its own\n");
  }
  close(told[0]);
  close(over[1]);
  NEED(waitpid(pid, &status, 0));
  SHOW(found(loop, "sub/a", 40, 3));
  unlink(in("sub/a"));
  NEED(rmdir(in("sub")));
  leave();
}

/* No descriptors left. */
static void no_fds(uv_loop_t *loop) {
  struct rlimit old, low;
  uv_fs_t req;
  enter();
  make("a", 1);
  for (int round = 0; round < 3; round++) {
    SHOW(result_of(loop, &req, uv_fs_stat(loop, &req, in("a"), on_done)));
    long long fd = result_of(loop, &req, uv_fs_open(loop, &req, in("a"), O_RDONLY, 0, on_done));
    NEED(fd);
    NEED(getrlimit(RLIMIT_NOFILE, &old));
    low = old;
    low.rlim_cur = 3;
    NEED(setrlimit(RLIMIT_NOFILE, &low));
    SHOW(result_of(loop, &req, uv_fs_stat(loop, &req, in("a"), on_done)));
    SHOW(result_of(loop, &req, uv_fs_open(loop, &req, in("a"), O_RDONLY, 0, on_done)));
    NEED(setrlimit(RLIMIT_NOFILE, &old));
    SHOW(result_of(loop, &req, uv_fs_close(loop, &req, (int) fd, on_done)));
  }
  SHOW(unlink(in("a")));
  leave();
}

/* A copy keeps owner, mode and, where it has no bytes, times: as root, a program
 * that runs as its owner does not become root's. */
static void copied(uv_loop_t *loop) {
  struct timespec times[2] = {{5, 0}, {4000, 125000000}};
  struct stat now;
  uv_fs_t req;
  int fd, bytes;

  enter();
  NEED(chdir(folder));
  for (bytes = 0; bytes < 3; bytes++) {
    SHOW(bytes);
    NEED(fd = open("copied-from", O_CREAT | O_RDWR | O_TRUNC, 0600));
    NEED(ftruncate(fd, bytes));
    if (geteuid() == 0)
      NEED(fchown(fd, 1234, 4321));
    NEED(fchmod(fd, 04755));
    NEED(futimens(fd, times));
    close(fd);
    SHOW(uv_fs_copyfile(loop, &req, "copied-from", "copied-to", 0, NULL));
    uv_fs_req_cleanup(&req);
    NEED(stat("copied-to", &now));
    SHOW(now.st_mode);
    SHOW(now.st_uid);
    SHOW(now.st_gid);
    SHOW(now.st_atim.tv_sec);
    SHOW(now.st_mtim.tv_sec < 100000);
    /* The next copy goes over this one. */
    if (bytes == 1)
      NEED(unlink("copied-to"));
  }
  NEED(unlink("copied-from"));
  NEED(unlink("copied-to"));
  NEED(chdir("/"));
  leave();
}

static const struct section sections[] = {
    {"paths", paths},     {"descriptors", descriptors}, {"flags", flags}, {"shrinks", shrinks},
    {"turns", turns},     {"endless", endless},         {"fifo", fifo},   {"cancelled", cancelled},
    {"crowd", crowd},     {"full", full},               {"no_fds", no_fds}, {"copied", copied},
    {"covered", covered}, {"recalled", recalled}, {NULL, NULL}};

int main(int argc, char **argv) { return check_main(argc, argv, sections); }

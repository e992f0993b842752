/* Row family files. usage: files chain|stat|read|write|direct IN_FLIGHT MS
 *
 * The files are in a folder of the program's own, below BENCH_DIR or the current one. */
#include "uvcommon.h"
#include <sys/stat.h>

#define SMALL 4096
#define LARGE 65536
#define FILES 64           /* different files of chain and stat */
#define SPAN (16u << 20)   /* bytes of the file that is read and written */

static uint64_t stop_at, done;
static uv_loop_t loop;
static char folder[4000];
static int big = -1;

typedef struct {
  uv_fs_t req;
  char path[4096];
  char *buf;
  int fd;
  uint64_t at;
  uint32_t random;
} lane_t;

static lane_t *lanes;
static uint64_t lane_count;

static void remove_all(void) {
  char path[4096];
  for (int i = 0; i < FILES; i++) {
    snprintf(path, sizeof path, "%s/%d", folder, i);
    unlink(path);
  }
  snprintf(path, sizeof path, "%s/big", folder);
  unlink(path);
  rmdir(folder);
}

static ssize_t result_of(uv_fs_t *req) {
  ssize_t result = req->result;
  if (result < 0) {
    remove_all();
    die("%s: %s", req->path == NULL ? "a descriptor" : req->path, uv_strerror((int) result));
  }
  uv_fs_req_cleanup(req);
  return result;
}

/* chain: open, fstat, read, close; again until the time is over. */
static void on_open(uv_fs_t *req);

static void on_close(uv_fs_t *req) {
  lane_t *lane = (lane_t *) req;
  result_of(req);
  done++;
  if (now_ns() < stop_at) UV(uv_fs_open(&loop, req, lane->path, O_RDONLY, 0, on_open));
}

static void on_read(uv_fs_t *req) {
  if (result_of(req) != SMALL) die("a short read");
  UV(uv_fs_close(&loop, req, ((lane_t *) req)->fd, on_close));
}

static void on_fstat(uv_fs_t *req) {
  lane_t *lane = (lane_t *) req;
  if (req->statbuf.st_size != SMALL) die("a file of another size");
  result_of(req);
  uv_buf_t buf = uv_buf_init(lane->buf, SMALL);
  UV(uv_fs_read(&loop, req, lane->fd, &buf, 1, 0, on_read));
}

static void on_open(uv_fs_t *req) {
  lane_t *lane = (lane_t *) req;
  lane->fd = (int) result_of(req);
  UV(uv_fs_fstat(&loop, req, lane->fd, on_fstat));
}

static void on_stat(uv_fs_t *req) {
  lane_t *lane = (lane_t *) req;
  if (req->statbuf.st_size != SMALL) die("a file of another size");
  result_of(req);
  done++;
  if (now_ns() < stop_at) UV(uv_fs_stat(&loop, req, lane->path, on_stat));
}

/* Sequential, from the start again at the end. */
static void on_moved(uv_fs_t *req);

static void move(lane_t *lane, int writes) {
  uv_buf_t buf = uv_buf_init(lane->buf, LARGE);
  lane->at = (lane->at + LARGE) % SPAN;
  if (writes)
    UV(uv_fs_write(&loop, &lane->req, big, &buf, 1, (int64_t) lane->at, on_moved));
  else
    UV(uv_fs_read(&loop, &lane->req, big, &buf, 1, (int64_t) lane->at, on_moved));
}

static void on_moved(uv_fs_t *req) {
  int writes = req->fs_type == UV_FS_WRITE;
  if (result_of(req) != LARGE) die("not all was moved");
  done++;
  if (now_ns() < stop_at) move((lane_t *) req, writes);
}

/* At random places, past the page cache. */
static void on_direct(uv_fs_t *req);

static void direct(lane_t *lane) {
  uv_buf_t buf = uv_buf_init(lane->buf, SMALL);
  uint64_t place = next_random(&lane->random) % (SPAN / SMALL) * SMALL;
  UV(uv_fs_read(&loop, &lane->req, big, &buf, 1, (int64_t) place, on_direct));
}

static void on_direct(uv_fs_t *req) {
  if (result_of(req) != SMALL) die("a short read");
  done++;
  if (now_ns() < stop_at) direct((lane_t *) req);
}

static void make(const char *name, size_t size) {
  char path[4096], block[SMALL];
  memset(block, 'x', sizeof block);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  int fd = check(open(path, O_WRONLY | O_CREAT | O_EXCL, 0600), path);
  for (size_t n = 0; n < size; n += sizeof block)
    if (write(fd, block, sizeof block) != (ssize_t) sizeof block) die("%s: cannot fill it", path);
  if (size > SMALL) check(fsync(fd), "fsync");
  check(close(fd), "close");
}

static void prepare(const char *mode) {
  const char *below = getenv("BENCH_DIR");
  char name[32], path[4096], here[3000];
  if (below == NULL) below = getcwd(here, sizeof here);
  if (below == NULL) die("the current folder: %s", strerror(errno));
  snprintf(folder, sizeof folder, "%.3000s/bench-files-XXXXXX", below);
  if (mkdtemp(folder) == NULL) die("%s: %s", folder, strerror(errno));
  if (strcmp(mode, "chain") == 0 || strcmp(mode, "stat") == 0) {
    for (int i = 0; i < FILES; i++) {
      snprintf(name, sizeof name, "%d", i);
      make(name, SMALL);
    }
    return;
  }
  make("big", SPAN);
  snprintf(path, sizeof path, "%s/big", folder);
  big = open(path, O_RDWR | (strcmp(mode, "direct") == 0 ? O_DIRECT : 0));
  if (big < 0 && errno == EINVAL) {
    remove_all();
    printf("skip no O_DIRECT on this file system\n");
    exit(0);
  }
  check(big, path);
}

static void start(lane_t *lane, const char *mode) {
  if (strcmp(mode, "chain") == 0)
    UV(uv_fs_open(&loop, &lane->req, lane->path, O_RDONLY, 0, on_open));
  else if (strcmp(mode, "stat") == 0)
    UV(uv_fs_stat(&loop, &lane->req, lane->path, on_stat));
  else if (strcmp(mode, "direct") == 0)
    direct(lane);
  else
    move(lane, strcmp(mode, "write") == 0);
}

/* One stretch of time, all lanes at work. */
static void run(const char *mode, uint64_t ms) {
  done = 0;
  stop_at = now_ns() + ms * 1000000u;
  for (uint64_t i = 0; i < lane_count; i++) start(&lanes[i], mode);
  if (uv_run(&loop, UV_RUN_DEFAULT) != 0) die("the loop says it is alive");
}

int main(int argc, char **argv) {
  static const char *const modes[] = {"chain", "stat", "read", "write", "direct"};
  int known = 0;
  for (int i = 0; i < 5 && argc == 4; i++) known |= strcmp(argv[1], modes[i]) == 0;
  if (!known) die("usage: files chain|stat|read|write|direct IN_FLIGHT MS");
  begin(60);
  lane_count = number(argv[2]);
  uint64_t ms = number(argv[3]);
  if (lane_count < 1 || lane_count > 1024) die("1 to 1024 in flight");
  UV(uv_loop_init(&loop));
  tell_library(&loop);
  prepare(argv[1]);
  lanes = xalloc(lane_count, sizeof *lanes);
  for (uint64_t i = 0; i < lane_count; i++) {
    snprintf(lanes[i].path, sizeof lanes[i].path, "%.4000s/%d", folder, (int) (i % FILES));
    if (posix_memalign((void **) &lanes[i].buf, SMALL, LARGE) != 0) die("out of memory");
    memset(lanes[i].buf, 'y', LARGE);
    lanes[i].random = (uint32_t) i + 1;
  }
  run(argv[1], ms / 10 + 1); /* threads, a ring, caches */
  uint64_t wall = now_ns(), cpu = own_cpu_ns();
  run(argv[1], ms);
  cpu = own_cpu_ns() - cpu;
  wall = now_ns() - wall;
  remove_all();
  report("files", done, wall, cpu);
  return 0;
}

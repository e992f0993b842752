/* Row family pool. usage: pool one|many|names|write MS */
#include "uvcommon.h"

#define BURST 1000          /* jobs handed in together */
#define PIECE 65536         /* bytes of one write */
#define FILE_SIZE (16 << 20) /* where the writes start over */

static uv_loop_t loop;
static uint64_t count, stop_at, ran;
static uv_work_t jobs[BURST];
static int left;

/* A job is next to nothing, so that what is measured is the way there and back. */
static void work(uv_work_t *req) { __atomic_fetch_add((uint64_t *) req->data, 1, __ATOMIC_RELAXED); }

static void after(uv_work_t *req, int status);

static void hand_in(int jobs_at_once) {
  left = jobs_at_once;
  for (int i = 0; i < jobs_at_once; i++) {
    jobs[i].data = &ran;
    UV(uv_queue_work(&loop, &jobs[i], work, after));
  }
}

static int burst;

static void after(uv_work_t *req, int status) {
  (void) req;
  UV(status);
  count++;
  if (--left == 0 && now_ns() < stop_at) hand_in(burst);
}

static void on_name(uv_getaddrinfo_t *req, int status, struct addrinfo *found) {
  UV(status);
  uv_freeaddrinfo(found);
  count++;
  if (now_ns() < stop_at) UV(uv_getaddrinfo(&loop, req, on_name, "127.0.0.1", NULL, NULL));
}

static uv_fs_t file;
static uv_buf_t piece;
static int64_t offset;

static void on_written(uv_fs_t *req) {
  if (req->result != PIECE) die("a write gave %lld", (long long) req->result);
  uv_file fd = (uv_file) (intptr_t) req->data;
  uv_fs_req_cleanup(req);
  count++;
  offset = (offset + PIECE) % FILE_SIZE;
  if (now_ns() < stop_at) UV(uv_fs_write(&loop, req, fd, &piece, 1, offset, on_written));
}

/* A file that has no name any more. */
static uv_file scratch(void) {
  char path[] = "bench-pool-XXXXXX";
  const char *dir = getenv("TMPDIR");
  check(chdir(dir == NULL ? "/tmp" : dir), "chdir");
  int fd = check(mkstemp(path), "mkstemp");
  check(unlink(path), "unlink");
  return fd;
}

static void start(const char *what) {
  static uv_getaddrinfo_t name;
  if (strcmp(what, "names") == 0) {
    UV(uv_getaddrinfo(&loop, &name, on_name, "127.0.0.1", NULL, NULL));
  } else if (strcmp(what, "write") == 0) {
    uv_file fd = scratch();
    piece = uv_buf_init(xalloc(PIECE, 1), PIECE);
    file.data = (void *) (intptr_t) fd;
    UV(uv_fs_write(&loop, &file, fd, &piece, 1, 0, on_written));
  } else {
    burst = strcmp(what, "many") == 0 ? BURST : 1;
    hand_in(burst);
  }
}

static void window(const char *what, uint64_t ms) {
  ran = count = 0;
  uint64_t wall = now_ns(), cpu = own_cpu_ns();
  stop_at = wall + ms * 1000000u;
  start(what);
  UV(uv_run(&loop, UV_RUN_DEFAULT));
  cpu = own_cpu_ns() - cpu;
  wall = now_ns() - wall;
  if (burst != 0 && ran != count) die("%llu jobs ran, %llu came back", (unsigned long long) ran,
                                      (unsigned long long) count);
  if (ms >= 50) report("pool", count, wall, cpu);
}

int main(int argc, char **argv) {
  static const char *const kinds[] = {"one", "many", "names", "write"};
  int known = 0;
  if (argc == 3)
    for (int i = 0; i < 4; i++) known |= strcmp(argv[1], kinds[i]) == 0;
  if (!known) die("usage: pool one|many|names|write MS");
  begin(60);
  UV(uv_loop_init(&loop));
  tell_library(&loop);
  window(argv[1], 20); /* threads are started, pages touched */
  window(argv[1], number(argv[2]) < 50 ? 50 : number(argv[2]));
  UV(uv_loop_close(&loop));
  return 0;
}

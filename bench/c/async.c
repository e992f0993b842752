/* Row family async. usage: async sparse COUNT MS | async pingpong MS */
#include "uvcommon.h"

static uint64_t wakes;

static void on_wake(uv_async_t *a) {
  (void) a;
  wakes++;
}

static void on_wrong(uv_async_t *a) {
  (void) a;
  die("a handle woke that was not sent");
}

/* One of COUNT handles is sent; the loop turns until its callback ran. */
static void sparse(uint64_t count, uint64_t ms) {
  uv_loop_t loop;
  UV(uv_loop_init(&loop));
  tell_library(&loop);
  uv_async_t *all = xalloc(count, sizeof *all);
  uint64_t chosen = count / 2;
  for (uint64_t i = 0; i < count; i++)
    UV(uv_async_init(&loop, &all[i], i == chosen ? on_wake : on_wrong));
  uint64_t wall = now_ns(), cpu = own_cpu_ns(), stop_at = wall + ms * 1000000u, sends = 0;
  while (now_ns() < stop_at) {
    sends++;
    UV(uv_async_send(&all[chosen]));
    for (int turn = 0; turn < 10 && wakes < sends; turn++) uv_run(&loop, UV_RUN_NOWAIT);
    if (wakes != sends) die("%llu wakes of %llu sends", (unsigned long long) wakes,
                            (unsigned long long) sends);
  }
  cpu = own_cpu_ns() - cpu;
  wall = now_ns() - wall;
  report("async-sparse", sends, wall, cpu);
}

/* Two threads, a loop each, on two cores: a wakes b, b wakes a. */
typedef struct {
  uv_loop_t loop;
  uv_async_t async;
  int cpu;
} side_t;

static side_t here, there;
static uint64_t rounds, stop_at;
static int stopping;

static void on_there(uv_async_t *a) {
  if (__atomic_load_n(&stopping, __ATOMIC_ACQUIRE)) {
    uv_close((uv_handle_t *) a, NULL);
    return;
  }
  UV(uv_async_send(&here.async));
}

static void on_here(uv_async_t *a) {
  rounds++;
  if (now_ns() >= stop_at) {
    __atomic_store_n(&stopping, 1, __ATOMIC_RELEASE);
    uv_close((uv_handle_t *) a, NULL);
  }
  UV(uv_async_send(&there.async));
}

static void run_side(void *arg) {
  side_t *side = arg;
  pin_to(side->cpu);
  uv_run(&side->loop, UV_RUN_DEFAULT);
  UV(uv_loop_close(&side->loop));
}

static void pingpong(uint64_t ms) {
  uv_thread_t thread;
  here.cpu = env_number("BENCH_CPU", 0);
  there.cpu = env_number("BENCH_CPU2", here.cpu);
  UV(uv_loop_init(&here.loop));
  UV(uv_loop_init(&there.loop));
  tell_library(&here.loop);
  UV(uv_async_init(&here.loop, &here.async, on_here));
  UV(uv_async_init(&there.loop, &there.async, on_there));
  uint64_t wall = now_ns(), cpu = own_cpu_ns();
  stop_at = wall + ms * 1000000u;
  UV(uv_thread_create(&thread, run_side, &there));
  UV(uv_async_send(&there.async));
  run_side(&here);
  UV(uv_thread_join(&thread));
  cpu = own_cpu_ns() - cpu;
  wall = now_ns() - wall;
  report("async-pingpong", rounds, wall, cpu);
}

int main(int argc, char **argv) {
  begin(60);
  if (argc == 4 && strcmp(argv[1], "sparse") == 0) {
    uint64_t count = number(argv[2]);
    if (count == 0 || count > 10000000) die("count must be 1 to 10 million");
    sparse(count, number(argv[3]));
  } else if (argc == 3 && strcmp(argv[1], "pingpong") == 0) {
    pingpong(number(argv[2]));
  } else {
    die("usage: async sparse COUNT MS | async pingpong MS");
  }
  fflush(stdout);
  _exit(0); /* closing a million handles is no part of any row */
}

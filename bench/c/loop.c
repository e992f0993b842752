/* Row family loop. usage: loop turn|prepare|init MS */
#include "uvcommon.h"

static uint64_t prepared;

static void on_never(uv_timer_t *t) {
  (void) t;
  die("the hour-long timer fired");
}

static void on_prepare(uv_prepare_t *p) {
  (void) p;
  prepared++;
}

/* Turns that find nothing to do, kept alive by one timer far away. */
static void turns(int with_prepare, uint64_t ms) {
  uv_loop_t loop;
  uv_timer_t timer;
  uv_prepare_t prepare;
  UV(uv_loop_init(&loop));
  tell_library(&loop);
  UV(uv_timer_init(&loop, &timer));
  UV(uv_timer_start(&timer, on_never, 3600 * 1000, 0));
  if (with_prepare) {
    UV(uv_prepare_init(&loop, &prepare));
    UV(uv_prepare_start(&prepare, on_prepare));
  }
  uint64_t wall = now_ns(), cpu = own_cpu_ns(), stop_at = wall + ms * 1000000u, n = 0;
  while (now_ns() < stop_at)
    for (int i = 0; i < 1000; i++, n++)
      if (uv_run(&loop, UV_RUN_NOWAIT) == 0) die("the loop says it is not alive");
  cpu = own_cpu_ns() - cpu;
  wall = now_ns() - wall;
  if (with_prepare && prepared != n) die("the prepare callback missed a turn");
  report(with_prepare ? "loop-turn-prepare" : "loop-turn", n, wall, cpu);
}

static void init_close(uint64_t ms) {
  uv_loop_t loop;
  UV(uv_loop_init(&loop));
  tell_library(&loop);
  UV(uv_loop_close(&loop));
  uint64_t wall = now_ns(), cpu = own_cpu_ns(), stop_at = wall + ms * 1000000u, n = 0;
  while (now_ns() < stop_at)
    for (int i = 0; i < 100; i++, n++) {
      UV(uv_loop_init(&loop));
      UV(uv_loop_close(&loop));
    }
  cpu = own_cpu_ns() - cpu;
  wall = now_ns() - wall;
  report("loop-init-close", n, wall, cpu);
}

int main(int argc, char **argv) {
  if (argc != 3) die("usage: loop turn|prepare|init MS");
  begin(60);
  uint64_t ms = number(argv[2]);
  if (strcmp(argv[1], "init") == 0)
    init_close(ms);
  else if (strcmp(argv[1], "turn") == 0 || strcmp(argv[1], "prepare") == 0)
    turns(argv[1][0] == 'p', ms);
  else
    die("usage: loop turn|prepare|init MS");
  return 0;
}

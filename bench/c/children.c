/* Row family children: with many children alive, the end of one after the other.
 * usage: children ALIVE EXITS (children N: what a child does, which is to wait) */
#include "uvcommon.h"
#include <signal.h>
#include <sys/prctl.h>

#define MOST 4000

static uv_process_t children[MOST];
static uint64_t alive, ended;

static void on_exit_of(uv_process_t *child, int64_t status, int signum) {
  (void) status;
  if (signum != SIGKILL) die("a child ended by itself");
  ended++;
  uv_close((uv_handle_t *) child, NULL);
}

static void start_all(uv_loop_t *loop, char *self) {
  char wait[] = "wait";
  char *args[] = {self, wait, NULL};
  uv_process_options_t options = {.file = "/proc/self/exe", .args = args, .exit_cb = on_exit_of};
  for (uint64_t i = 0; i < alive; i++) UV(uv_spawn(loop, &children[i], &options));
}

static void end_one(uv_loop_t *loop, uint64_t i) {
  uint64_t want = ended + 1;
  UV(uv_process_kill(&children[i], SIGKILL));
  while (ended < want) uv_run(loop, UV_RUN_ONCE);
}

int main(int argc, char **argv) {
  uv_loop_t loop;
  if (argc == 2) {
    UV(prctl(PR_SET_PDEATHSIG, SIGKILL));
    alarm(120);
    pause();
    return 0;
  }
  if (argc != 3) die("usage: children ALIVE EXITS");
  alive = number(argv[1]);
  uint64_t exits = number(argv[2]);
  if (alive > MOST || exits > alive) die("at most %d children, and no more exits", MOST);
  begin(100);
  UV(uv_loop_init(&loop));
  tell_library(&loop);
  start_all(&loop, argv[0]);
  /* What starting them has queued is not part of an end. */
  uv_run(&loop, UV_RUN_NOWAIT);
  uint64_t wall = now_ns(), cpu = own_cpu_ns();
  for (uint64_t i = 0; i < exits; i++) end_one(&loop, i);
  cpu = own_cpu_ns() - cpu;
  wall = now_ns() - wall;
  report("child-exit", exits, wall, cpu);
  for (uint64_t i = exits; i < alive; i++) end_one(&loop, i);
  fflush(stdout);
  _exit(0);
}

/* Many children, and children that there is no room for.
 *
 * A handle whose start failed is not closed: libuv took it off its list
 * already, and would do so twice. */
#include "check.h"
#include <sys/wait.h>

enum { MANY = 300 };

static uv_process_t processes[MANY];
static int exits, sum;

static void on_close(uv_handle_t *h) { (void) h; }
static void on_exit_cb(uv_process_t *process, int64_t status, int signum) {
  exits++;
  sum += (int) status + 1000 * signum;
  uv_close(H(process), on_close);
}

static int start(uv_loop_t *loop, uv_process_t *process, const char *script,
                 uv_stdio_container_t *stdio, int count) {
  char *args[] = {"sh", "-c", (char *) script, NULL};
  uv_process_options_t options = {0};

  options.file = "/bin/sh";
  options.args = args;
  options.exit_cb = on_exit_cb;
  options.stdio = stdio;
  options.stdio_count = count;
  return uv_spawn(loop, process, &options);
}

/* All alive together; each end is told once, with the right status. */
static void many(uv_loop_t *loop) {
  int gate[2], i, before;
  uv_stdio_container_t stdio[1];

  NEED(pipe(gate));
  NEED(fcntl(gate[1], F_SETFD, FD_CLOEXEC));
  NEED(start(loop, &processes[0], "exit 0", NULL, 0));
  check_run_until(loop, &exits, 1, 100);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  before = ends_open_fds();
  exits = sum = 0;
  stdio[0].flags = UV_INHERIT_FD;
  stdio[0].data.fd = gate[0];
  for (i = 0; i < MANY; i++)
    NEED(start(loop, &processes[i], i % 3 ? "read x; exit 7" : "kill -9 $$",
               stdio, 1));
  while (exits < MANY / 3)
    uv_run(loop, UV_RUN_ONCE);
  SHOW(exits);
  SHOW(sum);
  close(gate[1]);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(exits);
  SHOW(sum);
  SHOW(ends_open_fds() - before);
  SHOW(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
  close(gate[0]);
}

/* Some end, in an order that is not that of their start, some are killed, and
 * some handles are closed before their child ends. */
static void mixed(uv_loop_t *loop) {
  char script[64];
  pid_t early[3];
  int i;

  for (i = 0; i < 30; i++) {
    snprintf(script, sizeof(script), "sleep 0.0%d; exit %d", (i * 7) % 10, i);
    NEED(start(loop, &processes[i], i % 5 == 4 ? "sleep 20" : script, NULL, 0));
  }
  for (i = 4; i < 30; i += 5)
    SHOW(uv_process_kill(&processes[i], i % 2 ? SIGTERM : SIGKILL));
  for (i = 0; i < 30; i += 10) {
    early[i / 10] = processes[i].pid;
    uv_close(H(&processes[i]), on_close);
  }
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(exits);
  SHOW(sum);
  SHOW(uv_process_kill(&processes[1], SIGTERM));
  for (i = 0; i < 30; i += 10) /* whose handle is closed, nobody waits for */
    NEED(waitpid(early[i / 10], NULL, 0));
}

/* No descriptors left: whatever is missing, nothing is started or kept. */
static void no_descriptors(uv_loop_t *loop) {
  static uv_pipe_t pipes[3];
  uv_stdio_container_t stdio[3];
  struct check_crowd crowd;
  int i, spare, started = 0, code, refused = 0;

  NEED(start(loop, &processes[0], "exit 0", NULL, 0));
  check_run_until(loop, &exits, 1, 100);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  check_crowd(&crowd, 0);
  for (spare = 0; spare < 14; spare++) {
    exits = 0;
    for (i = 0; i < 3; i++) {
      NEED(uv_pipe_init(loop, &pipes[i], 0));
      stdio[i].flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE;
      stdio[i].data.stream = S(&pipes[i]);
    }
    code = start(loop, &processes[1], "exit 0", stdio, 3);
    if (code == 0) {
      started++;
      check_run_until(loop, &exits, 1, 100);
    } else {
      refused++;
      if (code != UV_EMFILE)
        SHOW(code);
    }
    for (i = 0; i < 3; i++)
      uv_close(H(&pipes[i]), NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    check_leave(&crowd);
  }
  SHOW(started > 0);
  SHOW(refused > 5);
  SHOW(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
  check_disperse(&crowd);
}

/* The child's half fails before there is a program: told at once. */
static void before_exec(uv_loop_t *loop) {
  static char *args[] = {"true", NULL};
  static uv_process_t process;
  uv_process_options_t options = {0};
  uv_stdio_container_t stdio[2];
  int before = ends_open_fds(), i;

  options.file = "/bin/true";
  options.args = args;
  options.exit_cb = on_exit_cb;
  for (i = 0; i < 20; i++) {
    options.cwd = "/no/such/folder";
    if (i == 0)
      SHOW(uv_spawn(loop, &process, &options));
    else
      NEED(uv_spawn(loop, &process, &options) == UV_ENOENT ? 0 : -1);
    uv_run(loop, UV_RUN_DEFAULT);
  }
  options.cwd = "/proc/self/stat";
  SHOW(uv_spawn(loop, &process, &options));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  options.cwd = NULL;
  options.stdio = stdio;
  options.stdio_count = 2;
  stdio[0].flags = UV_INHERIT_FD;
  stdio[0].data.fd = 0;
  stdio[1].flags = UV_INHERIT_FD;
  stdio[1].data.fd = 999;
  SHOW(uv_spawn(loop, &process, &options));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(exits);
  SHOW(ends_open_fds() - before);
  SHOW(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

int main(int argc, char **argv) {
  static const struct section table[] = {{"many", many},
                                         {"mixed", mixed},
                                         {"no_descriptors", no_descriptors},
                                         {"before_exec", before_exec},
                                         {NULL, NULL}};

  return check_main(argc, argv, table);
}

/* Each section but the first leaves something behind on purpose: check_main
 * must tell, or its silence elsewhere means nothing. */
#include "check.h"

#include <sys/prctl.h>

static void nothing(uv_loop_t *loop) { (void) loop; }

static void descriptor(uv_loop_t *loop) {
  (void) loop;
  NEED(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static void closed(uv_loop_t *loop) {
  (void) loop;
  NEED(close(0));
}

/* The environment as the library gives it, and nobody frees it. */
static void memory(uv_loop_t *loop) {
  static uv_env_item_t *items;
  static int count;

  (void) loop;
  NEED(setenv("LEFT", "behind", 1));
  NEED(uv_os_environ(&items, &count));
}

static void byte(uv_loop_t *loop) {
  static char *volatile left;

  (void) loop;
  NEED((left = heap_malloc(1)) == NULL ? -1 : 0);
}

/* It dies with its parent. */
static void child(uv_loop_t *loop) {
  pid_t parent = getpid(), pid = fork();

  (void) loop;
  NEED(pid);
  if (pid == 0) {
    NEED(prctl(PR_SET_PDEATHSIG, SIGKILL));
    while (getppid() == parent)
      pause();
    _exit(0);
  }
}

static void on_exit_cb(uv_process_t *process, int64_t status, int signum) {
  (void) process, (void) status, (void) signum;
}

/* A process whose handle is closed before it ends: nobody waits for it. */
static void zombie(uv_loop_t *loop) {
  static uv_process_t process;
  char *args[] = {"true", NULL};
  uv_process_options_t options = {0};
  siginfo_t info;

  options.file = "/bin/true";
  options.args = args;
  options.exit_cb = on_exit_cb;
  NEED(uv_spawn(loop, &process, &options));
  uv_close(H(&process), NULL);
  NEED(waitid(P_PID, (id_t) process.pid, &info, WEXITED | WNOWAIT));
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"nothing", nothing}, {"descriptor", descriptor}, {"closed", closed},
      {"memory", memory},   {"byte", byte},             {"child", child},
      {"zombie", zombie},   {NULL, NULL}};

  return check_main(argc, argv, table);
}

/* Children and signals: what is wrong with them, and in which order they come.
 *
 * Not compared: uv_process_kill after a failed start, where libuv signals the
 * program's own process group. */
#include "check.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int exits;
static void on_exit_cb(uv_process_t *process, int64_t status, int signum) {
  printf("exit %d, signal %d, active %d\n", (int) status, signum,
         uv_is_active(H(process)));
  exits++;
  uv_close(H(process), NULL);
}

static void start(uv_loop_t *loop, uv_process_options_t *options) {
  static uv_process_t process;
  int pid_is_set;

  options->exit_cb = on_exit_cb;
  SHOW(uv_spawn(loop, &process, options));
  SHOW(uv_is_active(H(&process)));
  pid_is_set = process.pid > 0;
  SHOW(pid_is_set);
  if (!uv_is_active(H(&process)))
    uv_close(H(&process), NULL);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
}

static void shell(uv_loop_t *loop, const char *file, const char *script,
                  const char *cwd, char **env, unsigned flags) {
  char *args[] = {"sh", "-c", (char *) script, NULL};
  uv_process_options_t options = {0};

  options.file = file;
  options.args = args;
  options.cwd = cwd;
  options.env = env;
  options.flags = flags;
  start(loop, &options);
}

static void ends(uv_loop_t *loop) {
  shell(loop, "/bin/sh", "exit 7", NULL, NULL, 0);
  shell(loop, "/bin/sh", "kill -9 $$", NULL, NULL, 0);
  shell(loop, "sh", "exit 300", "/", NULL, 0);
  SHOW(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

static void refused(uv_loop_t *loop) {
  char script[] = "script-XXXXXX";
  char path[PATH_MAX];
  int fd = mkstemp(script);

  NEED(fd);
  NEED(write(fd, "exit 3\n", 7));
  close(fd);
  NEED(realpath(script, path) != NULL ? 0 : -1);
  shell(loop, "/no/such/shell", "exit 7", NULL, NULL, 0);
  shell(loop, "no-such-program", "exit 7", NULL, NULL, 0);
  shell(loop, "/bin/sh", "exit 7", "/no/such/folder", NULL, 0);
  shell(loop, "/", "exit 7", NULL, NULL, 0);
  shell(loop, path, "", NULL, NULL, 0);
  NEED(chmod(path, 0755));
  shell(loop, path, "", NULL, NULL, 0);
  NEED(unlink(path));
  SHOW(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

/* In a child, as libuv does not survive it. uvring refuses and leaves nothing. */
static void without(const char *what, uv_process_options_t *options) {
  struct rlimit no_core = {0, 0};
  uv_process_t process;
  uv_loop_t loop;
  int status, before;
  pid_t pid;

  fflush(stdout);
  pid = fork();
  NEED(pid);
  if (pid == 0) {
    NEED(setrlimit(RLIMIT_CORE, &no_core));
    NEED(dup2(open("/dev/null", O_WRONLY), 2)); /* what libuv says about it */
    before = ends_open_fds();
    NEED(uv_loop_init(&loop));
    NEED(uv_spawn(&loop, &process, options) == UV_EINVAL ? 0 : -1);
    NEED(uv_is_active(H(&process)) || process.pid != 0 ? -1 : 0);
    NEED(uv_run(&loop, UV_RUN_DEFAULT));
    NEED(uv_loop_close(&loop));
    NEED(ends_open_fds() == before ? 0 : -1);
    _exit(7);
  }
  NEED(waitpid(pid, &status, 0));
  if (ends_is_libuv())
    printf("%s: %s\n", what, WIFSIGNALED(status) ? "refused" : "survived");
  else
    printf("%s: %s\n", what,
           WIFEXITED(status) && WEXITSTATUS(status) == 7 ? "refused" : "WRONG");
}

static void missing(uv_loop_t *loop) {
  char *args[] = {"sh", "-c", "exit 7", NULL};
  char *none[] = {NULL};
  uv_process_options_t options = {0};

  without("options", NULL);
  without("file and argv", &options);
  options.args = args;
  without("file", &options);
  options.file = "/bin/true";
  options.stdio_count = 1;
  without("stdio", &options);
  options.stdio_count = 0;
  options.flags = 1 << 8;
  without("meaning of a flag", &options);
  options.flags = 0;
  options.args = NULL;
  without("argv", &options);
  options.file = "true";
  without("argv, of a name", &options);
  options.file = "/no/such/program";
  without("argv, of nothing", &options);
  /* These libuv takes. */
  options.file = "/bin/true";
  options.args = none;
  start(loop, &options);
  options.args = args;
  options.stdio_count = -1;
  start(loop, &options);
  options.stdio_count = 0;
  options.flags = 0xf4; /* those for Windows */
  start(loop, &options);
}

/* Ended by a signal on its way to the program: started, and at its end. */
static void dies_early(uv_loop_t *loop) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
  struct rlimit no_core = {0, 0};
  int before;

  shell(loop, "/bin/sh", "exit 7", NULL, NULL, 0);
  before = ends_open_fds();
  NEED(setrlimit(RLIMIT_CORE, &no_core));
  NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  NEED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
  shell(loop, "/bin/sh", "exit 7", NULL, NULL, 0);
  shell(loop, "sh", "exit 7", "/", NULL, UV_PROCESS_DETACHED);
  SHOW(ends_open_fds() - before);
  SHOW(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

static void search(uv_loop_t *loop) {
  char *found[] = {"PATH=/nonexistent:/bin", NULL};
  char *missing[] = {"PATH=/nonexistent", NULL};
  char *none[] = {"A=b", NULL};

  shell(loop, "sh", "exit 1", NULL, found, 0);
  shell(loop, "sh", "exit 2", NULL, missing, 0);
  shell(loop, "sh", "test \"$A\" = b", NULL, none, 0);
}

/* Descriptors that lie where others belong; what is not given is /dev/null. */
static void swapped(uv_loop_t *loop) {
  uv_stdio_container_t stdio[32] = {0};
  char *args[] = {"sh", "-c",
                  "read a </dev/fd/30; read b </dev/fd/31;"
                  "test \"$a$b\" = secondfirst || exit 1;"
                  "test -c /dev/fd/1 || exit 2; exit 0",
                  NULL};
  uv_process_options_t options = {0};
  int first[2], second[2], i;

  NEED(pipe(first));
  NEED(pipe(second));
  NEED(write(first[1], "first\n", 6));
  NEED(write(second[1], "second\n", 7));
  NEED(dup2(first[0], 30));
  NEED(dup2(second[0], 31));
  stdio[30].flags = UV_INHERIT_FD;
  stdio[30].data.fd = 31;
  stdio[31].flags = UV_INHERIT_FD;
  stdio[31].data.fd = 30;
  options.file = "/bin/sh";
  options.args = args;
  options.stdio = stdio;
  options.stdio_count = 32;
  start(loop, &options);
  for (i = 0; i < 2; i++) {
    close(first[i]);
    close(second[i]);
    close(30 + i);
  }
}

static void bad_stdio(uv_loop_t *loop) {
  uv_stdio_container_t stdio[1];
  uv_process_options_t options = {0};
  char *args[] = {"true", NULL};
  static uv_pipe_t pipe;

  options.file = "/bin/true";
  options.args = args;
  options.stdio = stdio;
  options.stdio_count = 1;
  stdio[0].flags = UV_INHERIT_FD;
  stdio[0].data.fd = -1;
  start(loop, &options);
  stdio[0].data.fd = 1000;
  start(loop, &options);
  NEED(uv_pipe_init(loop, &pipe, 0));
  stdio[0].flags = UV_INHERIT_STREAM;
  stdio[0].data.stream = S(&pipe);
  start(loop, &options);
}

/* The kernel forgets children of who ignores SIGCHLD, unless it is handled. */
static void ignored_sigchld(uv_loop_t *loop) {
  signal(SIGCHLD, SIG_IGN);
  shell(loop, "/bin/sh", "exit 5", NULL, NULL, 0);
  shell(loop, "/bin/sh", "kill -15 $$", NULL, NULL, 0);
}

static void on_signal(uv_signal_t *handle, int signum) {
  printf("handle %d, %s, active %d\n", *(int *) handle->data,
         signum == SIGUSR1 ? "USR1" : "USR2", uv_is_active(H(handle)));
}

static void order(uv_loop_t *loop) {
  static int names[4] = {0, 1, 2, 3};
  static uv_signal_t handles[4];
  int i;

  for (i = 0; i < 4; i++) {
    NEED(uv_signal_init(loop, &handles[i]));
    handles[i].data = &names[i];
  }
  NEED(uv_signal_start(&handles[2], on_signal, SIGUSR1));
  NEED(uv_signal_start_oneshot(&handles[0], on_signal, SIGUSR1));
  NEED(uv_signal_start(&handles[1], on_signal, SIGUSR1));
  NEED(uv_signal_start(&handles[3], on_signal, SIGUSR2));
  raise(SIGUSR1);
  raise(SIGUSR2);
  raise(SIGUSR2);
  SHOW(uv_run(loop, UV_RUN_NOWAIT));
  SHOW(uv_is_active(H(&handles[0])));
  raise(SIGUSR1);
  NEED(uv_signal_stop(&handles[1]));
  SHOW(uv_run(loop, UV_RUN_NOWAIT));
  /* Started after the signal came. */
  raise(SIGUSR1);
  NEED(uv_signal_start(&handles[1], on_signal, SIGUSR1));
  SHOW(uv_run(loop, UV_RUN_NOWAIT));
}

static void bad_signal(uv_loop_t *loop) {
  static uv_signal_t handle;

  NEED(uv_signal_init(loop, &handle));
  SHOW(uv_signal_start(&handle, on_signal, 0));
  SHOW(uv_signal_start(&handle, on_signal, -1));
  SHOW(uv_signal_start(&handle, on_signal, 1000));
  SHOW(uv_signal_start(&handle, on_signal, SIGKILL));
  SHOW(uv_is_active(H(&handle)));
  SHOW(uv_signal_stop(&handle));
  SHOW(uv_kill(getpid(), 1000));
  SHOW(uv_kill(getpid(), 0));
}

/* The child of a fork gets the signal, and the parent hears nothing of it. */
static void forked(uv_loop_t *loop) {
  static int name;
  static uv_signal_t handle;
  pid_t pid;
  int status = 0;

  NEED(uv_signal_init(loop, &handle));
  handle.data = &name;
  NEED(uv_signal_start(&handle, on_signal, SIGUSR1));
  fflush(stdout);
  pid = fork();
  NEED(pid);
  if (pid == 0) {
    NEED(uv_loop_fork(loop));
    raise(SIGUSR1);
    uv_run(loop, UV_RUN_NOWAIT);
    fflush(stdout);
    _exit(0);
  }
  NEED(waitpid(pid, &status, 0));
  SHOW(WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  SHOW(uv_run(loop, UV_RUN_NOWAIT));
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"ends", ends},           {"refused", refused},
      {"missing", missing},     {"dies_early", dies_early},
      {"search", search},       {"swapped", swapped},
      {"bad_stdio", bad_stdio}, {"ignored_sigchld", ignored_sigchld},
      {"order", order},         {"bad_signal", bad_signal},
      {"forked", forked},       {NULL, NULL},
  };
  return check_main(argc, argv, table);
}

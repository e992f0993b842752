/* Every kind of handle and a fork: the child goes on with uv_loop_fork, or it
 * ends without; the parent loses nothing by either.
 *
 * Not compared: how a child ends that calls exit() without uv_loop_fork, which
 * libuv does not survive. */
#include "check.h"
#include <sys/stat.h>
#include <sys/wait.h>

enum {
  TIMER, IDLE, PREPARE, CHECK, ASYNC, TCP, PIPE, UDP, TTY, POLL, SIGNAL,
  FS_EVENT, FS_POLL, WORK, FS, CHILD, KINDS
};

static const char *const names[KINDS] = {
    "timer", "idle", "prepare", "check",  "async",    "tcp",     "pipe", "udp",
    "tty",   "poll", "signal",  "fs_event", "fs_poll", "work", "fs", "child"};
static int seen[KINDS];

static uv_timer_t timer;
static uv_idle_t idle;
static uv_prepare_t prepare;
static uv_check_t check;
static uv_async_t async;
static uv_tcp_t tcp;
static uv_pipe_t duct;
static uv_udp_t udp;
static uv_tty_t tty;
static uv_poll_t poll_handle;
static uv_signal_t signal_handle;
static uv_fs_event_t fs_event;
static uv_fs_poll_t fs_poll;
static uv_process_t child;
static uv_work_t work;
static uv_fs_t fs;

static int tcp_fds[2], duct_fds[2], poll_fds[2], terminal, terminal_far;
static struct sockaddr_in udp_address;
static char folder[64], file[80];

static void on_timer(uv_timer_t *h) { (void) h, seen[TIMER]++; }
static void on_idle(uv_idle_t *h) { (void) h, seen[IDLE]++; }
static void on_prepare(uv_prepare_t *h) { (void) h, seen[PREPARE]++; }
static void on_check(uv_check_t *h) { (void) h, seen[CHECK]++; }
static void on_async(uv_async_t *h) { (void) h, seen[ASYNC]++; }
static void on_signal(uv_signal_t *h, int signum) {
  (void) h, (void) signum, seen[SIGNAL]++;
}
static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  static char bytes[65536];

  (void) h, (void) size;
  *buf = uv_buf_init(bytes, sizeof(bytes));
}
static void on_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf) {
  (void) buf;
  if (nread == 0)
    return;
  NEED(nread);
  seen[s == S(&tcp) ? TCP : s == S(&duct) ? PIPE : TTY]++;
}
static void on_recv(uv_udp_t *u, ssize_t nread, const uv_buf_t *buf,
                    const struct sockaddr *from, unsigned flags) {
  (void) u, (void) buf, (void) flags;
  NEED(nread);
  seen[UDP] += from != NULL;
}
static void on_poll(uv_poll_t *h, int status, int events) {
  char byte;

  (void) h, (void) events;
  NEED(status);
  NEED(read(poll_fds[0], &byte, 1));
  seen[POLL]++;
}
static void on_fs_event(uv_fs_event_t *h, const char *name, int events,
                        int status) {
  (void) h, (void) name, (void) events;
  NEED(status);
  seen[FS_EVENT]++;
}
static void on_fs_poll(uv_fs_poll_t *h, int status, const uv_stat_t *before,
                       const uv_stat_t *after) {
  (void) h, (void) before, (void) after;
  NEED(status);
  seen[FS_POLL]++;
}
static void on_work(uv_work_t *req) { (void) req; }
static void on_worked(uv_work_t *req, int status) {
  (void) req;
  NEED(status);
  seen[WORK]++;
}
static void on_fs(uv_fs_t *req) {
  NEED(req->result);
  uv_fs_req_cleanup(req);
  seen[FS]++;
}
static void on_exit_cb(uv_process_t *process, int64_t status, int signum) {
  (void) process, (void) status, (void) signum;
  seen[CHILD]++;
}

/* A shell that waits to be killed. */
static void spawn(uv_loop_t *loop) {
  static char *args[] = {"sh", "-c", "exec sleep 30", NULL};
  uv_process_options_t options = {0};

  options.file = "/bin/sh";
  options.args = args;
  options.exit_cb = on_exit_cb;
  NEED(uv_spawn(loop, &child, &options));
}

static void open_terminal(uv_loop_t *loop) {
  int fd;

  NEED(terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  NEED(-grantpt(terminal));
  NEED(-unlockpt(terminal));
  NEED(fd = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC));
  NEED(uv_tty_init(loop, &tty, terminal_far = fd, 0));
  NEED(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW));
  NEED(uv_read_start(S(&tty), on_alloc, on_read));
}

static void open_descriptors(uv_loop_t *loop) {
  int len = sizeof(udp_address);

  check_tcp_pair(tcp_fds);
  NEED(uv_tcp_init(loop, &tcp));
  NEED(uv_tcp_open(&tcp, tcp_fds[0]));
  NEED(uv_read_start(S(&tcp), on_alloc, on_read));
  NEED(uv_socketpair(SOCK_STREAM, 0, duct_fds, 0, 0));
  NEED(uv_pipe_init(loop, &duct, 0));
  NEED(uv_pipe_open(&duct, duct_fds[0]));
  NEED(uv_read_start(S(&duct), on_alloc, on_read));
  udp_address = check_local(0);
  NEED(uv_udp_init(loop, &udp));
  NEED(uv_udp_bind(&udp, A(&udp_address), 0));
  NEED(uv_udp_getsockname(&udp, A(&udp_address), &len));
  NEED(uv_udp_recv_start(&udp, on_alloc, on_recv));
  NEED(pipe(poll_fds));
  NEED(uv_poll_init(loop, &poll_handle, poll_fds[0]));
  NEED(uv_poll_start(&poll_handle, UV_READABLE, on_poll));
  open_terminal(loop);
}

static void setup(uv_loop_t *loop) {
  int fd;

  strcpy(folder, "fork-XXXXXX");
  NEED(mkdtemp(folder) == NULL ? -1 : 0);
  snprintf(file, sizeof(file), "%s/file", folder);
  NEED(fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  close(fd);
  open_descriptors(loop);
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_timer_start(&timer, on_timer, 1, 1));
  NEED(uv_idle_init(loop, &idle));
  NEED(uv_idle_start(&idle, on_idle));
  NEED(uv_prepare_init(loop, &prepare));
  NEED(uv_prepare_start(&prepare, on_prepare));
  NEED(uv_check_init(loop, &check));
  NEED(uv_check_start(&check, on_check));
  NEED(uv_async_init(loop, &async, on_async));
  NEED(uv_signal_init(loop, &signal_handle));
  NEED(uv_signal_start(&signal_handle, on_signal, SIGUSR1));
  NEED(uv_fs_event_init(loop, &fs_event));
  NEED(uv_fs_event_start(&fs_event, on_fs_event, folder, 0));
  NEED(uv_fs_poll_init(loop, &fs_poll));
  NEED(uv_fs_poll_start(&fs_poll, on_fs_poll, file, 700));
  spawn(loop);
}

/* Has something happen to each. */
static void poke(uv_loop_t *loop) {
  int fd;

  memset(seen, 0, sizeof(seen));
  NEED(uv_async_send(&async));
  NEED(write(tcp_fds[1], "x", 1));
  NEED(write(duct_fds[1], "x", 1));
  NEED(write(poll_fds[1], "x", 1));
  NEED(write(terminal, "x", 1));
  NEED(fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  NEED(sendto(fd, "x", 1, 0, A(&udp_address), sizeof(udp_address)));
  close(fd);
  raise(SIGUSR1);
  NEED(fd = open(file, O_WRONLY | O_APPEND | O_CLOEXEC));
  NEED(write(fd, "x", 1));
  close(fd);
  NEED(uv_queue_work(loop, &work, on_work, on_worked));
  NEED(uv_fs_stat(loop, &fs, folder, on_fs));
  NEED(uv_process_kill(&child, SIGKILL));
}

/* Until each has happened, for ten seconds at most. */
static void look(uv_loop_t *loop, const char *who) {
  uint64_t end = uv_hrtime() + 10000000000u;
  int kind, left = KINDS;

  while (left != 0 && uv_hrtime() < end) {
    uv_run(loop, UV_RUN_NOWAIT);
    for (left = kind = 0; kind < KINDS; kind++)
      left += seen[kind] == 0;
    uv_sleep(1);
  }
  for (kind = 0; kind < KINDS; kind++)
    printf("%s: %s %s\n", who, names[kind], seen[kind] ? "seen" : "MISSED");
}

/* The first look at the file must be over when the fork comes. */
static void settle(uv_loop_t *loop) {
  int i;

  for (i = 0; i < 20; i++) {
    uv_run(loop, UV_RUN_NOWAIT);
    uv_sleep(2);
  }
}

static void cleanup(void) {
  NEED(unlink(file));
  NEED(rmdir(folder));
  close(tcp_fds[1]);
  close(duct_fds[1]);
  close(poll_fds[0]);
  close(poll_fds[1]);
  close(terminal);
  close(terminal_far); /* the handle has it opened anew */
}

static void end_of(pid_t pid) {
  int status = 0;

  NEED(waitpid(pid, &status, 0));
  SHOW(WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static pid_t start_child(void) {
  pid_t pid;

  fflush(stdout);
  pid = fork();
  NEED(pid);
  if (pid == 0)
    alarm(25);
  return pid;
}

static void renewed(uv_loop_t *loop) {
  pid_t pid;

  setup(loop);
  settle(loop);
  pid = start_child();
  if (pid == 0) {
    SHOW(uv_loop_fork(loop));
    /* The shell is the parent's: the child has one of its own. */
    uv_close(H(&child), NULL);
    settle(loop);
    spawn(loop);
    poke(loop);
    look(loop, "child");
    check_end(loop);
    fflush(stdout);
    _exit(3);
  }
  end_of(pid);
  poke(loop);
  look(loop, "parent");
  cleanup();
}

/* Children that know nothing of the loop: gone at once, gone through exit(),
 * living on while the parent goes on, closing all they have. */
static void untouched(uv_loop_t *loop) {
  pid_t idler, pid;

  setup(loop);
  settle(loop);
  idler = start_child();
  if (idler == 0) {
    pause();
    _exit(0);
  }
  pid = start_child();
  if (pid == 0)
    _exit(4);
  end_of(pid);
  pid = start_child();
  if (pid == 0)
    exit(5);
  NEED(waitpid(pid, NULL, 0));
  pid = start_child();
  if (pid == 0) {
    close_range(3, ~0U, 0);
    exit(6);
  }
  NEED(waitpid(pid, NULL, 0));
  poke(loop);
  look(loop, "parent");
  NEED(kill(idler, SIGKILL));
  NEED(waitpid(idler, NULL, 0));
  cleanup();
}

/* A child that closes every handle and the loop, after uv_loop_fork. */
static void closed(uv_loop_t *loop) {
  pid_t pid;

  setup(loop);
  settle(loop);
  pid = start_child();
  if (pid == 0) {
    SHOW(uv_loop_fork(loop));
    check_end(loop);
    fflush(stdout);
    _exit(7);
  }
  end_of(pid);
  poke(loop);
  look(loop, "parent");
  cleanup();
}

/* ---- a look at a file that is on its way to a worker -------------------- */

static uv_sem_t gate;
static int inside, ended;

static void wait_at_gate(uv_work_t *req) {
  (void) req;
  __atomic_store_n(&inside, 1, __ATOMIC_SEQ_CST);
  uv_sem_wait(&gate);
}
static void on_ended(uv_handle_t *h) { (void) h, ended++; }

static void change(void) {
  int fd = open("looked-at", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

  NEED(fd);
  NEED(write(fd, "x", 1));
  close(fd);
}

/* Changes the file until the change is told, for ten seconds at most. */
static void until_told(uv_loop_t *loop) {
  uint64_t end = uv_hrtime() + 10000000000u;

  seen[FS_POLL] = 0;
  while (seen[FS_POLL] == 0 && uv_hrtime() < end) {
    change();
    uv_run(loop, UV_RUN_NOWAIT);
    uv_sleep(1);
  }
  SHOW(seen[FS_POLL] > 0);
}

static void looking_child(uv_loop_t *loop) {
  static uv_fs_poll_t another;

  SHOW(uv_loop_fork(loop));
  /* The worker is the parent's, and so is what it was to do. */
  change();
  settle(loop);
  SHOW(seen[FS_POLL]);
  SHOW(seen[WORK] + seen[FS] + ended);
  /* Looked at anew, by this handle and by another. */
  SHOW(uv_fs_poll_stop(&fs_poll));
  SHOW(uv_fs_poll_start(&fs_poll, on_fs_poll, "looked-at", 1));
  until_told(loop);
  NEED(uv_fs_poll_init(loop, &another));
  SHOW(uv_fs_poll_start(&another, on_fs_poll, "looked-at", 1));
  SHOW(uv_fs_poll_stop(&fs_poll));
  until_told(loop);
  /* A handle waits for its look, which never ends, and the loop for it. */
  uv_close(H(&fs_poll), on_ended);
  SHOW(uv_fs_poll_stop(&another));
  settle(loop);
  SHOW(ended);
  uv_close(H(&another), on_ended);
  check_run_until(loop, &ended, 1, 10000);
  settle(loop);
  SHOW(ended);
  SHOW(uv_loop_alive(loop));
  SHOW(uv_loop_close(loop));
}

/* No look can be over before the fork: the only worker is busy, and uvring, too,
 * has a worker or a ring look at a file system that it does not know yet. */
static void looking(uv_loop_t *loop) {
  static uv_fs_poll_t closing;
  int i;
  pid_t pid;

  NEED(setenv("UV_THREADPOOL_SIZE", "1", 1));
  NEED(uv_sem_init(&gate, 0));
  change();
  NEED(uv_queue_work(loop, &work, wait_at_gate, on_worked));
  for (i = 0; i < 5000 && !__atomic_load_n(&inside, __ATOMIC_SEQ_CST); i++)
    uv_sleep(1);
  SHOW(inside);
  NEED(uv_fs_poll_init(loop, &fs_poll));
  NEED(uv_fs_poll_start(&fs_poll, on_fs_poll, "looked-at", 1));
  NEED(uv_fs_poll_init(loop, &closing));
  NEED(uv_fs_poll_start(&closing, on_fs_poll, "looked-at", 1));
  uv_close(H(&closing), on_ended);
  NEED(uv_fs_stat(loop, &fs, "looked-at", on_fs));
  pid = start_child();
  if (pid == 0) {
    looking_child(loop);
    fflush(stdout);
    _exit(8);
  }
  end_of(pid);
  uv_sem_post(&gate);
  until_told(loop);
  uv_close(H(&fs_poll), on_ended);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(ended);
  SHOW(seen[WORK]);
  SHOW(seen[FS]);
  uv_sem_destroy(&gate);
}

int main(int argc, char **argv) {
  static const struct section table[] = {{"renewed", renewed},
                                         {"untouched", untouched},
                                         {"closed", closed},
                                         {"looking", looking},
                                         {NULL, NULL}};

  return check_main(argc, argv, table);
}

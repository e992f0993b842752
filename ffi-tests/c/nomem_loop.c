/* Each allocation fails in turn: loops, watchers of all kinds, the pool. */
#include "nomem.h"

#include <sys/eventfd.h>
#include <netdb.h>
#include <sys/wait.h>

static void count_call(uv_handle_t *handle) {
  handle->data = (char *) handle->data + 1;
}

/* ---- loops ------------------------------------------------------------ */

static void bare_loops(uv_loop_t *unused) {
  uv_loop_t loop, *made = NULL;

  (void) unused;
  TRY(uv_loop_init(&loop));
  SHOW(uv_loop_close(&loop));
  TRY(((made = uv_loop_new()) == NULL) * UV_ENOMEM);
  uv_loop_delete(made);
  TRY((uv_default_loop() == NULL) * UV_ENOMEM);
  SHOW(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  SHOW(uv_loop_close(uv_default_loop()));
}

static void on_async(uv_async_t *a) {
  count_call(H(a));
  uv_close(H(a), NULL);
}

static void asyncs(uv_loop_t *loop) {
  static uv_async_t a;

  a.data = NULL;
  TRY(uv_async_init(loop, &a, on_async));
  SHOW(uv_async_send(&a));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW((long) a.data);
}

static void on_poll(uv_poll_t *p, int status, int events) {
  SHOW(status);
  SHOW(events);
  count_call(H(p));
  uv_close(H(p), NULL);
}

static void polls(uv_loop_t *loop) {
  static uv_poll_t p;
  int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);

  TRY(uv_poll_init(loop, &p, fd));
  TRY(uv_poll_start(&p, UV_READABLE, on_poll));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  close(fd);
}

/* ---- signals ---------------------------------------------------------- */

static void on_signal(uv_signal_t *s, int signum) {
  SHOW(signum == SIGUSR1);
  uv_signal_stop(s);
}

static void signals(uv_loop_t *loop) {
  static uv_signal_t s, once;

  TRY(uv_signal_init(loop, &s));
  TRY(uv_signal_start(&s, on_signal, SIGUSR1));
  TRY(uv_signal_init(loop, &once));
  TRY(uv_signal_start_oneshot(&once, on_signal, SIGUSR2));
  SHOW(raise(SIGUSR1));
  while (uv_is_active(H(&s)))
    uv_run(loop, UV_RUN_ONCE);
}

static void signals_oneshot(uv_loop_t *loop) {
  static uv_signal_t s;

  NEED(uv_signal_init(loop, &s));
  TRY(uv_signal_start_oneshot(&s, on_signal, SIGUSR1));
  SHOW(raise(SIGUSR1));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
}

/* Many at once: what stands for one signal is shared by its handles. */
static void signals_many(uv_loop_t *loop) {
  static uv_signal_t s[20];
  int i;

  for (i = 0; i < 20; i++)
    NEED(uv_signal_init(loop, &s[i]));
  for (i = 0; i < 20; i++)
    TRY(uv_signal_start(&s[i], on_signal, SIGRTMIN + i % 7));
  for (i = 0; i < 20; i++)
    TRY(uv_signal_stop(&s[i]));
}

/* ---- paths ------------------------------------------------------------ */

static char dir[64];

static void make_dir(void) {
  snprintf(dir, sizeof(dir), P_tmpdir "/uvring-nomem-XXXXXX");
  NEED(mkdtemp(dir) == NULL ? -1 : 0);
}

static void on_event(uv_fs_event_t *e, const char *name, int events,
                     int status) {
  TEXT(name);
  SHOW(events);
  SHOW(status);
  uv_fs_event_stop(e);
}

static void fs_events(uv_loop_t *loop) {
  static uv_fs_event_t e, other;
  char path[96];
  int fd;

  make_dir();
  NEED(uv_fs_event_init(loop, &e));
  NEED(uv_fs_event_init(loop, &other));
  TRY(uv_fs_event_start(&e, on_event, dir, 0));
  TRY(uv_fs_event_start(&other, on_event, dir, 0));
  SHOW(uv_fs_event_stop(&other));
  snprintf(path, sizeof(path), "%s/x", dir);
  NEED(fd = open(path, O_CREAT | O_CLOEXEC, 0600));
  close(fd);
  while (uv_is_active(H(&e)))
    uv_run(loop, UV_RUN_ONCE);
  unlink(path);
  rmdir(dir);
}

/* Enough for the table of paths to grow; when it cannot, it does without. */
static void fs_events_many(uv_loop_t *loop) {
  static uv_fs_event_t e[100];
  static uv_fs_t req;
  char path[96];
  int i;

  make_dir();
  for (i = 0; i < 100; i++) {
    snprintf(path, sizeof(path), "%s/%d", dir, i);
    NEED(mkdir(path, 0700));
    NEED(uv_fs_event_init(loop, &e[i]));
    TRY_AS(uv_fs_event_start(&e[i], on_event, path, 0), UV_ENOMEM,
           uv_fs_event_stop(&e[i]));
  }
  for (i = 0; i < 100; i++) {
    SHOW(uv_fs_event_stop(&e[i]));
    snprintf(path, sizeof(path), "%s/%d", dir, i);
    NEED(uv_fs_rmdir(loop, &req, path, NULL));
  }
  rmdir(dir);
}

static void on_stat(uv_fs_poll_t *p, int status, const uv_stat_t *before,
                    const uv_stat_t *now) {
  (void) before;
  (void) now;
  SHOW(status);
  uv_fs_poll_stop(p);
}

static void fs_polls(uv_loop_t *loop) {
  static uv_fs_poll_t p;

  NEED(uv_fs_poll_init(loop, &p));
  TRY(uv_fs_poll_start(&p, on_stat, "/no/such/path", 20));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
}

/* ---- fork ------------------------------------------------------------- */

static void forked(uv_loop_t *loop) {
  static uv_fs_event_t e;
  static uv_signal_t s;
  static uv_async_t a;
  int status = 0;
  pid_t pid;

  make_dir();
  NEED(uv_fs_event_init(loop, &e));
  NEED(uv_fs_event_start(&e, on_event, dir, 0));
  NEED(uv_signal_init(loop, &s));
  NEED(uv_signal_start(&s, on_signal, SIGUSR1));
  NEED(uv_async_init(loop, &a, on_async));
  uv_run(loop, UV_RUN_NOWAIT);
  fflush(stdout);
  NEED(pid = fork());
  if (pid == 0) {
    TRY(uv_loop_fork(loop));
    SHOW(raise(SIGUSR1));
    while (uv_is_active(H(&s)))
      uv_run(loop, UV_RUN_ONCE);
    return;
  }
  NEED(waitpid(pid, &status, 0));
  SHOW(WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  rmdir(dir);
}

/* ---- children --------------------------------------------------------- */

static int exits;

static void on_exit_(uv_process_t *p, int64_t status, int signum) {
  SHOW(status);
  SHOW(signum);
  exits++;
  uv_close(H(p), NULL);
}

static uv_process_t child;
static uv_pipe_t outs[12];

/* After a failure the handle and its pipes are closed, as the manual asks. */
static int spawn(uv_loop_t *loop, const char *file, int pipes, int search) {
  char *args[] = {(char *) file, NULL};
  char *env[] = {(char *) "PATH=/nowhere:/bin:/usr/bin", NULL};
  uv_stdio_container_t stdio[12];
  uv_process_options_t options = {0};
  int i, code;

  options.file = file;
  options.args = args;
  options.exit_cb = on_exit_;
  options.env = search ? env : NULL;
  options.stdio = stdio;
  options.stdio_count = pipes;
  for (i = 0; i < pipes; i++) {
    stdio[i].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
    stdio[i].data.stream = S(&outs[i]);
    uv_pipe_init(loop, &outs[i], 0);
  }
  code = uv_spawn(loop, &child, &options);
  if (code != 0) {
    uv_close(H(&child), NULL);
    for (i = 0; i < pipes; i++)
      uv_close(H(&outs[i]), NULL);
    uv_run(loop, UV_RUN_DEFAULT);
  }
  return code;
}

static void until_exit(uv_loop_t *loop) {
  int before = exits;

  while (exits == before)
    uv_run(loop, UV_RUN_ONCE);
}

static void close_outs(uv_loop_t *loop, int count) {
  while (count-- > 0)
    uv_close(H(&outs[count]), NULL);
  until_exit(loop);
}

#define uv_spawn_(loop, file, pipes, search) spawn(loop, file, pipes, search)

static void spawns(uv_loop_t *loop) {
  TRY_AS(uv_spawn_(loop, "/bin/true", 0, 0), UV_ENOMEM, until_exit(loop));
  until_exit(loop);
  TRY_AS(uv_spawn_(loop, "true", 12, 1), UV_ENOMEM, close_outs(loop, 12));
  close_outs(loop, 12);
}

/* ---- the pool --------------------------------------------------------- */

static int outcome;

static void work(uv_work_t *req) { req->data = req; }

static void after_work(uv_work_t *req, int status) {
  SHOW(req->data == req);
  outcome = status;
}

static void queued(uv_loop_t *loop) {
  static uv_work_t req;

  TRY(finish(uv_queue_work(loop, &req, work, after_work), &outcome));
  TRY(finish(uv_queue_work(loop, &req, work, after_work), &outcome));
}

static void on_random(uv_random_t *req, int status, void *buf, size_t len) {
  (void) req;
  (void) buf;
  SHOW(len);
  outcome = status;
}

static void randoms(uv_loop_t *loop) {
  static uv_random_t req;
  char buf[8];

  TRY(uv_random(NULL, NULL, buf, sizeof(buf), 0, NULL));
  TRY(finish(uv_random(loop, &req, buf, sizeof(buf), 0, on_random), &outcome));
}

static void on_addresses(uv_getaddrinfo_t *req, int status,
                         struct addrinfo *list) {
  (void) req;
  uv_freeaddrinfo(list);
  outcome = status;
}

static void on_name(uv_getnameinfo_t *req, int status, const char *host,
                    const char *service) {
  (void) req;
  SHOW(host != NULL && service != NULL);
  outcome = status;
}

static void names(uv_loop_t *loop) {
  static uv_getaddrinfo_t req;
  static uv_getnameinfo_t name;
  struct sockaddr_in address = check_local(80);
  struct addrinfo hints = {0};

  hints.ai_family = AF_INET;
  hints.ai_flags = AI_NUMERICHOST;
  TRY(uv_getaddrinfo(loop, &req, NULL, "127.0.0.1", NULL, &hints));
  uv_freeaddrinfo(req.addrinfo);
  TRY(finish(uv_getaddrinfo(loop, &req, on_addresses, "127.0.0.1", "80",
                            &hints), &outcome));
  TRY(uv_getnameinfo(loop, &name, NULL, A(&address), NI_NUMERICHOST));
  TRY(finish(uv_getnameinfo(loop, &name, on_name, A(&address),
                            NI_NUMERICHOST), &outcome));
}

static void names_first(uv_loop_t *loop) {
  static uv_getnameinfo_t name;
  struct sockaddr_in address = check_local(80);

  TRY(finish(uv_getnameinfo(loop, &name, on_name, A(&address),
                            NI_NUMERICHOST), &outcome));
}

int main(int argc, char **argv) {
  static const struct scene table[] = {
      {"bare_loops", bare_loops},
      {"asyncs", asyncs},
      {"polls", polls},
      {"signals", signals},
      {"signals_oneshot", signals_oneshot},
      {"signals_many", signals_many},
      {"fs_events", fs_events},
      {"fs_events_many", fs_events_many},
      {"fs_polls", fs_polls},
      {"forked", forked},
      {"spawns", spawns},
      {"queued", queued},
      {"randoms", randoms},
      {"names", names},
      {"names_first", names_first},
      {NULL, NULL}};

  return nomem_main(argc, argv, table);
}

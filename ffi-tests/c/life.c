/* Whole programs: exit inside a callback, fork without uv_loop_fork, the
 * allocator, several loops in several threads. */
#include "check.h"

#include <pthread.h>
#include <sys/wait.h>

/* ---- exit inside a callback ------------------------------------------- */

#define PIECES 20

static uv_tcp_t wire;
static uv_write_t w[PIECES + 1];

static void on_written(uv_write_t *req, int status) {
  (void) req;
  (void) status;
}

static void write_pieces(int first, int count) {
  static char text[PIECES][8];
  uv_buf_t buf;
  int i;

  for (i = first; i < first + count; i++) {
    snprintf(text[i], sizeof(text[i]), "piece%02d", i);
    buf = uv_buf_init(text[i], 7);
    NEED(uv_write(&w[i], S(&wire), &buf, 1, on_written));
  }
}

static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  static char bytes[64];

  (void) h;
  (void) size;
  *buf = uv_buf_init(bytes, sizeof(bytes));
}
static void read_exits(uv_stream_t *s, ssize_t nread, const uv_buf_t *b) {
  (void) s;
  (void) b;
  NEED(nread);
  write_pieces(0, PIECES);
  exit(0);
}
static void timer_exits(uv_timer_t *t) {
  (void) t;
  write_pieces(0, PIECES);
  exit(0);
}
static void idle_exits(uv_idle_t *t) {
  (void) t;
  write_pieces(0, PIECES);
  exit(0);
}
static void prepare_exits(uv_prepare_t *t) {
  (void) t;
  write_pieces(0, PIECES);
  exit(0);
}
static void check_exits(uv_check_t *t) {
  (void) t;
  write_pieces(0, PIECES);
  exit(0);
}
static void async_exits(uv_async_t *t) {
  (void) t;
  write_pieces(0, PIECES);
  exit(0);
}
static void poll_exits(uv_poll_t *t, int status, int events) {
  (void) t;
  (void) status;
  (void) events;
  write_pieces(0, PIECES);
  exit(0);
}
static void write_exits(uv_write_t *req, int status) {
  (void) req;
  NEED(status);
  write_pieces(0, PIECES);
  exit(0);
}
static void close_exits(uv_handle_t *h) {
  (void) h;
  write_pieces(0, PIECES);
  exit(0);
}

/* In the child: a loop of its own, one connection, exit in one callback. */
static void child(int kind, int fd) {
  static uv_timer_t timer;
  static uv_idle_t idle;
  static uv_prepare_t prepare;
  static uv_check_t check;
  static uv_async_t async;
  static uv_poll_t poll;
  static uv_loop_t loop;
  uv_buf_t nothing = uv_buf_init("", 0);
  int fds[2];

  NEED(uv_loop_init(&loop));
  NEED(uv_tcp_init(&loop, &wire));
  NEED(uv_tcp_open(&wire, fd));
  switch (kind) {
  case 0:
    NEED(uv_read_start(S(&wire), on_alloc, read_exits));
    break;
  case 1:
    NEED(uv_timer_init(&loop, &timer));
    NEED(uv_timer_start(&timer, timer_exits, 1, 0));
    break;
  case 2:
    NEED(uv_idle_init(&loop, &idle));
    NEED(uv_idle_start(&idle, idle_exits));
    break;
  case 3:
    NEED(uv_idle_init(&loop, &idle));
    NEED(uv_prepare_init(&loop, &prepare));
    NEED(uv_prepare_start(&prepare, prepare_exits));
    break;
  case 4:
    NEED(uv_timer_init(&loop, &timer));
    NEED(uv_timer_start(&timer, timer_exits, 60000, 0));
    NEED(uv_async_init(&loop, &async, NULL));
    NEED(uv_async_send(&async));
    NEED(uv_check_init(&loop, &check));
    NEED(uv_check_start(&check, check_exits));
    break;
  case 5:
    NEED(uv_async_init(&loop, &async, async_exits));
    NEED(uv_async_send(&async));
    break;
  case 6:
    NEED(pipe(fds));
    NEED(uv_poll_init(&loop, &poll, fds[1]));
    NEED(uv_poll_start(&poll, UV_WRITABLE, poll_exits));
    break;
  case 7:
    NEED(uv_write(&w[PIECES], S(&wire), &nothing, 1, write_exits));
    break;
  case 8:
    NEED(uv_timer_init(&loop, &timer));
    uv_close(H(&timer), close_exits);
    break;
  default: /* no callback at all: main writes and returns */
    write_pieces(0, PIECES);
    exit(0);
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  _exit(3);
}

static size_t read_all(int fd, char *bytes, size_t size) {
  size_t got = 0;
  ssize_t n;

  while (got < size && (n = read(fd, bytes + got, size - got)) > 0)
    got += (size_t) n;
  return got;
}

static void exits(void) {
  static const char *const kinds[] = {"read",  "timer", "idle", "prepare",
                                      "check", "async", "poll", "write",
                                      "close", "none"};
  char bytes[1024], want[PIECES * 7 + 1];
  int i, kind, fds[2], status;

  for (i = 0; i < PIECES; i++)
    snprintf(want + i * 7, 8, "piece%02d", i);
  for (kind = 0; kind < 10; kind++) {
    size_t got;
    pid_t pid;

    check_tcp_pair(fds);
    fflush(stdout);
    pid = fork();
    NEED(pid);
    if (pid == 0) {
      close(fds[0]);
      alarm(20);
      child(kind, fds[1]);
    }
    close(fds[1]);
    if (kind == 0)
      NEED(write(fds[0], "go", 2));
    /* Read it all late, so that the end has to be orderly. */
    NEED(waitpid(pid, &status, 0));
    got = read_all(fds[0], bytes, sizeof(bytes));
    printf("exit in %s: status %d, %zu bytes, %s\n", kinds[kind], status, got,
           got == PIECES * 7 && memcmp(bytes, want, got) == 0 ? "right"
                                                              : "wrong");
    close(fds[0]);
  }
}

/* ---- fork without uv_loop_fork ---------------------------------------- */

static uv_loop_t loop;
static uv_timer_t timer;
static uv_async_t async;
static int ticks, child_exits, awake;

static void on_async(uv_async_t *a) {
  (void) a;
  awake++;
}

/* Writes, forks in the middle, writes more. The child's exit must not send the
 * parent's bytes again, nor take the parent's events. */
static void tick_forks(uv_timer_t *t) {
  pid_t pid;
  int status;

  write_pieces(ticks * 6, 3);
  fflush(stdout);
  pid = fork();
  NEED(pid);
  if (pid == 0) {
    if (ticks == 0)
      _exit(0);
    if (ticks == 1)
      exit(0);
    close_range(3, ~0U, 0);
    exit(0);
  }
  NEED(waitpid(pid, &status, 0));
  child_exits += status == 0;
  write_pieces(ticks * 6 + 3, 3);
  NEED(uv_async_send(&async));
  if (++ticks == 3) {
    uv_close(H(t), NULL);
    uv_unref(H(&async));
  }
}

static void forks(void) {
  int fds[2];
  char bytes[1024];
  size_t got;

  NEED(uv_loop_init(&loop));
  check_tcp_pair(fds);
  NEED(uv_tcp_init(&loop, &wire));
  NEED(uv_tcp_open(&wire, fds[0]));
  NEED(uv_timer_init(&loop, &timer));
  NEED(uv_async_init(&loop, &async, on_async));
  NEED(uv_timer_start(&timer, tick_forks, 1, 1));
  SHOW(uv_run(&loop, UV_RUN_DEFAULT));
  SHOW(ticks);
  SHOW(child_exits);
  SHOW(awake > 0);
  uv_close(H(&wire), NULL);
  check_end(&loop);
  got = read_all(fds[1], bytes, sizeof(bytes));
  SHOW(got);
  bytes[got] = '\0';
  TEXT(bytes);
  close(fds[1]);
}

/* A child that lives on with all inherited fds, while the parent goes on. */
static void on_read_count(uv_stream_t *s, ssize_t nread, const uv_buf_t *b) {
  uv_buf_t buf = uv_buf_init("y", 1);

  (void) b;
  if (nread <= 0) {
    printf("end: %s\n", uv_err_name((int) nread));
    uv_close(H(s), NULL);
    return;
  }
  if (++ticks < 100)
    NEED(uv_try_write(s, &buf, 1));
  else
    uv_close(H(s), NULL);
}

static void *echo_thread(void *fd) {
  char byte;

  while (read(*(int *) fd, &byte, 1) == 1)
    if (write(*(int *) fd, &byte, 1) != 1)
      break;
  return NULL;
}

static void forked_idler(void) {
  pthread_t thread;
  pid_t pid;
  int fds[2];

  NEED(uv_loop_init(&loop));
  check_tcp_pair(fds);
  NEED(uv_tcp_init(&loop, &wire));
  NEED(uv_tcp_open(&wire, fds[0]));
  NEED(uv_read_start(S(&wire), on_alloc, on_read_count));
  uv_run(&loop, UV_RUN_NOWAIT);
  pid = fork();
  NEED(pid);
  if (pid == 0) {
    alarm(20);
    pause();
    _exit(0);
  }
  NEED(-pthread_create(&thread, NULL, echo_thread, &fds[1]));
  NEED(write(fds[1], "x", 1));
  SHOW(uv_run(&loop, UV_RUN_DEFAULT));
  SHOW(ticks);
  NEED(kill(pid, SIGKILL));
  NEED(waitpid(pid, NULL, 0));
  shutdown(fds[1], SHUT_RDWR);
  pthread_join(thread, NULL);
  close(fds[1]);
  check_end(&loop);
}

/* ---- the allocator ---------------------------------------------------- */

static void stop_timer(uv_timer_t *t) { uv_timer_stop(t); }
static void stop_poll(uv_poll_t *p, int status, int events) {
  (void) status;
  (void) events;
  uv_poll_stop(p);
}

/* Leaves the loop without handles, but open. */
static void use_much(uv_loop_t *l) {
  static uv_tcp_t client;
  static uv_connect_t connect;
  static uv_timer_t timers[100];
  static uv_async_t asyncs[10];
  static uv_poll_t polls[50];
  static int pipes[50][2];
  static char big[1 << 20];
  static struct sockaddr_in address;
  static uv_tcp_t listener;
  uv_buf_t bufs[30];
  int i, fds[2];

  for (i = 0; i < 100; i++) {
    NEED(uv_timer_init(l, &timers[i]));
    NEED(uv_timer_start(&timers[i], stop_timer, (uint64_t) i / 10, 0));
  }
  for (i = 0; i < 10; i++) {
    NEED(uv_async_init(l, &asyncs[i], on_async));
    NEED(uv_async_send(&asyncs[i]));
  }
  for (i = 0; i < 50; i++) {
    NEED(pipe(pipes[i]));
    NEED(uv_poll_init(l, &polls[i], pipes[i][0]));
    NEED(uv_poll_start(&polls[i], UV_READABLE, stop_poll));
  }
  check_listen(l, &listener, &address, (uv_connection_cb) abort);
  check_tcp_pair(fds);
  NEED(uv_tcp_init(l, &client));
  NEED(uv_tcp_open(&client, fds[0]));
  for (i = 0; i < 30; i++)
    bufs[i] = uv_buf_init(big, sizeof(big));
  for (i = 0; i < 5; i++) /* far more than the socket takes */
    NEED(uv_write(&w[i], S(&client), bufs, 30, on_written));
  NEED(uv_tcp_init(l, &wire));
  NEED(uv_tcp_connect(&connect, &wire, A(&address), NULL));
  uv_close(H(&listener), NULL);
  for (i = 0; i < 20; i++) {
    uv_run(l, UV_RUN_NOWAIT);
    usleep(1000);
  }
  uv_walk(l, check_close_each, NULL);
  SHOW(uv_run(l, UV_RUN_DEFAULT));
  for (i = 0; i < 50; i++) {
    close(pipes[i][0]);
    close(pipes[i][1]);
  }
  close(fds[1]);
}

static void allocator(void) {
  uv_loop_t *made;

  SHOW(uv_replace_allocator(NULL, heap_realloc, heap_calloc, heap_free));
  SHOW(uv_replace_allocator(heap_malloc, NULL, heap_calloc, heap_free));
  SHOW(uv_replace_allocator(heap_malloc, heap_realloc, NULL, heap_free));
  SHOW(uv_replace_allocator(heap_malloc, heap_realloc, heap_calloc, NULL));
  SHOW(uv_replace_allocator(heap_malloc, heap_realloc, heap_calloc,
                            heap_free));
  NEED(uv_loop_init(&loop));
  use_much(&loop);
  SHOW(uv_loop_close(&loop));
  made = uv_loop_new();
  NEED(made == NULL ? -1 : 0);
  use_much(made);
  uv_loop_delete(made);
  use_much(uv_default_loop());
  SHOW(uv_loop_close(uv_default_loop()));
  uv_library_shutdown();
  uv_library_shutdown();
  SHOW(heap.blocks);
  SHOW(heap.left < LONG_MAX);
}

/* ---- many loops, many threads ----------------------------------------- */

#define PAIRS 4
#define ROUNDS 2000

static struct side {
  uv_loop_t loop;
  uv_async_t ball;
  struct side *other;
  int hits, result;
} sides[PAIRS * 2];

static void on_ball(uv_async_t *a) {
  struct side *side = a->data;

  if (++side->hits >= ROUNDS)
    uv_close(H(a), NULL);
  /* The other's last hit is the answer to our last but one. */
  if (side->hits < ROUNDS || side < side->other)
    uv_async_send(&side->other->ball);
}

static void run_side(void *arg) {
  struct side *side = arg;

  side->result = uv_run(&side->loop, UV_RUN_DEFAULT);
}

static void threads(void) {
  uv_thread_t tid[PAIRS * 2];
  int i;

  for (i = 0; i < PAIRS * 2; i++) {
    sides[i].other = &sides[i ^ 1];
    NEED(uv_loop_init(&sides[i].loop));
    NEED(uv_async_init(&sides[i].loop, &sides[i].ball, on_ball));
    sides[i].ball.data = &sides[i];
  }
  for (i = 0; i < PAIRS * 2; i++)
    NEED(uv_thread_create(&tid[i], run_side, &sides[i]));
  for (i = 0; i < PAIRS * 2; i += 2)
    NEED(uv_async_send(&sides[i].ball));
  for (i = 0; i < PAIRS * 2; i++)
    NEED(uv_thread_join(&tid[i]));
  for (i = 0; i < PAIRS * 2; i++) {
    printf("side %d: %d hits, run %d, ", i, sides[i].hits, sides[i].result);
    SHOW(uv_loop_close(&sides[i].loop));
  }
}

/* Many threads ring one handle; no ring is lost, and the last is seen. */
static int rung;

static void on_ring(uv_async_t *a) {
  if (__atomic_load_n(&rung, __ATOMIC_SEQ_CST) == 4 * 5000)
    uv_close(H(a), NULL);
}
static void ring(void *unused) {
  int i;

  (void) unused;
  for (i = 0; i < 5000; i++) {
    __atomic_add_fetch(&rung, 1, __ATOMIC_SEQ_CST);
    uv_async_send(&async);
  }
}

static void ringers(void) {
  uv_thread_t tid[4];
  int i;

  NEED(uv_loop_init(&loop));
  NEED(uv_async_init(&loop, &async, on_ring));
  for (i = 0; i < 4; i++)
    NEED(uv_thread_create(&tid[i], ring, NULL));
  SHOW(uv_run(&loop, UV_RUN_DEFAULT));
  for (i = 0; i < 4; i++)
    NEED(uv_thread_join(&tid[i]));
  SHOW(uv_loop_close(&loop));
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*run)(void);
  } table[] = {{"exits", exits},         {"forks", forks},
               {"forked_idler", forked_idler},
               {"allocator", allocator}, {"threads", threads},
               {"ringers", ringers},     {NULL, NULL}};
  int i;

  for (i = 0; argc == 2 && table[i].name != NULL; i++) {
    if (strcmp(table[i].name, argv[1]) == 0) {
      check_begin();
      table[i].run();
      return check_finish(table[i].name);
    }
  }
  return check_usage(argc, argv, table, sizeof(table[0]));
}

/* Random programs whose traces must be equal on libuv and on uvring.
 *
 * A seed decides everything that a program does, so the two libraries see the
 * same calls for as long as they answer the same. Time is the program's own
 * (clock.c). A turn of the loop has exact and open parts:
 *
 * exact  idle, prepare, check, timer callbacks, close callbacks of handles
 *        without descriptor: printed as they come, and free to do anything.
 * open   callbacks for descriptors and requests. Which of several ready
 *        descriptors comes first is the kernel's choice, so their lines wait
 *        for the end of polling (the hook, a check handle that is always the
 *        first) and are printed handle by handle; what they want to do to
 *        others is done there too.
 */
#ifndef TRACE_H
#define TRACE_H

#define _GNU_SOURCE /* accept4, nftw, pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#define H(x) ((uv_handle_t *) (x))
#define S(x) ((uv_stream_t *) (x))
#define A(x) ((struct sockaddr *) (x))
#define COUNT(x) (sizeof(x) / sizeof((x)[0]))

/* For what must not fail for a program to mean anything. */
#define NEED(expr)                                                             \
  do {                                                                         \
    long long need_rc = (long long) (expr);                                    \
    if (need_rc < 0) {                                                         \
      printf("%s:%d: %s failed: %lld errno %d\n", __FILE__, __LINE__, #expr,   \
             need_rc, errno);                                                  \
      fflush(stdout);                                                          \
      _exit(3);                                                                \
    }                                                                          \
  } while (0)

enum { MAX_OBJECTS = 40, MAX_REQS = 8, MAX_CHILDREN = 3, LINES = 512 };

enum kind {
  TIMER,
  IDLE,
  PREPARE,
  CHECK,
  ASYNC,
  SIGNAL,
  POLL,
  STREAM,
  LISTENER,
  UDP,
  PROCESS,
  WORK,
  KINDS
};

/* Reading and writing have no order between them, even on one handle. */
enum channel { IN, OUT, END, HELD_OUT, CHANNELS };

enum state { UNUSED, OPEN, CLOSING, CLOSED };

struct object {
  int id;
  enum kind kind;
  enum state state;
  int is_tcp;
  uint64_t rng;
  union {
    uv_handle_t any;
    uv_timer_t timer;
    uv_idle_t idle;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_async_t async;
    uv_signal_t signal;
    uv_poll_t poll;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
    uv_udp_t udp;
    uv_process_t process;
  } h;
  /* Requests: `used` counts those given out, `inflight` those without their
   * callback yet. */
  union uv_any_req reqs[MAX_REQS];
  int used, inflight;
  unsigned cancelled; /* one bit for each */
  int fd, other_fd;            /* POLL: the watched end and the one that feeds */
  int peer;                    /* STREAM: the other end, or -1 */
  int children[MAX_CHILDREN];  /* LISTENER: handles for what it accepts */
  int accepted;
  int listening;
  int waiting[MAX_OBJECTS];    /* LISTENER: who connects, and how many do */
  int connects;
  struct sockaddr_in address;  /* LISTENER on TCP, UDP */
  char path[80];               /* LISTENER on a unix socket */
  size_t nread;                /* bytes since the last flush */
  int later;                   /* rounds of ops to do at the next flush */
  int closed_openly;           /* closed inside an open callback */
  int connected;  /* STREAM: 1 connected or told to, 2 since the last flush */
  int held;                    /* ends that wait for one more flush */
  int connecting;
  int shut;                    /* STREAM: shut down since the last flush */
  int ended;                   /* STREAM: and the other end is closed */
  int settling;                /* flushes until its state is sure again */
  /* What it says at the next flush: what came in, what went out, and what goes
   * out one flush later. */
  char lines[CHANNELS][LINES];
};

/* The program that runs. */
struct program {
  uv_loop_t loop;
  uint64_t seed, rng;
  int ops;                /* ops left */
  int done;               /* ops done */
  int turns, turn_limit;  /* of the present uv_run */
  int ending;
  int real_sleep;
  int stopped;            /* uv_stop was called */
  int touched;            /* an open thing was begun since the last flush */
  int pending;            /* open things without their end */
  int planted;            /* one line too many */
  int quiet, said;        /* turns without a line; whether this one has one */
  uv_prepare_t before;
  uv_check_t after;
  uv_idle_t spin;
  struct object objects[MAX_OBJECTS];
  int count;
};

extern struct program p;

/* main.c */
uint64_t draw(uint64_t *rng);
int pick(uint64_t *rng, int below);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void murmur(struct object *o, enum channel c, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const char *code(long long rc);
int is_planted(uint64_t seed);

/* clock.c */
void clock_reset(void);
void clock_leave(void);
void clock_advance(uint64_t ms);

/* pool.c: the one worker thread, held and let go. */
void signals_blocked(int blocked);
void pool_hold(void);
void pool_settle(void);
void pool_end(void);

/* exact.c: turns */
void touch(void);
int sleep_limit(void);
void exact_run(uint64_t seed, int ops);

/* objects.c */
struct object *object_new(enum kind kind);
struct object *object_pick(uint64_t *rng, enum kind kind);
void object_close(struct object *o, int openly);
void *object_req(struct object *o);
void object_req_done(struct object *o);
int object_is_exact(const struct object *o);
const char *kind_name(enum kind kind);
void tcp_pair(int fds[2]);

/* callbacks.c */
void on_timer(uv_timer_t *h);
void on_idle(uv_idle_t *h);
void on_prepare(uv_prepare_t *h);
void on_check(uv_check_t *h);
void on_async(uv_async_t *h);
void on_signal(uv_signal_t *h, int signum);
void on_poll(uv_poll_t *h, int status, int events);
void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf);
void on_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf);
void on_write(uv_write_t *req, int status);
void on_shutdown(uv_shutdown_t *req, int status);
void on_connect(uv_connect_t *req, int status);
void on_connection(uv_stream_t *s, int status);
void on_recv(uv_udp_t *h, ssize_t nread, const uv_buf_t *buf,
             const struct sockaddr *from, unsigned flags);
void on_send(uv_udp_send_t *req, int status);
void on_exit_cb(uv_process_t *h, int64_t status, int signum);
void on_closed(uv_handle_t *h);
void on_work(uv_work_t *req);
void on_worked(uv_work_t *req, int status);
void on_random(uv_random_t *req, int status, void *buf, size_t len);

/* ops.c: one random op */
void op(uint64_t *rng);
void ops(uint64_t *rng, int most);
/* ops_io.c */
int op_io(struct object *o, uint64_t *rng);

#endif

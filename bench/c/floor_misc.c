/* The floor of rows async and loop: the bare system calls.
 * usage: floor_misc sparse COUNT MS | pingpong MS | turn MS | init MS */
#include "common.h"
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

static uint64_t start_wall, start_cpu, stop_at;

static void start_clock(uint64_t ms) {
  start_wall = now_ns();
  start_cpu = own_cpu_ns();
  stop_at = start_wall + ms * 1000000u;
}

static void stop_clock(const char *name, uint64_t ops) {
  uint64_t cpu = own_cpu_ns() - start_cpu, wall = now_ns() - start_wall;
  report(name, ops, wall, cpu);
}

/* An epoll instance with one eventfd in it, as a loop has. */
typedef struct {
  int ep, event, cpu;
} side_t;

static side_t open_side(void) {
  side_t s = {.ep = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1"),
              .event = check(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")};
  struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.fd = s.event};
  check(epoll_ctl(s.ep, EPOLL_CTL_ADD, s.event, &ev), "epoll_ctl");
  return s;
}

static void ring_bell(const side_t *s) {
  uint64_t one = 1;
  if (write(s->event, &one, sizeof one) != sizeof one) die("eventfd write: %s", strerror(errno));
}

/* Edge-triggered: the next write tells again without a read. */
static int heard(const side_t *s, int timeout_ms) {
  struct epoll_event ev;
  int n;
  do n = epoll_wait(s->ep, &ev, 1, timeout_ms);
  while (n < 0 && errno == EINTR);
  return check(n, "epoll_wait");
}

static void sparse(uint64_t ms) {
  side_t s = open_side();
  uint64_t n = 0;
  start_clock(ms);
  while (now_ns() < stop_at) {
    ring_bell(&s);
    if (heard(&s, 0) != 1) die("the wake-up is lost");
    n++;
  }
  stop_clock("async-sparse", n);
}

static side_t here, there;
static int stopping;

static void *run_there(void *arg) {
  (void) arg;
  pin_to(there.cpu);
  while (!__atomic_load_n(&stopping, __ATOMIC_ACQUIRE)) {
    if (heard(&there, 5000) != 1) die("no wake-up for 5 s");
    ring_bell(&here);
  }
  return NULL;
}

static void pingpong(uint64_t ms) {
  pthread_t thread;
  uint64_t n = 0;
  here = open_side();
  there = open_side();
  here.cpu = env_number("BENCH_CPU", 0);
  there.cpu = env_number("BENCH_CPU2", here.cpu);
  start_clock(ms);
  if (pthread_create(&thread, NULL, run_there, NULL) != 0) die("pthread_create");
  pin_to(here.cpu);
  for (;; n++) {
    if (now_ns() >= stop_at) __atomic_store_n(&stopping, 1, __ATOMIC_RELEASE);
    ring_bell(&there);
    if (heard(&here, 5000) != 1) die("no wake-up for 5 s");
    if (stopping) break;
  }
  pthread_join(thread, NULL);
  stop_clock("async-pingpong", n);
}

static void turns(uint64_t ms) {
  side_t s = open_side();
  uint64_t n = 0;
  start_clock(ms);
  while (now_ns() < stop_at)
    for (int i = 0; i < 1000; i++, n++)
      if (heard(&s, 0) != 0) die("an event out of nothing");
  stop_clock("loop-turn", n);
}

static void init_close(uint64_t ms) {
  uint64_t n = 0;
  start_clock(ms);
  while (now_ns() < stop_at)
    for (int i = 0; i < 100; i++, n++) {
      side_t s = open_side();
      check(close(s.event), "close");
      check(close(s.ep), "close");
    }
  stop_clock("loop-init-close", n);
}

int main(int argc, char **argv) {
  if (argc < 3) die("usage: floor_misc sparse COUNT MS | pingpong MS | turn MS | init MS");
  begin(60);
  printf("library none epoll\n");
  uint64_t ms = number(argv[argc - 1]);
  if (strcmp(argv[1], "sparse") == 0)
    sparse(ms);
  else if (strcmp(argv[1], "pingpong") == 0)
    pingpong(ms);
  else if (strcmp(argv[1], "turn") == 0)
    turns(ms);
  else if (strcmp(argv[1], "init") == 0)
    init_close(ms);
  else
    die("unknown row: %s", argv[1]);
  return 0;
}

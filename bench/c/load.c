/* The load generator: many connections to one server, every byte checked.
 * usage: load MODE PORT SERVER_PID SIZE CONNS INFLIGHT WRITES WARM_MS MS MAX_OPS
 * A phase ends only when everything asked for was answered, so the server
 * sleeps whenever its CPU time is read. With BENCH_IDLE=N there are N connections
 * more, which are open and silent while it measures. */
#include "common.h"
#include <sys/epoll.h>

#define PERIOD 251           /* prime, so a lost or swapped chunk never matches */
#define TABLE (256 * 1024)

typedef struct {
  int fd;
  uint64_t sent, got; /* bytes of the two streams so far */
  uint64_t queued;    /* bytes asked for that the kernel has not taken yet */
  unsigned shift;     /* where this connection's bytes start in the table */
  int polling_out;
} conn_t;

static enum mode mode;
static int ep, port, pid, nconns, inflight;
static size_t request, answer; /* bytes */
static uint64_t ops_per_answer, max_ops;
static conn_t *conns;
static char out_table[TABLE], in_table[TABLE];
static size_t in_period;

static uint64_t answers, outstanding, asked, stop_at;
static int stopped;

static void fill_tables(int writes) {
  for (size_t i = 0; i < TABLE; i++) out_table[i] = (char) (i % PERIOD + 1);
  if (mode != MODE_COALESCE) {
    memcpy(in_table, out_table, TABLE);
    in_period = PERIOD;
    return;
  }
  in_period = (size_t) writes * LINE;
  for (size_t at = 0; at + LINE <= TABLE; at += LINE)
    fill_line(in_table + at, (int) (at / LINE) % writes);
}

static int open_conn(void) {
  address_t addr;
  socklen_t len = address_of(&addr, port, pid);
  struct timeval limit = {.tv_sec = 5};
  int fd = check(socket(addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  check(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), "SO_SNDTIMEO");
  check(connect(fd, &addr.any, len), "connect");
  check(fcntl(fd, F_SETFL, O_NONBLOCK), "fcntl");
  set_nodelay(fd);
  return fd;
}

static void poll_for(conn_t *c, int op, int out) {
  struct epoll_event ev = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c};
  check(epoll_ctl(ep, op, c->fd, &ev), "epoll_ctl");
  c->polling_out = out;
}

static void flush(conn_t *c) {
  while (c->queued > 0) {
    const char *from = out_table + (c->sent + c->shift) % PERIOD;
    size_t n = c->queued < TABLE - PERIOD ? c->queued : TABLE - PERIOD;
    ssize_t rc = send(c->fd, from, n, MSG_NOSIGNAL);
    if (rc < 0 && errno == EAGAIN) break;
    if (rc < 0) die("send: %s", strerror(errno));
    c->sent += (uint64_t) rc;
    c->queued -= (uint64_t) rc;
  }
  if ((c->queued > 0) != c->polling_out) poll_for(c, EPOLL_CTL_MOD, c->queued > 0);
}

/* Asks for `count` answers more on this connection. */
static void ask(conn_t *c, uint64_t count) {
  c->queued += count * request;
  asked += count;
  outstanding += mode == MODE_FANOUT ? (uint64_t) nconns : count;
  flush(c);
}

static void take(conn_t *c, const char *bytes, size_t n) {
  if (memcmp(bytes, in_table + (c->got + c->shift) % in_period, n) != 0)
    die("wrong bytes at offset %llu of a connection", (unsigned long long) c->got);
  uint64_t before = c->got / answer;
  c->got += n;
  uint64_t done = c->got / answer - before;
  if (done > outstanding) die("more bytes than asked for");
  answers += done;
  outstanding -= done;
  if (stopped || done == 0) return;
  if (mode != MODE_FANOUT)
    ask(c, done);
  else if (outstanding == 0)
    ask(&conns[nconns - 1], 1);
}

static void serve(conn_t *c, uint32_t events) {
  static char buf[READ_SIZE];
  if (events & EPOLLOUT) flush(c);
  if (!(events & ~EPOLLOUT)) return;
  ssize_t n = recv(c->fd, buf, sizeof buf, 0);
  if (n > 0)
    take(c, buf, (size_t) n);
  else if (n == 0)
    die("the server closed a connection");
  else if (errno != EAGAIN)
    die("recv: %s", strerror(errno));
}

static void wait_for_answers(void) {
  struct epoll_event events[256];
  while (outstanding > 0) {
    int n = epoll_wait(ep, events, 256, 5000);
    if (n < 0 && errno == EINTR) continue;
    check(n, "epoll_wait");
    if (n == 0) die("no answer for 5 s, %llu missing", (unsigned long long) outstanding);
    if (now_ns() >= stop_at || asked * ops_per_answer >= max_ops) stopped = 1;
    for (int i = 0; i < n; i++) serve(events[i].data.ptr, events[i].events);
  }
}

static void phase(uint64_t ms) {
  answers = outstanding = asked = 0;
  stopped = 0;
  stop_at = now_ns() + ms * 1000000u;
  if (mode == MODE_FANOUT) /* the last one: when it is heard, all are accepted */
    ask(&conns[nconns - 1], 1);
  else
    for (int i = 0; i < nconns; i++) ask(&conns[i], (uint64_t) inflight);
  wait_for_answers();
}

static void connect_all(void) {
  conns = xalloc((size_t) nconns, sizeof *conns);
  for (int i = 0; i < nconns; i++) {
    conns[i].fd = open_conn();
    conns[i].shift = mode <= MODE_PIPELINE ? (unsigned) i * 17 : 0;
    poll_for(&conns[i], EPOLL_CTL_ADD, 0);
  }
}

/* Churn: `inflight` connections at a time, each lives for one echo. */
static void churn_one(conn_t *c) {
  c->fd = open_conn();
  c->sent = c->got = c->queued = 0;
  poll_for(c, EPOLL_CTL_ADD, 0);
  c->queued = request;
  asked++;
  outstanding++;
  flush(c);
}

static void churn_phase(uint64_t ms) {
  struct epoll_event events[64];
  char buf[READ_SIZE];
  answers = outstanding = asked = 0;
  stop_at = now_ns() + ms * 1000000u;
  for (int i = 0; i < nconns; i++) churn_one(&conns[i]);
  while (outstanding > 0) {
    int n = epoll_wait(ep, events, 64, 5000);
    if (n < 0 && errno == EINTR) continue;
    check(n, "epoll_wait");
    if (n == 0) die("churn: no answer for 5 s");
    stopped = now_ns() >= stop_at || asked >= max_ops;
    for (int i = 0; i < n; i++) {
      conn_t *c = events[i].data.ptr;
      ssize_t rc = recv(c->fd, buf, sizeof buf, 0);
      if (rc <= 0) die("churn: recv gave %zd: %s", rc, strerror(errno));
      if (memcmp(buf, in_table + c->got, (size_t) rc) != 0) die("churn: wrong bytes");
      c->got += (uint64_t) rc;
      if (c->got > answer) die("churn: too many bytes");
      if (c->got < answer) continue;
      close(c->fd);
      answers++;
      outstanding--;
      if (!stopped) churn_one(c);
    }
  }
}

/* Resident bytes of the server. */
static uint64_t resident(void) {
  char path[64];
  unsigned long long size, pages;
  snprintf(path, sizeof path, "/proc/%d/statm", pid);
  FILE *f = fopen(path, "r");
  if (f == NULL || fscanf(f, "%llu %llu", &size, &pages) != 2) die("%s", path);
  fclose(f);
  return pages * (uint64_t) sysconf(_SC_PAGESIZE);
}

/* A connection that comes from an address of its own for every PORTS of them: one
 * address has less than 28000 ports to come from. */
static int open_idle(int i) {
  enum { PORTS = 8000 };
  address_t from, to;
  socklen_t len = address_of(&to, port, pid);
  int fd = check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  int on = 1;
  address_of(&from, 0, pid);
  from.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (unsigned) (i / PORTS));
  /* The port is chosen at connect, where it need be free for this destination only. */
  check(setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on), "setsockopt");
  check(bind(fd, &from.any, sizeof from.in), "bind");
  check(connect(fd, &to.any, len), "connect");
  return fd;
}

/* Opens `count` connections and returns when the server has accepted all: they are
 * accepted in order, and the last one gets an answer. */
static void open_idles(int count) {
  char text[MAX_WRITES];
  struct timeval limit = {.tv_sec = 20};
  size_t got = 0;
  int fd = -1;
  for (int i = 0; i < count; i++) fd = open_idle(i);
  check(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), "SO_RCVTIMEO");
  if (send(fd, out_table, sizeof text, MSG_NOSIGNAL) != sizeof text) die("send: idle");
  while (got < sizeof text) {
    ssize_t n = recv(fd, text + got, sizeof text - got, 0);
    if (n <= 0) die("no answer to the last idle connection");
    got += (size_t) n;
  }
}

/* Lets the server finish its last callbacks and fall asleep. */
static void quiet(void) { usleep(10000); }

int main(int argc, char **argv) {
  if (argc != 11) die("usage: load MODE PORT PID SIZE CONNS INFLIGHT WRITES WARM_MS MS MAX_OPS");
  mode = parse_mode(argv[1]);
  port = (int) number(argv[2]);
  pid = (int) number(argv[3]);
  request = answer = (size_t) number(argv[4]);
  nconns = (int) number(argv[5]);
  inflight = (int) number(argv[6]);
  int writes = (int) number(argv[7]);
  uint64_t warm_ms = number(argv[8]), ms = number(argv[9]);
  max_ops = number(argv[10]);
  if (request == 0 || nconns < 1 || inflight < 1) die("nothing to do");
  if (mode == MODE_COALESCE && (request != LINE || writes < 1 || writes > MAX_WRITES))
    die("coalesce: %zu bytes, %d writes", request, writes);
  ops_per_answer = 1;
  if (mode == MODE_COALESCE) {
    answer = (size_t) writes * LINE;
    ops_per_answer = (uint64_t) writes;
  }
  int idles = env_number("BENCH_IDLE", 0);
  begin(90);
  fill_tables(writes);
  ep = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");

  void (*run)(uint64_t) = phase;
  if (mode == MODE_CHURN) {
    conns = xalloc((size_t) nconns, sizeof *conns);
    run = churn_phase;
  } else {
    connect_all();
  }
  run(warm_ms);
  quiet();
  if (idles > 0) {
    uint64_t before = resident();
    open_idles(idles);
    quiet();
    uint64_t after = resident();
    printf("idle %d %lld\n", idles, (long long) (after - before));
  }
  uint64_t cpu = cpu_ns_of(pid), start = now_ns();
  run(ms);
  uint64_t wall = now_ns() - start;
  quiet();
  cpu = cpu_ns_of(pid) - cpu;
  report("load", answers * ops_per_answer, wall, cpu);
  return 0;
}

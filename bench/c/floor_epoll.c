/* The floor: the same server on bare epoll, level-triggered, no library and no
 * allocation in the hot path. usage: floor_epoll MODE SIZE WRITES */
#include "common.h"
#include <sys/epoll.h>

typedef struct {
  char *out;         /* bytes the kernel did not take yet, or NULL */
  size_t at, len;
  unsigned have;     /* bytes of an unfinished request */
  int open;
} conn_t;

static enum mode mode;
static int writes, ep, top;
static conn_t conns[MAX_FD];
static char lines[MAX_WRITES * LINE];
static char shared[READ_SIZE];

static void poll_for(int op, int fd, uint32_t events) {
  struct epoll_event ev = {.events = events, .data.fd = fd};
  check(epoll_ctl(ep, op, fd, &ev), "epoll_ctl");
}

/* Sends at once; what does not fit waits, and reading with it. */
static void send_all(int fd, const char *base, size_t len) {
  conn_t *c = &conns[fd];
  ssize_t n = send(fd, base, len, MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN) die("send: %s", strerror(errno));
  if (n < 0) n = 0;
  if ((size_t) n == len) return;
  if (c->out != NULL) die("two unfinished sends");
  c->out = xalloc(1, len - (size_t) n);
  c->at = 0;
  c->len = len - (size_t) n;
  memcpy(c->out, base + n, c->len);
  poll_for(EPOLL_CTL_MOD, fd, EPOLLOUT);
}

static void send_rest(int fd) {
  conn_t *c = &conns[fd];
  ssize_t n = send(fd, c->out + c->at, c->len - c->at, MSG_NOSIGNAL);
  if (n < 0 && errno == EAGAIN) return;
  check((int) n, "send");
  c->at += (size_t) n;
  if (c->at < c->len) return;
  free(c->out);
  c->out = NULL;
  poll_for(EPOLL_CTL_MOD, fd, EPOLLIN);
}

static void answer(int fd, const char *base, size_t len) {
  conn_t *c = &conns[fd];
  switch (mode) {
    case MODE_COALESCE:
      for (c->have += (unsigned) len; c->have >= LINE; c->have -= LINE)
        send_all(fd, lines, (size_t) writes * LINE);
      break;
    case MODE_FANOUT:
      if (len != MESSAGE) die("fanout: %zu bytes at once", len);
      for (int i = 0; i <= top; i++)
        if (conns[i].open) send_all(i, base, len);
      break;
    default:
      send_all(fd, base, len);
  }
}

static void read_from(int fd) {
  ssize_t n = recv(fd, shared, sizeof shared, 0);
  if (n > 0) {
    answer(fd, shared, (size_t) n);
  } else if (n == 0) {
    conns[fd].open = 0;
    close(fd);
  } else if (errno != EAGAIN) {
    die("recv: %s", strerror(errno));
  }
}

static void accept_all(int listener) {
  for (int i = 0; i < 64; i++) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno == EAGAIN) return;
    check(fd, "accept4");
    if (fd >= MAX_FD) die("fd %d is too big", fd);
    conns[fd] = (conn_t) {.open = 1};
    if (fd > top) top = fd;
    set_nodelay(fd);
    poll_for(EPOLL_CTL_ADD, fd, EPOLLIN);
    if (mode == MODE_CHURN) read_from(fd);
  }
}

int main(int argc, char **argv) {
  struct epoll_event events[1024];
  if (argc != 4) die("usage: floor_epoll MODE SIZE WRITES");
  mode = parse_mode(argv[1]);
  writes = parse_writes(mode, argv[3]);
  for (int i = 0; i < writes; i++) fill_line(lines + i * LINE, i);
  begin(60);
  ep = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  int listener = listen_and_tell("epoll");
  poll_for(EPOLL_CTL_ADD, listener, EPOLLIN);
  for (;;) {
    int n = epoll_wait(ep, events, 1024, -1);
    if (n < 0 && errno == EINTR) continue;
    check(n, "epoll_wait");
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      if (fd == listener)
        accept_all(listener);
      else if (conns[fd].out != NULL)
        send_rest(fd);
      else
        read_from(fd);
    }
  }
}

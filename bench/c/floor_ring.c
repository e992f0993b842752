/* The floor: the same server on a bare io_uring. Multishot poll tells that there
 * is something to read, recv takes it at once, small answers leave as one batch of
 * SEND entries, large ones are sent at once. usage: floor_ring MODE SIZE WRITES */
#include "ring.h"
#include <poll.h>

#define SMALL 1024 /* answers up to this size go through the ring */

enum tag { ACCEPT, POLL, SEND, CANCEL };

typedef struct {
  char *out;       /* what a SEND under way reads from */
  unsigned len;
  unsigned have;   /* bytes of an unfinished request */
  char open, sending, readable, polling, closing;
} conn_t;

static enum mode mode;
static int writes, top;
static ring_t ring;
static conn_t conns[MAX_FD];
static char lines[MAX_WRITES * LINE];
static char message[MESSAGE];
static char shared[READ_SIZE];

static uint64_t data_of(int fd, enum tag tag) { return (uint64_t) fd << 8 | (uint64_t) tag; }

static void accept_on(int listener) {
  struct io_uring_sqe *sqe = ring_sqe(&ring, IORING_OP_ACCEPT, listener, data_of(listener, ACCEPT));
  sqe->ioprio = IORING_ACCEPT_MULTISHOT;
  sqe->accept_flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
}

static void poll_on(int fd) {
  struct io_uring_sqe *sqe = ring_sqe(&ring, IORING_OP_POLL_ADD, fd, data_of(fd, POLL));
  sqe->poll32_events = POLLIN | POLLRDHUP;
  /* A connection of row churn lives for two events: two single polls are
   * cheaper than a lasting one and its cancellation. */
  if (mode != MODE_CHURN) sqe->len = IORING_POLL_ADD_MULTI;
  conns[fd].polling = 1;
}

static void send_on(int fd, const char *base, size_t len) {
  struct io_uring_sqe *sqe = ring_sqe(&ring, IORING_OP_SEND, fd, data_of(fd, SEND));
  sqe->addr = (uint64_t) (uintptr_t) base;
  sqe->len = (unsigned) len;
  sqe->msg_flags = MSG_WAITALL | MSG_NOSIGNAL;
  conns[fd].len = (unsigned) len;
  conns[fd].sending = 1;
}

static void send_all(int fd, const char *base, size_t len) {
  conn_t *c = &conns[fd];
  if (len > SMALL) {
    ssize_t n = send(fd, base, len, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) die("send: %s", strerror(errno));
    if (n < 0) n = 0;
    if ((size_t) n == len) return;
    base += n;
    len -= (size_t) n;
  }
  if (c->sending) die("two sends at once");
  if (c->out == NULL) c->out = xalloc(1, READ_SIZE);
  memcpy(c->out, base, len);
  send_on(fd, c->out, len);
}

static void answer(int fd, const char *base, size_t len) {
  conn_t *c = &conns[fd];
  switch (mode) {
    case MODE_COALESCE:
      for (c->have += (unsigned) len; c->have >= LINE; c->have -= LINE)
        send_all(fd, lines, (size_t) writes * LINE);
      break;
    case MODE_FANOUT:
      /* The load asks again only when everyone has the last message, so one
       * buffer serves all. */
      if (len != MESSAGE) die("fanout: %zu bytes at once", len);
      memcpy(message, base, MESSAGE);
      for (int i = 0; i <= top; i++)
        if (conns[i].open) send_on(i, message, MESSAGE);
      break;
    default:
      send_all(fd, base, len);
  }
}

static void drop(int fd) {
  conn_t *c = &conns[fd];
  if (c->polling) { /* close() does not close while the poll is armed */
    c->closing = 1;
    struct io_uring_sqe *sqe = ring_sqe(&ring, IORING_OP_ASYNC_CANCEL, -1, data_of(fd, CANCEL));
    sqe->addr = data_of(fd, POLL);
    return;
  }
  free(c->out);
  *c = (conn_t) {0};
  close(fd);
}

static void read_from(int fd) {
  conn_t *c = &conns[fd];
  for (;;) {
    if (c->closing) return;
    c->readable = (char) c->sending; /* goes on when the answer is out */
    if (c->sending) return;
    ssize_t n = recv(fd, shared, sizeof shared, 0);
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) die("recv: %s", strerror(errno));
    if (n == 0) {
      drop(fd);
      return;
    }
    answer(fd, shared, (size_t) n);
    if ((size_t) n < sizeof shared) break;
  }
  if (!c->polling) poll_on(fd);
}

static void accepted(int fd) {
  if (fd >= MAX_FD) die("fd %d is too big", fd);
  conns[fd] = (conn_t) {.open = 1};
  if (fd > top) top = fd;
  set_nodelay(fd);
  if (mode == MODE_CHURN)
    read_from(fd);
  else
    poll_on(fd);
}

static void polled(int fd, const struct io_uring_cqe *cqe) {
  conn_t *c = &conns[fd];
  if (!(cqe->flags & IORING_CQE_F_MORE)) c->polling = 0;
  if (c->closing) {
    if (!c->polling) drop(fd);
    return;
  }
  if (cqe->res < 0) die("poll: %s", strerror(-cqe->res));
  read_from(fd);
}

static void sent(int fd, int res) {
  conn_t *c = &conns[fd];
  if (res != (int) c->len) die("send: %d of %u: %s", res, c->len, res < 0 ? strerror(-res) : "short");
  c->sending = 0;
  if (c->readable) read_from(fd);
}

int main(int argc, char **argv) {
  struct io_uring_cqe cqe;
  if (argc != 4) die("usage: floor_ring MODE SIZE WRITES");
  mode = parse_mode(argv[1]);
  writes = parse_writes(mode, argv[3]);
  for (int i = 0; i < writes; i++) fill_line(lines + i * LINE, i);
  begin(60);
  ring_open(&ring, 4096);
  int listener = listen_and_tell("io_uring");
  accept_on(listener);
  for (;;) {
    ring_enter(&ring, 1);
    while (ring_next(&ring, &cqe)) {
      int fd = (int) (cqe.user_data >> 8);
      switch ((enum tag) (cqe.user_data & 0xff)) {
        case ACCEPT:
          accepted(check(cqe.res < 0 ? (errno = -cqe.res, -1) : cqe.res, "accept"));
          if (!(cqe.flags & IORING_CQE_F_MORE)) accept_on(listener);
          break;
        case POLL:
          polled(fd, &cqe);
          break;
        case SEND:
          sent(fd, cqe.res);
          break;
        case CANCEL: /* the poll may be busy: ask again until it ended */
          if (cqe.res == -EALREADY && conns[fd].closing) drop(fd);
          break;
      }
    }
  }
}

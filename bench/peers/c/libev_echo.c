/* The echo server of the bench on libev: it only tells who is ready, one buffer for all. */
#include "../../c/common.h"
#include <ev.h>

typedef struct {
  ev_io watch; /* first: the library hands it back */
  char *out;   /* bytes the kernel did not take yet, or NULL */
  size_t at, len;
} conn_t;

static char shared[READ_SIZE];

static void drop(struct ev_loop *loop, conn_t *c) {
  ev_io_stop(loop, &c->watch);
  close(c->watch.fd);
  free(c->out);
  free(c);
}

static void watch_for(struct ev_loop *loop, conn_t *c, int events) {
  ev_io_stop(loop, &c->watch);
  ev_io_set(&c->watch, c->watch.fd, events);
  ev_io_start(loop, &c->watch);
}

static void send_rest(struct ev_loop *loop, conn_t *c) {
  ssize_t n = send(c->watch.fd, c->out + c->at, c->len - c->at, MSG_NOSIGNAL);
  if (n < 0 && errno == EAGAIN) return;
  if (n < 0) {
    drop(loop, c);
    return;
  }
  c->at += (size_t) n;
  if (c->at < c->len) return;
  free(c->out);
  c->out = NULL;
  watch_for(loop, c, EV_READ);
}

static void on_io(struct ev_loop *loop, ev_io *watch, int events) {
  conn_t *c = (conn_t *) watch;
  (void) events;
  if (c->out != NULL) {
    send_rest(loop, c);
    return;
  }
  ssize_t n = recv(watch->fd, shared, sizeof shared, 0);
  if (n < 0 && errno == EAGAIN) return;
  ssize_t sent = n > 0 ? send(watch->fd, shared, (size_t) n, MSG_NOSIGNAL) : -1;
  if (n > 0 && sent < 0 && errno == EAGAIN) sent = 0;
  if (sent < 0) {
    drop(loop, c);
    return;
  }
  if (sent == n) return;
  c->len = (size_t) (n - sent);
  c->at = 0;
  c->out = xalloc(1, c->len);
  memcpy(c->out, shared + sent, c->len);
  watch_for(loop, c, EV_WRITE);
}

static void on_connection(struct ev_loop *loop, ev_io *watch, int events) {
  (void) events;
  for (;;) {
    int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno == EAGAIN) return;
    check(fd, "accept4");
    set_nodelay(fd);
    conn_t *c = xalloc(1, sizeof *c);
    ev_io_init(&c->watch, on_io, fd, EV_READ);
    ev_io_start(loop, &c->watch);
  }
}

int main(void) {
  begin(90);
  struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL);
  if (loop == NULL) die("ev_default_loop");
  printf("library libev epoll\n");
  ev_io accepting;
  ev_io_init(&accepting, on_connection, listen_and_tell("epoll"), EV_READ);
  ev_io_start(loop, &accepting);
  ev_run(loop, 0);
  return 0;
}

/* The echo server of the bench on libevent: bufferevents, one thread. */
#include "../../c/common.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

static struct event_base *base;

static void on_read(struct bufferevent *bev, void *arg) {
  (void) arg;
  /* Moves what came, without a copy. */
  if (bufferevent_write_buffer(bev, bufferevent_get_input(bev)) != 0) die("write");
}

static void on_event(struct bufferevent *bev, short what, void *arg) {
  (void) arg;
  if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) bufferevent_free(bev);
}

static void on_connection(evutil_socket_t listener, short what, void *arg) {
  (void) what;
  (void) arg;
  for (;;) {
    int fd = accept4((int) listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno == EAGAIN) return;
    check(fd, "accept4");
    set_nodelay(fd);
    struct bufferevent *bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL) die("bufferevent_socket_new");
    bufferevent_setcb(bev, on_read, NULL, on_event, NULL);
    bufferevent_set_max_single_read(bev, READ_SIZE);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
  }
}

int main(void) {
  begin(90);
  base = event_base_new();
  if (base == NULL) die("event_base_new");
  const char *method = event_base_get_method(base);
  printf("library libevent %s\n", method);
  int fd = listen_and_tell(method);
  struct event *accepting = event_new(base, fd, EV_READ | EV_PERSIST, on_connection, NULL);
  if (accepting == NULL || event_add(accepting, NULL) != 0) die("event_add");
  return event_base_dispatch(base);
}

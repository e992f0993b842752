/* Streams of which half is over: who keeps the loop alive, and who is told
 * what. */
#include "check.h"

static int reads, connects, closes;

static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  static char bytes[65536];

  (void) h;
  (void) size;
  *buf = uv_buf_init(bytes, sizeof(bytes));
}
static void on_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf) {
  (void) s;
  (void) buf;
  reads += nread > 0;
}
static void on_write(uv_write_t *req, int status) {
  printf("write: %s\n", status == 0 ? "0" : uv_err_name(status));
  SHOW(uv_is_active(H(req->handle)));
}
static void on_connect(uv_connect_t *req, int status) {
  printf("connect: %s\n", status == 0 ? "0" : uv_err_name(status));
  SHOW(uv_is_active(H(req->handle)));
  connects++;
}
static void on_close(uv_handle_t *h) {
  (void) h;
  closes++;
}
static void on_connection(uv_stream_t *s, int status) {
  (void) s;
  (void) status;
}

static void drain(uv_timer_t *t) {
  static char bytes[1 << 20];
  int fd = *(int *) t->data;

  while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
    ;
}
static void drain_until(uv_write_t *req, int status) {
  on_write(req, status);
  uv_timer_stop(req->data);
}

/* It reads and writes more than there is room for; it stops to read while the
 * rest waits. When all is written nothing holds the loop, though the handle is
 * open. */
static void stopped_while_writing(uv_loop_t *loop) {
  static uv_tcp_t tcp;
  static uv_pipe_t pipe;
  static uv_write_t req;
  static uv_timer_t timer;
  static char big[8 << 20];
  uv_buf_t buf = uv_buf_init(big, sizeof(big));
  int fds[2], kind;
  uv_stream_t *s;

  for (kind = 0; kind < 2; kind++) {
    if (kind == 0) {
      check_tcp_pair(fds);
      NEED(uv_tcp_init(loop, &tcp));
      NEED(uv_tcp_open(&tcp, fds[0]));
      s = S(&tcp);
    } else {
      NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
      NEED(uv_pipe_init(loop, &pipe, 0));
      NEED(uv_pipe_open(&pipe, fds[0]));
      s = S(&pipe);
    }
    NEED(uv_timer_init(loop, &timer));
    timer.data = &fds[1];
    req.data = &timer;
    NEED(uv_read_start(s, on_alloc, on_read));
    NEED(uv_write(&req, s, &buf, 1, drain_until));
    SHOW(uv_is_active(H(s)));
    uv_run(loop, UV_RUN_NOWAIT);
    NEED(uv_read_stop(s));
    SHOW(uv_is_active(H(s)));
    NEED(uv_timer_start(&timer, drain, 1, 1));
    SHOW(uv_run(loop, UV_RUN_DEFAULT));
    SHOW(uv_is_active(H(s)));
    SHOW(uv_loop_alive(loop));
    SHOW(uv_stream_get_write_queue_size(s) == 0);
    /* And reading again is reading. */
    NEED(uv_read_start(s, on_alloc, on_read));
    SHOW(uv_is_active(H(s)));
    NEED(send(fds[1], "x", 1, 0));
    reads = 0;
    check_run_until(loop, &reads, 1, 20);
    SHOW(reads);
    uv_close(H(s), on_close);
    uv_close(H(&timer), on_close);
    uv_run(loop, UV_RUN_DEFAULT);
    SHOW(closes);
    close(fds[1]);
  }
}

/* It stops to read, which it never did, while it waits for the connection. */
static void stopped_while_connecting(uv_loop_t *loop) {
  static uv_tcp_t server, client;
  static uv_connect_t req;
  struct sockaddr_in address;
  int len = sizeof(address);

  NEED(uv_ip4_addr("127.0.0.1", 0, &address));
  NEED(uv_tcp_init(loop, &server));
  NEED(uv_tcp_bind(&server, A(&address), 0));
  NEED(uv_tcp_getsockname(&server, A(&address), &len));
  NEED(uv_listen(S(&server), 4, on_connection));
  uv_unref(H(&server));
  NEED(uv_tcp_init(loop, &client));
  NEED(uv_tcp_connect(&req, &client, A(&address), on_connect));
  SHOW(uv_is_active(H(&client)));
  SHOW(uv_read_stop(S(&client)));
  SHOW(uv_is_active(H(&client)));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(connects);
  SHOW(uv_is_active(H(&client)));
  SHOW(uv_loop_alive(loop));
  uv_close(H(&client), on_close);
  uv_close(H(&server), on_close);
  uv_run(loop, UV_RUN_DEFAULT);
  SHOW(closes);
}

/* The kernel has accepted the connection, and the listener goes before the
 * loop tells of it. */
static void listener_gone(uv_loop_t *loop) {
  static uv_pipe_t server, client;
  static uv_connect_t req;
  static uv_write_t write;
  uv_buf_t buf = uv_buf_init("x", 1);
  char name[64];
  size_t len;
  int kind;

  /* An abstract name of this process: others run beside it. */
  name[0] = '\0';
  len = 1 + (size_t) snprintf(name + 1, sizeof(name) - 1, "settled-%d",
                              (int) getpid());
  for (kind = 0; kind < 2; kind++) {
    SHOW(kind);
    connects = 0;
    NEED(uv_pipe_init(loop, &server, 0));
    NEED(uv_pipe_bind2(&server, name, len, 0));
    NEED(uv_listen(S(&server), 4, on_connection));
    NEED(uv_pipe_init(loop, &client, 0));
    SHOW(uv_pipe_connect2(&req, &client, name, len, 0, on_connect));
    uv_close(H(&server), on_close);
    if (kind == 1) {
      SHOW(uv_write(&write, S(&client), &buf, 1, on_write));
    }
    check_run_until(loop, &connects, 1, 20);
    uv_close(H(&client), on_close);
    uv_run(loop, UV_RUN_DEFAULT);
    SHOW(closes);
  }
}

/* Without a name: uv_pipe_connect has only its callback to tell. */
static void no_name(uv_loop_t *loop) {
  static uv_pipe_t pipes[2];
  static uv_connect_t reqs[2];

  NEED(uv_pipe_init(loop, &pipes[0], 0));
  NEED(uv_pipe_init(loop, &pipes[1], 0));
  SHOW(uv_pipe_connect2(&reqs[0], &pipes[0], "", 0, 0, on_connect));
  SHOW(uv_loop_alive(loop));
  uv_pipe_connect(&reqs[1], &pipes[1], "", on_connect);
  check_run_until(loop, &connects, 1, 20);
  SHOW(connects);
  uv_close(H(&pipes[0]), on_close);
  uv_close(H(&pipes[1]), on_close);
  uv_run(loop, UV_RUN_DEFAULT);
  SHOW(closes);
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"stopped_while_writing", stopped_while_writing},
      {"stopped_while_connecting", stopped_while_connecting},
      {"listener_gone", listener_gone},
      {"no_name", no_name},
      {NULL, NULL}};

  return check_main(argc, argv, table);
}

/* Each allocation fails in turn: streams, pipes, UDP, passed descriptors. */
#include "nomem.h"

#include <sys/un.h>
#include <uvring.h>

static int outcome, calls;

static void on_connect(uv_connect_t *req, int status) {
  (void) req;
  outcome = status;
  calls++;
}

static void on_write(uv_write_t *req, int status) {
  (void) req;
  outcome = status;
  calls++;
}

static void on_shutdown(uv_shutdown_t *req, int status) {
  (void) req;
  outcome = status;
  calls++;
}

static char space[65536];

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  (void) handle;
  (void) size;
  *buf = uv_buf_init(space, sizeof(space));
}

static ssize_t got;

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf) {
  (void) buf;
  if (nread > 0)
    got += nread;
  if (nread < 0)
    uv_read_stop(stream);
}

static void run_calls(uv_loop_t *loop, int code) {
  int before = calls;

  if (code != 0)
    return;
  while (calls == before)
    uv_run(loop, UV_RUN_ONCE);
}

/* The result of a request: that of its call, or else of its callback. */
static int ended(uv_loop_t *loop, int code) {
  run_calls(loop, code);
  return code != 0 ? code : outcome;
}

/* ---- TCP -------------------------------------------------------------- */

static uv_tcp_t server, client, peer;

static void on_connection(uv_stream_t *stream, int status) {
  (void) stream;
  SHOW(status);
  calls++;
}

static void tcp_server(uv_loop_t *loop) {
  struct sockaddr_in address = check_local(0);
  int len = sizeof(address), fd;

  TRY(uv_tcp_init(loop, &server));
  TRY(uv_tcp_bind(&server, A(&address), 0));
  TRY(uv_listen(S(&server), 8, on_connection));
  NEED(uv_tcp_getsockname(&server, A(&address), &len));
  fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  NEED(connect(fd, A(&address), sizeof(address)));
  run_calls(loop, 0);
  TRY(uv_tcp_init(loop, &peer));
  TRY(uv_accept(S(&server), S(&peer)));
  TRY(uv_read_start(S(&peer), on_alloc, on_read));
  NEED(send(fd, "x", 1, 0));
  while (got == 0)
    uv_run(loop, UV_RUN_ONCE);
  close(fd);
}

static void tcp_client(uv_loop_t *loop) {
  static uv_connect_t req;
  struct sockaddr_in address = check_local(0);
  socklen_t len = sizeof(address);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  NEED(bind(fd, A(&address), len));
  NEED(listen(fd, 8));
  NEED(getsockname(fd, A(&address), &len));
  NEED(uv_tcp_init(loop, &client));
  TRY(uv_tcp_connect(&req, &client, A(&address), on_connect));
  run_calls(loop, 0);
  SHOW(outcome);
  close(fd);
}

/* The first thing that the loop hears of the stream is its reading. */
static void tcp_read(uv_loop_t *loop) {
  int fds[2];

  check_tcp_pair(fds);
  TRY(uv_tcp_init(loop, &client));
  TRY(uv_tcp_open(&client, fds[0]));
  TRY(uv_read_start(S(&client), on_alloc, on_read));
  NEED(send(fds[1], "x", 1, 0));
  while (got == 0)
    uv_run(loop, UV_RUN_ONCE);
  close(fds[1]);
}

/* ---- writes ----------------------------------------------------------- */

static uv_buf_t many[10];

static void fill_many(void) {
  int i;

  for (i = 0; i < 10; i++)
    many[i] = uv_buf_init(space, 3);
}

static void writes(uv_loop_t *loop) {
  static uv_write_t req;
  static uv_shutdown_t end;
  int fds[2];

  fill_many();
  check_tcp_pair(fds);
  NEED(uv_tcp_init(loop, &client));
  NEED(uv_tcp_open(&client, fds[0]));
  TRY(uv_try_write(S(&client), many, 10));
  TRY_AS(ended(loop, uv_write(&req, S(&client), many, 10, on_write)),
         UV_ENOMEM, (void) 0);
  SHOW(uv_stream_get_write_queue_size(S(&client)));
  TRY(ended(loop, uv_write(&req, S(&client), many, 2, on_write)));
  TRY(ended(loop, uv_shutdown(&end, S(&client), on_shutdown)));
  SHOW(recv(fds[1], space, sizeof(space), 0));
  close(fds[1]);
}

/* The socket is full, so the loop has to watch it for the first time. */
static void full(uv_loop_t *loop) {
  static uv_write_t req;
  static uv_buf_t one;
  int fds[2], code;

  check_tcp_pair(fds);
  NEED(uv_tcp_init(loop, &client));
  NEED(uv_tcp_open(&client, fds[0]));
  one = uv_buf_init(space, sizeof(space));
  while (uv_try_write(S(&client), &one, 1) > 0)
    continue;
  calls = 0;
  heap_arm(1, 1);
  code = uv_write(&req, S(&client), &one, 1, on_write);
  uv_run(loop, UV_RUN_NOWAIT);
  heap_disarm();
  if (code == 0 && calls == 1)
    code = outcome;
  printf("try uv_write into a full socket: %d points\n", heap.hits);
  SHOW(heap.hits == 0 || code == UV_ENOMEM || calls == 0);
  SHOW(uv_stream_get_write_queue_size(S(&client)) ==
       (calls == 0 && code == 0 ? sizeof(space) : 0));
  close(fds[1]);
  uv_close(H(&client), NULL);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(calls == (code == 0 || calls == 1));
}

/* ---- pipes ------------------------------------------------------------ */

static void pipes(uv_loop_t *loop) {
  static uv_pipe_t listener, first, second, third;
  static uv_connect_t req;
  char name[64];

  snprintf(name, sizeof(name), P_tmpdir "/uvring-nomem-%d", (int) getpid());
  TRY(uv_pipe_init(loop, &listener, 0));
  TRY(uv_pipe_bind2(&listener, name, strlen(name), 0));
  TRY(uv_listen(S(&listener), 8, on_connection));
  NEED(uv_pipe_init(loop, &first, 0));
  TRY((uv_pipe_connect(&req, &first, name, on_connect), ended(loop, 0)));
  NEED(uv_pipe_init(loop, &second, 0));
  TRY(ended(loop, uv_pipe_connect2(&req, &second, name, strlen(name), 0,
                                   on_connect)));
  NEED(uv_pipe_init(loop, &third, 0));
  TRY(uv_accept(S(&listener), S(&third)));
  TRY(uv_read_start(S(&third), on_alloc, on_read));
  TRY(uv_read_start(S(&first), on_alloc, on_read));
  uv_close(H(&listener), NULL);
  uv_run(loop, UV_RUN_NOWAIT);
  SHOW(access(name, F_OK) == 0);
}

static void pipe_bind(uv_loop_t *loop) {
  static uv_pipe_t listener;
  char name[64];

  snprintf(name, sizeof(name), P_tmpdir "/uvring-nomem-%d", (int) getpid());
  NEED(uv_pipe_init(loop, &listener, 0));
  TRY(uv_pipe_bind(&listener, name));
  TRY(uv_pipe_chmod(&listener, UV_READABLE));
}

static void pipe_connect(uv_loop_t *loop) {
  static uv_pipe_t p;
  static uv_connect_t req;
  struct sockaddr_un address = {0};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  address.sun_family = AF_UNIX;
  snprintf(address.sun_path, sizeof(address.sun_path),
           P_tmpdir "/uvring-nomem-%d", (int) getpid());
  NEED(bind(fd, A(&address), sizeof(address)));
  NEED(listen(fd, 8));
  NEED(uv_pipe_init(loop, &p, 0));
  TRY(ended(loop, uv_pipe_connect2(&req, &p, address.sun_path,
                                   strlen(address.sun_path), 0, on_connect)));
  close(fd);
  unlink(address.sun_path);
}

/* Descriptors arrive and there is no memory to keep them: the reader hears of
 * it, and none stays open. */
static void on_ipc(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf) {
  (void) buf;
  if (nread == 0)
    return;
  outcome = nread < 0 ? (int) nread : 0;
  calls++;
  if (nread < 0)
    uv_read_stop(stream);
}

static void pass(int fd, int passed) {
  char control[CMSG_SPACE(5 * sizeof(int))] = {0}, byte = 'x';
  struct iovec vec = {&byte, 1};
  struct msghdr msg = {0};
  struct cmsghdr *head;
  int i;

  msg.msg_iov = &vec;
  msg.msg_iovlen = 1;
  msg.msg_control = control;
  msg.msg_controllen = sizeof(control);
  head = CMSG_FIRSTHDR(&msg);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(5 * sizeof(int));
  for (i = 0; i < 5; i++)
    memcpy(CMSG_DATA(head) + i * sizeof(int), &passed, sizeof(int));
  NEED(sendmsg(fd, &msg, 0));
}

static void rights(uv_loop_t *loop) {
  static uv_pipe_t p;
  int fds[2], failing;

  for (failing = 1; failing >= 0; failing--) {
    NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    NEED(uv_pipe_init(loop, &p, 1));
    NEED(uv_pipe_open(&p, fds[0]));
    NEED(uv_read_start(S(&p), on_alloc, on_ipc));
    pass(fds[1], fds[1]);
    if (failing)
      heap_arm(1, 1);
    run_calls(loop, 0);
    heap_disarm();
    SHOW(heap.hits);
    SHOW(outcome);
    SHOW(uv_pipe_pending_count(&p));
    uv_close(H(&p), NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    close(fds[1]);
    heap.hits = 0;
  }
}

/* A handle goes along with many buffers. */
static void write2(uv_loop_t *loop) {
  static uv_pipe_t p;
  static uv_tcp_t sent;
  static uv_write_t req;
  int fds[2];

  fill_many();
  NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
  NEED(uv_pipe_init(loop, &p, 1));
  NEED(uv_pipe_open(&p, fds[0]));
  NEED(uv_tcp_init_ex(loop, &sent, AF_INET));
  TRY(uv_try_write2(S(&p), many, 10, S(&sent)));
  TRY(ended(loop,
            uv_write2(&req, S(&p), many, 10, S(&sent), on_write)));
  close(fds[1]);
}

/* ---- UDP -------------------------------------------------------------- */

static void on_sent(uv_udp_send_t *req, int status) {
  (void) req;
  outcome = status;
  calls++;
}

static void on_datagram(uv_udp_t *udp, ssize_t nread, const uv_buf_t *buf,
                        const struct sockaddr *from, unsigned flags) {
  (void) buf;
  (void) flags;
  if (from == NULL)
    return;
  SHOW(nread);
  uv_udp_recv_stop(udp);
}

static void udps(uv_loop_t *loop) {
  static uv_udp_t u;
  static uv_udp_send_t req;
  struct sockaddr_in address = check_local(0);
  int len = sizeof(address);

  fill_many();
  TRY(uv_udp_init(loop, &u));
  TRY(uv_udp_bind(&u, A(&address), 0));
  NEED(uv_udp_getsockname(&u, A(&address), &len));
  TRY(uv_udp_recv_start(&u, on_alloc, on_datagram));
  TRY(uv_udp_try_send(&u, many, 10, A(&address)));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  TRY(ended(loop, uv_udp_send(&req, &u, many, 10, A(&address), on_sent)));
  TRY(ended(loop, uvring_udp_send2(&req, &u, many, 10, A(&address), NULL,
                                   on_sent)));
  SHOW(uv_udp_get_send_queue_size(&u));
  SHOW(uv_udp_get_send_queue_count(&u));
}

int main(int argc, char **argv) {
  static const struct scene table[] = {
      {"tcp_server", tcp_server},
      {"tcp_client", tcp_client},
      {"tcp_read", tcp_read},
      {"writes", writes},
      {"full", full},
      {"pipes", pipes},
      {"pipe_bind", pipe_bind},
      {"pipe_connect", pipe_connect},
      {"rights", rights},
      {"write2", write2},
      {"udps", udps},
      {NULL, NULL}};

  return nomem_main(argc, argv, table);
}

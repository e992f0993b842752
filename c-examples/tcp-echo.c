/* tcp-echo: a server that sends back what it is sent.
 *
 *   tcp-echo [PORT]       serve on 127.0.0.1:PORT (default 7000) until killed
 *   tcp-echo --self-test  serve one client of our own, check the echo, end
 *
 * What it shows: a listener, accepting, reading with back-pressure, writing,
 * and who owns which memory until when.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define CHECK(rc)                                                              \
  do {                                                                         \
    int check_rc = (rc);                                                       \
    if (check_rc < 0) {                                                        \
      fprintf(stderr, "%s: %s\n", #rc, uv_strerror(check_rc));                 \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)

/* ---- the server ------------------------------------------------------- */

/* One connection. It reads, writes what it read, and reads again only when
 * that is written: a client that does not take its echo is not read either. */
struct peer {
  uv_tcp_t tcp;
  uv_write_t write;
  char bytes[4096];
};

static uv_tcp_t listener;
static int one_client_only;

static void on_peer_closed(uv_handle_t *handle) {
  free(handle->data); /* only now is the library done with the handle */
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  struct peer *peer = handle->data;

  (void) suggested; /* a hint, we may lend less */
  *buf = uv_buf_init(peer->bytes, sizeof(peer->bytes));
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);

static void on_written(uv_write_t *req, int status) {
  uv_stream_t *stream = req->handle;

  if (status < 0 || uv_read_start(stream, on_alloc, on_read) < 0)
    if (!uv_is_closing((uv_handle_t *) stream))
      uv_close((uv_handle_t *) stream, on_peer_closed);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf) {
  struct peer *peer = stream->data;
  uv_buf_t echo;

  if (nread == 0)
    return; /* nothing to read after all; it is not the end */
  if (nread < 0) { /* UV_EOF: the client is done; else the connection broke */
    uv_close((uv_handle_t *) stream, on_peer_closed);
    return;
  }
  uv_read_stop(stream);
  echo = uv_buf_init(buf->base, (unsigned) nread);
  /* The list of buffers is copied; the bytes must stay until on_written. */
  if (uv_write(&peer->write, stream, &echo, 1, on_written) < 0)
    uv_close((uv_handle_t *) stream, on_peer_closed);
}

static void on_connection(uv_stream_t *server, int status) {
  struct peer *peer;

  if (status < 0)
    return;
  peer = malloc(sizeof(*peer));
  if (peer == NULL)
    return;
  uv_tcp_init(server->loop, &peer->tcp);
  peer->tcp.data = peer;
  if (uv_accept(server, (uv_stream_t *) &peer->tcp) < 0 ||
      uv_read_start((uv_stream_t *) &peer->tcp, on_alloc, on_read) < 0)
    uv_close((uv_handle_t *) &peer->tcp, on_peer_closed);
  if (one_client_only)
    uv_close((uv_handle_t *) server, NULL);
}

/* ---- the client of --self-test ---------------------------------------- */

#define TEST_BYTES 100000

static struct {
  uv_tcp_t tcp;
  uv_connect_t connect;
  uv_write_t write;
  uv_shutdown_t shutdown;
  char sent[TEST_BYTES];
  char got[TEST_BYTES];
  size_t got_len;
} client;

static void client_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  (void) handle;
  (void) suggested;
  *buf = uv_buf_init(client.got + client.got_len,
                     (unsigned) (TEST_BYTES - client.got_len));
}

static void client_shut_down(uv_shutdown_t *req, int status) {
  CHECK(status);
  uv_close((uv_handle_t *) req->handle, NULL);
}

static void client_read(uv_stream_t *stream, ssize_t nread,
                        const uv_buf_t *buf) {
  (void) buf;
  CHECK((int) nread);
  client.got_len += (size_t) nread;
  if (client.got_len == TEST_BYTES) {
    uv_read_stop(stream);
    CHECK(uv_shutdown(&client.shutdown, stream, client_shut_down));
  }
}

static void client_written(uv_write_t *req, int status) {
  (void) req;
  CHECK(status);
}

static void client_connected(uv_connect_t *req, int status) {
  uv_buf_t buf = uv_buf_init(client.sent, TEST_BYTES);

  CHECK(status);
  CHECK(uv_read_start(req->handle, client_alloc, client_read));
  CHECK(uv_write(&client.write, req->handle, &buf, 1, client_written));
}

static void start_client(uv_loop_t *loop) {
  struct sockaddr_in address;
  int len = sizeof(address), i;

  for (i = 0; i < TEST_BYTES; i++)
    client.sent[i] = (char) (i * 31 + i / 256);
  CHECK(uv_tcp_getsockname(&listener, (struct sockaddr *) &address, &len));
  CHECK(uv_tcp_init(loop, &client.tcp));
  CHECK(uv_tcp_connect(&client.connect, &client.tcp,
                       (struct sockaddr *) &address, client_connected));
}

int main(int argc, char **argv) {
  uv_loop_t *loop = uv_default_loop();
  struct sockaddr_in address;
  int port = argc > 1 ? atoi(argv[1]) : 7000;

  one_client_only = argc > 1 && strcmp(argv[1], "--self-test") == 0;
  CHECK(uv_ip4_addr("127.0.0.1", one_client_only ? 0 : port, &address));
  CHECK(uv_tcp_init(loop, &listener));
  CHECK(uv_tcp_bind(&listener, (struct sockaddr *) &address, 0));
  CHECK(uv_listen((uv_stream_t *) &listener, 128, on_connection));
  if (one_client_only)
    start_client(loop);
  else
    printf("echo on 127.0.0.1:%d\n", port);

  uv_run(loop, UV_RUN_DEFAULT); /* until no handle is left to wait for */

  CHECK(uv_loop_close(loop));
  if (memcmp(client.sent, client.got, TEST_BYTES) != 0) {
    fprintf(stderr, "the echo differs\n");
    return 1;
  }
  printf("tcp-echo: ok, %zu bytes echoed\n", client.got_len);
  return 0;
}

/* udp-echo: sends every datagram back to where it came from.
 *
 *   udp-echo [PORT]       serve on 127.0.0.1:PORT (default 7000, 0: any free
 *                         one) until SIGINT or SIGTERM
 *   udp-echo --self-test  echo to a client of our own, check, end
 *
 * What it shows: receiving, telling "nothing there" from an empty datagram,
 * sending at once when the socket takes it and in the background when not.
 */
#include <signal.h>
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

/* An answer that has to wait for the socket, with its own copy of the bytes:
 * the receive buffer is needed for the next datagram. */
struct answer {
  uv_udp_send_t send;
  char bytes[]; /* C99's flexible array: as long as it has to be */
};

static uv_udp_t server;
static uv_signal_t interrupt, terminate;
static unsigned long echoed, dropped;

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  /* One buffer will do: each datagram is echoed before the next is read. It is
   * as large as a datagram can be; of a longer one the rest would be lost. */
  static char bytes[65536];

  (void) handle;
  (void) suggested;
  *buf = uv_buf_init(bytes, sizeof(bytes));
}

static void on_answered(uv_udp_send_t *req, int status) {
  if (status < 0)
    dropped++;
  else
    echoed++;
  free(req->data);
}

static void answer_later(uv_udp_t *udp, uv_buf_t buf,
                         const struct sockaddr *peer) {
  struct answer *answer = malloc(sizeof(*answer) + buf.len);

  /* Datagrams may get lost anyway; clients of UDP must live with it. */
  if (answer == NULL ||
      uv_udp_get_send_queue_size(udp) > 1024 * 1024) {
    free(answer);
    dropped++;
    return;
  }
  memcpy(answer->bytes, buf.base, buf.len);
  buf.base = answer->bytes;
  answer->send.data = answer;
  if (uv_udp_send(&answer->send, udp, &buf, 1, peer, on_answered) < 0) {
    free(answer);
    dropped++;
  }
}

static void on_recv(uv_udp_t *udp, ssize_t nread, const uv_buf_t *buf,
                    const struct sockaddr *peer, unsigned flags) {
  uv_buf_t echo;
  int rc;

  (void) flags;
  if (nread < 0) {
    /* Such as a peer's "port unreachable": the socket itself is well. */
    fprintf(stderr, "udp-echo: %s\n", uv_strerror((int) nread));
    return;
  }
  if (peer == NULL)
    return; /* nothing more to read; an empty datagram has a peer */
  echo = uv_buf_init(buf->base, (unsigned) nread);
  rc = uv_udp_try_send(udp, &echo, 1, peer);
  if (rc == UV_EAGAIN)
    answer_later(udp, echo, peer);
  else if (rc < 0)
    dropped++;
  else
    echoed++;
}

static void stop(void) {
  uv_close((uv_handle_t *) &server, NULL);
  uv_close((uv_handle_t *) &interrupt, NULL);
  uv_close((uv_handle_t *) &terminate, NULL);
}

static void on_signal(uv_signal_t *signal, int signum) {
  (void) signal;
  (void) signum;
  stop();
}

/* ---- the client of --self-test ---------------------------------------- */

static const unsigned sizes[] = {1, 0, 1472, 9000, 65507};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static uv_udp_t client;
static uv_udp_send_t client_send;
static char sent[65507];
static size_t at; /* which of the sizes is under way */

static void send_next(void);

static void client_sent(uv_udp_send_t *req, int status) {
  (void) req;
  CHECK(status);
}

static void client_recv(uv_udp_t *udp, ssize_t nread, const uv_buf_t *buf,
                        const struct sockaddr *peer, unsigned flags) {
  (void) flags;
  CHECK((int) nread);
  if (peer == NULL)
    return;
  if ((size_t) nread != sizes[at] ||
      memcmp(buf->base, sent, (size_t) nread) != 0) {
    fprintf(stderr, "the echo of %u bytes differs\n", sizes[at]);
    exit(1);
  }
  if (++at < SIZES) {
    send_next();
  } else {
    uv_close((uv_handle_t *) udp, NULL);
    stop();
  }
}

static void send_next(void) {
  uv_buf_t buf = uv_buf_init(sent, sizes[at]);

  /* The socket is connected: no address, and nobody else is heard. */
  CHECK(uv_udp_send(&client_send, &client, &buf, 1, NULL, client_sent));
}

static void start_client(uv_loop_t *loop, const struct sockaddr *address) {
  size_t i;

  for (i = 0; i < sizeof(sent); i++)
    sent[i] = (char) (i * 31 + i / 256);
  CHECK(uv_udp_init(loop, &client));
  CHECK(uv_udp_connect(&client, address));
  CHECK(uv_udp_recv_start(&client, on_alloc, client_recv));
  send_next();
}

int main(int argc, char **argv) {
  uv_loop_t loop;
  struct sockaddr_in address;
  int len = sizeof(address);
  int self_test = argc == 2 && strcmp(argv[1], "--self-test") == 0;

  if (argc > 2) {
    fprintf(stderr, "usage: %s [PORT | --self-test]\n", argv[0]);
    return 2;
  }
  CHECK(uv_loop_init(&loop));
  CHECK(uv_signal_init(&loop, &interrupt));
  CHECK(uv_signal_init(&loop, &terminate));
  CHECK(uv_signal_start(&interrupt, on_signal, SIGINT));
  CHECK(uv_signal_start(&terminate, on_signal, SIGTERM));
  CHECK(uv_ip4_addr("127.0.0.1",
                    self_test ? 0 : argc == 2 ? atoi(argv[1]) : 7000,
                    &address));
  CHECK(uv_udp_init(&loop, &server));
  CHECK(uv_udp_bind(&server, (struct sockaddr *) &address, 0));
  CHECK(uv_udp_recv_start(&server, on_alloc, on_recv));
  CHECK(uv_udp_getsockname(&server, (struct sockaddr *) &address, &len));
  if (self_test)
    start_client(&loop, (struct sockaddr *) &address);
  else
    printf("echo on 127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);

  CHECK(uv_run(&loop, UV_RUN_DEFAULT));
  CHECK(uv_loop_close(&loop));
  printf("udp-echo: ok, %lu echoed, %lu dropped\n", echoed, dropped);
  return 0;
}

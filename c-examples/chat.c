/* chat: what one client says, all others hear.
 *
 *   chat SOCKET PORT    listen on the unix socket SOCKET and on 127.0.0.1:PORT
 *                       (0: any free port); ends with SIGINT or SIGTERM
 *
 * What it shows: one code for two kinds of streams, lines out of a stream of
 * bytes, one message in memory for many writes, and what to do about a client
 * that does not take what it is sent.
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

#define LINE_MAX_BYTES 512
#define UNREAD_MAX_BYTES (1024 * 1024)

struct client {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } u;
  struct client *next, *prev;
  unsigned number;
  size_t len; /* bytes of `line` that are here already */
  char line[LINE_MAX_BYTES];
};

/* In memory once, however many clients it goes to. */
struct message {
  unsigned writes; /* that still need it */
  size_t len;
  char text[LINE_MAX_BYTES + 32];
};

/* A write needs its request, and the bytes, until its callback. */
struct delivery {
  uv_write_t write;
  struct message *message;
};

static struct client *clients;
static unsigned last_number;

static void say(const struct client *from, const char *text, int len);

/* ---- the end of a client ---------------------------------------------- */

static void on_client_closed(uv_handle_t *handle) {
  struct client *client = handle->data;

  say(client, "left\n", 5);
  free(client);
}

/* It is off the list at once, so nothing is sent to it any more. That it left
 * is said later, in the callback: `say` may be walking the list right now. */
static void drop(struct client *client) {
  if (client->prev != NULL)
    client->prev->next = client->next;
  else
    clients = client->next;
  if (client->next != NULL)
    client->next->prev = client->prev;
  uv_close(&client->u.handle, on_client_closed);
}

/* ---- saying ----------------------------------------------------------- */

static void release(struct message *message) {
  if (--message->writes == 0)
    free(message);
}

static void on_written(uv_write_t *req, int status) {
  struct delivery *delivery = (struct delivery *) req;

  (void) status; /* a broken connection shows itself in on_read */
  release(delivery->message);
  free(delivery);
}

static int deliver(struct client *client, struct message *message) {
  struct delivery *delivery = malloc(sizeof(*delivery));
  uv_buf_t buf = uv_buf_init(message->text, (unsigned) message->len);
  int rc;

  if (delivery == NULL)
    return UV_ENOMEM;
  delivery->message = message;
  rc = uv_write(&delivery->write, &client->u.stream, &buf, 1, on_written);
  if (rc < 0)
    free(delivery); /* the callback will not come */
  else
    message->writes++;
  return rc;
}

static void say(const struct client *from, const char *text, int len) {
  struct message *message = malloc(sizeof(*message));
  struct client *to, *next;

  if (message == NULL)
    return;
  message->writes = 1; /* ours, while we walk */
  message->len = (size_t) snprintf(message->text, sizeof(message->text),
                                   "%u: %.*s", from->number, len, text);
  for (to = clients; to != NULL; to = next) {
    next = to->next; /* `to` may be dropped */
    if (to == from)
      continue;
    /* What a client does not read waits in our memory, so there is an end. */
    if (uv_stream_get_write_queue_size(&to->u.stream) > UNREAD_MAX_BYTES ||
        deliver(to, message) < 0)
      drop(to);
  }
  release(message);
}

/* ---- listening -------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  struct client *client = handle->data;

  (void) suggested;
  *buf = uv_buf_init(client->line + client->len,
                     (unsigned) (LINE_MAX_BYTES - client->len));
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf) {
  struct client *client = stream->data;
  char *from, *end;

  (void) buf;
  if (nread < 0) {
    drop(client);
    return;
  }
  client->len += (size_t) nread;
  from = client->line;
  while ((end = memchr(from, '\n', client->len)) != NULL) {
    end++;
    say(client, from, (int) (end - from));
    client->len -= (size_t) (end - from);
    from = end;
  }
  memmove(client->line, from, client->len);
  if (client->len == LINE_MAX_BYTES) { /* too long for one: say it in two */
    client->line[LINE_MAX_BYTES - 1] = '\n';
    say(client, client->line, LINE_MAX_BYTES);
    client->len = 0;
  }
}

static void on_connection(uv_stream_t *listener, int status) {
  struct client *client;

  if (status < 0)
    return; /* it concerns one client only */
  client = malloc(sizeof(*client));
  if (client == NULL)
    return;
  if (listener->type == UV_TCP)
    CHECK(uv_tcp_init(listener->loop, &client->u.tcp));
  else
    CHECK(uv_pipe_init(listener->loop, &client->u.pipe, 0));
  client->u.handle.data = client;
  client->number = ++last_number;
  client->len = 0;
  client->prev = NULL;
  client->next = clients;
  if (clients != NULL)
    clients->prev = client;
  clients = client;

  if (uv_accept(listener, &client->u.stream) < 0 ||
      uv_read_start(&client->u.stream, on_alloc, on_read) < 0)
    drop(client);
  else
    say(client, "came\n", 5);
}

/* ---- the server ------------------------------------------------------- */

static void on_signal(uv_signal_t *signal, int signum) {
  uv_handle_t **handles = signal->data;

  (void) signum;
  while (clients != NULL)
    drop(clients);
  for (; *handles != NULL; handles++)
    uv_close(*handles, NULL);
}

int main(int argc, char **argv) {
  uv_loop_t loop;
  uv_pipe_t local;
  uv_tcp_t tcp;
  uv_signal_t interrupt, terminate;
  uv_handle_t *handles[] = {(uv_handle_t *) &local, (uv_handle_t *) &tcp,
                            (uv_handle_t *) &interrupt,
                            (uv_handle_t *) &terminate, NULL};
  struct sockaddr_in address;
  int len = sizeof(address);

  if (argc != 3) {
    fprintf(stderr, "usage: %s SOCKET PORT\n", argv[0]);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN); /* a client that left is an error code, no more */
  CHECK(uv_loop_init(&loop));
  interrupt.data = terminate.data = handles;
  CHECK(uv_signal_init(&loop, &interrupt));
  CHECK(uv_signal_init(&loop, &terminate));
  CHECK(uv_signal_start(&interrupt, on_signal, SIGINT));
  CHECK(uv_signal_start(&terminate, on_signal, SIGTERM));

  /* The name in the file system goes with the handle, at uv_close. */
  CHECK(uv_pipe_init(&loop, &local, 0));
  CHECK(uv_pipe_bind2(&local, argv[1], strlen(argv[1]), UV_PIPE_NO_TRUNCATE));
  CHECK(uv_listen((uv_stream_t *) &local, 128, on_connection));

  CHECK(uv_ip4_addr("127.0.0.1", atoi(argv[2]), &address));
  CHECK(uv_tcp_init(&loop, &tcp));
  CHECK(uv_tcp_bind(&tcp, (struct sockaddr *) &address, 0));
  CHECK(uv_listen((uv_stream_t *) &tcp, 128, on_connection));
  CHECK(uv_tcp_getsockname(&tcp, (struct sockaddr *) &address, &len));
  printf("chat on %s and 127.0.0.1:%d\n", argv[1], ntohs(address.sin_port));
  fflush(stdout);

  CHECK(uv_run(&loop, UV_RUN_DEFAULT));
  CHECK(uv_loop_close(&loop));
  printf("chat: ok, %u clients\n", last_number);
  return 0;
}

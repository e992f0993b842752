#include <stdio.h>
#include <string.h>
#include <time.h>

#include "files.h"
#include "memory.h"
#include "parser.h"
#include "server.h"

#define IN_SIZE 4096      /* bytes read from a client at a time */
#define CHUNK_SIZE 65536  /* bytes of a file held in memory at a time */
#define SEND_MIN 262144   /* from here on a file is not copied through us */
#define SEND_MAX 1048576  /* bytes sent so in one go */
#define LINGER_MS 1000    /* for a client to take our last words */

enum phase {
  READING,    /* waiting for a whole request head */
  ANSWERING,  /* a write or a file call is under way; nothing is read */
  LINGERING,  /* last answer sent; what still comes is thrown away */
  CLOSING
};

struct connection {
  uv_tcp_t tcp;
  uv_timer_t timer; /* what the client may take for its next step */
  uv_write_t write;
  uv_shutdown_t shutdown;
  struct server *server;
  struct connection *next, *prev;
  enum phase phase;
  int handles;         /* open ones; the memory goes with the last */
  int keep_alive;      /* what the answer being sent promises */
  int in_file;         /* a file call is under way, see connection_close */
  int opened;          /* what the open came to: an HTTP status */
  union {              /* one file call at a time */
    uv_work_t work;
    uv_fs_t fs;
  } call;
  struct file file;    /* what is being sent */
  uint64_t file_at, file_end; /* the part of it that is still to be read */
  char *chunk;         /* the piece of it being written */
  int full;            /* the socket takes no more; the next write waits */
  size_t in_at, in_len; /* unread part of `in`: the rest of a pipeline */
  struct http_parser parser;
  size_t head_len;     /* bytes of `head` that are still to be written */
  char head[512];      /* the answer's head */
  char in[IN_SIZE];
};

static void read_on(struct connection *conn);

/* ---- the end ---------------------------------------------------------- */

static void on_closed(uv_handle_t *handle) {
  struct connection *conn = handle->data;

  if (--conn->handles == 0)
    memory_free(conn);
}

static void drop_file(struct connection *conn) {
  files_close(&conn->file);
  memory_free(conn->chunk);
  conn->chunk = NULL;
}

static void close_handles(struct connection *conn) {
  uv_close((uv_handle_t *) &conn->timer, on_closed);
  uv_close((uv_handle_t *) &conn->tcp, on_closed);
}

/* A file call keeps what it works on: a worker may be sending to our socket,
 * whose number must not become another connection's. file_call_over goes on. */
void connection_close(struct connection *conn) {
  if (conn->phase == CLOSING)
    return;
  /* A write under way keeps its chunk: on_written frees it, with ECANCELED. */
  if (conn->phase != ANSWERING)
    drop_file(conn);
  conn->phase = CLOSING;
  if (conn->prev != NULL)
    conn->prev->next = conn->next;
  else
    conn->server->first = conn->next;
  if (conn->next != NULL)
    conn->next->prev = conn->prev;
  conn->server->connections--;
  if (!conn->in_file)
    close_handles(conn);
  else
    uv_timer_stop(&conn->timer);
}

/* Every file call's callback begins with it. Returns 0 when the connection was
 * to close meanwhile. */
static int file_call_over(struct connection *conn) {
  conn->in_file = 0;
  if (conn->phase != CLOSING)
    return 1;
  drop_file(conn);
  close_handles(conn);
  return 0;
}

/* Nothing is under way and nothing more can be said. */
static void give_up(struct connection *conn) {
  conn->phase = READING;
  connection_close(conn);
}

void connection_finish(struct connection *conn) {
  if (conn->phase == ANSWERING)
    conn->keep_alive = 0;
  else if (conn->phase == READING)
    connection_close(conn);
}

struct connection *connection_next(struct connection *conn) {
  return conn->next;
}

/* ---- the answer ------------------------------------------------------- */

static const char *reason(int status) {
  switch (status) {
  case 200: return "OK";
  case 206: return "Partial Content";
  case 301: return "Moved Permanently";
  case 400: return "Bad Request";
  case 403: return "Forbidden";
  case 404: return "Not Found";
  case 405: return "Method Not Allowed";
  case 408: return "Request Timeout";
  case 413: return "Content Too Large";
  case 414: return "URI Too Long";
  case 416: return "Range Not Satisfiable";
  case 431: return "Request Header Fields Too Large";
  case 501: return "Not Implemented";
  case 503: return "Service Unavailable";
  case 505: return "HTTP Version Not Supported";
  default: return "Error";
  }
}

/* The Date header's value, made anew once a second. */
static const char *date(void) {
  static char text[32];
  static time_t made;
  time_t now = time(NULL);
  struct tm tm;

  if (now != made && gmtime_r(&now, &tm) != NULL &&
      strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) != 0)
    made = now;
  return text;
}

static void on_shut_down(uv_shutdown_t *req, int status) {
  struct connection *conn = req->handle->data;

  if (status != 0)
    connection_close(conn);
}

static void on_lingering(uv_timer_t *timer) { connection_close(timer->data); }

/* Closing while unread bytes wait would reset the connection, and the reset
 * could overtake our last answer. So: end our side, and listen a moment. */
static void linger(struct connection *conn) {
  conn->phase = LINGERING;
  if (uv_shutdown(&conn->shutdown, (uv_stream_t *) &conn->tcp, on_shut_down) ||
      uv_timer_start(&conn->timer, on_lingering, LINGER_MS, 0)) {
    connection_close(conn);
    return;
  }
  read_on(conn);
}

static void answered(struct connection *conn);

static void on_written(uv_write_t *req, int status);

/* Write what is left of the head, and `len` bytes of the chunk. */
static void write_piece(struct connection *conn, size_t len) {
  uv_buf_t bufs[2];
  unsigned n = 0;

  if (conn->head_len != 0)
    bufs[n++] = uv_buf_init(conn->head, (unsigned) conn->head_len);
  if (len != 0)
    bufs[n++] = uv_buf_init(conn->chunk, (unsigned) len);
  conn->head_len = 0;
  uv_timer_again(&conn->timer); /* a client that takes nothing is dropped */
  if (uv_write(&conn->write, (uv_stream_t *) &conn->tcp, bufs, n,
               on_written) != 0)
    give_up(conn);
}

/* The next `len` bytes of the file are in the chunk, or on the wire. */
static void count_body(struct connection *conn, ssize_t len) {
  conn->file_at += (uint64_t) len;
  conn->server->body_bytes += (unsigned long long) len;
}

static void on_file_read(uv_fs_t *req) {
  struct connection *conn = req->data;
  ssize_t got = req->result;

  uv_fs_req_cleanup(req);
  if (!file_call_over(conn))
    return;
  if (got <= 0) { /* the length is promised: the client must notice */
    give_up(conn);
    return;
  }
  count_body(conn, got);
  write_piece(conn, (size_t) got);
}

static void send_next(struct connection *conn);

static void on_file_sent(uv_fs_t *req) {
  struct connection *conn = req->data;
  ssize_t sent = req->result;

  uv_fs_req_cleanup(req);
  if (!file_call_over(conn))
    return;
  if (sent == UV_EAGAIN) {
    conn->full = 1;
  } else if (sent <= 0) {
    give_up(conn);
    return;
  } else {
    count_body(conn, sent);
    uv_timer_again(&conn->timer);
  }
  send_next(conn);
}

/* From the file to the socket, not through us. Only the kernel knows whether
 * the socket takes more, and a stream can wait for that only by writing: so
 * when it is full, one piece goes the other way. */
static int send_file(struct connection *conn, uint64_t left) {
  uv_os_fd_t fd;

  return uv_fileno((uv_handle_t *) &conn->tcp, &fd) == 0 &&
         uv_fs_sendfile(conn->server->loop, &conn->call.fs, fd, conn->file.fd,
                        (int64_t) conn->file_at,
                        left < SEND_MAX ? (size_t) left : SEND_MAX,
                        on_file_sent) == 0;
}

static int read_file(struct connection *conn, uint64_t left) {
  uv_buf_t buf;

  if (conn->chunk == NULL)
    conn->chunk = memory_new(left < CHUNK_SIZE ? (size_t) left : CHUNK_SIZE);
  if (conn->chunk == NULL)
    return 0;
  buf = uv_buf_init(conn->chunk,
                    left < CHUNK_SIZE ? (unsigned) left : CHUNK_SIZE);
  return uv_fs_read(conn->server->loop, &conn->call.fs, conn->file.fd, &buf, 1,
                    (int64_t) conn->file_at, on_file_read) == 0;
}

/* The next piece of the answer. One piece is in memory at a time: the next is
 * read when this one is gone, so a slow client slows the reading. */
static void send_next(struct connection *conn) {
  uint64_t left = conn->file.fd < 0 ? 0 : conn->file_end - conn->file_at;
  int sends = conn->head_len == 0 && !conn->full && left >= SEND_MIN;

  conn->phase = ANSWERING;
  if (left == 0 && conn->head_len == 0) {
    answered(conn);
  } else if (left == 0) {
    write_piece(conn, 0);
  } else {
    conn->call.fs.data = conn;
    conn->in_file = sends ? send_file(conn, left) : read_file(conn, left);
    if (!conn->in_file)
      give_up(conn);
  }
}

static void on_written(uv_write_t *req, int status) {
  struct connection *conn = req->handle->data;

  if (conn->phase == CLOSING) {
    drop_file(conn);
  } else if (status != 0) {
    give_up(conn);
  } else {
    conn->full = 0;
    send_next(conn);
  }
}

/* Which part of the open file to send: 200, 206, or 416 if there is none. */
static int choose_part(struct connection *conn) {
  const struct http_parser *p = &conn->parser;
  uint64_t size = conn->file.size;

  conn->file_at = 0;
  conn->file_end = size;
  if (p->range == HTTP_WHOLE || p->method != HTTP_GET)
    return 200;
  if (p->range == HTTP_TAIL) {
    if (p->to < size)
      conn->file_at = size - p->to;
    return p->to == 0 || size == 0 ? 416 : 206;
  }
  conn->file_at = p->from;
  if (p->to < size)
    conn->file_end = p->to + 1;
  return p->from < size ? 206 : 416;
}

static void answer(struct connection *conn, int status) {
  char note[64] = "", extra[HTTP_TARGET_MAX / 16] = "";
  const char *type = "text/plain; charset=utf-8";
  const struct http_parser *p = &conn->parser;
  unsigned long long length;
  int head_len, note_len = 0;

  if (status == 200)
    status = choose_part(conn);
  if (status == 416) {
    snprintf(extra, sizeof(extra), "Content-Range: bytes */%llu\r\n",
             (unsigned long long) conn->file.size);
    files_close(&conn->file);
  }
  if (status == 200 || status == 206) {
    length = conn->file_end - conn->file_at;
    type = conn->file.type;
    snprintf(extra, sizeof(extra), "Accept-Ranges: bytes\r\n");
    if (status == 206)
      snprintf(extra, sizeof(extra), "Content-Range: bytes %llu-%llu/%llu\r\n",
               (unsigned long long) conn->file_at,
               (unsigned long long) conn->file_end - 1,
               (unsigned long long) conn->file.size);
  } else {
    note_len = snprintf(note, sizeof(note), "%d %s\n", status, reason(status));
    length = (unsigned long long) note_len;
  }
  if (status == 405)
    snprintf(extra, sizeof(extra), "Allow: GET, HEAD\r\n");
  if (status == 301)
    snprintf(extra, sizeof(extra), "Location: %.*s/\r\n",
             (int) strcspn(p->target, "?#"), p->target);

  head_len = snprintf(
      conn->head, sizeof(conn->head),
      "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\n"
      "Content-Length: %llu\r\n%sConnection: %s\r\n\r\n%s",
      status, reason(status), date(), type, length, extra,
      conn->keep_alive ? "keep-alive" : "close",
      p->method == HTTP_HEAD ? "" : note);
  if (p->method == HTTP_HEAD)
    files_close(&conn->file);
  conn->server->requests++;
  conn->head_len = (size_t) head_len;
  conn->full = 0;
  send_next(conn);
}

/* ---- the request ------------------------------------------------------ */

/* A folder's name without its slash is answered with the right name, unless
 * that would not fit, or could name another host ("//host"). */
static int may_redirect(const char *target) {
  return target[0] == '/' && target[1] != '/' && strcspn(target, "?#") < 200;
}

static void on_opened(struct connection *conn, int status) {
  if (status == 301 && !may_redirect(conn->parser.target))
    status = 404;
  answer(conn, status);
}

static void open_in_worker(uv_work_t *work) {
  struct connection *conn = work->data;

  conn->opened = files_open(conn->server->root_fd, conn->parser.target,
                            FILES_WAIT, &conn->file);
}

static void on_worker_opened(uv_work_t *work, int status) {
  struct connection *conn = work->data;

  if (!file_call_over(conn))
    return;
  if (status != 0)
    give_up(conn);
  else
    on_opened(conn, conn->opened);
}

/* What is in the kernel's memory is opened at once; a disk must not stop all
 * other connections, so what has to be looked for is opened by a worker. */
static void open_file(struct connection *conn) {
  int status = files_open(conn->server->root_fd, conn->parser.target,
                          FILES_CACHED, &conn->file);

  if (status != FILES_NOT_CACHED) {
    on_opened(conn, status);
    return;
  }
  conn->phase = ANSWERING;
  conn->call.work.data = conn;
  conn->in_file = uv_queue_work(conn->server->loop, &conn->call.work,
                                open_in_worker, on_worker_opened) == 0;
  if (!conn->in_file)
    give_up(conn);
}

static void on_request(struct connection *conn) {
  struct http_parser *p = &conn->parser;

  conn->keep_alive = p->keep_alive && !conn->server->stopping;
  if (p->has_body) {
    conn->keep_alive = 0; /* we would have to read the body to go on */
    answer(conn, p->method == HTTP_OTHER ? 405 : 413);
  } else if (p->method == HTTP_OTHER) {
    answer(conn, 405);
  } else {
    open_file(conn);
  }
}

static void on_timeout(uv_timer_t *timer) {
  struct connection *conn = timer->data;

  if (conn->phase == READING && http_parser_started(&conn->parser)) {
    uv_read_stop((uv_stream_t *) &conn->tcp);
    conn->keep_alive = 0;
    answer(conn, 408); /* half a request */
  } else {
    connection_close(conn);
  }
}

/* Parse what has been read. Stops at the end of one request; the rest waits in
 * `in` until that one is answered. */
static void parse(struct connection *conn) {
  size_t used;
  int result = http_parse(&conn->parser, conn->in + conn->in_at,
                          conn->in_len - conn->in_at, &used);

  conn->in_at += used;
  if (result == HTTP_MORE)
    return;
  /* Back-pressure: a client that asks faster than it takes must wait. */
  uv_read_stop((uv_stream_t *) &conn->tcp);
  if (result == HTTP_COMPLETE) {
    on_request(conn);
  } else {
    conn->keep_alive = 0;
    answer(conn, result);
  }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  struct connection *conn = handle->data;

  (void) suggested;
  *buf = uv_buf_init(conn->in, IN_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf) {
  struct connection *conn = stream->data;

  (void) buf;
  if (nread < 0) { /* end or error: nobody is left to answer */
    connection_close(conn);
  } else if (nread > 0 && conn->phase == READING) {
    conn->in_at = 0;
    conn->in_len = (size_t) nread;
    parse(conn);
  }
}

static void read_on(struct connection *conn) {
  if (uv_read_start((uv_stream_t *) &conn->tcp, on_alloc, on_read) != 0)
    connection_close(conn);
}

/* Wait for the next request, of which a part may be here already. */
static void next_request(struct connection *conn) {
  conn->phase = READING;
  http_parser_reset(&conn->parser);
  /* Not restarted by each byte, or one byte a second would hold us for ever. */
  if (uv_timer_start(&conn->timer, on_timeout, conn->server->idle_ms,
                     conn->server->idle_ms) != 0) {
    connection_close(conn);
    return;
  }
  if (conn->in_at < conn->in_len)
    parse(conn);
  if (conn->phase == READING)
    read_on(conn);
}

static void answered(struct connection *conn) {
  drop_file(conn);
  if (conn->keep_alive)
    next_request(conn);
  else
    linger(conn);
}

void connection_accept(struct server *server) {
  struct connection *conn = memory_new(sizeof(*conn));

  if (conn == NULL)
    return; /* the client waits until somebody else leaves */
  memset(conn, 0, sizeof(*conn));
  conn->file.fd = -1;
  conn->server = server;
  if (uv_tcp_init(server->loop, &conn->tcp) != 0) {
    memory_free(conn);
    return;
  }
  uv_timer_init(server->loop, &conn->timer);
  conn->tcp.data = conn;
  conn->timer.data = conn;
  conn->handles = 2;
  conn->next = server->first;
  if (server->first != NULL)
    server->first->prev = conn;
  server->first = conn;
  server->connections++;

  if (uv_accept((uv_stream_t *) &server->listener,
                (uv_stream_t *) &conn->tcp) != 0) {
    connection_close(conn);
    return;
  }
  uv_tcp_nodelay(&conn->tcp, 1); /* answers leave in few, full writes */
  next_request(conn);
}

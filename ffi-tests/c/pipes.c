/* Pipes: names, bad input, and what is no stream socket.
 *
 * Left out because libuv crashes or aborts: NULL names for uv_pipe_bind and
 * uv_pipe_connect, a listener without a callback, and reading a regular file,
 * which epoll refuses. */
#include "check.h"
#include <sys/stat.h>

static char folder[] = "pipes-XXXXXX";

/* Sockets live in a folder of their own, which is the working directory. */
static void enter(void) {
  if (mkdtemp(folder) == NULL || chdir(folder) != 0) {
    perror("folder");
    exit(1);
  }
}
static void leave(void) {
  NEED(chdir(".."));
  SHOW(rmdir(folder)); /* closed pipes have left nothing there */
}

static void on_close(uv_handle_t *h) {
  (void) h;
  puts("closed");
}
static void on_connect(uv_connect_t *req, int status) {
  printf("connected: %s, readable %d, writable %d\n",
         status == 0 ? "0" : uv_err_name(status), uv_is_readable(req->handle),
         uv_is_writable(req->handle));
}
/* When it comes, before or after the client's callback, is nobody's business. */
static void on_connection(uv_stream_t *s, int status) {
  (void) s;
  (void) status;
}
static void on_write(uv_write_t *req, int status) {
  printf("written: %s, %zu bytes\n", status == 0 ? "0" : uv_err_name(status),
         uv_write_nwritten(req));
}
static void on_shutdown(uv_shutdown_t *req, int status) {
  (void) req;
  printf("shut: %s\n", status == 0 ? "0" : uv_err_name(status));
}
static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  static char bytes[65536];

  (void) h;
  (void) size;
  *buf = uv_buf_init(bytes, sizeof(bytes));
}
static void on_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf) {
  (void) buf;
  if (nread == 0)
    return; /* allowed at any time */
  printf("read: %zd %s\n", nread, nread < 0 ? uv_err_name((int) nread) : "");
  if (nread < 0)
    uv_read_stop(s);
}

static int send_byte(int fd) { return (int) write(fd, "x", 1); }

static void show_name(uv_pipe_t *p) {
  char name[256];
  size_t size, rooms[] = {0, 1, 3, 5, 6, 107, 108, 109, 110, 256}, i;

  for (i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
    size = rooms[i];
    memset(name, '#', sizeof(name));
    printf("room %zu: ", size);
    SHOW(uv_pipe_getsockname(p, name, &size));
    printf("size %zu, first %d, behind %d\n", size, name[0],
           size < sizeof(name) ? name[size] : 0);
  }
  size = sizeof(name);
  SHOW(uv_pipe_getpeername(p, name, &size));
}

/* An abstract name of 9 bytes at least that no other process uses. */
static void own(char *name) {
  char digits[16];

  snprintf(digits, sizeof(digits), "%08x", (unsigned) getpid());
  name[0] = '\0';
  memcpy(name + 1, digits, 8);
}

static void names(uv_loop_t *loop) {
  static char one[] = "0--------uvring", two[] = "0--------uv\0ring";
  static const struct {
    const char *name;
    size_t len;
    unsigned flags;
  } t[] = {{NULL, 0, 0},         {NULL, 4, 0},
           {"a", 1, 2},          {"a", 1, UINT_MAX},
           {"a\0b", 3, 0},       {"a\0", 2, 0},
           {"plain", 5, 0},      {"plain", 3, 0},
           {"plain", 5, UV_PIPE_NO_TRUNCATE},
           {"", 0, 0},           {"", 0, UV_PIPE_NO_TRUNCATE},
           {one, 15, 0},         {two, 16, 0},
           {"missing/a", 9, 0}, {".", 1, 0}};
  static uv_pipe_t p;
  size_t i;

  enter();
  own(one);
  own(two);
  for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
    printf("name %zu\n", i);
    NEED(uv_pipe_init(loop, &p, 0));
    SHOW(uv_pipe_bind2(&p, t[i].name, t[i].len, t[i].flags));
    SHOW(p.pipe_fname != NULL);
    show_name(&p);
    uv_close(H(&p), NULL);
    SHOW(p.pipe_fname != NULL);
    uv_run(loop, UV_RUN_DEFAULT);
  }
  leave();
}

/* A path may be as long as sun_path, without a NUL at its end. */
static void long_names(uv_loop_t *loop) {
  static const size_t lens[] = {100, 107, 108, 109, 110, 300};
  static uv_pipe_t p, client;
  static uv_connect_t req;
  char name[300];
  size_t i;
  int abstract, flags, rc;

  enter();
  for (abstract = 0; abstract < 2; abstract++)
    for (flags = 0; flags < 2; flags++)
      for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        memset(name, 'n', sizeof(name));
        if (abstract)
          own(name);
        printf("abstract %d, flags %d, length %zu\n", abstract, flags, lens[i]);
        NEED(uv_pipe_init(loop, &p, 0));
        NEED(uv_pipe_init(loop, &client, 0));
        rc = uv_pipe_bind2(&p, name, lens[i], (unsigned) flags);
        SHOW(rc);
        if (rc == 0)
          show_name(&p);
        if (p.pipe_fname != NULL)
          SHOW(strlen(p.pipe_fname));
        if (rc == 0)
          SHOW(uv_listen(S(&p), 1, on_connection));
        rc = uv_pipe_connect2(&req, &client, name, lens[i], (unsigned) flags,
                              on_connect);
        SHOW(rc);
        if (rc == 0)
          uv_run(loop, UV_RUN_NOWAIT);
        uv_close(H(&p), NULL);
        uv_close(H(&client), NULL);
        uv_run(loop, UV_RUN_DEFAULT);
      }
  leave();
}

static void bind_bad(uv_loop_t *loop) {
  static uv_pipe_t p, q, closed;
  int fds[2];

  enter();
  NEED(uv_pipe_init(loop, &p, 0));
  NEED(uv_pipe_init(loop, &q, 0));
  SHOW(uv_listen(S(&p), 1, on_connection));
  SHOW(uv_pipe_bind(&p, "one"));
  SHOW(uv_pipe_bind(&p, "two"));
  SHOW(uv_pipe_bind(&p, "one"));
  SHOW(uv_pipe_bind(&q, "one"));
  SHOW(uv_listen(S(&q), 1, on_connection));
  SHOW(uv_pipe_bind(&q, ""));
  SHOW(uv_listen(S(&q), -1, on_connection));
  SHOW(uv_listen(S(&q), 5, NULL));
  SHOW(uv_is_active(H(&q)));
  uv_close(H(&q), on_close);
  uv_run(loop, UV_RUN_NOWAIT);
  NEED(uv_pipe_init(loop, &q, 1));
  SHOW(uv_pipe_bind(&q, "ipc"));
  SHOW(uv_listen(S(&q), 1, on_connection));
  uv_close(H(&q), NULL);
  uv_run(loop, UV_RUN_NOWAIT);
  NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  NEED(uv_pipe_init(loop, &q, 0));
  SHOW(uv_pipe_open(&q, fds[0]));
  SHOW(uv_pipe_bind(&q, "three"));
  SHOW(uv_listen(S(&q), 1, on_connection));
  close(fds[1]);
  NEED(uv_pipe_init(loop, &closed, 0));
  uv_close(H(&closed), NULL);
  SHOW(uv_pipe_bind(&closed, "four"));
  SHOW(uv_listen(S(&closed), 1, on_connection));
  uv_close(H(&q), NULL);
  uv_close(H(&p), NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  leave();
}

static void chmod_bad(uv_loop_t *loop) {
  static const int modes[] = {0, -1, 4, UV_READABLE | 4, UV_READABLE,
                              UV_WRITABLE, UV_READABLE | UV_WRITABLE};
  static uv_pipe_t path, unbound, abstract, fifo, closed;
  uv_pipe_t *all[] = {&path, &unbound, &abstract, &fifo, &closed};
  struct stat st;
  size_t i, j;
  int fds[2];

  enter();
  umask(0707);
  for (i = 0; i < 5; i++)
    NEED(uv_pipe_init(loop, all[i], 0));
  NEED(uv_pipe_bind(&path, "path"));
  NEED(uv_pipe_bind(&abstract, ""));
  NEED(uv_pipe(fds, 0, 0));
  NEED(uv_pipe_open(&fifo, fds[0]));
  close(fds[1]);
  uv_close(H(&closed), NULL);
  SHOW(uv_pipe_chmod(NULL, UV_READABLE));
  SHOW(uv_pipe_chmod(NULL, 0));
  for (i = 0; i < 5; i++)
    for (j = 0; j < sizeof(modes) / sizeof(modes[0]); j++) {
      printf("handle %zu, mode %d: ", i, modes[j]);
      SHOW(uv_pipe_chmod(all[i], modes[j]));
      if (i == 0 && stat("path", &st) == 0)
        printf("%o\n", st.st_mode & 07777);
    }
  for (j = 0; j < sizeof(modes) / sizeof(modes[0]); j++) {
    NEED(chmod("path", 0757));
    SHOW(uv_pipe_chmod(&path, modes[j]));
    if (stat("path", &st) == 0)
      printf("from 757: %o\n", st.st_mode & 07777);
  }
  for (i = 0; i < 4; i++)
    uv_close(H(all[i]), NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  leave();
}

static void connect_one(uv_loop_t *loop, uv_pipe_t *p, const char *name) {
  static uv_connect_t req;

  printf("connect to %s\n", name);
  uv_pipe_connect(&req, p, name, on_connect);
  uv_run(loop, UV_RUN_DEFAULT);
}

static void connect_bad(uv_loop_t *loop) {
  static uv_pipe_t server, p, q;
  static uv_connect_t req;
  static uv_write_t write;
  static uv_shutdown_t shut;
  uv_buf_t buf = uv_buf_init("hello", 5);
  size_t size = 0;
  char name[8];
  int waiting[4], fd, i;

  enter();
  close(open("file", O_CREAT | O_WRONLY, 0600));
  NEED(uv_pipe_init(loop, &p, 0));
  connect_one(loop, &p, "missing");
  SHOW(uv_fileno(H(&p), &fd));
  SHOW(uv_is_readable(S(&p)));
  SHOW(uv_pipe_getpeername(&p, name, (size = sizeof(name), &size)));
  connect_one(loop, &p, "missing/folder");
  connect_one(loop, &p, "file/below");
  connect_one(loop, &p, "file");
  connect_one(loop, &p, ".");
  connect_one(loop, &p, "");
  SHOW(uv_pipe_connect2(&req, &p, "file", 4, 2, on_connect));
  SHOW(uv_pipe_connect2(&req, &p, NULL, 4, 0, on_connect));
  SHOW(uv_pipe_connect2(&req, &p, "fi\0le", 5, 0, on_connect));
  uv_close(H(&p), NULL);
  uv_run(loop, UV_RUN_DEFAULT);

  NEED(uv_pipe_init(loop, &server, 0));
  NEED(uv_pipe_bind(&server, "server"));
  NEED(uv_pipe_init(loop, &q, 0));
  connect_one(loop, &q, "server"); /* bound, not listening */
  uv_close(H(&q), NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  NEED(uv_listen(S(&server), 1, on_connection));
  uv_unref(H(&server));
  NEED(uv_pipe_init(loop, &q, 0));
  NEED(uv_pipe_connect2(&req, &q, "server", 6, 0, on_connect));
  SHOW(uv_is_readable(S(&q)));
  SHOW(uv_is_active(H(&q)));
  SHOW(uv_write(&write, S(&q), &buf, 1, on_write)); /* waits for the connection */
  SHOW(uv_try_write(S(&q), &buf, 1));
  SHOW(uv_stream_get_write_queue_size(S(&q)));
  SHOW(uv_shutdown(&shut, S(&q), on_shutdown));
  uv_run(loop, UV_RUN_DEFAULT);
  uv_close(H(&q), NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  for (i = 0; i < 4; i++) { /* more than the listener has room for */
    NEED(uv_pipe_init(loop, &q, 0));
    connect_one(loop, &q, "server");
    fd = -1;
    uv_fileno(H(&q), &fd);
    waiting[i] = dup(fd); /* stays in the listener's queue */
    uv_close(H(&q), NULL);
    uv_run(loop, UV_RUN_DEFAULT);
  }
  NEED(uv_pipe_init(loop, &q, 0));
  uv_pipe_connect(&req, &q, "missing", on_connect);
  uv_close(H(&q), on_close); /* before the callback */
  uv_run(loop, UV_RUN_DEFAULT);
  uv_close(H(&server), NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  for (i = 0; i < 4; i++)
    close(waiting[i]);
  unlink("file");
  leave();
}

static void open_bad(uv_loop_t *loop) {
  static uv_pipe_t p, q, r;
  static uv_write_t write;
  static uv_shutdown_t shut;
  uv_buf_t buf = uv_buf_init("hello", 5);
  char name[32];
  size_t size = sizeof(name);
  int fds[2], tcp[2];

  NEED(uv_pipe_init(loop, &p, 0));
  NEED(uv_pipe_init(loop, &q, 0));
  NEED(uv_pipe_init(loop, &r, 0));
  SHOW(uv_pipe_open(&p, -1));
  SHOW(uv_pipe_open(&p, 9999));
  SHOW(uv_read_start(S(&p), on_alloc, on_read));
  SHOW(uv_write(&write, S(&p), &buf, 1, on_write));
  SHOW(uv_shutdown(&shut, S(&p), on_shutdown));
  NEED(uv_pipe(fds, 0, 0));
  SHOW(uv_pipe_open(&p, fds[0]));
  SHOW(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
  SHOW(uv_is_readable(S(&p)));
  SHOW(uv_is_writable(S(&p)));
  SHOW(uv_pipe_open(&q, fds[1]));
  SHOW(uv_is_readable(S(&q)));
  SHOW(uv_is_writable(S(&q)));
  SHOW(uv_pipe_open(&q, fds[1])); /* its own again */
  SHOW(uv_pipe_open(&q, 0));      /* another one */
  SHOW(uv_pipe_getsockname(&q, name, &size));
  SHOW(uv_read_start(S(&q), on_alloc, on_read));
  SHOW(uv_write(&write, S(&p), &buf, 1, on_write));
  SHOW(uv_read_start(S(&p), on_alloc, on_read));
  SHOW(uv_pipe_open(&r, fds[0])); /* watched already */
  SHOW(uv_write(&write, S(&q), &buf, 1, on_write));
  SHOW(uv_shutdown(&shut, S(&q), on_shutdown)); /* no socket */
  uv_run(loop, UV_RUN_NOWAIT);
  uv_run(loop, UV_RUN_NOWAIT);
  uv_close(H(&q), on_close);
  uv_run(loop, UV_RUN_DEFAULT);
  uv_close(H(&p), NULL);
  check_tcp_pair(tcp);
  SHOW(uv_pipe_open(&r, tcp[0]));
  SHOW(uv_write(&write, S(&r), &buf, 1, on_write));
  uv_run(loop, UV_RUN_DEFAULT);
  SHOW(read(tcp[1], name, sizeof(name)));
  close(tcp[1]);
  SHOW(uv_read_start(S(&r), on_alloc, on_read));
  uv_run(loop, UV_RUN_DEFAULT);
  uv_close(H(&r), NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  NEED(uv_pipe_init(loop, &r, 0));
  SHOW(uv_pipe_open(&r, open("/proc/self/status", O_RDONLY)));
  SHOW(uv_is_writable(S(&r)));
  uv_close(H(&r), NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  NEED(uv_pipe_init(loop, &r, 1)); /* ipc over what is no socket */
  NEED(uv_pipe(fds, 0, 0));
  NEED(uv_pipe_open(&r, fds[0]));
  NEED(uv_read_start(S(&r), on_alloc, on_read));
  SHOW(send_byte(fds[1]));
  uv_run(loop, UV_RUN_DEFAULT);
  close(fds[1]);
}

/* Sockets and pipes that keep messages apart. */
static void messages(uv_loop_t *loop) {
  static uv_pipe_t p;
  static uv_write_t req;
  uv_buf_t buf = uv_buf_init("hello", 5);
  char bytes[16];
  int kind, i, fds[2];

  for (kind = 0; kind < 4; kind++) {
    printf("kind %d\n", kind);
    if (kind == 2)
      NEED(pipe2(fds, O_DIRECT));
    else
      NEED(socketpair(AF_UNIX, kind == 1 ? SOCK_DGRAM : SOCK_SEQPACKET, 0, fds));
    NEED(uv_pipe_init(loop, &p, kind == 3));
    NEED(uv_pipe_open(&p, fds[0]));
    SHOW(uv_pipe_pending_count(&p));
    NEED(uv_read_start(S(&p), on_alloc, on_read));
    for (i = 0; i < 5; i++)
      SHOW(send_byte(fds[1]));
    for (i = 0; i < 20; i++)
      uv_run(loop, UV_RUN_NOWAIT);
    for (i = 0; i < 5; i++)
      SHOW(send_byte(fds[1]));
    if (kind != 2) {
      SHOW(uv_write(&req, S(&p), &buf, 1, on_write));
      uv_run(loop, UV_RUN_NOWAIT);
      SHOW(read(fds[1], bytes, sizeof(bytes)));
    }
    if (kind != 1) {
      close(fds[1]);
      uv_run(loop, UV_RUN_DEFAULT);
    } else {
      for (i = 0; i < 20; i++)
        uv_run(loop, UV_RUN_NOWAIT);
      close(fds[1]);
    }
    uv_close(H(&p), NULL);
    uv_run(loop, UV_RUN_DEFAULT);
  }
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"names", names},         {"long_names", long_names},
      {"bind_bad", bind_bad},   {"chmod_bad", chmod_bad},
      {"connect_bad", connect_bad}, {"open_bad", open_bad},
      {"messages", messages},   {NULL, NULL}};

  return check_main(argc, argv, table);
}

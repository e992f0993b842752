/* Children with pipes: what they are told, say, and end with. */
#include "errand.h"

enum { PIPES = 3 };

struct child {
  struct errand *e;
  uv_process_t process;
  uv_pipe_t pipes[PIPES];
  size_t got[PIPES];
  unsigned sums[PIPES];
  char said[PIPES][200];
  int has[PIPES];
  uv_write_t writes[2];
  uv_shutdown_t shut;
  char out[20000], in[4096];
  char exit_note[64], in_note[200];
  int exits;
};

static void close_one(uv_handle_t *h) {
  if (!uv_is_closing(h))
    uv_close(h, NULL);
}

static void on_alloc_child(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  struct child *c = h->data;

  (void) size;
  *buf = uv_buf_init(c->in, sizeof(c->in));
}

static void on_read_child(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf) {
  struct child *c = s->data;
  int i = (int) ((uv_pipe_t *) s - c->pipes);
  ssize_t j;

  if (nread < 0) {
    snprintf(c->said[i], sizeof(c->said[i]), " fd %d: %zu bytes, sum %u, %s", i,
             c->got[i], c->sums[i] % 10007, code(nread));
    close_one(H(s));
    return;
  }
  for (j = 0; j < nread; j++)
    c->sums[i] = c->sums[i] * 31 + (unsigned char) buf->base[j];
  c->got[i] += (size_t) nread;
}

static void on_exit_child(uv_process_t *h, int64_t status, int signum) {
  struct child *c = h->data;

  called_back(c->e);
  c->exits++;
  snprintf(c->exit_note, sizeof(c->exit_note), " exit %d signal %d kill = %s",
           (int) status, signum, code(uv_process_kill(h, 0)));
  close_one(H(h));
}

static void add_in(struct child *c, const char *what, int status) {
  size_t len = strlen(c->in_note);

  snprintf(c->in_note + len, sizeof(c->in_note) - len, " %s %s", what,
           code(status));
}

static void on_write_child(uv_write_t *req, int status) {
  add_in(req->handle->data, "write", status);
}
static void on_shut_child(uv_shutdown_t *req, int status) {
  add_in(req->handle->data, "shutdown", status);
  close_one(H(req->handle));
}

/* Tells the child something, then the end. */
static void tell(struct child *c) {
  unsigned len = 1 + (unsigned) pick(&c->e->rng, (int) sizeof(c->out) - 1);
  uv_buf_t bufs[2] = {uv_buf_init(c->out, len / 2),
                      uv_buf_init(c->out + len / 2, len - len / 2)};
  unsigned i;

  for (i = 0; i < len; i++)
    c->out[i] = byte_at(i);
  note(c->e, " tells %u", len);
  NEED(uv_write(&c->writes[0], S(&c->pipes[0]), &bufs[0], 1, on_write_child));
  NEED(uv_write(&c->writes[1], S(&c->pipes[0]), &bufs[1], 1, on_write_child));
  NEED(uv_shutdown(&c->shut, S(&c->pipes[0]), on_shut_child));
}

static const struct {
  const char *command;
  int reads, ends; /* reads its stdin; ends by itself */
} commands[] = {
    {"exec cat", 1, 1},
    {"cat >&2; echo done; exit 7", 1, 1},
    {"echo out; echo err >&2; exit 3", 0, 1},
    {"echo $WORD; pwd; echo $0 $1", 0, 1},
    {"kill -9 $$", 0, 1},
    {"read none; exit 4", 1, 0},
};

static void listen_to(struct child *c, const uv_stdio_container_t *stdio) {
  int i;

  for (i = 1; i < PIPES; i++)
    if (stdio[i].flags & UV_CREATE_PIPE)
      NEED(uv_read_start(S(&c->pipes[i]), on_alloc_child, on_read_child));
}

static void child_spawn(struct child *c, int which) {
  static char *env[] = {"WORD=a word", "PATH=/usr/bin:/bin", NULL};
  char *args[] = {"sh", "-c", (char *) commands[which].command, "zero", "one",
                  NULL};
  uv_stdio_container_t stdio[PIPES];
  uv_process_options_t options;
  int i, rc;

  memset(&options, 0, sizeof(options));
  options.file = pick(&c->e->rng, 12) == 0 ? "/nonexistent/file" : "/bin/sh";
  options.args = args;
  options.env = env;
  options.cwd = "/";
  options.exit_cb = on_exit_child;
  options.stdio = stdio;
  options.stdio_count = PIPES;
  for (i = 0; i < PIPES; i++) {
    stdio[i].flags = UV_IGNORE;
    if (i != 0 ? pick(&c->e->rng, 4) == 0 : !commands[which].reads)
      continue;
    NEED(uv_pipe_init(c->e->loop, &c->pipes[i], 0));
    c->pipes[i].data = c;
    c->has[i] = 1;
    stdio[i].flags =
        UV_CREATE_PIPE | (i == 0 ? UV_READABLE_PIPE : UV_WRITABLE_PIPE);
    stdio[i].data.stream = S(&c->pipes[i]);
  }
  c->e->calling = 1;
  rc = uv_spawn(c->e->loop, &c->process, &options);
  c->e->calling = 0;
  note(c->e, " '%s' %d = %s", commands[which].command, c->has[1] + 2 * c->has[2],
       code(rc));
  if (rc != 0) {
    for (i = 0; i < PIPES; i++)
      if (c->has[i])
        close_one(H(&c->pipes[i]));
    close_one(H(&c->process));
    return;
  }
  listen_to(c, stdio);
  if (!commands[which].ends)
    note(c->e, " kill = %s", code(uv_process_kill(&c->process, SIGTERM)));
  if (commands[which].reads && commands[which].ends)
    tell(c);
  else if (c->has[0])
    close_one(H(&c->pipes[0]));
}

void child_begin(struct errand *e) {
  struct child *c = errand_own(e, sizeof(*c));

  c->e = e;
  c->process.data = c;
  child_spawn(c, pick(&e->rng, COUNT(commands)));
}

void child_end(struct errand *e) {
  const struct child *c = e->own;
  int i;

  note(e, "%s |%s |", c->exit_note, c->in_note);
  for (i = 1; i < PIPES; i++)
    note(e, "%s", c->said[i]);
}

/* A loop that is run from inside a callback, answers of the kernel that come
 * late, and connections that there is no descriptor for. */
#include "check.h"
#include <poll.h>
#include <sys/un.h>
#include <sys/wait.h>

static uv_tcp_t near, far;
static int replies, wrote;

static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  static char bytes[2][1024];

  (void) size;
  *buf = uv_buf_init(bytes[h == H(&far)], sizeof(bytes[0]));
}
static void on_write(uv_write_t *req, int status) {
  (void) req;
  printf("write: %s\n", status == 0 ? "0" : uv_err_name(status));
  wrote++;
}
static void on_close(uv_handle_t *h) {
  printf("closed a %s\n", uv_handle_type_name(h->type));
}

static void on_far_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf) {
  uv_buf_t back = uv_buf_init(buf->base, (unsigned) (nread > 0 ? nread : 0));

  if (nread > 0)
    SHOW(uv_try_write(s, &back, 1));
}
static void on_near_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf) {
  (void) s;
  printf("reply %.*s\n", (int) nread, nread > 0 ? buf->base : "");
  replies += (int) nread;
}

/* Waits inside of a callback for the answer to what it has just written. */
static void ask(uv_timer_t *t) {
  static uv_write_t reqs[4];
  static char bytes[] = "abcd";
  uv_buf_t buf;
  int i;

  for (i = 0; i < 3; i++) {
    buf = uv_buf_init(&bytes[i], 1);
    NEED(uv_write(&reqs[i], S(&near), &buf, 1, on_write));
  }
  check_run_until(t->loop, &replies, 3, 20);
  SHOW(replies);
  SHOW(wrote);
  buf = uv_buf_init(&bytes[3], 1);
  NEED(uv_write(&reqs[3], S(&near), &buf, 1, on_write));
  check_run_until(t->loop, &replies, 4, 20);
  SHOW(replies);
  SHOW(wrote);
}
static void nested(uv_loop_t *loop) {
  static uv_timer_t timer;
  int fds[2];

  check_tcp_pair(fds);
  NEED(uv_tcp_init(loop, &near));
  NEED(uv_tcp_open(&near, fds[0]));
  NEED(uv_tcp_init(loop, &far));
  NEED(uv_tcp_open(&far, fds[1]));
  NEED(uv_read_start(S(&near), on_alloc, on_near_read));
  NEED(uv_read_start(S(&far), on_alloc, on_far_read));
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_timer_start(&timer, ask, 0, 0));
  check_run_until(loop, &replies, 4, 20);
}

/* ---- writes that end after the close ----------------------------------- */

static uv_write_t late_reqs[2];
static char big[1 << 20];

static void write_late(uv_timer_t *t) {
  uv_buf_t buf = uv_buf_init(big, 64);

  (void) t;
  NEED(uv_write(&late_reqs[0], S(&near), &buf, 1, on_write));
}
static void close_late(uv_timer_t *t) {
  uv_buf_t buf = uv_buf_init(big, 64);

  (void) t;
  NEED(uv_write(&late_reqs[1], S(&near), &buf, 1, on_write));
  uv_close(H(&near), on_close);
  SHOW(wrote);
}
static void stop(uv_check_t *check) {
  SHOW(wrote);
  uv_close(H(check), on_close);
}

/* The stream is full or not, its peer there or gone; what is under way when it
 * closes ends at its close, and not before. */
static void late_write(uv_loop_t *loop) {
  static uv_timer_t first, second;
  static uv_check_t check;
  uv_buf_t buf = uv_buf_init(big, sizeof(big));
  int fds[2], kind, i;

  for (kind = 0; kind < 4; kind++) {
    SHOW(kind);
    wrote = 0;
    check_tcp_pair(fds);
    NEED(uv_tcp_init(loop, &near));
    NEED(uv_tcp_open(&near, fds[0]));
    NEED(uv_timer_init(loop, &first));
    NEED(uv_timer_init(loop, &second));
    NEED(uv_check_init(loop, &check));
    if (kind & 1)
      for (i = 0; i < 100 && uv_try_write(S(&near), &buf, 1) > 0; i++)
        ;
    if (kind & 2)
      NEED(uv_timer_start(&first, write_late, 0, 0));
    NEED(uv_timer_start(&second, close_late, 0, 0));
    NEED(uv_check_start(&check, stop));
    SHOW(uv_run(loop, UV_RUN_DEFAULT));
    uv_close(H(&first), NULL);
    uv_close(H(&second), NULL);
    SHOW(uv_run(loop, UV_RUN_DEFAULT));
    close(fds[1]);
  }
}

/* ---- no descriptor for a connection ------------------------------------ */

enum { CLIENTS = 150 };

static int connections, turns;
static union {
  uv_stream_t stream;
  uv_tcp_t tcp;
  uv_pipe_t pipe;
} listener, accepted[4];

static void on_connection(uv_stream_t *s, int status) {
  printf("connection: %s\n", status == 0 ? "0" : uv_err_name(status));
  if (status == 0) {
    if (s->type == UV_TCP)
      NEED(uv_tcp_init(s->loop, &accepted[connections].tcp));
    else
      NEED(uv_pipe_init(s->loop, &accepted[connections].pipe, 0));
    SHOW(uv_accept(s, &accepted[connections].stream));
    connections++;
  }
}
static void on_idle(uv_idle_t *idle) {
  (void) idle;
  turns++;
}

/* In a process of its own: connects `count` times, waits until the other side
 * has ended all but `kept` of the connections, tells how many that were. */
static pid_t clients(const struct sockaddr *to, socklen_t len, int count,
                     int kept) {
  struct pollfd fds[CLIENTS];
  int i, ended = 0;
  pid_t pid;

  fflush(stdout);
  pid = fork();
  NEED(pid);
  if (pid != 0)
    return pid;
  alarm(20);
  for (i = 0; i < count; i++) {
    fds[i].fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fds[i].events = POLLIN;
    NEED(connect(fds[i].fd, to, len));
  }
  while (ended < count - kept) {
    NEED(poll(fds, (nfds_t) count, -1));
    for (i = 0; i < count; i++) {
      if (fds[i].revents != 0) {
        close(fds[i].fd);
        fds[i].fd = -1;
        ended++;
      }
    }
  }
  _exit(ended);
}

static int is_over(pid_t pid, int *status) {
  int rc = waitpid(pid, status, WNOHANG);

  NEED(rc);
  return rc == pid;
}

/* Connections that there is no descriptor for are refused, and not left to
 * wait; the others on the loop go on meanwhile, and so does the listener when
 * there are descriptors again. The first `spare` connections get one. */
static void refuse(uv_loop_t *loop, const struct sockaddr *address,
                   socklen_t len, int spare) {
  static uv_idle_t idle;
  struct check_crowd crowd;
  int status = 0, i;
  pid_t pid;

  connections = 0;
  NEED(uv_idle_init(loop, &idle));
  NEED(uv_idle_start(&idle, on_idle));
  NEED(uv_run(loop, UV_RUN_NOWAIT));
  pid = clients(address, len, CLIENTS, spare);
  check_crowd(&crowd, spare);
  turns = 0;
  for (i = 0; i < 20000 && !is_over(pid, &status); i++) {
    uv_run(loop, UV_RUN_NOWAIT);
    uv_sleep(1);
  }
  SHOW(WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  SHOW(connections);
  SHOW(turns > 0);
  check_disperse(&crowd);
  SHOW(uv_is_active(H(&listener)));
  pid = clients(address, len, 1, 0);
  for (i = 0; i < 5000 && connections == spare; i++) {
    uv_run(loop, UV_RUN_NOWAIT);
    uv_sleep(1);
  }
  SHOW(connections);
  while (connections > 0)
    uv_close(H(&accepted[--connections]), NULL);
  for (i = 0; i < 5000 && !is_over(pid, &status); i++) {
    uv_run(loop, UV_RUN_NOWAIT);
    uv_sleep(1);
  }
  SHOW(WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  uv_close(H(&idle), NULL);
  NEED(uv_run(loop, UV_RUN_NOWAIT));
}

static void refused(uv_loop_t *loop) {
  struct sockaddr_in address;

  check_listen(loop, &listener.tcp, &address, on_connection);
  refuse(loop, A(&address), sizeof(address), 0);
  refuse(loop, A(&address), sizeof(address), 3);
}

static void refused_unix(uv_loop_t *loop) {
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};

  NEED(uv_pipe_init(loop, &listener.pipe, 0));
  NEED(uv_pipe_bind(&listener.pipe, address.sun_path));
  NEED(uv_listen(&listener.stream, 128, on_connection));
  refuse(loop, A(&address), sizeof(address), 0);
  refuse(loop, A(&address), sizeof(address), 3);
}

int main(int argc, char **argv) {
  static const struct section table[] = {{"nested", nested},
                                         {"late_write", late_write},
                                         {"refused", refused},
                                         {"refused_unix", refused_unix},
                                         {NULL, NULL}};

  return check_main(argc, argv, table);
}

/* Bad input: loops, handles in general, names and sizes, timers, idle, prepare,
 * check, async, poll.
 *
 * Left out because libuv asserts or crashes: NULL for a loop or handle where it
 * is not said otherwise, uv_close twice, uv_poll_start with unknown event bits
 * or on a closing handle, uv_poll_stop on one,
 * and uv_idle/prepare/check_start on a closing handle (its list is damaged). */
#include "check.h"

#include <sys/resource.h>

static void on_timer(uv_timer_t *t) {
  (void) t;
  puts("timer");
}
static void on_timer_close(uv_timer_t *t) {
  puts("timer that closes");
  uv_close(H(t), NULL);
}
static void on_idle(uv_idle_t *h) {
  puts("idle");
  uv_idle_stop(h);
}
static void on_idle_2(uv_idle_t *h) {
  puts("second idle");
  uv_idle_stop(h);
}
static void on_prepare(uv_prepare_t *h) {
  puts("prepare");
  uv_prepare_stop(h);
}
static void on_check(uv_check_t *h) {
  puts("check");
  uv_check_stop(h);
}
static void on_async(uv_async_t *h) {
  (void) h;
  puts("async");
}
static void on_poll(uv_poll_t *h, int status, int events) {
  printf("poll %d %d\n", status, events);
  uv_poll_stop(h);
}
static void on_close(uv_handle_t *h) {
  printf("closed a %s\n", uv_handle_type_name(h->type));
}

static void loops(uv_loop_t *loop) {
  static uv_loop_t second;
  static uv_timer_t timer;
  uv_loop_t *made;

  SHOW(uv_loop_size() == sizeof(uv_loop_t));
  SHOW(uv_loop_configure(loop, (uv_loop_option) 9999));
  SHOW(uv_loop_configure(loop, (uv_loop_option) -1));
  SHOW(uv_loop_configure(loop, UV_LOOP_BLOCK_SIGNAL, SIGINT));
  SHOW(uv_loop_configure(loop, UV_LOOP_BLOCK_SIGNAL, 9999));
  SHOW(uv_loop_configure(loop, UV_LOOP_BLOCK_SIGNAL, SIGPROF));
  SHOW(uv_loop_configure(loop, UV_METRICS_IDLE_TIME));
  SHOW(uv_loop_configure(loop, UV_METRICS_IDLE_TIME));
  SHOW(uv_loop_alive(loop));
  SHOW(uv_backend_timeout(loop));
  SHOW(uv_backend_fd(loop) >= 0);
  SHOW(uv_run(loop, (uv_run_mode) 77));
  SHOW(uv_run(loop, (uv_run_mode) -1));
  uv_loop_set_data(loop, &second);
  SHOW(uv_loop_get_data(loop) == &second);

  NEED(uv_timer_init(loop, &timer));
  SHOW(uv_loop_alive(loop));
  SHOW(uv_backend_timeout(loop));
  NEED(uv_timer_start(&timer, on_timer, 5000, 0));
  SHOW(uv_loop_alive(loop));
  /* Before its first turn libuv says 0, as its poller is not set up yet. */
  SHOW(uv_run(loop, UV_RUN_NOWAIT));
  SHOW(uv_backend_timeout(loop) > 4000);
  uv_stop(loop);
  SHOW(uv_backend_timeout(loop));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(uv_backend_timeout(loop) > 4000);
  SHOW(uv_run(loop, UV_RUN_NOWAIT));
  SHOW(uv_loop_close(loop));
  uv_unref(H(&timer));
  SHOW(uv_loop_alive(loop));
  SHOW(uv_loop_close(loop));
  uv_close(H(&timer), on_close);
  SHOW(uv_loop_alive(loop));
  SHOW(uv_backend_timeout(loop));
  SHOW(uv_loop_close(loop));
  SHOW(uv_run(loop, UV_RUN_NOWAIT));

  SHOW(uv_loop_init(&second));
  SHOW(uv_loop_fork(&second));
  SHOW(uv_loop_fork(&second));
  SHOW(uv_loop_close(&second));
  made = uv_loop_new();
  SHOW(made != NULL);
  uv_loop_delete(made);
  SHOW(uv_default_loop() == uv_default_loop());
  SHOW(uv_loop_close(uv_default_loop()));
  SHOW(uv_default_loop() != NULL);
  SHOW(uv_loop_close(uv_default_loop()));
}

static void no_fds(uv_loop_t *loop) {
  struct rlimit old, none = {0, 0};
  static uv_loop_t second;
  static uv_tcp_t tcp;
  int fds[2];

  getrlimit(RLIMIT_NOFILE, &old);
  none.rlim_max = old.rlim_max;
  setrlimit(RLIMIT_NOFILE, &none);
  memset(&second, 0, sizeof(second));
  SHOW(uv_loop_init(&second));
  SHOW(uv_tcp_init_ex(loop, &tcp, AF_INET));
  SHOW(uv_socketpair(SOCK_STREAM, 0, fds, 0, 0));
  setrlimit(RLIMIT_NOFILE, &old);
  SHOW(uv_loop_init(&second));
  SHOW(uv_loop_close(&second));
}

static void metrics(uv_loop_t *loop) {
  uv_metrics_t m;
  int i;

  SHOW(uv_metrics_idle_time(loop));
  SHOW(uv_metrics_info(loop, &m));
  SHOW(m.loop_count);
  SHOW(m.events);
  SHOW(m.events_waiting);
  for (i = 0; i < 3; i++)
    uv_run(loop, UV_RUN_NOWAIT);
  SHOW(uv_metrics_info(loop, &m));
  SHOW(m.loop_count);
  SHOW(uv_metrics_idle_time(loop));
}

static void print_handles(uv_loop_t *loop) {
  static uv_timer_t timer;
  static uv_idle_t idle;
  static uv_tcp_t tcp;
  FILE *file = tmpfile();
  char line[200], *end;
  int i;

  NEED(file == NULL ? -1 : 0);
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_idle_init(loop, &idle));
  NEED(uv_tcp_init(loop, &tcp));
  uv_idle_start(&idle, on_idle);
  uv_unref(H(&idle));
  for (i = 0; i < 2; i++) {
    if (i == 0)
      uv_print_all_handles(loop, file);
    else
      uv_print_active_handles(loop, file);
    rewind(file);
    while (fgets(line, sizeof(line), file) != NULL) {
      end = strstr(line, "0x"); /* addresses differ */
      if (end != NULL)
        *end = '\0';
      if (strstr(line, "I] ") == NULL) /* a loop's inner handles are its own */
        printf("%s|\n", line);
    }
    NEED(ftruncate(fileno(file), 0));
    rewind(file);
  }
  fclose(file);
}

static void names(uv_loop_t *loop) {
  char small[12];
  int i;
  static const int codes[] = {0,     1,     -1,    -2,         UV_EOF,
                              -4095, -4096, 12345, UV_ENODATA, INT_MIN,
                              INT_MAX};

  (void) loop;
  ends_libuv_leaves(ENDS_HEAP); /* the texts of unknown numbers */
  for (i = -2; i <= UV_HANDLE_TYPE_MAX + 1; i++) {
    SHOW(i);
    TEXT(uv_handle_type_name((uv_handle_type) i));
    SHOW(uv_handle_size((uv_handle_type) i));
  }
  for (i = -2; i <= UV_REQ_TYPE_MAX + 1; i++) {
    SHOW(i);
    TEXT(uv_req_type_name((uv_req_type) i));
    SHOW(uv_req_size((uv_req_type) i));
  }
  TEXT(uv_handle_type_name((uv_handle_type) INT_MAX));
  TEXT(uv_req_type_name((uv_req_type) INT_MIN));
  for (i = 0; i < (int) (sizeof(codes) / sizeof(codes[0])); i++) {
    SHOW(codes[i]);
    TEXT(uv_err_name(codes[i]));
    TEXT(uv_strerror(codes[i]));
    memset(small, '#', sizeof(small));
    small[11] = '\0';
    TEXT(uv_err_name_r(codes[i], small, 5));
    TEXT(uv_strerror_r(codes[i], small, 8));
    TEXT(uv_strerror_r(codes[i], small, 1));
    TEXT(small + 1);
    small[0] = '#';
    uv_err_name_r(codes[i], small, 0);
    TEXT(small);
  }
  for (i = 1; i < 140; i++) {
    printf("%d %s: ", i, uv_err_name_r(-i, small, sizeof(small)));
    SHOW(uv_translate_sys_error(i));
  }
  SHOW(uv_translate_sys_error(0));
  SHOW(uv_translate_sys_error(-EINVAL));
  SHOW(uv_translate_sys_error(99999));
  SHOW(uv_version());
  TEXT(uv_version_string());
}

static void show_state(const char *when, const uv_handle_t *h) {
  printf("%s %s: active %d, closing %d, ref %d\n", uv_handle_type_name(h->type),
         when, uv_is_active(h) != 0, uv_is_closing(h) != 0,
         uv_has_ref(h) != 0);
}

static void show_life(uv_handle_t *h) {
  int value = 0, fd;

  show_state("fresh", h);
  uv_ref(h);
  uv_unref(h);
  uv_unref(h);
  show_state("unref", h);
  uv_ref(h);
  uv_ref(h);
  show_state("ref", h);
  SHOW(uv_handle_get_loop(h) == h->loop);
  SHOW(uv_handle_get_type(h));
  SHOW(uv_handle_get_data(h) == h->data);
  if (h->type != UV_POLL) { /* a poll handle has whatever fd it was given */
    SHOW(uv_fileno(h, &fd));
    SHOW(uv_send_buffer_size(h, &value));
    SHOW(uv_recv_buffer_size(h, &value));
  }
  SHOW(uv_send_buffer_size(h, NULL));
  SHOW(uv_recv_buffer_size(NULL, &value));
  SHOW(uv_send_buffer_size(NULL, NULL));
  uv_close(h, on_close);
  show_state("closing", h);
  if (h->type != UV_POLL)
    SHOW(uv_fileno(h, &fd));
  uv_run(h->loop, UV_RUN_NOWAIT);
  show_state("closed", h);
  if (h->type != UV_POLL)
    SHOW(uv_fileno(h, &fd));
}

static void handles(uv_loop_t *loop) {
  static union uv_any_handle h;
  int fds[2];

  memset(&h, 0, sizeof(h));
  NEED(uv_timer_init(loop, &h.timer));
  show_life(&h.handle);
  NEED(uv_idle_init(loop, &h.idle));
  show_life(&h.handle);
  NEED(uv_prepare_init(loop, &h.prepare));
  show_life(&h.handle);
  NEED(uv_check_init(loop, &h.check));
  show_life(&h.handle);
  NEED(uv_async_init(loop, &h.async, NULL));
  show_life(&h.handle);
  NEED(uv_tcp_init(loop, &h.tcp));
  show_life(&h.handle);
  NEED(pipe(fds));
  NEED(uv_poll_init(loop, &h.poll, fds[0]));
  show_life(&h.handle);
  close(fds[0]);
  close(fds[1]);
}

static void timers(uv_loop_t *loop) {
  static uv_timer_t t;

  NEED(uv_timer_init(loop, &t));
  SHOW(uv_timer_start(&t, NULL, 1, 1));
  SHOW(uv_timer_again(&t));
  SHOW(uv_timer_stop(&t));
  SHOW(uv_timer_stop(&t));
  SHOW(uv_timer_get_due_in(&t));
  SHOW(uv_timer_get_repeat(&t));
  uv_timer_set_repeat(&t, UINT64_MAX);
  SHOW(uv_timer_get_repeat(&t) == UINT64_MAX);
  SHOW(uv_timer_again(&t));
  SHOW(uv_timer_start(&t, on_timer, UINT64_MAX, UINT64_MAX));
  SHOW(uv_timer_get_due_in(&t) == UINT64_MAX - uv_now(loop));
  SHOW(uv_run(loop, UV_RUN_NOWAIT) != 0);
  SHOW(uv_timer_again(&t));
  SHOW(uv_is_active(H(&t)));
  SHOW(uv_timer_start(&t, on_timer, (uint64_t) INT_MAX + 10, 0));
  SHOW(uv_backend_timeout(loop));
  SHOW(uv_timer_start(&t, on_timer, 0, 0));
  SHOW(uv_timer_start(&t, on_timer, 0, 0));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(uv_timer_again(&t));
  SHOW(uv_is_active(H(&t)));
  SHOW(uv_timer_start(&t, NULL, 0, 0));
  SHOW(uv_timer_start(&t, on_timer_close, 0, 1));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(uv_timer_start(&t, on_timer, 1, 0));
  SHOW(uv_timer_stop(&t));

  NEED(uv_timer_init(loop, &t));
  NEED(uv_timer_start(&t, on_timer, 0, 0));
  uv_close(H(&t), on_close);
  SHOW(uv_timer_start(&t, on_timer, 0, 0));
  SHOW(uv_timer_again(&t));
  SHOW(uv_timer_stop(&t));
  SHOW(uv_is_active(H(&t)));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
}

static void watchers(uv_loop_t *loop) {
  static uv_idle_t idle;
  static uv_prepare_t prepare;
  static uv_check_t check;
  static uv_timer_t timer;

  /* Idle ends in the first turn; without a timer the poll would wait on. */
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_timer_start(&timer, on_timer, 100, 0));
  NEED(uv_idle_init(loop, &idle));
  NEED(uv_prepare_init(loop, &prepare));
  NEED(uv_check_init(loop, &check));
  SHOW(uv_idle_stop(&idle));
  SHOW(uv_idle_start(&idle, NULL));
  SHOW(uv_prepare_start(&prepare, NULL));
  SHOW(uv_check_start(&check, NULL));
  SHOW(uv_is_active(H(&idle)));
  SHOW(uv_idle_start(&idle, on_idle));
  SHOW(uv_idle_start(&idle, NULL));
  SHOW(uv_idle_start(&idle, on_idle_2));
  SHOW(uv_backend_timeout(loop));
  SHOW(uv_prepare_start(&prepare, on_prepare));
  SHOW(uv_prepare_start(&prepare, NULL));
  SHOW(uv_check_start(&check, on_check));
  SHOW(uv_check_start(&check, NULL));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(uv_prepare_stop(&prepare));
  SHOW(uv_prepare_stop(&prepare));
  SHOW(uv_check_stop(&check));
  uv_close(H(&idle), on_close);
  SHOW(uv_idle_stop(&idle));
  uv_close(H(&prepare), on_close);
  uv_close(H(&check), on_close);
  SHOW(uv_prepare_stop(&prepare));
  SHOW(uv_check_stop(&check));
}

static void async(uv_loop_t *loop) {
  static uv_async_t a, silent;
  int i;

  SHOW(uv_async_init(loop, &a, on_async));
  SHOW(uv_async_init(loop, &silent, NULL));
  SHOW(uv_is_active(H(&a)));
  for (i = 0; i < 3; i++)
    SHOW(uv_async_send(&a));
  SHOW(uv_async_send(&silent));
  SHOW(uv_run(loop, UV_RUN_NOWAIT) != 0);
  SHOW(uv_run(loop, UV_RUN_NOWAIT) != 0);
  SHOW(uv_async_send(&a));
  uv_close(H(&a), on_close);
  uv_close(H(&silent), on_close);
  SHOW(uv_async_send(&a));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
}

static void poll(uv_loop_t *loop) {
  static uv_poll_t p, q;
  FILE *file = tmpfile();
  int fds[2], folder, null, fd = -5;

  SHOW(uv_poll_init(loop, &p, -1));
  SHOW(uv_poll_init(loop, &p, -12345));
  SHOW(uv_poll_init(loop, &p, INT_MIN));
  SHOW(uv_poll_init(loop, &p, 1 << 20));
  SHOW(uv_poll_init(loop, &p, INT_MAX));
  NEED(file == NULL ? -1 : 0);
  SHOW(uv_poll_init(loop, &p, fileno(file)));
  folder = open("/", O_RDONLY | O_DIRECTORY);
  SHOW(uv_poll_init(loop, &p, folder));
  null = open("/dev/null", O_RDWR);
  SHOW(uv_poll_init(loop, &p, null));
  NEED(pipe(fds));
  SHOW(uv_poll_init_socket(loop, &p, fds[1]));
  SHOW(fcntl(fds[1], F_GETFL) & O_NONBLOCK);
  SHOW(uv_fileno(H(&p), &fd));
  SHOW(fd == fds[1]);
  SHOW(uv_is_active(H(&p)));
  SHOW(uv_poll_stop(&p));
  SHOW(uv_poll_start(&p, 0, on_poll));
  SHOW(uv_is_active(H(&p)));
  SHOW(uv_poll_start(&p, UV_READABLE | UV_WRITABLE | UV_DISCONNECT, on_poll));
  SHOW(uv_is_active(H(&p)));
  SHOW(uv_poll_init(loop, &q, fds[1]));
  SHOW(uv_poll_start(&p, UV_WRITABLE | UV_PRIORITIZED, on_poll));
  SHOW(uv_poll_start(&p, 0, NULL));
  SHOW(uv_is_active(H(&p)));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(uv_poll_start(&p, UV_WRITABLE, on_poll));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  close(fds[0]);
  SHOW(uv_poll_start(&p, UV_WRITABLE, on_poll));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  NEED(uv_poll_start(&p, UV_WRITABLE, on_poll));
  uv_close(H(&p), on_close);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  close(fds[1]);
  SHOW(uv_poll_init(loop, &q, fds[1]));
  fclose(file);
  close(folder);
  close(null);
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"loops", loops},     {"no_fds", no_fds},
      {"metrics", metrics}, {"print_handles", print_handles},
      {"names", names},     {"handles", handles},
      {"timers", timers},   {"watchers", watchers},
      {"async_", async},     {"poll", poll},
      {NULL, NULL}};

  return check_main(argc, argv, table);
}

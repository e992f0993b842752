/* Several errands on one loop, until all are done. */
#include "errand.h"

enum { MOST = 5, SHAKERS = 3 };

static const struct {
  const char *name;
  void (*begin)(struct errand *e);
  void (*end)(struct errand *e);
  int weight;
} table[] = {
    {"files", files_begin, files_end, 6}, {"watch", watch_begin, watch_end, 2},
    {"bulk", bulk_begin, bulk_end, 4},        {"child", child_begin, child_end, 1},
    {"pass", pass_begin, pass_end, 3},        {"named", named_begin, named_end, 2},
    {"datagrams", udp_begin, NULL, 3},
    {"names", names_begin, NULL, 2},
};

static struct errand errands[MOST];

void note(struct errand *e, const char *format, ...) {
  va_list args;
  int n;

  va_start(args, format);
  n = vsnprintf(e->notes + e->len, NOTES - e->len, format, args);
  va_end(args);
  e->len += (size_t) n;
  if (e->len >= NOTES)
    e->len = NOTES - 1;
}

void *errand_own(struct errand *e, size_t size) {
  e->own = calloc(1, size);
  NEED(e->own == NULL ? -1 : 0);
  return e->own;
}

void called_back(struct errand *e) {
  if (e->calling)
    note(e, " called back inside of the call");
}

void stream_pair(uv_loop_t *loop, int way, uv_stream_t *ends[2],
                 union uv_any_handle handles[2]) {
  int fds[2], pipe_fds[2], i;

  if (way == 0)
    tcp_pair(fds);
  else if (way == 1)
    NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
  else
    NEED(uv_pipe(pipe_fds, 0, 0));
  /* The first end is the one that writes. */
  for (i = 0; i < 2 && way == 2; i++)
    fds[i] = pipe_fds[1 - i];
  for (i = 0; i < 2; i++) {
    ends[i] = &handles[i].stream;
    if (way == 0) {
      NEED(uv_tcp_init(loop, &handles[i].tcp));
      NEED(uv_tcp_open(&handles[i].tcp, fds[i]));
    } else {
      NEED(uv_pipe_init(loop, &handles[i].pipe, 0));
      NEED(uv_pipe_open(&handles[i].pipe, fds[i]));
    }
  }
}

/* ---- what goes on beside ------------------------------------------------ */

static union uv_any_handle shakers[SHAKERS];
static int shakes[SHAKERS];

static void shake(uv_handle_t *h) {
  int *left = h->data;

  if (--*left <= 0 && !uv_is_closing(h))
    uv_close(h, NULL);
}
static void on_shake_idle(uv_idle_t *h) { shake(H(h)); }
static void on_shake_check(uv_check_t *h) { shake(H(h)); }
static void on_shake_timer(uv_timer_t *h) { shake(H(h)); }

static void shaker(uv_loop_t *loop, int i, uint64_t *rng) {
  union uv_any_handle *h = &shakers[i];

  shakes[i] = 1 + pick(rng, 12);
  switch (pick(rng, 4)) {
    case 0:
      NEED(uv_idle_init(loop, &h->idle));
      NEED(uv_idle_start(&h->idle, on_shake_idle));
      break;
    case 1:
      NEED(uv_check_init(loop, &h->check));
      NEED(uv_check_start(&h->check, on_shake_check));
      /* Alone it would be waited for for ever. */
      uv_unref(&h->handle);
      break;
    default:
      shakes[i] = 1 + shakes[i] % 2;
      NEED(uv_timer_init(loop, &h->timer));
      NEED(uv_timer_start(&h->timer, on_shake_timer, 1, 1));
  }
  h->handle.data = &shakes[i];
}

/* One of the table, by weight. */
static int which(uint64_t *rng) {
  int sum = 0, i;

  for (i = 0; i < (int) COUNT(table); i++)
    sum += table[i].weight;
  sum = pick(rng, sum);
  for (i = 0; sum >= table[i].weight; i++)
    sum -= table[i].weight;
  return i;
}

static void close_rest(uv_handle_t *h, void *unused) {
  (void) unused;
  if (!uv_is_closing(h))
    uv_close(h, NULL);
}

static void run(uv_loop_t *loop, uint64_t *rng) {
  int n;

  /* Not too often without waiting: a child takes its time. */
  for (n = pick(rng, 40); n > 0 && uv_loop_alive(loop); n--)
    uv_run(loop, pick(rng, 2) ? UV_RUN_ONCE : UV_RUN_NOWAIT);
  uv_run(loop, UV_RUN_DEFAULT);
  /* Those that do not keep the loop alive. */
  uv_walk(loop, close_rest, NULL);
  uv_run(loop, UV_RUN_DEFAULT);
}

void errands_run(uint64_t seed) {
  uint64_t rng = seed * 0x9e3779b97f4a7c15u + 2;
  int n, shaking, kinds[MOST], i;
  uv_loop_t loop;

  clock_leave();
  NEED(uv_loop_init(&loop));
  n = 1 + pick(&rng, MOST);
  shaking = pick(&rng, SHAKERS + 1);
  for (i = 0; i < shaking; i++)
    shaker(&loop, i, &rng);
  memset(errands, 0, sizeof(errands));
  for (i = 0; i < n; i++) {
    kinds[i] = which(&rng);
    errands[i].id = i;
    errands[i].name = table[kinds[i]].name;
    errands[i].loop = &loop;
    errands[i].rng = (seed << 8) + 100u + (uint64_t) i;
    table[kinds[i]].begin(&errands[i]);
  }
  run(&loop, &rng);
  for (i = 0; i < n; i++) {
    if (table[kinds[i]].end != NULL)
      table[kinds[i]].end(&errands[i]);
    say("errand %d %s:%s", i, errands[i].name, errands[i].notes);
    free(errands[i].own);
  }
  say("uv_loop_close after errands = %s", code(uv_loop_close(&loop)));
}

/* The turns of a program: what happens before and after polling. */
#include "trace.h"

struct program p;

/* An open thing began: it may end before or after polling, so nothing that
 * depends on it is printed or decided before the next flush. The hook keeps
 * the loop alive until then. */
void touch(void) {
  p.touched = 1;
  if (!p.ending)
    uv_ref(H(&p.after));
}

/* How long the loop may sleep by the manual: what uv_backend_timeout says on
 * libuv. On io_uring that function also says 0 while something waits to be told
 * to the kernel, which is no difference to anybody who sleeps by it. */
int sleep_limit(void) {
  int limit = -1, i;

  if (p.stopped || !uv_loop_alive(&p.loop))
    return 0;
  for (i = 0; i < p.count; i++) {
    struct object *o = &p.objects[i];
    int due;

    if (o->state == CLOSING)
      return 0;
    if (o->state != OPEN || o->kind == WORK || !uv_is_active(&o->h.any))
      continue;
    if (o->kind == IDLE)
      return 0;
    if (o->kind != TIMER)
      continue;
    due = (int) uv_timer_get_due_in(&o->h.timer);
    if (limit == -1 || due < limit)
      limit = due;
  }
  return limit;
}

/* The last of all prepare callbacks. Decides how long the poll sleeps: never,
 * or exactly until the next timer on a clock that has moved already. */
static void on_after(uv_check_t *h);

static void on_before(uv_prepare_t *h) {
  int timeout = 0, i;

  (void) h;
  pool_settle();
  for (i = 0; i < p.count; i++) {
    struct object *o = &p.objects[i];
    siginfo_t info;

    if (o->kind == PROCESS && o->inflight)
      waitid(P_PID, (id_t) o->h.process.pid, &info, WEXITED | WNOWAIT);
  }
  if (!p.touched && p.pending == 0)
    timeout = sleep_limit();
  if (timeout > 0) {
    clock_advance((uint64_t) timeout);
    if (!p.real_sleep)
      uv_update_time(&p.loop);
  }
  if (timeout <= 0) {
    uv_idle_start(&p.spin, on_idle);
    uv_unref(H(&p.spin));
  }
  /* First of all check callbacks. */
  uv_check_stop(&p.after);
  uv_check_start(&p.after, on_after);
  if (p.touched || p.pending != 0)
    uv_ref(H(&p.after));
  p.quiet = timeout == -1 ? p.quiet + 1 : 0;
  if (++p.turns >= p.turn_limit) {
    say("turn limit");
    uv_stop(&p.loop);
  } else if (p.quiet > 2) {
    say("quiet");
    uv_stop(&p.loop);
  }
}

/* Whether the other end has closed: libuv will say so in the next turn, or
 * uvring has said so already. */
static int is_at_end(struct object *o) {
  struct pollfd look = {-1, POLLRDHUP, 0};

  return uv_fileno(&o->h.any, &look.fd) == 0 && poll(&look, 1, 0) == 1;
}

/* The end of reading comes a turn later where libraries may differ: with the
 * last bytes, or in the turn in which the other end was shut down. */
static void flush_end(struct object *o) {
  const struct object *peer = o->peer == -1 ? NULL : &p.objects[o->peer];

  if (o->nread != 0 || (peer != NULL && peer->shut)) {
    if (is_at_end(o))
      o->settling = 1;
    return;
  }
  if (o->lines[END][0] == '\0')
    return;
  murmur(o, IN, "%s", o->lines[END] + 1);
  o->lines[END][0] = '\0';
  o->ended = peer == NULL || peer->state != OPEN;
  if (o->state == OPEN)
    o->later = 1;
}

static void flush_one(struct object *o) {
  if (o->settling > 0)
    o->settling--;
  if (o->kind == STREAM)
    flush_end(o);
  if (o->nread != 0)
    murmur(o, IN, "read %zu", o->nread);
  o->nread = 0;
  if (o->lines[IN][0] != '\0' || o->lines[OUT][0] != '\0')
    say("  ~%d:%s |%s", o->id, o->lines[IN], o->lines[OUT]);
  /* What was held waits until the next flush. */
  o->lines[IN][0] = '\0';
  memcpy(o->lines[OUT], o->lines[HELD_OUT], LINES);
  o->lines[HELD_OUT][0] = '\0';
  if (o->settling > 0 || o->held > 0 || o->lines[END][0] != '\0')
    touch();
  p.pending -= o->held;
  if (o->inflight == 0)
    o->used = 0;
}

/* What others looked at while they were flushed. */
static void flush_after(struct object *o) {
  o->shut = 0;
  if (o->connected == 2) {
    /* What was written before goes out now, or has. */
    o->connected = 1;
    o->connecting = 0;
    o->settling = 1;
    if (o->peer != -1)
      p.objects[o->peer].settling = 1;
    touch();
  }
}

/* The first of all check callbacks: polling is over. */
static void on_after(uv_check_t *h) {
  int i;

  (void) h;
  uv_idle_stop(&p.spin);
  p.touched = 0;
  for (i = 0; i < p.count; i++) {
    struct object *o = &p.objects[i];

    flush_one(o);
  }
  for (i = 0; i < p.count; i++)
    flush_after(&p.objects[i]);
  if (p.said)
    p.quiet = 0;
  p.said = 0;
  if (p.pending == 0 && !p.touched)
    uv_unref(H(&p.after));
  for (i = 0; i < p.count; i++) {
    struct object *o = &p.objects[i];

    for (; o->later > 0 && !p.ending; o->later--) {
      say("%s %d goes on", kind_name(o->kind), o->id);
      ops(&o->rng, 3);
    }
    /* Those are said at the next flush. */
    o->later = o->held != 0 && o->state == OPEN;
    o->held = 0;
  }
}

static void close_each(uv_handle_t *h, void *unused) {
  struct object *o = h->data;

  (void) unused;
  if (o != NULL && o->state == OPEN && o->kind != PROCESS)
    object_close(o, 0);
}

static void turns_of(uv_run_mode mode, const char *name, int limit) {
  int alive;

  p.turns = 0;
  p.quiet = 0;
  p.stopped = 0;
  p.turn_limit = limit;
  say("uv_run %s", name);
  alive = uv_run(&p.loop, mode);
  p.stopped = 0;
  say("uv_run = %d", alive != 0);
}

static void begin(uint64_t seed, int limit) {
  memset(&p, 0, sizeof(p));
  clock_reset();
  p.seed = seed;
  p.rng = seed * 0x9e3779b97f4a7c15u + 1;
  p.ops = limit;
  p.planted = is_planted(seed);
  p.real_sleep = pick(&p.rng, 16) == 0;
  NEED(uv_loop_init(&p.loop));
  NEED(uv_prepare_init(&p.loop, &p.before));
  NEED(uv_check_init(&p.loop, &p.after));
  NEED(uv_idle_init(&p.loop, &p.spin));
  NEED(uv_prepare_start(&p.before, on_before));
  NEED(uv_check_start(&p.after, on_after));
  uv_unref(H(&p.before));
  uv_unref(H(&p.after));
  uv_unref(H(&p.spin));
}

static void end(void) {
  int i;

  p.ops = 0;
  turns_of(UV_RUN_NOWAIT, "to see what is held", 3);
  turns_of(UV_RUN_NOWAIT, "to see the rest", 3);
  p.ending = 1;
  say("closing all");
  uv_walk(&p.loop, close_each, NULL);
  for (i = 0; i < p.count; i++)
    if (p.objects[i].kind == PROCESS && p.objects[i].state == OPEN)
      object_close(&p.objects[i], 0);
  turns_of(UV_RUN_DEFAULT, "to the end", 40);
  uv_close(H(&p.before), NULL);
  uv_close(H(&p.after), NULL);
  uv_close(H(&p.spin), NULL);
  uv_run(&p.loop, UV_RUN_DEFAULT);
  say("uv_loop_close = %s", code(uv_loop_close(&p.loop)));
}

void exact_run(uint64_t seed, int limit) {
  static const uv_run_mode modes[] = {UV_RUN_DEFAULT, UV_RUN_ONCE,
                                      UV_RUN_NOWAIT};
  static const char *names[] = {"default", "once", "nowait"};
  int steps, i;

  begin(seed, limit);
  steps = 2 + pick(&p.rng, 6);
  for (i = 0; i < steps; i++) {
    int mode = pick(&p.rng, 3);

    ops(&p.rng, 12);
    turns_of(modes[mode], names[mode], 4 + pick(&p.rng, 8));
  }
  end();
}

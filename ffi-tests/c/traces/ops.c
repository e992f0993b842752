/* One random operation: on handles without descriptors, on the loop. */
#include "trace.h"

static void show(const struct object *o) {
  const uv_handle_t *h = &o->h.any;

  if (o->kind == WORK)
    return;
  /* What has requests is active until they end: open. */
  if (p.touched || p.pending != 0)
    say("state %d: closing %d ref %d", o->id, uv_is_closing(h) != 0,
        uv_has_ref(h) != 0);
  else
    say("state %d: closing %d ref %d active %d", o->id, uv_is_closing(h) != 0,
        uv_has_ref(h) != 0, uv_is_active(h) != 0);
}

static void op_timer(struct object *o, uint64_t *rng) {
  static const int due[] = {0, 0, 1, 1, 2, 3, 5, 40};
  static const int repeat[] = {0, 0, 0, 1, 2, 3};
  uv_timer_t *t = &o->h.timer;
  int a, b;

  switch (pick(rng, 8)) {
    case 0: say("timer %d stop = %s", o->id, code(uv_timer_stop(t))); break;
    case 1: say("timer %d again = %s", o->id, code(uv_timer_again(t))); break;
    case 2:
      a = repeat[pick(rng, COUNT(repeat))];
      say("timer %d set_repeat %d", o->id, a);
      uv_timer_set_repeat(t, (uint64_t) a);
      break;
    case 3:
      say("timer %d repeat %d due in %d", o->id, (int) uv_timer_get_repeat(t),
          uv_is_active(&o->h.any) ? (int) uv_timer_get_due_in(t) : -1);
      break;
    default:
      a = due[pick(rng, COUNT(due))];
      b = repeat[pick(rng, COUNT(repeat))];
      say("timer %d start %d %d = %s", o->id, a, b,
          code(uv_timer_start(t, on_timer, (uint64_t) a, (uint64_t) b)));
  }
}

static void op_phase(struct object *o, uint64_t *rng) {
  int start = pick(rng, 3) != 0, rc;

  switch (o->kind) {
    case IDLE:
      rc = start ? uv_idle_start(&o->h.idle, on_idle)
                 : uv_idle_stop(&o->h.idle);
      break;
    case PREPARE:
      rc = start ? uv_prepare_start(&o->h.prepare, on_prepare)
                 : uv_prepare_stop(&o->h.prepare);
      break;
    default:
      rc = start ? uv_check_start(&o->h.check, on_check)
                 : uv_check_stop(&o->h.check);
  }
  say("%s %d %s = %s", kind_name(o->kind), o->id, start ? "start" : "stop",
      code(rc));
}

static void send_from_thread(void *async) { uv_async_send(async); }

static void op_async(struct object *o, uint64_t *rng) {
  uv_thread_t thread;

  touch();
  if (pick(rng, 8) == 0) {
    signals_blocked(1);
    NEED(uv_thread_create(&thread, send_from_thread, &o->h.async));
    signals_blocked(0);
    NEED(uv_thread_join(&thread));
    say("async %d sent by a thread", o->id);
  } else {
    say("async %d send = %s", o->id, code(uv_async_send(&o->h.async)));
  }
}

/* Where nobody listens, the default would end the process. */
static void op_raise(int signum) {
  struct sigaction now;

  NEED(sigaction(signum, NULL, &now));
  if (now.sa_handler == SIG_DFL)
    say("nobody takes %d", signum);
  else
    say("raise %d = %d", signum, raise(signum));
}

/* See README.md: none is started anew until it was told, nor one-shot ones
 * beside it. */
static int is_raised(void) {
  int i;

  for (i = 0; i < p.count; i++)
    if (p.objects[i].kind == SIGNAL && p.objects[i].settling > 0)
      return 1;
  return 0;
}

static void op_signal(struct object *o, uint64_t *rng) {
  int signum = pick(rng, 2) ? SIGUSR1 : SIGUSR2, times, i;
  uv_signal_t *s = &o->h.signal;

  touch();
  switch (pick(rng, 6)) {
    case 0: say("signal %d stop = %s", o->id, code(uv_signal_stop(s))); break;
    case 1:
    case 2:
    case 3:
      if (is_raised())
        break;
      /* See README.md: a handle is one-shot for its whole life. */
      say("signal %d %s %d = %s", o->id, o->id % 3 == 0 ? "oneshot" : "start",
          signum,
          code(o->id % 3 == 0 ? uv_signal_start_oneshot(s, on_signal, signum)
                              : uv_signal_start(s, on_signal, signum)));
      break;
    default:
      times = 1 + pick(rng, 3);
      for (i = 0; i < times; i++)
        op_raise(signum);
      for (i = 0; i < p.count; i++)
        if (p.objects[i].kind == SIGNAL)
          p.objects[i].settling = 1;
  }
}

static void walk_each(uv_handle_t *h, void *list) {
  char *text = list;
  struct object *o = h->data;
  size_t len = strlen(text);

  /* Streams of io_uring may close a turn later. A process that could not be
   * started is a handle for libuv only, see README.md. */
  if (o != NULL && !o->closed_openly && o->kind != PROCESS)
    snprintf(text + len, 400 - len, " %d", o->id);
}

static void op_timeout(void) {
  int limit = sleep_limit(), timeout = uv_backend_timeout(&p.loop);

  say("alive %d timeout %d", uv_loop_alive(&p.loop) != 0,
      timeout == 0 ? limit : timeout);
}

static void op_loop(uint64_t *rng) {
  char text[400] = "";
  int a;

  switch (pick(rng, 7)) {
    case 0: say("now %d", (int) (uv_now(&p.loop) % 100000)); break;
    case 1:
      say("update_time");
      uv_update_time(&p.loop);
      break;
    case 2:
    case 3:
      a = 1 + pick(rng, 4);
      say("busy for %d", a);
      clock_advance((uint64_t) a);
      break;
    case 4:
      uv_walk(&p.loop, walk_each, text);
      say("walk%s", text);
      break;
    case 5:
      if (pick(rng, 3) == 0) {
        say("stop");
        uv_stop(&p.loop);
        p.stopped = 1;
      }
      break;
    default:
      if (!p.touched && p.pending == 0)
        op_timeout();
  }
}

/* What every handle can be told. */
static void op_any(struct object *o, uint64_t *rng) {
  uv_handle_t *h = &o->h.any;

  if (o->kind == WORK)
    return;
  switch (pick(rng, 5)) {
    case 0:
      say("unref %d", o->id);
      uv_unref(h);
      break;
    case 1:
      say("ref %d", o->id);
      uv_ref(h);
      break;
    case 2:
      /* What the other end wrote in this callback may not have left yet. */
      if (o->kind == STREAM && o->peer != -1 && p.objects[o->peer].inflight)
        break;
      if (o->settling > 0)
        break;
      if (o->state == OPEN && pick(rng, 2)) {
        say("close %s %d", kind_name(o->kind), o->id);
        object_close(o, 0);
      }
      break;
    default: show(o);
  }
}

static void op_new(uint64_t *rng) {
  enum kind kind = (enum kind) pick(rng, KINDS);

  if (kind == PROCESS && pick(rng, 8) != 0)
    kind = TIMER;
  object_new(kind);
}

/* Does one thing; what there is to do it to decides. */
void op(uint64_t *rng) {
  struct object *o;
  int choice = pick(rng, 10);

  if (choice == 0 || p.count == 0) {
    op_new(rng);
    return;
  }
  if (choice == 1) {
    op_loop(rng);
    return;
  }
  o = &p.objects[pick(rng, p.count)];
  if (o->state == CLOSED || o->settling > 0)
    return;
  if (choice == 2 || o->state == CLOSING || o->ended) {
    op_any(o, rng);
    return;
  }
  switch (o->kind) {
    case TIMER: op_timer(o, rng); break;
    case IDLE:
    case PREPARE:
    case CHECK: op_phase(o, rng); break;
    case ASYNC: op_async(o, rng); break;
    case SIGNAL: op_signal(o, rng); break;
    default: op_io(o, rng);
  }
}

/* Up to `most` operations, while the program has any left. */
void ops(uint64_t *rng, int most) {
  int n = pick(rng, most + 1);

  for (; n > 0 && p.ops > 0 && !p.ending; n--) {
    p.ops--;
    if (++p.done == 8 && p.planted)
      say("planted");
    op(rng);
  }
}

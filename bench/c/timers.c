/* Row family timers: a million timers in one loop. usage: timers COUNT
 * They stand for the idle timeouts of a million connections that arrived over a
 * minute, so each is due a little later than its neighbour in memory. Rows named
 * -shuffled touch them in random order, which costs every subject cache misses. */
#include "uvcommon.h"

#define HOT_STARTS 1000000

static uv_timer_t *timers;
static uint64_t *timeouts;
static uint32_t *by_age, *by_chance; /* two orders of the same timers */
static uint64_t count, fired, last_due;
static uv_loop_t loop;
static uint64_t wall, cpu;

static void on_never(uv_timer_t *t) {
  (void) t;
  die("a timer fired that is not due");
}

static void on_due(uv_timer_t *t) {
  uint64_t due = (uint64_t) (uintptr_t) t->data;
  if (due < last_due) die("timers fired out of order");
  last_due = due;
  fired++;
}

static void start_clock(void) {
  wall = now_ns();
  cpu = own_cpu_ns();
}

static void stop_clock(const char *name, uint64_t ops) {
  uint64_t cpu_spent = own_cpu_ns() - cpu, wall_spent = now_ns() - wall;
  report(name, ops, wall_spent, cpu_spent);
}

/* The same order a minute later: every connection was heard once more. */
static void a_minute_later(void) {
  for (uint64_t i = 0; i < count; i++) timeouts[i] += 60000;
}

static uint32_t *in_order(void) {
  uint32_t *order = xalloc(count, sizeof *order);
  for (uint64_t i = 0; i < count; i++) order[i] = (uint32_t) i;
  return order;
}

static uint32_t *shuffled(uint32_t *seed) {
  uint32_t *order = in_order();
  for (uint64_t i = count - 1; i > 0; i--) {
    uint64_t k = next_random(seed) % (i + 1);
    uint32_t swap = order[i];
    order[i] = order[k];
    order[k] = swap;
  }
  return order;
}

static void start_all(const uint32_t *order, uv_timer_cb cb) {
  for (uint64_t i = 0; i < count; i++)
    UV(uv_timer_start(&timers[order[i]], cb, timeouts[order[i]], 0));
}

static void stop_all(const uint32_t *order) {
  for (uint64_t i = 0; i < count; i++) UV(uv_timer_stop(&timers[order[i]]));
}

/* One timer that is started again and again, as a busy connection's idle timer. */
static void hot(const char *name) {
  uv_timer_t timer;
  UV(uv_timer_init(&loop, &timer));
  UV(uv_timer_start(&timer, on_never, 5000, 0));
  start_clock();
  for (uint64_t i = 0; i < HOT_STARTS; i++)
    UV(uv_timer_start(&timer, on_never, 5000 + i / 1000, 0));
  stop_clock(name, HOT_STARTS);
  UV(uv_timer_stop(&timer));
  uv_close((uv_handle_t *) &timer, NULL);
  uv_run(&loop, UV_RUN_NOWAIT);
}

static void dispatch(uint32_t *seed) {
  for (uint64_t i = 0; i < count; i++) timeouts[i] = 1 + next_random(seed) % 1000;
  uv_update_time(&loop);
  for (uint64_t i = 0; i < count; i++) {
    timers[i].data = (void *) (uintptr_t) (uv_now(&loop) + timeouts[i]);
  }
  start_all(by_age, on_due);
  usleep(1050 * 1000);
  uv_update_time(&loop);
  start_clock();
  for (int turn = 0; turn < 100 && fired < count; turn++) uv_run(&loop, UV_RUN_NOWAIT);
  stop_clock("timers-dispatch", fired);
  if (fired != count) die("%llu of %llu timers fired", (unsigned long long) fired,
                          (unsigned long long) count);
}

int main(int argc, char **argv) {
  uint32_t seed = 0x9e3779b9;
  if (argc != 2) die("usage: timers COUNT");
  count = number(argv[1]);
  if (count == 0 || count > 10000000) die("count must be 1 to 10 million");
  begin(60);
  timers = xalloc(count, sizeof *timers);
  timeouts = xalloc(count, sizeof *timeouts);
  by_age = in_order();
  by_chance = shuffled(&seed);
  UV(uv_loop_init(&loop));
  tell_library(&loop);
  hot("timers-hot-alone");

  for (uint64_t i = 0; i < count; i++) {
    UV(uv_timer_init(&loop, &timers[i]));
    timeouts[i] = 60000 + i * 60000 / count;
  }
  start_clock();
  start_all(by_age, on_never);
  stop_clock("timers-insert", count);
  hot("timers-hot-among-all");
  a_minute_later();
  start_clock();
  start_all(by_age, on_never);
  stop_clock("timers-restart", count);
  a_minute_later();
  start_clock();
  start_all(by_chance, on_never);
  stop_clock("timers-restart-shuffled", count);
  start_clock();
  stop_all(by_age);
  stop_clock("timers-cancel", count);
  start_all(by_age, on_never);
  start_clock();
  stop_all(by_chance);
  stop_clock("timers-cancel-shuffled", count);
  dispatch(&seed);
  fflush(stdout);
  _exit(0); /* closing a million handles is no part of any row */
}

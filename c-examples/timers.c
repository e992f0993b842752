/* timers: once, every so often, pushed back, and not counted.
 *
 * Runs about 300 ms. What it shows: the four ways to use a timer, and that the
 * loop ends by itself when nothing is left that it should wait for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define CHECK(rc)                                                              \
  do {                                                                         \
    int check_rc = (rc);                                                       \
    if (check_rc < 0) {                                                        \
      fprintf(stderr, "%s: %s\n", #rc, uv_strerror(check_rc));                 \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)

static uv_timer_t once, ticker, idle_timeout, background;
static uint64_t started; /* ms, on the loop's clock */
static int ticks;

static unsigned long long since_start(uv_timer_t *timer) {
  /* uv_now is read once per turn of the loop: cheap, and in all callbacks of
   * one turn the same. It counts from an arbitrary moment. */
  return (unsigned long long) (uv_now(timer->loop) - started);
}

static void on_once(uv_timer_t *timer) {
  printf("once: after %llu ms\n", since_start(timer));
  /* It has run out and does not hold the loop, but closing is still due. */
  uv_close((uv_handle_t *) timer, NULL);
}

static void on_tick(uv_timer_t *timer) {
  ticks++;
  printf("tick %d: after %llu ms\n", ticks, since_start(timer));
  /* Something happened, so the idle timeout counts from here again. This is
   * how a server gives each client "10 s since your last byte". */
  CHECK(uv_timer_again(&idle_timeout));
  if (ticks == 5)
    uv_close((uv_handle_t *) timer, NULL);
}

static void on_idle(uv_timer_t *timer) {
  printf("idle: nothing for %llu ms, after %llu ms\n",
         (unsigned long long) uv_timer_get_repeat(timer), since_start(timer));
  uv_close((uv_handle_t *) timer, NULL);
}

static void on_background(uv_timer_t *timer) {
  (void) timer;
  fprintf(stderr, "this timer is an hour away and holds nobody\n");
  exit(1);
}

int main(void) {
  uv_loop_t loop;

  CHECK(uv_loop_init(&loop));
  started = uv_now(&loop);

  CHECK(uv_timer_init(&loop, &once));
  CHECK(uv_timer_start(&once, on_once, 20, 0)); /* 20 ms, no repeat */

  CHECK(uv_timer_init(&loop, &ticker));
  CHECK(uv_timer_start(&ticker, on_tick, 0, 40)); /* at once, then each 40 ms */

  CHECK(uv_timer_init(&loop, &idle_timeout));
  CHECK(uv_timer_start(&idle_timeout, on_idle, 100, 100));

  /* A loop does not wait for what is unreferenced. */
  CHECK(uv_timer_init(&loop, &background));
  CHECK(uv_timer_start(&background, on_background, 3600 * 1000, 0));
  uv_unref((uv_handle_t *) &background);

  CHECK(uv_run(&loop, UV_RUN_DEFAULT));

  /* Every handle is closed before its loop is; the closing takes a turn. */
  uv_close((uv_handle_t *) &background, NULL);
  CHECK(uv_run(&loop, UV_RUN_DEFAULT));
  CHECK(uv_loop_close(&loop));
  printf("timers: ok, %d ticks\n", ticks);
  return ticks == 5 ? 0 : 1;
}

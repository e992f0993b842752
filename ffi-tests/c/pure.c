/* Functions without a loop: addresses, threads, clocks; and timers on a
 * schedule that is the same on every run.
 *
 * Left out because libuv aborts: destroying a held lock, joining twice,
 * unlocking what is not locked, NULL where it is not said otherwise. */
#include "check.h"

#include <sched.h>

/* ---- addresses -------------------------------------------------------- */

static void inet(uv_loop_t *loop) {
  static const char *const texts[] = {
      "127.0.0.1", "0.0.0.0", "255.255.255.255", "256.0.0.1", "1.2.3",
      "1.2.3.4.5", "1.2.3.04", "01.2.3.4", "1..2.3", "", " 1.2.3.4", "1.2.3.4 ",
      "a.b.c.d", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9", "::1::", ":::", "12345::", "fe80::1%lo", "::1%lo",
      "fe80::1%", "fe80::1%99999", "fe80::1%nosuchinterface0", "::ffff:1.2.3.4",
      "::1.2.3.4", "::1.2.3", "::ffff:1.2.3.400", "g::", "1:2:3:4:5:6:1.2.3.4",
      "0000:0000:0000:0000:0000:0000:0000:0000000001",
      "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd"};
  unsigned char raw[16];
  char text[64];
  size_t i, j;
  static const size_t sizes[] = {0, 1, 2, 8, 9, 10, 46, 64};
  struct sockaddr_in a4;
  struct sockaddr_in6 a6;
  struct sockaddr odd;

  (void) loop;
  for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    TEXT(texts[i]);
    memset(raw, 0xee, sizeof(raw));
    SHOW(uv_inet_pton(AF_INET, texts[i], raw));
    for (j = 0; j < 4; j++)
      printf("%02x", raw[j]);
    memset(raw, 0xee, sizeof(raw));
    printf("\n");
    SHOW(uv_inet_pton(AF_INET6, texts[i], raw));
    for (j = 0; j < 16; j++)
      printf("%02x", raw[j]);
    printf("\n");
    if (uv_inet_pton(AF_INET6, texts[i], raw) == 0) {
      SHOW(uv_inet_ntop(AF_INET6, raw, text, sizeof(text)));
      TEXT(text);
    }
    memset(&a4, 0, sizeof(a4));
    SHOW(uv_ip4_addr(texts[i], 80, &a4));
    SHOW(a4.sin_addr.s_addr);
    memset(&a6, 0, sizeof(a6));
    SHOW(uv_ip6_addr(texts[i], 80, &a6));
    SHOW(a6.sin6_scope_id);
    memset(text, '#', sizeof(text));
    SHOW(uv_ip6_name(&a6, text, sizeof(text)));
    TEXT(text);
  }
  SHOW(uv_inet_pton(AF_UNIX, "::1", raw));
  SHOW(uv_inet_pton(-1, "::1", raw));
  SHOW(uv_inet_pton(AF_INET, NULL, raw));
  SHOW(uv_inet_pton(AF_INET6, "::1", NULL));
  SHOW(uv_inet_ntop(AF_UNIX, raw, text, sizeof(text)));
  NEED(uv_ip4_addr("10.20.30.4", -1, &a4));
  SHOW(ntohs(a4.sin_port));
  NEED(uv_ip4_addr("10.20.30.4", 65536, &a4));
  SHOW(ntohs(a4.sin_port));
  NEED(uv_ip6_addr("2001:db8::1", INT_MAX, &a6));
  SHOW(ntohs(a6.sin6_port));
  for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    memset(text, '#', sizeof(text));
    text[63] = '\0';
    SHOW(sizes[i]);
    SHOW(uv_ip4_name(&a4, text, sizes[i]));
    TEXT(sizes[i] == 0 ? "-" : text);
    SHOW(uv_ip6_name(&a6, text, sizes[i]));
    SHOW(uv_ip_name(A(&a4), text, sizes[i]));
    SHOW(uv_ip_name(A(&a6), text, sizes[i]));
    SHOW(uv_inet_ntop(AF_INET, &a4.sin_addr, text, sizes[i]));
  }
  memset(&odd, 0, sizeof(odd));
  SHOW(uv_ip_name(&odd, text, sizeof(text)));
  odd.sa_family = AF_UNIX;
  SHOW(uv_ip_name(&odd, text, sizeof(text)));
}

/* ---- clocks ----------------------------------------------------------- */

static void clocks(uv_loop_t *loop) {
  uv_timespec64_t ts;
  uv_timeval64_t tv;
  uint64_t before = uv_hrtime();

  SHOW(uv_clock_gettime(UV_CLOCK_MONOTONIC, &ts));
  SHOW(uv_clock_gettime(UV_CLOCK_REALTIME, &ts));
  SHOW(ts.tv_sec > 1600000000);
  SHOW(uv_clock_gettime((uv_clock_id) 77, &ts));
  SHOW(uv_clock_gettime((uv_clock_id) -1, &ts));
  SHOW(uv_clock_gettime(UV_CLOCK_MONOTONIC, NULL));
  SHOW(uv_gettimeofday(&tv));
  SHOW(uv_gettimeofday(NULL));
  SHOW(tv.tv_sec - ts.tv_sec < 2);
  uv_sleep(3);
  SHOW(uv_hrtime() - before >= 3000000);
  before = uv_now(loop);
  uv_sleep(5);
  SHOW(uv_now(loop) == before);
  uv_update_time(loop);
  SHOW(uv_now(loop) - before >= 5 && uv_now(loop) - before < 1000);
}

/* ---- threads ---------------------------------------------------------- */

static uv_key_t key;
static uv_once_t once = UV_ONCE_INIT;
static int once_calls;
static uv_sem_t sem;

static int key_fresh, key_kept;

static void count_once(void) { once_calls++; }
static void body(void *arg) {
  uv_once(&once, count_once);
  key_fresh += uv_key_get(&key) == NULL;
  uv_key_set(&key, arg);
  key_kept += uv_key_get(&key) == arg;
  uv_sem_post(&sem);
}

static void threads(uv_loop_t *loop) {
  static uv_thread_t tid, me;
  static uv_mutex_t mutex, recursive;
  static uv_cond_t cond;
  static uv_rwlock_t lock;
  static uv_barrier_t barrier;
  static uv_thread_options_t options;
  static char mask[CPU_SETSIZE], name[32];
  static const size_t stacks[] = {0, 1, 4096, 16383, 1 << 20, 1234567};
  size_t i;
  int priority = 99;

  (void) loop;
  NEED(uv_key_create(&key));
  SHOW(uv_sem_init(&sem, 0));
  SHOW(uv_sem_trywait(&sem));
  for (i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
    options.flags = UV_THREAD_HAS_STACK_SIZE;
    options.stack_size = stacks[i];
    SHOW(stacks[i]);
    SHOW(uv_thread_create_ex(&tid, &options, body, &tid));
    uv_sem_wait(&sem);
    SHOW(uv_thread_join(&tid));
  }
  options.flags = 0xff00;
  SHOW(uv_thread_create_ex(&tid, &options, body, &tid));
  SHOW(uv_thread_join(&tid));
  SHOW(uv_sem_trywait(&sem));
  SHOW(uv_sem_trywait(&sem));
  SHOW(once_calls);
  SHOW(key_fresh);
  SHOW(key_kept);
  uv_sem_destroy(&sem);
  uv_key_delete(&key);

  me = uv_thread_self();
  tid = uv_thread_self();
  SHOW(uv_thread_equal(&me, &tid) != 0);
  SHOW(uv_mutex_init(&mutex));
  SHOW(uv_mutex_trylock(&mutex));
  SHOW(uv_mutex_trylock(&mutex));
  uv_mutex_unlock(&mutex);
  SHOW(uv_mutex_init_recursive(&recursive));
  SHOW(uv_mutex_trylock(&recursive));
  SHOW(uv_mutex_trylock(&recursive));
  uv_mutex_unlock(&recursive);
  uv_mutex_unlock(&recursive);
  SHOW(uv_rwlock_init(&lock));
  SHOW(uv_rwlock_tryrdlock(&lock));
  SHOW(uv_rwlock_tryrdlock(&lock));
  SHOW(uv_rwlock_trywrlock(&lock));
  uv_rwlock_rdunlock(&lock);
  uv_rwlock_rdunlock(&lock);
  SHOW(uv_rwlock_trywrlock(&lock));
  SHOW(uv_rwlock_tryrdlock(&lock));
  uv_rwlock_wrunlock(&lock);
  uv_rwlock_destroy(&lock);
  SHOW(uv_cond_init(&cond));
  uv_mutex_lock(&mutex);
  SHOW(uv_cond_timedwait(&cond, &mutex, 0));
  SHOW(uv_cond_timedwait(&cond, &mutex, 2000000));
  uv_mutex_unlock(&mutex);
  uv_cond_signal(&cond);
  uv_cond_broadcast(&cond);
  uv_cond_destroy(&cond);
  uv_mutex_destroy(&mutex);
  uv_mutex_destroy(&recursive);
  SHOW(uv_barrier_init(&barrier, 0));
  SHOW(uv_barrier_init(&barrier, 1));
  SHOW(uv_barrier_wait(&barrier) > 0);
  uv_barrier_destroy(&barrier);

  SHOW(uv_thread_getaffinity(&me, mask, 1));
  SHOW(uv_thread_setaffinity(&me, mask, NULL, 1));
  SHOW(uv_thread_getaffinity(&me, mask, sizeof(mask)) >= 0);
  SHOW(uv_thread_getcpu() >= 0);
  SHOW(uv_thread_getpriority(me, NULL));
  SHOW(uv_thread_getpriority(me, &priority));
  SHOW(priority);
  SHOW(uv_thread_setpriority(me, 100));
  SHOW(uv_thread_setpriority(me, -100));
  SHOW(uv_thread_setname(NULL));
  SHOW(uv_thread_setname("a-name-longer-than-the-kernel-keeps"));
  SHOW(uv_thread_getname(&me, NULL, 5));
  SHOW(uv_thread_getname(&me, name, 0));
  SHOW(uv_thread_getname(&me, name, 4));
  TEXT(name);
  SHOW(uv_thread_getname(&me, name, sizeof(name)));
  TEXT(name);
}

/* ---- timers on a fixed schedule --------------------------------------- */

/* Each round starts, stops and restarts timers at random, all due within 20
 * ms, then sleeps past that, so that one turn runs them all. In their callbacks
 * they do more of the same. The clock stands still in a turn, so the whole
 * trace depends on the seed alone. */
#define TIMERS 200
#define TIMER_ROUNDS 25

static uv_timer_t timers[TIMERS];
static uint32_t seed = 4157;
static int column;

static uint32_t below(uint32_t n) {
  seed = seed * 1664525 + 1013904223;
  return (seed >> 8) % n;
}
static void trace(const char *what, long value) {
  printf("%s%ld%c", what, value, ++column % 20 == 0 ? '\n' : ' ');
}

static void on_timer(uv_timer_t *t);

static void disturb(void) {
  uv_timer_t *t = &timers[below(TIMERS)];

  switch (below(8)) {
  case 0:
    NEED(uv_timer_stop(t));
    break;
  case 1:
    if (uv_timer_again(t) != 0)
      trace("never ", t - timers);
    break;
  case 2:
    uv_timer_set_repeat(t, below(4) * 6);
    break;
  case 3:
    trace("due ", (long) uv_timer_get_due_in(t));
    break;
  default:
    NEED(uv_timer_start(t, on_timer, below(20), below(5) == 0 ? 7 : 0));
  }
}

static void on_timer(uv_timer_t *t) {
  trace("", t - timers);
  if (below(3) == 0)
    disturb();
}

static void timer_schedule(uv_loop_t *loop) {
  int i, round;

  printf("seed %u\n", seed);
  for (i = 0; i < TIMERS; i++)
    NEED(uv_timer_init(loop, &timers[i]));
  for (round = 0; round < TIMER_ROUNDS; round++) {
    printf("\nround %d, ", round);
    SHOW(uv_loop_alive(loop));
    for (i = 0; i < 300; i++)
      disturb();
    uv_sleep(22);
    uv_run(loop, UV_RUN_NOWAIT);
  }
  printf("\n");
}

/* The same by the real clock: never early, and by due time. */
static uint64_t last_due, due[TIMERS];
static int early, unordered, fired;

static void on_due(uv_timer_t *t) {
  uint64_t my_due = due[t - timers];

  fired++;
  early += uv_now(t->loop) < my_due;
  unordered += my_due < last_due;
  last_due = my_due;
}

static void timer_real(uv_loop_t *loop) {
  uint32_t ms;
  int i;

  for (i = 0; i < TIMERS; i++) {
    NEED(uv_timer_init(loop, &timers[i]));
    ms = below(4) == 0 ? below(400) : below(60);
    due[i] = uv_now(loop) + ms;
    NEED(uv_timer_start(&timers[i], on_due, ms, 0));
  }
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(early);
  SHOW(unordered);
  SHOW(fired);
}

int main(int argc, char **argv) {
  static const struct section table[] = {{"inet", inet},
                                         {"clocks", clocks},
                                         {"threads", threads},
                                         {"timer_schedule", timer_schedule},
                                         {"timer_real", timer_real},
                                         {NULL, NULL}};

  return check_main(argc, argv, table);
}

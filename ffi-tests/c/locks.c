/* Threads and what they wait for. */
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- stacks ------------------------------------------------------------- */

static void stack_body(void *size) {
  pthread_attr_t attr;
  void *start;

  NEED(-pthread_getattr_np(pthread_self(), &attr));
  NEED(-pthread_attr_getstack(&attr, &start, size));
  pthread_attr_destroy(&attr);
}

static void stack_of(unsigned flags, size_t wanted) {
  uv_thread_options_t options;
  uv_thread_t tid;
  size_t size = 0;
  int rc;

  options.flags = flags;
  options.stack_size = wanted;
  rc = uv_thread_create_ex(&tid, &options, stack_body, &size);
  if (rc == 0)
    NEED(uv_thread_join(&tid));
  printf("wanted %zu: %s, has %zu\n", wanted, rc == 0 ? "0" : uv_err_name(rc),
         size);
}

/* By size, and by the limit of the process where none is asked for. */
static void stacks(uv_loop_t *loop) {
  static const size_t sizes[] = {0, 1, 4096, 16384, 16385, 65536, 100000,
                                 1 << 20, (1 << 20) + 1, 3 << 20};
  static const rlim_t limits[] = {8192, 16384, 65536, 100000, 1 << 20,
                                  16 << 20};
  struct rlimit limit, old;
  size_t i;

  (void) loop;
  for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
    stack_of(UV_THREAD_HAS_STACK_SIZE, sizes[i]);
  stack_of(UV_THREAD_NO_FLAGS, 1 << 20);
  /* More than there are addresses. */
  stack_of(UV_THREAD_HAS_STACK_SIZE, (size_t) 1 << 50);
  NEED(getrlimit(RLIMIT_STACK, &old));
  for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
    limit = old;
    limit.rlim_cur = limits[i];
    NEED(setrlimit(RLIMIT_STACK, &limit));
    printf("limit %zu: ", (size_t) limits[i]);
    stack_of(UV_THREAD_NO_FLAGS, 0);
  }
  limit.rlim_cur = limit.rlim_max;
  NEED(setrlimit(RLIMIT_STACK, &limit));
  if (limit.rlim_max == RLIM_INFINITY)
    stack_of(UV_THREAD_HAS_STACK_SIZE, 0);
}

/* ---- threads ------------------------------------------------------------ */

static uv_sem_t go, done;
static uv_thread_t seen_self;

static void wait_body(void *arg) {
  seen_self = uv_thread_self();
  uv_sem_post(&done);
  uv_sem_wait(&go);
  *(int *) arg = 1;
  uv_sem_post(&done);
}

static void identity(uv_loop_t *loop) {
  uv_thread_t tid, me = uv_thread_self();
  int ran = 0, i;

  (void) loop;
  NEED(uv_sem_init(&go, 0));
  NEED(uv_sem_init(&done, 0));
  for (i = 0; i < 2; i++) {
    ran = 0;
    SHOW(uv_thread_create(&tid, wait_body, &ran));
    uv_sem_wait(&done);
    SHOW(uv_thread_equal(&tid, &seen_self) != 0);
    SHOW(uv_thread_equal(&tid, &me) != 0);
    if (i == 1) {
      SHOW(uv_thread_detach(&tid));
      /* It can be neither joined nor detached again. */
      SHOW(uv_thread_join(&tid));
    }
    uv_sem_post(&go);
    uv_sem_wait(&done);
    SHOW(ran);
    if (i == 0) {
      SHOW(uv_thread_join(&tid));
    }
  }
  SHOW(uv_thread_join(&me));
}

static void affinity(uv_loop_t *loop) {
  static char all[4096], one[4096], old[4096], now[4096];
  uv_thread_t me = uv_thread_self();
  int size = uv_cpumask_size(), cpu = -1, i;

  (void) loop;
  SHOW(size);
  NEED(uv_thread_getaffinity(&me, all, sizeof(all)));
  for (i = 0; i < size && cpu == -1; i++)
    if (all[i])
      cpu = i;
  one[cpu] = 7;
  memset(old, 0x55, sizeof(old));
  SHOW(uv_thread_setaffinity(&me, one, old, (size_t) size - 1));
  SHOW(old[0]);
  SHOW(uv_thread_setaffinity(&me, one, old, sizeof(one)));
  SHOW(memcmp(old, all, (size_t) size) == 0);
  SHOW(uv_thread_getaffinity(&me, now, (size_t) size));
  SHOW(now[cpu]);
  for (i = 0; i < size; i++)
    if (i != cpu && now[i])
      SHOW(i);
  SHOW(uv_thread_getcpu() == cpu);
  SHOW(uv_available_parallelism());
  /* None of those that are there. */
  memset(one, 0, sizeof(one));
  SHOW(uv_thread_setaffinity(&me, one, NULL, sizeof(one)));
  SHOW(uv_thread_setaffinity(&me, all, NULL, sizeof(all)));
  SHOW(uv_thread_getaffinity(&me, now, (size_t) size));
  SHOW(memcmp(now, all, (size_t) size) == 0);
}

static void priority_body(void *unused) {
  static const int wanted[] = {UV_THREAD_PRIORITY_HIGHEST,
                               UV_THREAD_PRIORITY_ABOVE_NORMAL,
                               UV_THREAD_PRIORITY_NORMAL,
                               UV_THREAD_PRIORITY_BELOW_NORMAL,
                               UV_THREAD_PRIORITY_LOWEST};
  uv_thread_t me = uv_thread_self();
  size_t i;
  int now;

  (void) unused;
  for (i = 0; i < 5; i++) {
    SHOW(wanted[i]);
    SHOW(uv_thread_setpriority(me, wanted[i]));
    now = 99;
    SHOW(uv_thread_getpriority(me, &now));
    printf("now %d\n", now);
  }
  uv_sem_post(&done);
  uv_sem_wait(&go);
}

static void priorities(uv_loop_t *loop) {
  struct sched_param param;
  uv_thread_t tid;
  int now = 99, policy, i;

  (void) loop;
  NEED(uv_sem_init(&go, 0));
  NEED(uv_sem_init(&done, 0));
  NEED(uv_thread_create(&tid, priority_body, NULL));
  uv_sem_wait(&done);
  /* Of another thread. */
  for (i = -2; i < 3; i++) {
    SHOW(uv_thread_setpriority(tid, i));
    SHOW(uv_thread_getpriority(tid, &now));
    printf("now %d\n", now);
  }
  memset(&param, 0, sizeof(param));
  param.sched_priority = 10;
  if (pthread_setschedparam(tid, SCHED_RR, &param) == 0)
    for (i = -2; i < 3; i++) {
      SHOW(uv_thread_setpriority(tid, i));
      SHOW(uv_thread_getpriority(tid, &now));
      printf("now %d\n", now);
      NEED(-pthread_getschedparam(tid, &policy, &param));
      SHOW(param.sched_priority);
    }
  uv_sem_post(&go);
  NEED(uv_thread_join(&tid));
}

static void name_body(void *arg) {
  char name[32];
  uv_thread_t me = uv_thread_self();

  SHOW(uv_thread_setname(arg));
  SHOW(uv_thread_getname(&me, name, sizeof(name)));
  TEXT(name);
  uv_sem_post(&done);
  uv_sem_wait(&go);
}

static void thread_names(uv_loop_t *loop) {
  static char *const wanted[] = {"", "x", "fifteen-bytes-x", "sixteen-bytes-xx",
                                 "\xc3\xa4\xc3\xb6 %s"};
  char name[32];
  uv_thread_t tid;
  size_t i;

  (void) loop;
  NEED(uv_sem_init(&go, 0));
  NEED(uv_sem_init(&done, 0));
  for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
    NEED(uv_thread_create(&tid, name_body, wanted[i]));
    uv_sem_wait(&done);
    memset(name, '#', sizeof(name));
    SHOW(uv_thread_getname(&tid, name, 1 + i * 4));
    TEXT(name);
    uv_sem_post(&go);
    NEED(uv_thread_join(&tid));
  }
}

/* ---- locks -------------------------------------------------------------- */

static uv_mutex_t mutex;
static uv_rwlock_t rwlock;
static uv_cond_t cond;
static uv_barrier_t barrier;
static uv_once_t once = UV_ONCE_INIT;
static uv_key_t key;
static int answers[4], woken, serial, inits, wrong;

static void try_body(void *unused) {
  (void) unused;
  answers[0] = uv_mutex_trylock(&mutex);
  answers[1] = uv_rwlock_tryrdlock(&rwlock);
  if (answers[1] == 0)
    uv_rwlock_rdunlock(&rwlock);
  answers[2] = uv_rwlock_trywrlock(&rwlock);
  if (answers[2] == 0)
    uv_rwlock_wrunlock(&rwlock);
  if (answers[0] == 0)
    uv_mutex_unlock(&mutex);
}
static void from_another(void) {
  uv_thread_t tid;

  NEED(uv_thread_create(&tid, try_body, NULL));
  NEED(uv_thread_join(&tid));
  SHOW(answers[0]);
  SHOW(answers[1]);
  SHOW(answers[2]);
}

static void locks(uv_loop_t *loop) {
  int recursive;

  (void) loop;
  NEED(uv_rwlock_init(&rwlock));
  for (recursive = 0; recursive < 2; recursive++) {
    NEED(recursive ? uv_mutex_init_recursive(&mutex) : uv_mutex_init(&mutex));
    from_another();
    uv_mutex_lock(&mutex);
    if (recursive)
      uv_mutex_lock(&mutex);
    uv_rwlock_rdlock(&rwlock);
    uv_rwlock_rdlock(&rwlock);
    from_another();
    uv_mutex_unlock(&mutex);
    uv_rwlock_rdunlock(&rwlock);
    from_another();
    uv_rwlock_rdunlock(&rwlock);
    uv_rwlock_wrlock(&rwlock);
    if (recursive)
      uv_mutex_unlock(&mutex);
    from_another();
    uv_rwlock_wrunlock(&rwlock);
    from_another();
    uv_mutex_destroy(&mutex);
  }
  uv_rwlock_destroy(&rwlock);
}

static void cond_body(void *unused) {
  (void) unused;
  uv_mutex_lock(&mutex);
  uv_sem_post(&done);
  uv_cond_wait(&cond, &mutex);
  woken++;
  uv_mutex_unlock(&mutex);
  uv_sem_post(&go);
}

static void conditions(uv_loop_t *loop) {
  uv_thread_t tids[4];
  uint64_t before;
  int i, rc;

  (void) loop;
  NEED(uv_mutex_init(&mutex));
  NEED(uv_cond_init(&cond));
  NEED(uv_sem_init(&done, 0));
  NEED(uv_sem_init(&go, 0));
  for (i = 0; i < 4; i++)
    NEED(uv_thread_create(&tids[i], cond_body, NULL));
  for (i = 0; i < 4; i++)
    uv_sem_wait(&done);
  uv_mutex_lock(&mutex);
  uv_cond_signal(&cond);
  uv_mutex_unlock(&mutex);
  uv_sem_wait(&go);
  uv_mutex_lock(&mutex);
  SHOW(woken >= 1);
  uv_cond_broadcast(&cond);
  uv_mutex_unlock(&mutex);
  for (i = 0; i < 4; i++)
    NEED(uv_thread_join(&tids[i]));
  SHOW(woken);
  /* A time that passes, and none too early. */
  uv_mutex_lock(&mutex);
  before = uv_hrtime();
  do
    rc = uv_cond_timedwait(&cond, &mutex, 5 * 1000 * 1000);
  while (rc == 0);
  SHOW(rc);
  SHOW(uv_hrtime() - before >= 5 * 1000 * 1000);
  SHOW(uv_mutex_trylock(&mutex));
  uv_mutex_unlock(&mutex);
  uv_cond_destroy(&cond);
  uv_mutex_destroy(&mutex);
}

static void add_init(void) { inits++; }
static void round_body(void *arg) {
  int i;

  for (i = 0; i < 50; i++) {
    uv_once(&once, add_init);
    uv_key_set(&key, (char *) arg + i);
    if (uv_barrier_wait(&barrier) > 0) {
      uv_mutex_lock(&mutex);
      serial++;
      uv_mutex_unlock(&mutex);
    }
    if (uv_key_get(&key) != (char *) arg + i) {
      uv_mutex_lock(&mutex);
      wrong++;
      uv_mutex_unlock(&mutex);
    }
  }
}

/* In each round one of three is told that it was the last. */
static void rounds(uv_loop_t *loop) {
  static char bytes[3][64];
  uv_thread_t tids[3];
  uv_key_t keys[8];
  int i;

  (void) loop;
  NEED(uv_mutex_init(&mutex));
  NEED(uv_key_create(&key));
  SHOW(uv_barrier_init(&barrier, 0));
  SHOW(uv_barrier_init(&barrier, 3));
  for (i = 0; i < 3; i++)
    NEED(uv_thread_create(&tids[i], round_body, bytes[i]));
  for (i = 0; i < 3; i++)
    NEED(uv_thread_join(&tids[i]));
  SHOW(serial);
  SHOW(inits);
  SHOW(wrong);
  SHOW(uv_key_get(&key) == NULL);
  uv_barrier_destroy(&barrier);
  uv_key_delete(&key);
  for (i = 0; i < 8; i++) {
    NEED(uv_key_create(&keys[i]));
    uv_key_set(&keys[i], &keys[i]);
  }
  for (i = 0; i < 8; i++)
    wrong += uv_key_get(&keys[i]) != &keys[i];
  SHOW(wrong);
  for (i = 0; i < 8; i++)
    uv_key_delete(&keys[i]);
  /* The next one begins empty. */
  NEED(uv_key_create(&key));
  SHOW(uv_key_get(&key) == NULL);
}

static void semaphores(uv_loop_t *loop) {
  static const unsigned values[] = {0, 1, 3, 0x7fffffff, 0x80000000u,
                                    0xffffffffu};
  uv_sem_t sem;
  size_t i;
  int n, rc;

  (void) loop;
  for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
    SHOW(values[i]);
    SHOW(rc = uv_sem_init(&sem, values[i]));
    if (rc != 0)
      continue;
    for (n = 0; n < 5 && uv_sem_trywait(&sem) == 0; n++)
      ;
    SHOW(n);
    if (n < 5) {
      SHOW(uv_sem_trywait(&sem));
    }
    uv_sem_destroy(&sem);
  }
}

/* ---- what ends the process ---------------------------------------------- */

static void destroy_held(void) {
  NEED(uv_mutex_init(&mutex));
  uv_mutex_lock(&mutex);
  uv_mutex_destroy(&mutex);
}
static void overflow(void) {
  uv_sem_t sem;

  NEED(uv_sem_init(&sem, 0x7fffffff));
  uv_sem_post(&sem);
}
static void no_key(void) {
  key = (uv_key_t) 1000000;
  uv_key_set(&key, &key);
}
static void delete_no_key(void) {
  key = (uv_key_t) 1000000;
  uv_key_delete(&key);
}
static void long_wait(void) {
  NEED(uv_mutex_init(&mutex));
  NEED(uv_cond_init(&cond));
  uv_mutex_lock(&mutex);
  alarm(1);
  /* The alarm comes first. */
  printf("waited for ever: %d\n",
         uv_cond_timedwait(&cond, &mutex, INT64_MAX));
}
static void unlock_other(void) {
  NEED(uv_mutex_init_recursive(&mutex));
  uv_mutex_unlock(&mutex);
}

static void aborts(uv_loop_t *loop) {
  static const struct {
    const char *name;
    void (*run)(void);
  } cases[] = {{"destroy a held mutex", destroy_held},
               {"post too often", overflow},
               {"set what is no key", no_key},
               {"delete what is no key", delete_no_key},
               {"wait for ever", long_wait},
               {"unlock a recursive mutex of nobody", unlock_other}};
  size_t i;
  int status;
  pid_t pid;

  (void) loop;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    fflush(stdout);
    pid = fork();
    NEED(pid);
    if (pid == 0) {
      struct rlimit none = {0, 0};

      setrlimit(RLIMIT_CORE, &none);
      cases[i].run();
      fflush(stdout);
      _exit(0);
    }
    NEED(waitpid(pid, &status, 0));
    printf("%s: ", cases[i].name);
    if (WIFSIGNALED(status))
      printf("signal %d\n", WTERMSIG(status));
    else
      printf("exit %d\n", WEXITSTATUS(status));
  }
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"stacks", stacks},         {"identity", identity},
      {"affinity", affinity},     {"priorities", priorities},
      {"thread_names", thread_names}, {"locks", locks},
      {"conditions", conditions}, {"rounds", rounds},
      {"semaphores", semaphores}, {"aborts", aborts},
      {NULL, NULL}};

  return check_main(argc, argv, table);
}

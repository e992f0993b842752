/* The thread pool: how many threads, what can be cancelled, fork, the end of
 * the library, memory that runs out, and what it costs to do nothing. */
#include "check.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define MANY 1000

struct task {
  uv_work_t req;
  int ran, after, status;
};

static struct task tasks[MANY];
static uv_sem_t gate;
static int waiting;

static void run_task(uv_work_t *req) { ((struct task *) req)->ran++; }

static void after_task(uv_work_t *req, int status) {
  ((struct task *) req)->after++;
  ((struct task *) req)->status = status;
}

static void wait_at_gate(uv_work_t *req) {
  __atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
  uv_sem_wait(&gate);
  run_task(req);
}

static void queue(uv_loop_t *loop, int first, int count, uv_work_cb work) {
  int i;

  for (i = first; i < first + count; i++)
    NEED(uv_queue_work(loop, &tasks[i].req, work, after_task));
}

static void show_tasks(int first, int count) {
  int i, ran = 0, after = 0, good = 0, cancelled = 0;

  for (i = first; i < first + count; i++) {
    ran += tasks[i].ran;
    after += tasks[i].after;
    good += tasks[i].after == 1 && tasks[i].status == 0;
    cancelled += tasks[i].after == 1 && tasks[i].status == UV_ECANCELED;
  }
  printf("%d tasks: %d ran, %d called back: %d good, %d cancelled\n", count,
         ran, after, good, cancelled);
  memset(tasks + first, 0, (size_t) count * sizeof(*tasks));
}

/* Everything that can be: no task is on its way to a thread any more. */
static void until_waiting(int want) {
  int i;

  for (i = 0; i < 5000; i++) {
    if (__atomic_load_n(&waiting, __ATOMIC_SEQ_CST) >= want)
      break;
    usleep(1000);
  }
}

static void open_gate(int count) {
  while (count-- > 0)
    uv_sem_post(&gate);
}

static int random_status = 99;
static void on_random(uv_random_t *req, int status, void *buf, size_t len) {
  (void) req;
  (void) buf;
  random_status = status == 0 ? (int) len : status;
}

static void round_trips(uv_loop_t *loop) {
  int i;

  SHOW(uv_queue_work(loop, &tasks[0].req, NULL, after_task));
  SHOW(uv_loop_alive(loop));
  queue(loop, 0, MANY, run_task);
  SHOW(uv_loop_alive(loop));
  SHOW(tasks[0].after);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  show_tasks(0, MANY);
  for (i = 0; i < MANY; i++) {
    queue(loop, i, 1, run_task);
    NEED(uv_run(loop, UV_RUN_DEFAULT));
  }
  show_tasks(0, MANY);
  SHOW(uv_queue_work(loop, &tasks[0].req, run_task, NULL));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(tasks[0].ran);
}

static void cancel(uv_loop_t *loop) {
  static uv_random_t random;
  static uv_connect_t other;
  static char bytes[8];
  int i;

  NEED(uv_sem_init(&gate, 0));
  queue(loop, 0, 4, wait_at_gate);
  until_waiting(4);
  SHOW(waiting);
  queue(loop, 4, 100, run_task);
  SHOW(uv_cancel(R(&tasks[0].req)));
  for (i = 4; i < 104; i += 3)
    NEED(uv_cancel(R(&tasks[i].req)));
  SHOW(uv_cancel(R(&tasks[4].req)));
  NEED(uv_random(loop, &random, bytes, sizeof(bytes), 0, on_random));
  SHOW(uv_cancel(R(&random)));
  SHOW(uv_cancel(R(&random)));
  other.type = UV_CONNECT;
  SHOW(uv_cancel(R(&other)));
  other.type = UV_SHUTDOWN;
  SHOW(uv_cancel(R(&other)));
  SHOW(tasks[4].after);
  SHOW(uv_run(loop, UV_RUN_NOWAIT));
  SHOW(tasks[4].after);
  open_gate(4);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  show_tasks(0, 4);
  show_tasks(4, 100);
  SHOW(random_status);
  uv_sem_destroy(&gate);
}

static int threads(void) {
  DIR *dir = opendir("/proc/self/task");
  int count = -2; /* the dots */

  if (dir == NULL)
    return -1;
  while (readdir(dir) != NULL)
    count++;
  closedir(dir);
  return count;
}

/* How many threads there are for each size that the environment may name. */
static void sizes(uv_loop_t *loop) {
  static const char *const values[] = {"",  "0", "1",     "3",    "17",
                                       "x", "7x", " +5", "0x10", "128"};
  size_t i;
  int status;

  (void) loop;
  for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
    pid_t pid = fork();

    NEED(pid);
    if (pid == 0) {
      uv_loop_t own;

      alarm(20);
      setenv("UV_THREADPOOL_SIZE", values[i], 1);
      NEED(uv_loop_init(&own));
      queue(&own, 0, 200, run_task);
      printf("\"%s\": %d threads\n", values[i], threads() - 1);
      NEED(uv_run(&own, UV_RUN_DEFAULT));
      show_tasks(0, 200);
      NEED(uv_loop_close(&own));
      exit(0);
    }
    NEED(waitpid(pid, &status, 0));
    SHOW(status);
  }
}

static char name[64];
static void see_name(uv_work_t *req) {
  uv_thread_t self = uv_thread_self();

  (void) req;
  NEED(uv_thread_getname(&self, name, sizeof(name)));
}
static void thread_name(uv_loop_t *loop) {
  queue(loop, 0, 1, see_name);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  TEXT(name);
}

static long long cpu_us(void) {
  struct timespec ts;

  NEED(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts));
  return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static void on_second(uv_timer_t *t) { uv_close(H(t), NULL); }

/* A second in which nothing happens, right after a burst of work. */
static void idle(uv_loop_t *loop) {
  static uv_timer_t timer;
  long long spent;

  queue(loop, 0, MANY, run_task);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  show_tasks(0, MANY);
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_timer_start(&timer, on_second, 1000, 0));
  spent = cpu_us();
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(cpu_us() - spent < 50000);

  /* The same while a task takes its time. */
  NEED(uv_sem_init(&gate, 0));
  queue(loop, 0, 1, wait_at_gate);
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_timer_start(&timer, on_second, 1000, 0));
  spent = cpu_us();
  while (uv_is_active(H(&timer)))
    uv_run(loop, UV_RUN_ONCE);
  SHOW(cpu_us() - spent < 50000);
  open_gate(1);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  show_tasks(0, 1);
}

static void forked(uv_loop_t *loop) {
  int i, status;
  pid_t pid;

  queue(loop, 0, 10, run_task);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  show_tasks(0, 10);
  for (i = 0; i < 3; i++) {
    /* Some are under way in the parent: none of the child's business. */
    queue(loop, 0, 100, run_task);
    pid = fork();
    NEED(pid);
    if (pid == 0) {
      uv_loop_t own;

      alarm(20);
      memset(tasks, 0, sizeof(tasks));
      NEED(uv_loop_init(&own));
      queue(&own, 200, 100, run_task);
      NEED(uv_run(&own, UV_RUN_DEFAULT));
      show_tasks(200, 100);
      SHOW(threads());
      NEED(uv_loop_close(&own));
      uv_library_shutdown();
      exit(0);
    }
    /* The child's lines come first. */
    NEED(uv_run(loop, UV_RUN_DEFAULT));
    NEED(waitpid(pid, &status, 0));
    SHOW(status);
    show_tasks(0, 100);
  }
}

/* ---- memory ------------------------------------------------------------ */

/* In a child, so that the library has not been used yet: memory for n blocks
 * only. 0 if that was enough, 1 if not. */
static int with_blocks(long n, int random) {
  static uv_random_t req;
  static char bytes[600];
  uv_loop_t own;
  long before = heap.blocks;
  int rc;

  alarm(10);
  NEED(uv_loop_init(&own));
  heap_arm(n + 1, 1);
  if (random)
    rc = uv_random(&own, &req, bytes, sizeof(bytes), 0, on_random);
  else
    rc = uv_queue_work(&own, &tasks[0].req, run_task, after_task);
  heap_disarm();
  NEED(uv_run(&own, UV_RUN_DEFAULT));
  if (rc == 0)
    SHOW(random ? random_status : tasks[0].after);
  else if (rc != UV_ENOMEM || tasks[0].after != 0 || random_status != 99)
    printf("refused in a strange way: %s\n", uv_err_name(rc));
  NEED(uv_loop_close(&own));
  uv_library_shutdown();
  if (heap.blocks != before)
    printf("%ld blocks left behind\n", heap.blocks - before);
  return rc != 0;
}

static void memory(uv_loop_t *unused) {
  int random, status;
  long n;

  (void) unused;
  for (random = 0; random < 2; random++) {
    for (n = 0, status = -1; n < 20 && status != 0; n++) {
      pid_t pid = fork();

      NEED(pid);
      if (pid == 0)
        exit(with_blocks(n, random));
      NEED(waitpid(pid, &status, 0));
      if (status != 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 1))
        SHOW(status);
    }
    SHOW(status);
  }
}

/* The end of the library: every thread and every byte. */
static void end(uv_loop_t *unused) {
  int i, status;
  pid_t pid = fork();

  (void) unused;
  NEED(pid);
  if (pid == 0) {
    uv_loop_t own;
    long before = heap.blocks;

    alarm(20);
    NEED(uv_loop_init(&own));
    queue(&own, 0, MANY, run_task);
    SHOW(threads());
    SHOW(uv_run(&own, UV_RUN_DEFAULT));
    show_tasks(0, MANY);
    SHOW(uv_loop_close(&own));
    uv_library_shutdown();
    /* A thread that was joined may be seen for a moment. */
    for (i = 0; i < 1000 && threads() != 1; i++)
      usleep(1000);
    SHOW(threads());
    SHOW(heap.blocks - before);
    uv_library_shutdown();
    exit(0);
  }
  NEED(waitpid(pid, &status, 0));
  SHOW(status);
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"round_trips", round_trips}, {"cancel", cancel},
      {"sizes", sizes},             {"thread_name", thread_name},
      {"idle", idle},               {"forked", forked},
      {"memory", memory},           {"end", end},
      {NULL, NULL}};

  return check_main(argc, argv, table);
}

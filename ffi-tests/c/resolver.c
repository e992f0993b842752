/* Names and addresses: hostile names of every length, what is cancelled, memory
 * that runs out, and look-ups that wait while files do not.
 *
 * The C library's resolver is only asked what needs no network: numbers. In
 * `blocked` it is replaced by one that waits. */
#include "check.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/wait.h>

/* ---- look-ups ----------------------------------------------------------- */

static int came, last;

static void show_found(int status, struct addrinfo *found) {
  char text[64];
  int port;

  SHOW(status);
  for (; found != NULL; found = found->ai_next) {
    port = ntohs(((struct sockaddr_in *) found->ai_addr)->sin_port);
    if (found->ai_family == AF_INET6)
      uv_ip6_name((struct sockaddr_in6 *) found->ai_addr, text, sizeof(text));
    else
      uv_ip4_name((struct sockaddr_in *) found->ai_addr, text, sizeof(text));
    printf("  %s, port %d\n", text, port);
  }
}

static void on_found(uv_getaddrinfo_t *req, int status,
                     struct addrinfo *found) {
  (void) req;
  came++;
  last = status;
  show_found(status, found);
  uv_freeaddrinfo(found);
}

static void on_quiet(uv_getaddrinfo_t *req, int status,
                     struct addrinfo *found) {
  (void) req;
  came++;
  last = status;
  uv_freeaddrinfo(found);
}

static struct addrinfo numbers(void) {
  struct addrinfo hints;

  memset(&hints, 0, sizeof(hints));
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  return hints;
}

/* With a callback and without: they must agree. */
static void ask(uv_loop_t *loop, const char *label, const char *node,
                const char *service, const struct addrinfo *hints) {
  static uv_getaddrinfo_t req;
  int rc, now;

  last = 1;
  came = 0;
  rc = uv_getaddrinfo(loop, &req, on_quiet, node, service, hints);
  NEED(uv_run(loop, UV_RUN_DEFAULT));
  now = uv_getaddrinfo(loop, &req, NULL, node, service, hints);
  uv_freeaddrinfo(now == 0 ? req.addrinfo : NULL);
  printf("%s: %s, %d callbacks, %s; at once %s\n", label,
         rc == 0 ? "0" : uv_err_name(rc), came,
         last == 1   ? "none"
         : last == 0 ? "found"
                     : uv_err_name(last),
         now == 0 ? "found" : uv_err_name(now));
}

static void plain(uv_loop_t *loop) {
  static uv_getaddrinfo_t reqs[6];
  struct addrinfo hints = numbers(), odd = numbers();

  NEED(uv_getaddrinfo(loop, &reqs[0], on_found, "127.0.0.1", "80", &hints));
  NEED(uv_run(loop, UV_RUN_DEFAULT));
  NEED(uv_getaddrinfo(loop, &reqs[1], on_found, "::1", NULL, &hints));
  NEED(uv_run(loop, UV_RUN_DEFAULT));
  NEED(uv_getaddrinfo(loop, &reqs[2], on_found, NULL, "443", &hints));
  NEED(uv_run(loop, UV_RUN_DEFAULT));
  ask(loop, "a name among numbers", "localhost", NULL, &hints);
  ask(loop, "a service among numbers", "127.0.0.1", "http", &hints);
  ask(loop, "nothing", NULL, NULL, &hints);
  ask(loop, "no name", "", NULL, &hints);
  odd.ai_family = 200;
  ask(loop, "odd family", "::1", NULL, &odd);
  odd = numbers();
  odd.ai_flags = 1 << 30;
  ask(loop, "odd flags", "::1", NULL, &odd);
  odd = numbers();
  odd.ai_socktype = 77;
  ask(loop, "odd type", "::1", NULL, &odd);
  SHOW(uv_getaddrinfo(loop, NULL, on_found, "::1", NULL, NULL));
  uv_freeaddrinfo(NULL);
}

/* No name is cut, none gets longer than the room for it. */
static void lengths(uv_loop_t *loop) {
  static const int sizes[] = {1,   2,   62,  63,  64,  65,   252,  253,
                              254, 255, 256, 257, 258, 1000, 4096, 100000};
  static char name[100001], label[64];
  static const char *const starts[] = {"0x7f000001.", "127.0.0.1.", "a.b.",
                                       ".", "0000000000"};
  struct addrinfo hints = numbers();
  size_t i, k;

  for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    int size = sizes[i];

    memset(name, 'a', (size_t) size);
    name[size] = '\0';
    snprintf(label, sizeof(label), "one label of %d", size);
    ask(loop, label, name, NULL, &hints);
    /* A number with zeros before it, which a cut would make another. */
    memset(name, '0', (size_t) size);
    name[size - 1] = '1';
    snprintf(label, sizeof(label), "zeros of %d", size);
    ask(loop, label, name, NULL, &hints);
    for (k = 0; k < sizeof(starts) / sizeof(starts[0]); k++) {
      if (size < 20)
        continue;
      memset(name, 'a', (size_t) size);
      memcpy(name, starts[k], strlen(starts[k]));
      snprintf(label, sizeof(label), "%s of %d", starts[k], size);
      ask(loop, label, name, NULL, &hints);
    }
  }
}

/* Names that are not ASCII grow, or are none. Left out: text that is broken off
 * in its second label, of which libuv looks up the first. */
static void grown(uv_loop_t *loop) {
  static const char *const bad[] = {"\xc3", "\xed\xa0\x80.com",
                                    "\xf4\x90\x80\x80", "\xc0\xae", "\xff",
                                    "\xf0\x9f\x92"};
  static char name[3000], label[64];
  struct addrinfo hints = numbers();
  size_t i;
  int k, count;

  for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    snprintf(label, sizeof(label), "no text, %zu", i);
    ask(loop, label, bad[i], NULL, &hints);
  }
  ask(loop, "other stops", "127\xe3\x80\x82" "0\xef\xbc\x8e" "0\xef\xbd\xa1" "1",
      NULL, &hints);
  for (count = 1; count <= 600; count = count < 8 ? count + 1 : count * 2) {
    for (k = 0; k < count; k++)
      memcpy(name + 3 * k, "\xc3\xbc.", 3);
    name[3 * count] = '\0';
    snprintf(label, sizeof(label), "%d labels", count);
    ask(loop, label, name, NULL, &hints);
    for (k = 0; k < count; k++)
      memcpy(name + 3 * k, "\xe5\xa5\xbd", 3);
    snprintf(label, sizeof(label), "%d characters", count);
    ask(loop, label, name, NULL, &hints);
  }
}

/* ---- names of addresses -------------------------------------------------- */

static void on_name(uv_getnameinfo_t *req, int status, const char *host,
                    const char *service) {
  (void) req;
  came++;
  last = status;
  SHOW(status);
  TEXT(host);
  TEXT(service);
}

static void name_of(uv_loop_t *loop, const void *addr, int flags) {
  static uv_getnameinfo_t req;
  int rc = uv_getnameinfo(loop, &req, on_name, addr, flags);

  SHOW(rc);
  NEED(uv_run(loop, UV_RUN_DEFAULT));
  rc = uv_getnameinfo(loop, &req, NULL, addr, flags);
  SHOW(rc);
  if (rc == 0)
    printf("at once %s %s\n", req.host, req.service);
}

static void addresses(uv_loop_t *loop) {
  struct sockaddr_in a;
  struct sockaddr_in6 a6;
  struct sockaddr_storage odd;
  int numeric = NI_NUMERICHOST | NI_NUMERICSERV;

  NEED(uv_ip4_addr("127.0.0.1", 80, &a));
  NEED(uv_ip6_addr("fe80::ffff:1", 65535, &a6));
  name_of(loop, &a, numeric);
  name_of(loop, &a6, numeric);
  name_of(loop, &a, 1 << 30);
  memset(&odd, 0, sizeof(odd));
  name_of(loop, &odd, numeric);
  odd.ss_family = AF_UNIX;
  name_of(loop, &odd, numeric);
  SHOW(uv_getnameinfo(loop, NULL, on_name, A(&a), numeric));
}

/* ---- the resolver that waits -------------------------------------------- */

static uv_sem_t gate;
static int holds, inside, calls;

/* In place of the C library's: the libraries find this one first. */
int getaddrinfo(const char *node, const char *service,
                const struct addrinfo *hints, struct addrinfo **found) {
  static int (*real)(const char *, const char *, const struct addrinfo *,
                     struct addrinfo **);

  __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&holds, __ATOMIC_SEQ_CST)) {
    __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    uv_sem_wait(&gate);
    return EAI_NONAME;
  }
  if (real == NULL) {
    uv_lib_t self;
    void *symbol;

    NEED(uv_dlopen("libc.so.6", &self));
    NEED(uv_dlsym(&self, "getaddrinfo", &symbol));
    memcpy(&real, &symbol, sizeof(real));
  }
  return real(node, service, hints, found);
}

#define LOOKUPS 12
#define FILES 50

static int files, works, late;

static void on_stat(uv_fs_t *req) {
  NEED(req->result);
  uv_fs_req_cleanup(req);
  files++;
}
static void work(uv_work_t *req) { (void) req; }
static void on_work(uv_work_t *req, int status) {
  (void) req;
  NEED(status);
  works++;
}
static void on_late(uv_timer_t *t) {
  (void) t;
  late = 1;
}

/* All threads that names may have are waiting: files and work do not care. */
static void blocked(uv_loop_t *loop) {
  static uv_getaddrinfo_t reqs[LOOKUPS];
  static uv_fs_t stats[FILES];
  static uv_work_t jobs[FILES];
  static uv_timer_t timer;
  int i;

  NEED(uv_sem_init(&gate, 0));
  holds = 1;
  for (i = 0; i < LOOKUPS; i++)
    NEED(uv_getaddrinfo(loop, &reqs[i], on_quiet, "name.invalid", NULL, NULL));
  for (i = 0; i < 5000 && __atomic_load_n(&inside, __ATOMIC_SEQ_CST) < 2; i++)
    usleep(1000);
  SHOW(inside >= 2);
  usleep(50000);
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_timer_start(&timer, on_late, 15000, 0));
  for (i = 0; i < FILES; i++) {
    NEED(uv_fs_stat(loop, &stats[i], "/", on_stat));
    NEED(uv_queue_work(loop, &jobs[i], work, on_work));
  }
  while (!late && (files < FILES || works < FILES))
    uv_run(loop, UV_RUN_ONCE);
  SHOW(late);
  SHOW(files);
  SHOW(works);
  SHOW(came);
  /* What no thread has begun can be taken back, what one has cannot. */
  SHOW(uv_cancel(R(&reqs[LOOKUPS - 1])));
  SHOW(uv_cancel(R(&reqs[0])));
  for (i = 0; i < LOOKUPS; i++)
    uv_sem_post(&gate);
  uv_close(H(&timer), NULL);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(came);
  SHOW(calls);
}

/* ---- memory --------------------------------------------------------------- */

static int with_blocks(long n, int reverse) {
  static uv_getaddrinfo_t req;
  static uv_getnameinfo_t req2;
  struct addrinfo hints = numbers();
  struct sockaddr_in a = check_local(80);
  uv_loop_t own;
  long before = heap.blocks;
  int rc;

  alarm(10);
  NEED(uv_loop_init(&own));
  heap_arm(n + 1, 1);
  if (reverse)
    rc = uv_getnameinfo(&own, &req2, on_name, A(&a),
                        NI_NUMERICHOST | NI_NUMERICSERV);
  else
    rc = uv_getaddrinfo(&own, &req, on_found, "127.0.0.1", "80", &hints);
  heap_disarm();
  NEED(uv_run(&own, UV_RUN_DEFAULT));
  if (rc != 0 && (rc != UV_ENOMEM || came != 0))
    printf("refused in a strange way: %s\n", uv_err_name(rc));
  NEED(uv_loop_close(&own));
  uv_library_shutdown();
  if (heap.blocks != before)
    printf("%ld blocks left behind\n", heap.blocks - before);
  return rc != 0;
}

static void memory(uv_loop_t *unused) {
  int reverse, status;
  long n;

  (void) unused;
  for (reverse = 0; reverse < 2; reverse++) {
    for (n = 0, status = -1; n < 20 && status != 0; n++) {
      pid_t pid = fork();

      NEED(pid);
      if (pid == 0)
        exit(with_blocks(n, reverse));
      NEED(waitpid(pid, &status, 0));
      if (status != 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 1))
        SHOW(status);
    }
    SHOW(status);
  }
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"plain", plain},         {"lengths", lengths}, {"grown", grown},
      {"addresses", addresses}, {"blocked", blocked}, {"memory", memory},
      {NULL, NULL}};

  return check_main(argc, argv, table);
}

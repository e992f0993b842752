/* Helpers every bench program shares: time, CPU time, pinning, bounds, test bytes. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LINE 32             /* bytes of one small write, row coalesce */
#define MESSAGE 64          /* bytes of one broadcast, row fanout */
#define MAX_WRITES 64       /* small writes in one callback, at most */
#define READ_SIZE 65536     /* bytes a reader asks for at once */
#define WANTED_FDS 65536    /* for 20000 idle connections, and room */
#define MAX_FD 8192         /* connections are found by fd below this */

/* Ends the program with a message: a surprise makes the figure worthless. */
__attribute__((noreturn, format(printf, 1, 2), unused)) static void die(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fprintf(stderr, "bench: ");
  vfprintf(stderr, fmt, ap);
  fprintf(stderr, "\n");
  va_end(ap);
  _exit(1);
}

__attribute__((unused)) static int check(int rc, const char *what) {
  if (rc < 0) die("%s: %s", what, strerror(errno));
  return rc;
}

__attribute__((unused)) static void *xalloc(size_t count, size_t size) {
  void *p = calloc(count, size);
  if (p == NULL) die("out of memory");
  return p;
}

__attribute__((unused)) static uint64_t number(const char *text) {
  char *end;
  errno = 0;
  uint64_t n = strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0') die("not a number: %s", text);
  return n;
}

__attribute__((unused)) static uint64_t clock_ns(clockid_t id) {
  struct timespec ts;
  clock_gettime(id, &ts);
  return (uint64_t) ts.tv_sec * 1000000000u + (uint64_t) ts.tv_nsec;
}

__attribute__((unused)) static uint64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

/* CPU time of this process. It is the counter behind /proc/self/schedstat, but
 * brought up to date by the call, where the file lags by up to a tick. */
__attribute__((unused)) static uint64_t own_cpu_ns(void) {
  return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* CPU time of all threads of another process, from /proc/PID/task/TID/schedstat.
 * Exact only while that process sleeps, so callers leave it a quiet moment. */
__attribute__((unused)) static uint64_t cpu_ns_of(int pid) {
  char path[64];
  uint64_t sum = 0;
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *dir = opendir(path);
  if (dir == NULL) die("%s: %s", path, strerror(errno));
  for (struct dirent *e; (e = readdir(dir)) != NULL;) {
    if (e->d_name[0] == '.') continue;
    char file[400];
    unsigned long long ns;
    snprintf(file, sizeof file, "%s/%s/schedstat", path, e->d_name);
    FILE *f = fopen(file, "r");
    if (f == NULL) continue; /* a thread that just ended */
    if (fscanf(f, "%llu", &ns) == 1) sum += ns;
    fclose(f);
  }
  closedir(dir);
  return sum;
}

__attribute__((unused)) static void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  check(sched_setaffinity(0, sizeof set, &set), "sched_setaffinity");
}

__attribute__((unused)) static int env_number(const char *name, int otherwise) {
  const char *text = getenv(name);
  return text == NULL ? otherwise : (int) number(text);
}

/* Every program starts here: a hard time bound, no orphan if the runner dies,
 * enough file descriptors, and its own core (BENCH_CPU). */
__attribute__((unused)) static void begin(unsigned seconds) {
  struct rlimit fds;
  alarm(seconds);
  check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
  signal(SIGPIPE, SIG_IGN);
  check(getrlimit(RLIMIT_NOFILE, &fds), "getrlimit");
  struct rlimit more = {WANTED_FDS, WANTED_FDS};
  if (fds.rlim_max >= WANTED_FDS || setrlimit(RLIMIT_NOFILE, &more) != 0) {
    fds.rlim_cur = fds.rlim_max; /* as far as one may without being root */
    check(setrlimit(RLIMIT_NOFILE, &fds), "setrlimit");
  }
  if (getenv("BENCH_CPU") != NULL) pin_to(env_number("BENCH_CPU", 0));
}

/* One measured figure; the runner reads these lines. */
__attribute__((unused)) static void report(const char *name, uint64_t ops, uint64_t wall_ns,
                                           uint64_t cpu_ns) {
  if (ops == 0) die("%s: nothing was measured", name);
  printf("result %s %llu %llu %llu\n", name, (unsigned long long) ops,
         (unsigned long long) wall_ns, (unsigned long long) cpu_ns);
  fflush(stdout);
}

/* The i-th small write of an answer: LINE bytes that name their place. */
__attribute__((unused)) static void fill_line(char *line, int i) {
  for (int k = 0; k < LINE; k++) line[k] = (char) (i * 7 + k);
}

/* A small generator, the same numbers for every subject. */
__attribute__((unused)) static uint32_t next_random(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

/* What a server is asked to do; bench/README.md tells what each mode stands for. */
enum mode { MODE_ECHO, MODE_LEAN, MODE_PIPELINE, MODE_COALESCE, MODE_FANOUT, MODE_CHURN };

__attribute__((unused)) static enum mode parse_mode(const char *name) {
  static const char *const names[] = {"echo", "lean", "pipeline", "coalesce", "fanout", "churn"};
  for (int i = 0; i < 6; i++)
    if (strcmp(name, names[i]) == 0) return (enum mode) i;
  die("unknown mode: %s", name);
}

/* The number of small writes in row coalesce; other modes have none. */
__attribute__((unused)) static int parse_writes(enum mode mode, const char *text) {
  if (mode != MODE_COALESCE) return 0;
  uint64_t n = number(text);
  if (n < 1 || n > MAX_WRITES) die("1 to %d writes", MAX_WRITES);
  return (int) n;
}

/* Whether server and load talk over a unix socket instead of TCP. */
__attribute__((unused)) static int over_unix(void) {
  static int answer = -1;
  if (answer < 0) answer = env_number("BENCH_UNIX", 0);
  return answer;
}

/* The abstract name that a server has: no file is left behind. Returns its length. */
__attribute__((unused)) static size_t unix_name(char *name, size_t size, int server_pid) {
  int n = snprintf(name, size, "%cuvring-bench-%d", '\0', server_pid);
  if (n < 0 || (size_t) n >= size) die("a long name");
  return (size_t) n;
}

/* A server's address: 127.0.0.1 and a port, or its abstract name. */
typedef union {
  struct sockaddr any;
  struct sockaddr_in in;
  struct sockaddr_un un;
} address_t;

__attribute__((unused)) static socklen_t address_of(address_t *addr, int port, int server_pid) {
  memset(addr, 0, sizeof *addr);
  if (over_unix()) {
    addr->un.sun_family = AF_UNIX;
    size_t n = unix_name(addr->un.sun_path, sizeof addr->un.sun_path, server_pid);
    return (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n);
  }
  addr->in.sin_family = AF_INET;
  addr->in.sin_port = htons((uint16_t) port);
  addr->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return sizeof addr->in;
}

/* How the bare-kernel servers listen: any port, printed for the runner. */
__attribute__((unused)) static int listen_and_tell(const char *backend) {
  address_t addr;
  socklen_t len = address_of(&addr, 0, (int) getpid());
  int fd = check(socket(addr.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
                 "socket");
  check(bind(fd, &addr.any, len), "bind");
  check(listen(fd, 4096), "listen");
  len = sizeof addr;
  check(getsockname(fd, &addr.any, &len), "getsockname");
  printf("library none %s\nready %d\n", backend, over_unix() ? 0 : ntohs(addr.in.sin_port));
  fflush(stdout);
  return fd;
}

__attribute__((unused)) static void set_nodelay(int fd) {
  int on = 1;
  if (over_unix()) return;
  check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
}

#endif

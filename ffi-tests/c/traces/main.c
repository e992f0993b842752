/* traces FIRST LAST [OPS]: runs the programs of the seeds FIRST to LAST, each on
 * a loop of its own and with at most OPS operations, and prints their traces. */
#include "errand.h"

#include "../ends.h"

/* splitmix64 */
uint64_t draw(uint64_t *rng) {
  uint64_t z = *rng += 0x9e3779b97f4a7c15u;

  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

int pick(uint64_t *rng, int below) { return (int) (draw(rng) % (unsigned) below); }

void say(const char *format, ...) {
  va_list args;

  p.said = 1;
  va_start(args, format);
  vprintf(format, args);
  va_end(args);
  putchar('\n');
}

/* For the next flush, with what else this object says. */
void murmur(struct object *o, enum channel c, const char *format, ...) {
  char *text = o->lines[c];
  size_t len = strlen(text);
  va_list args;

  if (len + 2 >= LINES)
    return;
  text[len++] = ' ';
  va_start(args, format);
  vsnprintf(text + len, LINES - len, format, args);
  va_end(args);
}

const char *code(long long rc) {
  static char text[4][32];
  static int next;

  if (rc < 0)
    return uv_err_name((int) rc);
  next = (next + 1) % 4;
  snprintf(text[next], sizeof(text[next]), "%lld", rc);
  return text[next];
}

/* A program that hangs: what it said leads to it. */
static void on_alarm(int signum) {
  (void) signum;
  puts("hangs");
  fflush(stdout);
  _exit(4);
}

/* A fault to be found: after eight operations this seed says too much. */
int is_planted(uint64_t seed) {
  const char *planted = getenv("TRACES_PLANT");

  return planted != NULL && strtoull(planted, NULL, 10) == seed;
}

int main(int argc, char **argv) {
  uint64_t first, last, seed;
  int limit;

  if (argc < 3) {
    fprintf(stderr, "usage: %s FIRST LAST [OPS]\n", argv[0]);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  signal(SIGALRM, on_alarm);
  setenv("UV_THREADPOOL_SIZE", "1", 1);
  first = strtoull(argv[1], NULL, 10);
  last = strtoull(argv[2], NULL, 10);
  limit = argc > 3 ? atoi(argv[3]) : 120;
  ends_begin();
  for (seed = first; seed <= last; seed++) {
    printf("== seed %llu\n", (unsigned long long) seed);
    fflush(stdout);
    alarm(10);
    exact_run(seed, limit);
    errands_run(seed);
    printf("ops %d\n", p.done);
  }
  pool_end();
  puts("== end");
  return ends_are_met() ? 0 : 5;
}

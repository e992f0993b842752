/* Errands: what takes as many turns as it takes. Several go on at the same time
 * on one loop. Each has random numbers of its own, and what it does follows from
 * its own callbacks alone; what it notes is printed when all are done, so that
 * it must be the same in whichever turn things happened. */
#ifndef ERRAND_H
#define ERRAND_H

#include "trace.h"

enum { NOTES = 12000 };

struct errand {
  int id;
  const char *name;
  uv_loop_t *loop;
  uint64_t rng;
  int calling; /* inside of a call that must not call back */
  void *own;   /* freed at the end */
  size_t len;
  char notes[NOTES];
};

void note(struct errand *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Memory of an errand, all zero. */
void *errand_own(struct errand *e, size_t size);
/* Notes if a callback came inside of the call. */
void called_back(struct errand *e);

/* Byte number `i` of everything that is sent. */
static inline char byte_at(size_t i) { return (char) (i * 7 + i / 251); }

/* Connected ends: over TCP, a socket pair, or a pair of pipes. */
void stream_pair(uv_loop_t *loop, int way, uv_stream_t *ends[2],
                 union uv_any_handle handles[2]);

void names_begin(struct errand *e);
void files_begin(struct errand *e);
void files_end(struct errand *e);
void watch_begin(struct errand *e);
void watch_end(struct errand *e);
void bulk_begin(struct errand *e);
void bulk_end(struct errand *e);
void child_begin(struct errand *e);
void child_end(struct errand *e);
void pass_begin(struct errand *e);
void pass_end(struct errand *e);
void named_begin(struct errand *e);
void named_end(struct errand *e);
void udp_begin(struct errand *e);

/* errand.c */
void errands_run(uint64_t seed);

#endif

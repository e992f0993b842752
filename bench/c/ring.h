/* The smallest io_uring that the ring floor needs: raw system calls, no library. */
#ifndef BENCH_RING_H
#define BENCH_RING_H

#include "common.h"
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

typedef struct {
  int fd;
  unsigned entries, sq_mask, cq_mask;
  unsigned tail, pending; /* of the submission queue */
  _Atomic unsigned *sq_tail, *cq_head, *cq_tail;
  struct io_uring_sqe *sqes;
  struct io_uring_cqe *cqes;
} ring_t;

static void ring_open(ring_t *r, unsigned entries) {
  struct io_uring_params p = {
      .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
      .cq_entries = entries * 4,
  };
  r->fd = check((int) syscall(__NR_io_uring_setup, entries, &p), "io_uring_setup");
  size_t sq_len = p.sq_off.array + p.sq_entries * sizeof(unsigned);
  size_t cq_len = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
  if (!(p.features & IORING_FEAT_SINGLE_MMAP)) die("an io_uring without a single mapping");
  char *map = mmap(NULL, sq_len > cq_len ? sq_len : cq_len, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING);
  r->sqes = mmap(NULL, p.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
  if (map == MAP_FAILED || r->sqes == MAP_FAILED) die("io_uring mmap: %s", strerror(errno));
  r->entries = p.sq_entries;
  r->sq_mask = p.sq_entries - 1;
  r->cq_mask = p.cq_entries - 1;
  r->sq_tail = (_Atomic unsigned *) (map + p.sq_off.tail);
  r->cq_head = (_Atomic unsigned *) (map + p.cq_off.head);
  r->cq_tail = (_Atomic unsigned *) (map + p.cq_off.tail);
  r->cqes = (struct io_uring_cqe *) (map + p.cq_off.cqes);
  r->tail = atomic_load(r->sq_tail);
  r->pending = 0;
  unsigned *array = (unsigned *) (map + p.sq_off.array);
  for (unsigned i = 0; i < p.sq_entries; i++) array[i] = i;
}

/* Hands over what is queued and, with `wait`, sleeps until a completion. */
static void ring_enter(ring_t *r, unsigned wait) {
  atomic_store_explicit(r->sq_tail, r->tail, memory_order_release);
  long rc = syscall(__NR_io_uring_enter, r->fd, r->pending, wait, IORING_ENTER_GETEVENTS, NULL, 0);
  if (rc < 0 && errno == EINTR) return;
  r->pending -= (unsigned) check((int) rc, "io_uring_enter");
}

static struct io_uring_sqe *ring_sqe(ring_t *r, uint8_t opcode, int fd, uint64_t user_data) {
  if (r->pending == r->entries) ring_enter(r, 0);
  if (r->pending == r->entries) die("the submission queue stays full");
  struct io_uring_sqe *sqe = &r->sqes[r->tail & r->sq_mask];
  memset(sqe, 0, sizeof *sqe);
  sqe->opcode = opcode;
  sqe->fd = fd;
  sqe->user_data = user_data;
  r->tail++;
  r->pending++;
  return sqe;
}

/* Takes one completion, if there is one. */
static int ring_next(ring_t *r, struct io_uring_cqe *out) {
  unsigned head = atomic_load_explicit(r->cq_head, memory_order_relaxed);
  if (head == atomic_load_explicit(r->cq_tail, memory_order_acquire)) return 0;
  *out = r->cqes[head & r->cq_mask];
  atomic_store_explicit(r->cq_head, head + 1, memory_order_release);
  return 1;
}

#endif

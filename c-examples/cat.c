/* cat: writes files, or its input, to its output.
 *
 *   cat [FILE...]    "-" is the input, as is no FILE at all
 *
 * What it shows: a chain of asynchronous file calls on one request, transfers
 * that move less than was asked for, and cleaning up after each call.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define CHECK(rc)                                                              \
  do {                                                                         \
    int check_rc = (rc);                                                       \
    if (check_rc < 0) {                                                        \
      fprintf(stderr, "%s: %s\n", #rc, uv_strerror(check_rc));                 \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)

/* One call is under way at any time, so one request and one buffer will do. */
static struct {
  uv_fs_t req;
  char **names; /* those still to come, NULL at the end */
  const char *name;
  uv_file fd;
  size_t len, written; /* of `bytes` */
  int status;
  char bytes[65536];
} job;

static void next_file(uv_loop_t *loop);
static void read_some(uv_loop_t *loop);

/* What the call said. The request may hold memory (a path, for one) and must
 * be cleaned up before it is used again. */
static ssize_t result_of(uv_fs_t *req) {
  ssize_t result = uv_fs_get_result(req);

  uv_fs_req_cleanup(req);
  return result;
}

static void complain(const char *name, ssize_t code) {
  fprintf(stderr, "cat: %s: %s\n", name, uv_strerror((int) code));
  job.status = 1;
}

static void on_closed(uv_fs_t *req) {
  uv_loop_t *loop = req->loop;
  ssize_t result = result_of(req);

  if (result < 0)
    complain(job.name, result);
  next_file(loop);
}

static void end_file(uv_loop_t *loop) {
  if (job.fd == 0)
    next_file(loop); /* the input is not ours to close */
  else
    CHECK(uv_fs_close(loop, &job.req, job.fd, on_closed));
}

static void write_some(uv_loop_t *loop);

static void on_written(uv_fs_t *req) {
  uv_loop_t *loop = req->loop;
  ssize_t result = result_of(req);

  if (result < 0) {
    complain("output", result);
    job.names = NULL; /* what cannot be written need not be read */
    end_file(loop);
    return;
  }
  job.written += (size_t) result;
  if (job.written < job.len)
    write_some(loop); /* a pipe or a full disk may take a part only */
  else
    read_some(loop);
}

static void write_some(uv_loop_t *loop) {
  uv_buf_t buf = uv_buf_init(job.bytes + job.written,
                             (unsigned) (job.len - job.written));

  /* Offset -1: wherever the descriptor stands. The output may be a pipe. */
  CHECK(uv_fs_write(loop, &job.req, 1, &buf, 1, -1, on_written));
}

static void on_read(uv_fs_t *req) {
  uv_loop_t *loop = req->loop;
  ssize_t result = result_of(req);

  if (result <= 0) { /* 0 is the end; fewer bytes than asked for are not */
    if (result < 0)
      complain(job.name, result);
    end_file(loop);
    return;
  }
  job.len = (size_t) result;
  job.written = 0;
  write_some(loop);
}

static void read_some(uv_loop_t *loop) {
  uv_buf_t buf = uv_buf_init(job.bytes, sizeof(job.bytes));

  CHECK(uv_fs_read(loop, &job.req, job.fd, &buf, 1, -1, on_read));
}

static void on_opened(uv_fs_t *req) {
  uv_loop_t *loop = req->loop;
  ssize_t result = result_of(req);

  if (result < 0) {
    complain(job.name, result);
    next_file(loop);
  } else {
    job.fd = (uv_file) result;
    read_some(loop);
  }
}

static void next_file(uv_loop_t *loop) {
  if (job.names == NULL || *job.names == NULL)
    return; /* nothing is under way: the loop ends */
  job.name = *job.names++;
  if (strcmp(job.name, "-") == 0) {
    job.fd = 0;
    read_some(loop);
  } else {
    CHECK(uv_fs_open(loop, &job.req, job.name, UV_FS_O_RDONLY, 0, on_opened));
  }
}

int main(int argc, char **argv) {
  static char *input[] = {"-", NULL};
  uv_loop_t loop;

  if (argc == 2 && strcmp(argv[1], "--help") == 0) {
    printf("usage: %s [FILE...]\n", argv[0]);
    return 0;
  }
  signal(SIGPIPE, SIG_IGN); /* an error code is enough */
  CHECK(uv_loop_init(&loop));
  job.names = argc > 1 ? argv + 1 : input;
  next_file(&loop);
  CHECK(uv_run(&loop, UV_RUN_DEFAULT));
  CHECK(uv_loop_close(&loop));
  uv_library_shutdown(); /* ends the threads that did the work */
  return job.status;
}

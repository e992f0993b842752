/* spawn-pipe: a shell's pipeline without the shell.
 *
 *   spawn-pipe PROGRAM [ARGUMENT...] ['|' PROGRAM [ARGUMENT...]]...
 *   spawn-pipe sort words.txt '|' uniq -c '|' sort -rn
 *
 * The first reads our input, the last writes our output, and our exit status
 * is that of the last, as in sh: 127 when it cannot be found, 128 + N when
 * signal N killed it.
 *
 * What it shows: children with descriptors that the program chooses, and that
 * a pipe ends only when its last writer is gone - so we must not keep one.
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

#define STAGES_MAX 64

static uv_process_t stages[STAGES_MAX];
static int last_status;
static uv_process_t *last;

static void close_fd(uv_file fd) {
  uv_fs_t req;

  /* Without a callback it is done when it returns. */
  CHECK(uv_fs_close(NULL, &req, fd, NULL));
  uv_fs_req_cleanup(&req);
}

static void on_exit_of(uv_process_t *process, int64_t status, int signum) {
  if (process == last)
    last_status = signum != 0 ? 128 + signum : (int) status;
  uv_close((uv_handle_t *) process, NULL);
}

/* `in` and `out` are ours; the child gets them as its 0 and 1. */
static void start(uv_loop_t *loop, uv_process_t *process, char **argv,
                  uv_file in, uv_file out) {
  uv_stdio_container_t stdio[3];
  uv_process_options_t options;
  int rc;

  memset(&options, 0, sizeof(options));
  stdio[0].flags = stdio[1].flags = stdio[2].flags = UV_INHERIT_FD;
  stdio[0].data.fd = in;
  stdio[1].data.fd = out;
  stdio[2].data.fd = 2;
  options.file = argv[0];
  options.args = argv;
  options.stdio = stdio;
  options.stdio_count = 3;
  options.exit_cb = on_exit_of;

  rc = uv_spawn(loop, process, &options);
  if (rc < 0) {
    /* Its neighbours run: they meet an ended pipe, as they would in sh. */
    fprintf(stderr, "spawn-pipe: %s: %s\n", argv[0], uv_strerror(rc));
    if (process == last)
      last_status = rc == UV_ENOENT ? 127 : 126;
    uv_close((uv_handle_t *) process, NULL); /* also when it did not start */
  }
}

/* Cuts argv at each "|". Returns how many programs there are, 0 for a mistake;
 * `programs` points at the first word of each, NULL ends each one's words. */
static int cut(int argc, char **argv, char ***programs) {
  int i, n = 0, fresh = 1;

  for (i = 1; i < argc; i++) {
    if (strcmp(argv[i], "|") == 0) {
      if (fresh)
        return 0; /* nothing on its left */
      argv[i] = NULL;
      fresh = 1;
    } else if (fresh) {
      if (n == STAGES_MAX)
        return 0;
      programs[n++] = &argv[i];
      fresh = 0;
    }
  }
  return fresh ? 0 : n;
}

static void on_interrupt(uv_signal_t *signal, int signum) {
  (void) signal;
  (void) signum; /* the terminal tells the children too; we wait for them */
}

int main(int argc, char **argv) {
  char **programs[STAGES_MAX];
  uv_loop_t loop;
  uv_signal_t interrupt;
  uv_file in = 0, ends[2];
  int i, n = cut(argc, argv, programs);

  if (n == 0) {
    fprintf(stderr, "usage: %s PROGRAM [ARG...] ['|' PROGRAM [ARG...]]...\n",
            argv[0]);
    return 2;
  }
  CHECK(uv_loop_init(&loop));
  CHECK(uv_signal_init(&loop, &interrupt));
  CHECK(uv_signal_start(&interrupt, on_interrupt, SIGINT));
  uv_unref((uv_handle_t *) &interrupt); /* the children end the loop */

  last = &stages[n - 1];
  for (i = 0; i < n; i++) {
    int is_last = i == n - 1;

    ends[1] = 1;
    if (!is_last)
      CHECK(uv_pipe(ends, 0, 0)); /* blocking, as programs expect of 0 and 1 */
    start(&loop, &stages[i], programs[i], in, ends[1]);
    /* The child has its own copies. The next program would wait for ever for
     * the end of a pipe that we could still write to. */
    if (i > 0)
      close_fd(in);
    if (!is_last)
      close_fd(ends[1]);
    in = ends[0];
  }

  CHECK(uv_run(&loop, UV_RUN_DEFAULT));
  uv_close((uv_handle_t *) &interrupt, NULL);
  CHECK(uv_run(&loop, UV_RUN_DEFAULT));
  CHECK(uv_loop_close(&loop));
  uv_library_shutdown();
  return last_status;
}

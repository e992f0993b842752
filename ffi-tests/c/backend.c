/* What a loop runs on, asked through uvring's own API, after it has worked. */
#include "check.h"

#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <uvring.h>

static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  static char bytes[64];

  (void) h;
  (void) size;
  *buf = uv_buf_init(bytes, sizeof(bytes));
}
static void on_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *b) {
  (void) b;
  NEED(nread);
  uv_close(H(s), NULL);
}

static void name(uv_loop_t *loop) {
  static uv_tcp_t t;
  struct io_uring_params params;
  int fds[2], ring;

  memset(&params, 0, sizeof(params));
  ring = (int) syscall(SYS_io_uring_setup, 8, &params);
  if (ring < 0)
    puts("the kernel refuses io_uring");
  else
    close(ring);
  check_tcp_pair(fds);
  NEED(uv_tcp_init(loop, &t));
  NEED(uv_tcp_open(&t, fds[0]));
  NEED(uv_read_start(S(&t), on_alloc, on_read));
  NEED(write(fds[1], "x", 1));
  NEED(uv_run(loop, UV_RUN_DEFAULT));
  close(fds[1]);
  printf("backend %s\n", uvring_loop_backend_name(loop));
}

int main(int argc, char **argv) {
  static const struct section table[] = {{"name", name}, {NULL, NULL}};

  return check_main(argc, argv, table);
}

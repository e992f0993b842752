/* tty-raw: shows what the terminal sends for each key.
 *
 *   tty-raw    ends with q, Ctrl-C, Ctrl-D, SIGTERM, or when the terminal goes
 *
 * What it shows: raw mode, in which no key means anything to the kernel, and
 * giving the terminal back as it was, however the program ends.
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

static uv_loop_t loop;
static uv_tty_t keyboard, screen;
static uv_signal_t resized, terminate;
static unsigned long keys;

static void restore_terminal(void) {
  /* Also for exit() in CHECK: a shell in raw mode is of no use to anybody. */
  uv_tty_reset_mode();
}

static void stop(void) {
  uv_handle_t *all[] = {(uv_handle_t *) &keyboard, (uv_handle_t *) &screen,
                        (uv_handle_t *) &resized, (uv_handle_t *) &terminate};
  size_t i;

  for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
    if (!uv_is_closing(all[i]))
      uv_close(all[i], NULL);
}

/* ---- writing ---------------------------------------------------------- */

struct line {
  uv_write_t write;
  char text[128];
};

static void on_written(uv_write_t *req, int status) {
  free(req->data);
  if (status < 0 && status != UV_ECANCELED)
    stop(); /* nobody sees us any more */
}

/* UV_TTY_MODE_RAW is about input: "\n" still begins a new line, which it would
 * not in UV_TTY_MODE_IO. */
static void show(const char *what, const char *detail) {
  struct line *line = malloc(sizeof(*line));
  uv_buf_t buf;
  int len;

  if (line == NULL)
    return;
  len = snprintf(line->text, sizeof(line->text), "%s%s\n", what, detail);
  buf = uv_buf_init(line->text, (unsigned) len);
  line->write.data = line;
  if (uv_write(&line->write, (uv_stream_t *) &screen, &buf, 1, on_written) < 0)
    free(line);
}

static void show_size(void) {
  char text[64];
  int width, height;
  int rc = uv_tty_get_winsize(&screen, &width, &height);

  if (rc < 0)
    snprintf(text, sizeof(text), "%s", uv_strerror(rc));
  else
    snprintf(text, sizeof(text), "%d x %d", width, height);
  show("window: ", text);
}

/* ---- reading ---------------------------------------------------------- */

static void name_of(unsigned char byte, char *text, size_t size) {
  if (byte == 0x1b)
    snprintf(text, size, "ESC");
  else if (byte < 0x20)
    snprintf(text, size, "Ctrl-%c", byte + '@');
  else if (byte < 0x7f)
    snprintf(text, size, "'%c'", byte);
  else
    snprintf(text, size, "%s", byte == 0x7f ? "Backspace" : "part of UTF-8");
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  static char bytes[64];

  (void) handle;
  (void) suggested;
  *buf = uv_buf_init(bytes, sizeof(bytes));
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf) {
  char number[8], name[32];
  ssize_t i;

  (void) stream;
  if (nread < 0) { /* the terminal is gone */
    stop();
    return;
  }
  for (i = 0; i < nread; i++) {
    unsigned char byte = (unsigned char) buf->base[i];

    keys++;
    snprintf(number, sizeof(number), "%02x  ", byte);
    name_of(byte, name, sizeof(name));
    show(number, name);
    if (byte == 'q' || byte == 3 || byte == 4) {
      /* Reading ends here; closing `screen` would cancel what is not written
       * yet, so that waits until the writes are done: see main. */
      uv_close((uv_handle_t *) &keyboard, NULL);
      uv_close((uv_handle_t *) &resized, NULL);
      uv_close((uv_handle_t *) &terminate, NULL);
      return;
    }
  }
}

static void on_signal(uv_signal_t *signal, int signum) {
  (void) signal;
  if (signum == SIGTERM)
    stop();
  else
    show_size();
}

int main(int argc, char **argv) {
  if (argc != 1) {
    fprintf(stderr, "usage: %s\n", argv[0]);
    return 2;
  }
  if (uv_guess_handle(0) != UV_TTY || uv_guess_handle(1) != UV_TTY) {
    fprintf(stderr, "tty-raw: input and output must be a terminal\n");
    return 1;
  }
  CHECK(uv_loop_init(&loop));
  CHECK(uv_signal_init(&loop, &resized));
  CHECK(uv_signal_init(&loop, &terminate));
  CHECK(uv_signal_start(&resized, on_signal, SIGWINCH));
  CHECK(uv_signal_start(&terminate, on_signal, SIGTERM));
  CHECK(uv_tty_init(&loop, &keyboard, 0, 0)); /* the last one is not used */
  CHECK(uv_tty_init(&loop, &screen, 1, 0));
  if (atexit(restore_terminal) != 0)
    return 1;
  CHECK(uv_tty_set_mode(&keyboard, UV_TTY_MODE_RAW));
  show("any key; q ends", "");
  show_size();
  CHECK(uv_read_start((uv_stream_t *) &keyboard, on_alloc, on_read));

  /* Ends when the keyboard is closed and all is written: an idle stream that
   * only writes does not hold the loop. */
  CHECK(uv_run(&loop, UV_RUN_DEFAULT));
  stop();
  CHECK(uv_run(&loop, UV_RUN_DEFAULT));
  CHECK(uv_loop_close(&loop));
  CHECK(uv_tty_reset_mode());
  printf("tty-raw: ok, %lu bytes\n", keys);
  return 0;
}

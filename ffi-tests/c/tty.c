/* Terminals: what is taken for one, modes, sizes, reading and writing. Each
 * section makes a pseudo-terminal of its own.
 *
 * Left out: the flags of the descriptor that was given to uv_tty_init, which
 * libuv replaces by the reopened file and uvring leaves alone, and NULL for
 * uv_tty_get_winsize, with which libuv crashes. */
#include "check.h"
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

static int master, slave;

static void open_pty(void) { NEED(openpty(&master, &slave, NULL, NULL, NULL)); }

/* After the handles. */
static void close_pty(uv_loop_t *loop, int one, int other) {
  uv_walk(loop, check_close_each, NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  close(one);
  close(other);
}

static void show_mode(int fd) {
  struct termios t;

  NEED(tcgetattr(fd, &t));
  printf("i %o o %o c %o l %o min %d time %d\n", t.c_iflag, t.c_oflag,
         t.c_cflag, t.c_lflag, t.c_cc[VMIN], t.c_cc[VTIME]);
}
static void show_rights(uv_tty_t *t) {
  printf("readable %d writable %d blocking %d\n", uv_is_readable(S(t)),
         uv_is_writable(S(t)), (t->flags & 0x100000) != 0);
}
static int is_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);

  NEED(flags);
  return (flags & O_NONBLOCK) != 0;
}
static int fd_of(uv_tty_t *t) {
  uv_os_fd_t fd;

  NEED(uv_fileno(H(t), &fd));
  return fd;
}

/* What is no terminal: files are refused, pipes and sockets are taken. */
static void kinds(uv_loop_t *loop) {
  static uv_tty_t t[7];
  int fds[2], fd;

  SHOW(uv_tty_init(loop, &t[0], -1, 0));
  SHOW(uv_tty_init(loop, &t[0], INT_MAX, 0));
  fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  SHOW(uv_tty_init(loop, &t[0], fd, 0));
  close(fd);
  fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  SHOW(uv_tty_init(loop, &t[0], fd, 0));
  close(fd);
  fd = open("/", O_RDONLY | O_CLOEXEC);
  SHOW(uv_tty_init(loop, &t[0], fd, 0));
  close(fd);
  open_pty();
  fd = open(ttyname(slave), O_PATH | O_CLOEXEC);
  SHOW(uv_tty_init(loop, &t[0], fd, 0));
  close(fd);
  NEED(pipe(fds));
  SHOW(uv_tty_init(loop, &t[1], fds[0], 0));
  show_rights(&t[1]);
  SHOW(is_nonblocking(fds[0]));
  SHOW(uv_tty_init(loop, &t[2], fds[1], 0));
  show_rights(&t[2]);
  SHOW(uv_tty_set_mode(&t[2], UV_TTY_MODE_RAW));
  NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  SHOW(uv_tty_init(loop, &t[3], fds[0], 0));
  show_rights(&t[3]);
  close(fds[1]);
  SHOW(uv_tty_init(loop, &t[4], slave, 0));
  SHOW(uv_handle_get_type(H(&t[4])) == UV_TTY);
  SHOW(uv_is_active(H(&t[4])));
  close_pty(loop, master, slave);
}

/* The slave side is opened anew, with the rights it had; the master cannot be. */
static void reopen(uv_loop_t *loop) {
  static uv_tty_t t[4];
  int other, reader, writer;

  open_pty();
  other = dup(slave);
  SHOW(uv_tty_init(loop, &t[0], slave, 0));
  show_rights(&t[0]);
  SHOW(fd_of(&t[0]) != slave);
  SHOW(is_nonblocking(fd_of(&t[0])));
  SHOW(is_nonblocking(other));
  SHOW((fcntl(fd_of(&t[0]), F_GETFD) & FD_CLOEXEC) != 0);
  SHOW(uv_tty_init(loop, &t[1], master, 0));
  show_rights(&t[1]);
  SHOW(fd_of(&t[1]) == master);
  SHOW(is_nonblocking(master));
  NEED(reader = open(ttyname(other), O_RDONLY | O_NOCTTY));
  SHOW(uv_tty_init(loop, &t[2], reader, 0));
  show_rights(&t[2]);
  NEED(writer = open(ttyname(other), O_WRONLY | O_NOCTTY));
  SHOW(uv_tty_init(loop, &t[3], writer, 0));
  show_rights(&t[3]);
  uv_close(H(&t[0]), NULL);
  show_rights(&t[0]);
  SHOW(fcntl(other, F_GETFD) >= 0);
  SHOW(uv_tty_set_mode(&t[0], UV_TTY_MODE_RAW));
  close_pty(loop, slave, other);
  close_pty(loop, reader, writer);
}

/* Every mode from every other. */
static void modes(uv_loop_t *loop) {
  static uv_tty_t t;
  struct termios odd;
  int from, to, round;

  for (round = 0; round < 2; round++) {
    open_pty();
    if (round == 1) {
      NEED(tcgetattr(slave, &odd));
      odd.c_iflag = INPCK | ISTRIP | IGNCR | PARMRK | IXOFF;
      odd.c_oflag = 0;
      odd.c_lflag = ISIG | NOFLSH;
      odd.c_cflag = CS7 | PARENB | CREAD;
      odd.c_cc[VMIN] = 7;
      odd.c_cc[VTIME] = 9;
      NEED(tcsetattr(slave, TCSANOW, &odd));
    }
    NEED(uv_tty_init(loop, &t, slave, 0));
    show_mode(slave);
    for (from = 0; from < 4; from++) {
      for (to = 0; to < 4; to++) {
        SHOW(uv_tty_set_mode(&t, from));
        SHOW(uv_tty_set_mode(&t, to));
        show_mode(slave);
      }
    }
    SHOW(uv_tty_set_mode(&t, (uv_tty_mode_t) -1));
    SHOW(uv_tty_set_mode(&t, (uv_tty_mode_t) 4));
    SHOW(uv_tty_set_mode(&t, (uv_tty_mode_t) INT_MIN));
    show_mode(slave);
    close_pty(loop, master, slave);
  }
}

/* What happens to modes set by hand, and twice the same. */
static void modes_by_hand(uv_loop_t *loop) {
  static uv_tty_t t;
  struct termios original, changed;

  open_pty();
  NEED(uv_tty_init(loop, &t, slave, 0));
  NEED(tcgetattr(slave, &original));
  changed = original;
  changed.c_lflag &= ~(tcflag_t) ECHO;
  NEED(tcsetattr(slave, TCSANOW, &changed));
  SHOW(uv_tty_set_mode(&t, UV_TTY_MODE_NORMAL));
  show_mode(slave);
  SHOW(uv_tty_set_mode(&t, UV_TTY_MODE_RAW));
  NEED(tcsetattr(slave, TCSANOW, &original));
  SHOW(uv_tty_set_mode(&t, UV_TTY_MODE_RAW));
  show_mode(slave);
  SHOW(uv_tty_set_mode(&t, UV_TTY_MODE_RAW_VT));
  show_mode(slave);
  SHOW(uv_tty_set_mode(&t, UV_TTY_MODE_NORMAL));
  show_mode(slave);
  close_pty(loop, master, slave);
}

/* The first terminal to leave the normal mode is the one to go back to. */
static void reset(uv_loop_t *loop) {
  static uv_tty_t t[2];
  int masters[2], slaves[2], i;

  SHOW(uv_tty_reset_mode());
  for (i = 0; i < 2; i++) {
    open_pty();
    masters[i] = master;
    slaves[i] = slave;
    NEED(uv_tty_init(loop, &t[i], slave, 0));
    NEED(uv_tty_set_mode(&t[i], UV_TTY_MODE_RAW));
  }
  errno = 0;
  for (i = 0; i < 3; i++) {
    SHOW(uv_tty_reset_mode());
    SHOW(errno);
    show_mode(slaves[0]);
    show_mode(slaves[1]);
  }
  SHOW(uv_tty_set_mode(&t[0], UV_TTY_MODE_RAW));
  show_mode(slaves[0]);
  SHOW(uv_tty_set_mode(&t[0], UV_TTY_MODE_NORMAL));
  SHOW(uv_tty_set_mode(&t[0], UV_TTY_MODE_IO));
  show_mode(slaves[0]);
  SHOW(uv_tty_reset_mode());
  show_mode(slaves[0]);
  for (i = 0; i < 2; i++)
    close_pty(loop, masters[i], slaves[i]);
}

/* Closing a raw terminal, and resetting after that. */
static void close_raw(uv_loop_t *loop) {
  static uv_tty_t t[2];
  int masters[2], slaves[2], i;

  for (i = 0; i < 2; i++) {
    open_pty();
    masters[i] = master;
    slaves[i] = slave;
    NEED(uv_tty_init(loop, &t[i], slave, 0));
    NEED(uv_tty_set_mode(&t[i], UV_TTY_MODE_RAW));
  }
  for (i = 1; i >= 0; i--) {
    uv_close(H(&t[i]), NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    show_mode(slaves[0]);
    show_mode(slaves[1]);
  }
  SHOW(uv_tty_reset_mode());
  show_mode(slaves[1]);
  NEED(uv_tty_init(loop, &t[1], slaves[1], 0));
  SHOW(uv_tty_set_mode(&t[1], UV_TTY_MODE_IO));
  SHOW(uv_tty_reset_mode());
  show_mode(slaves[1]);
  for (i = 0; i < 2; i++)
    close_pty(loop, masters[i], slaves[i]);
}

static void size(uv_loop_t *loop) {
  static uv_tty_t t, p;
  struct winsize size = {.ws_row = 17, .ws_col = 65535};
  int fds[2], width = -7, height = -7;
  uv_tty_vtermstate_t state = UV_TTY_UNSUPPORTED;

  open_pty();
  NEED(uv_tty_init(loop, &t, slave, 0));
  SHOW(uv_tty_get_winsize(&t, &width, &height));
  printf("%d x %d\n", width, height);
  NEED(ioctl(master, TIOCSWINSZ, &size));
  SHOW(uv_tty_get_winsize(&t, &width, &height));
  printf("%d x %d\n", width, height);
  NEED(pipe(fds));
  NEED(uv_tty_init(loop, &p, fds[0], 0));
  width = height = -7;
  SHOW(uv_tty_get_winsize(&p, &width, &height));
  printf("%d x %d\n", width, height);
  uv_tty_set_vterm_state(UV_TTY_SUPPORTED);
  SHOW(uv_tty_get_vterm_state(&state));
  SHOW(state);
  close(fds[1]);
  close_pty(loop, master, slave);
}

static long received;
static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  static char bytes[65536];

  (void) h;
  (void) size;
  *buf = uv_buf_init(bytes, sizeof(bytes));
}
static void on_line(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf) {
  if (nread == 0)
    return; /* allowed at any time */
  if (nread < 0)
    printf("%s\n", uv_err_name((int) nread));
  else
    printf("%zd: %.*s", nread, (int) nread, buf->base);
  received += nread;
  if (nread < 0 || received >= 20)
    uv_read_stop(s);
}
static void on_write(uv_write_t *req, int status) {
  printf("written: %s\n", status == 0 ? "0" : uv_err_name(status));
  (void) req;
}

/* Lines come one by one; the end of the other side is seen. */
static void lines(uv_loop_t *loop) {
  static uv_tty_t t;
  static const char text[] = "one\ntwo\nthree\nlonger\n";

  open_pty();
  NEED(uv_tty_init(loop, &t, slave, 0));
  NEED(uv_read_start(S(&t), on_alloc, on_line));
  SHOW(write(master, text, sizeof(text) - 1));
  uv_run(loop, UV_RUN_DEFAULT);
  NEED(uv_read_start(S(&t), on_alloc, on_line));
  SHOW(write(master, "\4", 1)); /* the end of a file, by hand */
  uv_run(loop, UV_RUN_DEFAULT);
  close(master);
  SHOW(uv_read_start(S(&t), on_alloc, on_line));
  uv_run(loop, UV_RUN_DEFAULT);
  close(slave);
}

static void feed(void *arg) {
  static char bytes[30000];
  size_t done = 0;
  ssize_t n;

  memset(bytes, 'x', sizeof(bytes));
  while (done < sizeof(bytes)) {
    n = read(*(int *) arg, bytes, sizeof(bytes) - done);
    if (n <= 0)
      break;
    done += (size_t) n;
  }
  received = (long) done;
}

/* More than the terminal holds, to a side that reads slowly. */
static void fill(uv_loop_t *loop) {
  static uv_tty_t t;
  static char bytes[10000];
  static uv_write_t req[3];
  uv_buf_t buf = uv_buf_init(bytes, sizeof(bytes));
  uv_thread_t thread;
  int side, i;

  memset(bytes, 'y', sizeof(bytes));
  for (side = 0; side < 2; side++) {
    open_pty();
    NEED(uv_tty_init(loop, &t, slave, 0));
    SHOW(uv_tty_set_mode(&t, UV_TTY_MODE_IO));
    if (side == 1) {
      uv_close(H(&t), NULL);
      uv_run(loop, UV_RUN_DEFAULT);
      close(slave);
      NEED(slave = open(ptsname(master), O_RDWR | O_NOCTTY));
      struct termios raw;
      NEED(tcgetattr(slave, &raw));
      cfmakeraw(&raw);
      NEED(tcsetattr(slave, TCSANOW, &raw));
      NEED(uv_tty_init(loop, &t, master, 0));
    }
    NEED(uv_thread_create(&thread, feed, side == 0 ? &master : &slave));
    for (i = 0; i < 3; i++)
      SHOW(uv_write(&req[i], S(&t), &buf, 1, on_write));
    uv_run(loop, UV_RUN_DEFAULT);
    NEED(uv_thread_join(&thread));
    SHOW(received);
    SHOW(uv_stream_get_write_queue_size(S(&t)));
    if (side == 0)
      close_pty(loop, master, slave);
    else
      close_pty(loop, slave, -1); /* the master was the handle's */
  }
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"kinds", kinds}, {"reopen", reopen}, {"modes", modes},
      {"modes_by_hand", modes_by_hand}, {"reset", reset},
      {"close_raw", close_raw}, {"size", size}, {"lines", lines},
      {"fill", fill}, {NULL, NULL}};

  return check_main(argc, argv, table);
}

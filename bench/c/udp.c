/* Row family udp. usage: udp send|segments MS
 *
 * One operation sends 54 datagrams of 1200 bytes over loopback, some 64 KiB, in
 * three calls. `segments` has the kernel cut them from one buffer, in one call, where the
 * library can ask for that; libuv cannot, and sends them one by one.
 * The receiver is emptied between calls, outside of what is measured. */
#include "uvcommon.h"
#include <arpa/inet.h>
#include <sys/socket.h>

enum { SIZE = 1200, COUNT = 54, TOGETHER = 18, SEND_SEGMENT = 2 };

/* uvring_udp_send_opts_t, of a header that libuv does not have. */
struct options {
  unsigned flags;
  int tos;
  unsigned segment_size;
  unsigned ifindex;
  struct sockaddr_storage src;
};
typedef int (*send3)(uv_udp_t *, unsigned, uv_buf_t **, unsigned *, struct sockaddr **,
                     const struct options **, unsigned);

static char bytes[SIZE * COUNT];

/* Takes what has arrived; all of it must have. */
static void empty(int fd) {
  static char sink[65536];
  int got = 0;
  while (recv(fd, sink, sizeof sink, MSG_DONTWAIT) == SIZE) got++;
  if (got != COUNT) die("%d of %d datagrams arrived", got, COUNT);
}

static int receiver(struct sockaddr_in *to) {
  socklen_t len = sizeof *to;
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = 1 << 20;
  memset(to, 0, sizeof *to);
  to->sin_family = AF_INET;
  to->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || bind(fd, (struct sockaddr *) to, len) != 0) die("no socket to receive with");
  if (getsockname(fd, (struct sockaddr *) to, &len) != 0) die("getsockname");
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  return fd;
}

int main(int argc, char **argv) {
  uv_loop_t loop;
  uv_udp_t udp;
  struct sockaddr_in to;
  struct sockaddr *addrs[COUNT];
  uv_buf_t each[COUNT], *bufs[COUNT], whole = uv_buf_init(bytes, sizeof bytes), *one = &whole;
  unsigned counts[COUNT];
  struct options options = {.flags = SEND_SEGMENT, .segment_size = SIZE};
  const struct options *opts = &options;
  send3 call = NULL;
  if (argc != 3) die("usage: udp send|segments MS");
  begin(60);
  int segments = strcmp(argv[1], "segments") == 0, fd = receiver(&to);
  UV(uv_loop_init(&loop));
  tell_library(&loop);
  UV(uv_udp_init_ex(&loop, &udp, AF_INET));
  void *found = segments ? dlsym(RTLD_DEFAULT, "uvring_udp_try_send3") : NULL;
  if (found != NULL) memcpy(&call, &found, sizeof call);
  for (int i = 0; i < COUNT; i++) {
    each[i] = uv_buf_init(bytes + i * SIZE, SIZE);
    bufs[i] = &each[i];
    counts[i] = 1;
    addrs[i] = (struct sockaddr *) &to;
  }
  uint64_t wall = 0, cpu = 0, n = 0, stop_at = now_ns() + number(argv[2]) * 1000000u;
  for (; now_ns() < stop_at; n++) {
    uint64_t wall_at = now_ns(), cpu_at = own_cpu_ns();
    int sent = call != NULL ? call(&udp, 1, &one, counts, addrs, &opts, 0) : 0;
    /* libuv takes 20 at most, and miscounts more. */
    for (int i = 0; call == NULL && i < COUNT; i += TOGETHER)
      sent += uv_udp_try_send2(&udp, TOGETHER, bufs + i, counts, addrs, 0);
    cpu += own_cpu_ns() - cpu_at;
    wall += now_ns() - wall_at;
    if (sent != (call != NULL ? 1 : COUNT)) die("sent %d", sent);
    empty(fd);
  }
  report(segments ? "udp-segments-64KiB" : "udp-send-64KiB", n, wall, cpu);
  uv_close((uv_handle_t *) &udp, NULL);
  UV(uv_run(&loop, UV_RUN_DEFAULT));
  UV(uv_loop_close(&loop));
  return 0;
}

/* watch: prints what happens to files and folders.
 *
 *   watch [-r] PATH...    until SIGINT or SIGTERM; -r: in folders below, too
 *
 * One line for each event: PATH, "change" or "rename" (that is also: created,
 * deleted), and the name in the folder.
 *
 * What it shows: many watchers with one callback, and their errors. Whether -r
 * has an effect is up to the system: on Linux libuv ignores it, and uvring
 * does when UVRING_FS_EVENT_RECURSIVE=1 is not in the environment.
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

static unsigned long events_seen;

static void on_event(uv_fs_event_t *watcher, const char *name, int events,
                     int status) {
  const char *path = watcher->data;

  events_seen++;
  if (status < 0) {
    /* The watcher may have missed something; look at the folder again. */
    printf("%s error %s\n", path, uv_err_name(status));
  } else {
    /* Only a hint: by now the file may be gone, or be another one. A name is
     * not always known. */
    printf("%s %s%s%s %s\n", path, events & UV_RENAME ? "rename" : "",
           events == (UV_RENAME | UV_CHANGE) ? "+" : "",
           events & UV_CHANGE ? "change" : "", name == NULL ? "?" : name);
  }
  fflush(stdout);
}

static void close_one(uv_handle_t *handle, void *unused) {
  (void) unused;
  if (!uv_is_closing(handle))
    uv_close(handle, NULL);
}

static void on_signal(uv_signal_t *signal, int signum) {
  (void) signum;
  uv_walk(signal->loop, close_one, NULL);
}

int main(int argc, char **argv) {
  uv_loop_t loop;
  uv_signal_t interrupt, terminate;
  uv_fs_event_t *watchers;
  unsigned flags = 0;
  int i, rc, first = 1, status = 0;

  if (argc > 1 && strcmp(argv[1], "-r") == 0) {
    flags = UV_FS_EVENT_RECURSIVE;
    first = 2;
  }
  if (first >= argc) {
    fprintf(stderr, "usage: %s [-r] PATH...\n", argv[0]);
    return 2;
  }
  watchers = calloc((size_t) argc, sizeof(*watchers));
  if (watchers == NULL)
    return 1;
  CHECK(uv_loop_init(&loop));
  CHECK(uv_signal_init(&loop, &interrupt));
  CHECK(uv_signal_init(&loop, &terminate));
  CHECK(uv_signal_start(&interrupt, on_signal, SIGINT));
  CHECK(uv_signal_start(&terminate, on_signal, SIGTERM));
  for (i = first; i < argc; i++) {
    CHECK(uv_fs_event_init(&loop, &watchers[i]));
    watchers[i].data = argv[i];
    rc = uv_fs_event_start(&watchers[i], on_event, argv[i], flags);
    if (rc < 0) {
      fprintf(stderr, "watch: %s: %s\n", argv[i], uv_strerror(rc));
      status = 1;
    }
  }
  if (status == 0) {
    printf("watching %d\n", argc - first);
    fflush(stdout);
  } else {
    uv_walk(&loop, close_one, NULL);
  }

  CHECK(uv_run(&loop, UV_RUN_DEFAULT));
  CHECK(uv_loop_close(&loop));
  free(watchers); /* not before: the loop had them until they were closed */
  printf("watch: ok, %lu events\n", events_seen);
  return status;
}

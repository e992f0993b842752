/* Watching a folder and a file in it: what is done to them and what is told.
 * The kernel queues each event in the call that makes it. */
#include "errand.h"

#include <sys/stat.h>

enum { WATCHES = 3, REST = 4 };

struct watch {
  struct errand *e;
  uv_fs_event_t watches[WATCHES];
  uv_idle_t clock;
  int resting, steps;
  char folder[48], said[WATCHES][3000];
};

static void tell(struct watch *w, int i, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void tell(struct watch *w, int i, const char *format, ...) {
  size_t len = strlen(w->said[i]);
  va_list args;

  va_start(args, format);
  vsnprintf(w->said[i] + len, sizeof(w->said[i]) - len, format, args);
  va_end(args);
}

static void on_event(uv_fs_event_t *h, const char *name, int events,
                     int status) {
  struct watch *w = h->data;
  int i = (int) (h - w->watches);

  called_back(w->e);
  tell(w, i, " %s:%d:%s", name == NULL ? "-" : name, events, code(status));
}

static void path_of(struct watch *w, char *path, size_t size, const char *name) {
  snprintf(path, size, "%s%s%s", w->folder, name[0] == '\0' ? "" : "/", name);
}

static void start_or_stop(struct watch *w, int i) {
  static const char *const names[] = {"", "", "a", "d", "nope"};
  char path[80], got[80];
  size_t size = pick(&w->e->rng, 4) == 0 ? 3 : sizeof(got);
  uv_fs_event_t *h = &w->watches[i];
  int rc;

  if (pick(&w->e->rng, 4) == 0) {
    tell(w, i, " [stop %s]", code(uv_fs_event_stop(h)));
    return;
  }
  path_of(w, path, sizeof(path), names[pick(&w->e->rng, COUNT(names))]);
  rc = uv_fs_event_start(h, on_event, path, 0);
  tell(w, i, " [start %s %s active %d", strchr(path, '-'), code(rc),
       uv_is_active(H(h)) != 0);
  rc = uv_fs_event_getpath(h, got, &size);
  tell(w, i, " path %s %d]", code(rc), rc == 0 && strcmp(got, path) == 0);
}

/* Something happens to the files; what it was is not told by the watches. */
static void happen(struct watch *w) {
  static const char *const names[] = {"a", "b", "d/x"};
  char path[80], other[80];
  int fd;

  path_of(w, path, sizeof(path), names[pick(&w->e->rng, COUNT(names))]);
  path_of(w, other, sizeof(other), names[pick(&w->e->rng, COUNT(names))]);
  switch (pick(&w->e->rng, 6)) {
    case 0:
    case 1:
      if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) != -1) {
        NEED(write(fd, "x", 1));
        close(fd);
      }
      break;
    case 2: unlink(path); break;
    case 3: rename(path, other); break;
    case 4: chmod(path, (mode_t) (0600 + pick(&w->e->rng, 8))); break;
    default:
      path_of(w, path, sizeof(path), "d");
      if (mkdir(path, 0700) != 0)
        rmdir(path);
  }
}

static void on_clock(uv_idle_t *h) {
  struct watch *w = h->data;
  int i, n;

  if (w->resting-- > 0)
    return;
  w->resting = REST;
  if (w->steps-- > 0) {
    for (n = 1 + pick(&w->e->rng, 3); n > 0; n--)
      if (pick(&w->e->rng, 3) == 0)
        start_or_stop(w, pick(&w->e->rng, WATCHES));
      else
        happen(w);
    return;
  }
  uv_close(H(h), NULL);
  for (i = 0; i < WATCHES; i++)
    uv_close(H(&w->watches[i]), NULL);
}

void watch_begin(struct errand *e) {
  struct watch *w = errand_own(e, sizeof(*w));
  int i;

  w->e = e;
  w->steps = 3 + pick(&e->rng, 25);
  snprintf(w->folder, sizeof(w->folder), "w%llu-%d",
           (unsigned long long) p.seed, e->id);
  NEED(mkdir(w->folder, 0755));
  for (i = 0; i < WATCHES; i++) {
    NEED(uv_fs_event_init(e->loop, &w->watches[i]));
    w->watches[i].data = w;
    start_or_stop(w, i);
  }
  NEED(uv_idle_init(e->loop, &w->clock));
  w->clock.data = w;
  NEED(uv_idle_start(&w->clock, on_clock));
}

void watch_end(struct errand *e) {
  static const char *const names[] = {"a", "b", "d/x", "d", ""};
  struct watch *w = e->own;
  char path[80];
  size_t i;

  for (i = 0; i < WATCHES; i++)
    note(e, "\n    watch %d%s", (int) i, w->said[i]);
  for (i = 0; i < COUNT(names); i++) {
    path_of(w, path, sizeof(path), names[i]);
    if (unlink(path) != 0)
      rmdir(path);
  }
}

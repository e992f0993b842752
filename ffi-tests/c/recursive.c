/* UV_FS_EVENT_RECURSIVE with the loop told to heed it: uvring only. Each case
 * prints what must have been seen and whether it was; nothing else is decided,
 * as an event may come twice. */
#include "check.h"

#include <ftw.h>
#include <sched.h>
#include <sys/wait.h>
#include <sys/stat.h>
#include <uvring.h>

#define SEEN_MAX 4096

static uv_fs_event_t watcher;
static uv_timer_t limit;
static char root[256];
static char *seen[SEEN_MAX]; /* "kind name" */
static int seen_count, is_late;

static const char *at(const char *name) {
  static char path[4][4600];
  static int turn;

  turn = (turn + 1) % 4;
  snprintf(path[turn], sizeof(path[turn]), "%s/%s", root, name);
  return path[turn];
}

static void note(const char *kind, const char *name) {
  char line[4600];

  NEED(seen_count < SEEN_MAX ? 0 : -1);
  snprintf(line, sizeof(line), "%s %s", kind, name == NULL ? "NULL" : name);
  seen[seen_count++] = strdup(line);
}

static void on_event(uv_fs_event_t *w, const char *name, int events,
                     int status) {
  NEED(w == &watcher ? 0 : -1);
  if (status < 0)
    note(uv_err_name(status), name);
  if (events & UV_RENAME)
    note("rename", name);
  if (events & UV_CHANGE)
    note("change", name);
}

static void on_limit(uv_timer_t *t) {
  (void) t;
  is_late = 1;
}

static int has(const char *line) {
  int i;

  for (i = 0; i < seen_count; i++)
    if (strcmp(seen[i], line) == 0)
      return 1;
  return 0;
}

static void forget(void) {
  while (seen_count > 0)
    free(seen[--seen_count]);
}

/* Run until this was seen, and say whether it was. */
static int await(const char *line) {
  is_late = 0;
  NEED(uv_timer_start(&limit, on_limit, 5000, 0));
  while (!has(line) && !is_late)
    uv_run(watcher.loop, UV_RUN_ONCE);
  uv_timer_stop(&limit);
  return has(line);
}

static void expect(const char *line) {
  printf("%s: %s\n", line, await(line) ? "seen" : "NOT SEEN");
}

/* Whatever comes without being waited for. */
static void settle(void) {
  int turns;

  for (turns = 0; turns < 20; turns++)
    uv_run(watcher.loop, UV_RUN_NOWAIT);
}

static void write_to(const char *name) {
  int fd = open(at(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

  NEED(fd);
  NEED(write(fd, "x", 1));
  close(fd);
}

static void make(const char *name) { NEED(mkdir(at(name), 0755)); }

static int remove_one(const char *path, const struct stat *info, int kind,
                      struct FTW *where) {
  return (void) info, (void) kind, (void) where, remove(path);
}

static void remove_tree(const char *path) {
  NEED(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS));
}

static void prepare(uv_loop_t *loop) {
  size_t size = sizeof(root) - 32;

  NEED(uv_os_tmpdir(root, &size));
  strcat(root, "/uvring-recursive-XXXXXX");
  NEED(mkdtemp(root) == NULL ? -1 : 0);
  NEED(uvring_loop_configure(loop, UVRING_FS_EVENT_RECURSIVE, 1));
  NEED(uv_timer_init(loop, &limit));
  NEED(uv_fs_event_init(loop, &watcher));
}

static void begin(void) {
  NEED(uv_fs_event_start(&watcher, on_event, root, UV_FS_EVENT_RECURSIVE));
}

static void end(void) {
  forget();
  uv_fs_event_stop(&watcher);
  if (access(root, F_OK) == 0)
    remove_tree(root);
}

/* Off unless asked for: as libuv, which ignores the flag. */
static void off(uv_loop_t *loop) {
  prepare(loop);
  make("a");
  SHOW(uvring_loop_configure(loop, UVRING_FS_EVENT_RECURSIVE, 0));
  begin();
  write_to("a/f");
  write_to("f");
  expect("rename f");
  SHOW(has("rename a/f"));
  end();
}

static void nested(uv_loop_t *loop) {
  int i, fds;
  char name[64];

  prepare(loop);
  make("old");
  make("old/er");
  fds = ends_open_fds();
  begin();
  write_to("old/er/f");
  expect("rename old/er/f");
  expect("change old/er/f");
  NEED(chmod(at("old/er"), 0700));
  expect("change old/er");

  /* mkdir -p and a file at once: nobody could watch in between. */
  for (i = 0; i < 50; i++) {
    snprintf(name, sizeof(name), "a%d", i);
    make(name);
    snprintf(name, sizeof(name), "a%d/b", i);
    make(name);
    snprintf(name, sizeof(name), "a%d/b/c", i);
    make(name);
    snprintf(name, sizeof(name), "a%d/b/c/f", i);
    write_to(name);
    if (i % 10 == 0)
      settle();
  }
  for (i = 0; i < 50; i += 7) {
    snprintf(name, sizeof(name), "rename a%d/b/c/f", i);
    expect(name);
  }
  forget();
  write_to("a49/b/c/late");
  expect("rename a49/b/c/late");
  NEED(unlink(at("a49/b/c/late")));
  forget();
  expect("rename a49/b/c/late");
  end();
  SHOW(ends_open_fds() - fds);
}

static void moved(uv_loop_t *loop) {
  char outside[300];

  prepare(loop);
  snprintf(outside, sizeof(outside), "%s-out", root);
  NEED(mkdir(outside, 0755));
  make("a");
  make("a/b");
  make("c");
  begin();
  /* Within: under its new name, and no more under the old one. */
  NEED(rename(at("a"), at("c/d")));
  expect("rename a");
  expect("rename c/d");
  settle();
  forget();
  write_to("c/d/b/f");
  expect("rename c/d/b/f");
  SHOW(has("rename a/b/f"));
  /* Moved, and used before anybody could look. */
  NEED(rename(at("c/d"), at("e")));
  write_to("e/b/g");
  expect("rename e/b/g");
  /* Out: nothing more is heard of it. */
  strcat(outside, "/x");
  NEED(rename(at("e"), outside));
  expect("rename e");
  settle();
  forget();
  strcat(outside, "/b/h");
  NEED(close(open(outside, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)));
  write_to("mark");
  expect("rename mark");
  SHOW(has("rename e/b/h"));
  /* In: with what it holds. */
  outside[strlen(outside) - strlen("/b/h")] = '\0';
  NEED(rename(outside, at("back")));
  expect("rename back");
  expect("rename back/b/h");
  forget();
  write_to("back/b/i");
  expect("rename back/b/i");
  outside[strlen(outside) - strlen("/x")] = '\0';
  NEED(rmdir(outside));
  end();
}

static void deleted(uv_loop_t *loop) {
  int i;
  char name[300];

  prepare(loop);
  for (i = 0; i < 20; i++) {
    snprintf(name, sizeof(name), "d%d", i);
    make(name);
    snprintf(name, sizeof(name), "d%d/e", i);
    make(name);
    snprintf(name, sizeof(name), "d%d/e/f", i);
    write_to(name);
  }
  begin();
  remove_tree(at("d3"));
  expect("rename d3/e/f");
  expect("rename d3/e");
  expect("rename d3");
  forget();
  make("d3"); /* the name again, another folder */
  make("d3/new");
  expect("rename d3/new");
  write_to("d3/new/f");
  expect("rename d3/new/f");
  remove_tree(root);
  snprintf(name, sizeof(name), "rename %s", strrchr(root, '/') + 1);
  forget();
  expect("rename d19/e/f");
  SHOW(await(name));
  SHOW(uv_is_active(H(&watcher)));
  end();
  SHOW(uv_fs_event_start(&watcher, on_event, root, UV_FS_EVENT_RECURSIVE));
}

static int calls;

static void on_event_close(uv_fs_event_t *w, const char *name, int events,
                           int status) {
  (void) name;
  (void) events;
  (void) status;
  calls++;
  uv_close(H(w), NULL);
}

static void on_event_restart(uv_fs_event_t *w, const char *name, int events,
                             int status) {
  (void) name;
  (void) events;
  (void) status;
  calls++;
  SHOW(uv_fs_event_stop(w));
  NEED(uv_fs_event_start(w, on_event, root, UV_FS_EVENT_RECURSIVE));
}

static void in_callback(uv_loop_t *loop) {
  int fds;

  prepare(loop);
  make("a");
  fds = ends_open_fds();
  NEED(uv_fs_event_start(&watcher, on_event_restart, root,
                         UV_FS_EVENT_RECURSIVE));
  write_to("a/f");
  check_run_until(loop, &calls, 1, 100);
  write_to("a/g");
  expect("rename a/g");
  SHOW(calls);
  uv_fs_event_stop(&watcher);
  SHOW(ends_open_fds() - fds);

  /* Closed while a new folder is being told, file by file. */
  NEED(uv_fs_event_start(&watcher, on_event_close, root,
                         UV_FS_EVENT_RECURSIVE));
  make("a/b");
  make("a/b/c");
  write_to("a/b/c/f");
  check_run_until(loop, &calls, 2, 100);
  settle();
  SHOW(calls);
  SHOW(ends_open_fds() - fds);
  forget();
  remove_tree(root);
}

static void odd(uv_loop_t *loop) {
  char path[300], deep[4096];
  size_t i;
  int fd, next, depth = 0;

  prepare(loop);
  /* A file, a missing path, a symlink to a folder, symlinks in it. */
  write_to("file");
  NEED(symlink(".", at("circle")));
  NEED(symlink("/proc", at("proc")));
  snprintf(path, sizeof(path), "%s/file", root);
  SHOW(uv_fs_event_start(&watcher, on_event, path, UV_FS_EVENT_RECURSIVE));
  write_to("file");
  expect("change file");
  uv_fs_event_stop(&watcher);
  SHOW(uv_fs_event_start(&watcher, on_event, "/no/such", 4));
  SHOW(uv_fs_event_start(&watcher, on_event, "", 4));
  snprintf(path, sizeof(path), "%s/circle", root);
  SHOW(uv_fs_event_start(&watcher, on_event, path, UV_FS_EVENT_RECURSIVE));
  forget();
  make("a");
  write_to("a/f");
  expect("rename a/f");
  /* The folder is renamed: what is known is still heard, what is new cannot be
   * found, and that is said. */
  strcpy(path, root);
  snprintf(deep, sizeof(deep), "%s-new", root);
  NEED(rename(path, deep));
  strcpy(root, deep);
  write_to("a/h");
  expect("rename a/h");
  make("b");
  expect("ENOENT b");
  NEED(rename(deep, path));
  strcpy(root, path);
  make("c");
  write_to("c/g");
  expect("rename c/g");

  /* Deeper than a path can say: named as far as that goes, then an error. */
  memset(deep, 'x', 250);
  deep[250] = '\0';
  fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (i = 0; i < 20; i++) {
    NEED(mkdirat(fd, deep, 0755));
    next = openat(fd, deep, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    NEED(next);
    close(fd);
    fd = next;
  }
  close(fd);
  is_late = 0;
  NEED(uv_timer_start(&limit, on_limit, 5000, 0));
  while (depth == 0 && !is_late) {
    int j;

    uv_run(loop, UV_RUN_ONCE);
    for (j = 0; j < seen_count; j++)
      depth += strncmp(seen[j], "ENAMETOOLONG ", 13) == 0;
  }
  SHOW(depth);
  uv_fs_event_stop(&watcher);
  forget();
  NEED(chdir(root));
  for (i = 0; i < 20; i++)
    NEED(chdir(deep));
  for (i = 0; i < 20; i++) {
    NEED(chdir(".."));
    NEED(rmdir(deep));
  }
  NEED(chdir("/"));
  end();
}

/* More events than the kernel keeps: told, and the tree is known again. */
static void overflow(uv_loop_t *loop) {
  FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
  int i, most = 0;

  NEED(file == NULL ? -1 : 0);
  NEED(fscanf(file, "%d", &most) == 1 ? 0 : -1);
  fclose(file);
  prepare(loop);
  make("a");
  make("gone");
  begin();
  /* Two events that differ each time, or the kernel merges them. */
  for (i = 0; i <= most / 2 + 10; i++) {
    NEED(rename(at("a"), at("b")));
    NEED(rename(at("b"), at("a")));
  }
  NEED(rmdir(at("gone")));
  make("new");
  make("new/er");
  /* Only the error is of interest, and the list has an end. */
  for (i = 0; !has("ENOBUFS NULL") && i < most; i++) {
    forget();
    uv_run(loop, UV_RUN_NOWAIT);
  }
  expect("ENOBUFS NULL");
  settle();
  forget();
  write_to("new/er/f");
  expect("rename new/er/f");
  end();
}

/* Only /proc/sys/user is the namespace's own; /proc/sys/fs/inotify is the whole
 * machine's. */
static int set_limit(const char *name, const char *value) {
  char path[80];
  int fd, rc;

  snprintf(path, sizeof(path), "/proc/sys/user/%s", name);
  fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  rc = (int) write(fd, value, strlen(value));
  close(fd);
  return rc;
}

static void limits(uv_loop_t *loop) {
  int i, fds;
  char name[64];

  prepare(loop);
  /* A user namespace has limits of its own. */
  if (unshare(CLONE_NEWUSER) != 0 || set_limit("max_inotify_watches", "10") < 0) {
    printf("skipped: no limits of our own: %s\n", strerror(errno));
    end();
    return;
  }
  for (i = 0; i < 12; i++) {
    snprintf(name, sizeof(name), "d%d", i);
    make(name);
  }
  fds = ends_open_fds();
  SHOW(uv_fs_event_start(&watcher, on_event, root, UV_FS_EVENT_RECURSIVE));
  SHOW(ends_open_fds() - fds);
  for (i = 4; i < 12; i++) {
    snprintf(name, sizeof(name), "d%d", i);
    NEED(rmdir(at(name)));
  }
  begin();
  make("x");
  for (i = 0; i < 8; i++) {
    snprintf(name, sizeof(name), "x/y%d", i);
    make(name);
  }
  /* One for the folder, four in it, x, and four of y: the others fail. */
  for (i = 0, is_late = 0; !is_late && i < 4;) {
    int j;

    NEED(uv_timer_start(&limit, on_limit, 5000, 0));
    uv_run(loop, UV_RUN_ONCE);
    for (i = 0, j = 0; j < seen_count; j++)
      i += strncmp(seen[j], "ENOSPC x/y", 10) == 0;
  }
  SHOW(i);
  write_to("x/f");
  expect("rename x/f");
  uv_fs_event_stop(&watcher);
  forget();
  if (set_limit("max_inotify_instances", "0") < 0)
    printf("max_inotify_instances cannot be set: %s\n", strerror(errno));
  SHOW(uv_fs_event_start(&watcher, on_event, root, UV_FS_EVENT_RECURSIVE));
  SHOW(ends_open_fds() - fds);
  end();
}

static void after_fork(uv_loop_t *loop) {
  int status;
  pid_t pid;

  prepare(loop);
  make("a");
  begin();
  fflush(stdout);
  pid = fork();
  NEED(pid);
  if (pid == 0) {
    NEED(uv_loop_fork(loop));
    write_to("a/child");
    expect("rename a/child");
    uv_fs_event_stop(&watcher);
    forget();
    exit(0);
  }
  NEED(waitpid(pid, &status, 0));
  SHOW(status);
  expect("rename a/child");
  forget();
  write_to("a/parent");
  expect("rename a/parent");
  end();
}

/* Every allocation fails once. What is given back is what was taken. */
static void no_memory(uv_loop_t *loop) {
  int i, rc = UV_ENOMEM, fds;
  long before;

  prepare(loop);
  make("a");
  make("a/b");
  make("c");
  begin();
  uv_fs_event_stop(&watcher); /* the loop's own tables are as large as needed */
  before = heap.blocks;
  fds = ends_open_fds();
  for (i = 1; rc == UV_ENOMEM && i < 100; i++) {
    heap_arm(i, 0);
    rc = uv_fs_event_start(&watcher, on_event, root, UV_FS_EVENT_RECURSIVE);
    if (rc < 0 && (heap.blocks != before || ends_open_fds() != fds))
      printf("allocation %d: something is left\n", i);
  }
  SHOW(rc);
  SHOW(i > 8);
  for (i = 1; i < 12; i++) { /* and while new folders are found */
    char name[32];

    snprintf(name, sizeof(name), "a/n%d", i);
    heap_disarm();
    settle();
    make(name);
    snprintf(name, sizeof(name), "a/n%d/m", i);
    make(name);
    heap_arm(i, 0);
    settle();
  }
  heap_disarm();
  uv_fs_event_stop(&watcher);
  SHOW(heap.blocks - before);
  SHOW(ends_open_fds() - fds);
  SHOW(has("ENOMEM a/n1"));
  end();
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"off", off},           {"nested", nested},     {"moved", moved},
      {"deleted", deleted},   {"in_callback", in_callback},
      {"odd", odd},           {"overflow", overflow}, {"limits", limits},
      {"after_fork", after_fork}, {"no_memory", no_memory}, {NULL, NULL}};

  return check_main(argc, argv, table);
}

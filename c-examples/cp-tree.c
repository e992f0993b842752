/* cp-tree: copies a folder with all that is below it.
 *
 *   cp-tree [-n N] FROM TO    N calls in flight (default 64); TO must not exist
 *
 * Files, folders and symlinks are copied with their modes. Other things (such
 * as sockets) and errors are named, the rest is copied, the status is 1. On a
 * terminal a line shows how far it is.
 *
 * What it shows: much asynchronous work with a bound on how much of it is
 * under way, and what has to wait for other things: a folder gets its mode
 * when all in it is there, because it may be one that nobody can write to.
 */
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

#define MODE_BITS 07777
#define OURS 0700 /* what we need of a folder while we fill it */

/* One thing to copy. A folder stays until all in it is copied. */
struct item {
  uv_fs_t req; /* its one call under way */
  struct item *parent, *next;
  uv_dirent_type_t type;
  int mode;          /* a folder's */
  size_t unfinished; /* a folder's items, and 1 until its names are known */
  char *to;          /* behind `from`, in the same block */
  char from[];
};

static uv_loop_t loop;
static struct item *waiting; /* the newest first, so that never many wait */
static unsigned in_flight, max_in_flight = 64;
static unsigned long files, folders, links, errors;
static uv_stat_t target; /* TO, which may lie in FROM */
static uv_timer_t ticker;

static void begin(struct item *item);

static struct item *add(struct item *parent, const char *from, const char *to,
                        const char *name, uv_dirent_type_t type) {
  size_t from_size = strlen(from) + strlen(name) + 2;
  size_t to_size = strlen(to) + strlen(name) + 2;
  const char *slash = *name == '\0' ? "" : "/";
  struct item *item = calloc(1, sizeof(*item) + from_size + to_size);

  if (item == NULL) {
    fprintf(stderr, "cp-tree: out of memory\n");
    exit(1);
  }
  item->to = item->from + from_size;
  snprintf(item->from, from_size, "%s%s%s", from, slash, name);
  snprintf(item->to, to_size, "%s%s%s", to, slash, name);
  item->req.data = item;
  item->type = type;
  item->unfinished = 1;
  item->parent = parent;
  if (parent != NULL)
    parent->unfinished++;
  item->next = waiting;
  waiting = item;
  return item;
}

static void go_on(void) {
  while (waiting != NULL && in_flight < max_in_flight) {
    struct item *item = waiting;

    waiting = item->next;
    in_flight++;
    begin(item);
  }
}

static void on_mode_set(uv_fs_t *req);

/* One thing less to do in a folder. After the last one, `in_flight` counts the
 * folder's own last call. */
static void less(struct item *folder) {
  if (folder == NULL || --folder->unfinished != 0)
    return;
  in_flight++;
  CHECK(uv_fs_chmod(&loop, &folder->req, folder->to, folder->mode,
                    on_mode_set));
}

/* Its call is over and there will be no other: somebody else's turn. */
static void finish(struct item *item) {
  struct item *parent = item->parent;

  free(item);
  in_flight--;
  less(parent);
  go_on();
  if (in_flight == 0 && !uv_is_closing((uv_handle_t *) &ticker))
    uv_close((uv_handle_t *) &ticker, NULL); /* all is done */
}

static void give_up(struct item *item, const char *why) {
  fprintf(stderr, "cp-tree: %s: %s\n", item->from, why);
  errors++;
  finish(item);
}

/* ---- what each kind of item goes through ------------------------------ */

/* For the last call of an item. */
static void end(uv_fs_t *req, unsigned long *counter) {
  struct item *item = req->data;
  ssize_t result = uv_fs_get_result(req);

  uv_fs_req_cleanup(req); /* its copies of the paths */
  if (result < 0) {
    give_up(item, uv_strerror((int) result));
  } else {
    ++*counter;
    finish(item);
  }
}

static void on_mode_set(uv_fs_t *req) { end(req, &folders); }
static void on_linked(uv_fs_t *req) { end(req, &links); }
static void on_copied(uv_fs_t *req) { end(req, &files); }

static void on_link_read(uv_fs_t *req) {
  struct item *item = req->data;
  ssize_t result = uv_fs_get_result(req);
  char *text = NULL;

  if (result >= 0) /* the text goes with the request, which is needed again */
    text = strdup(uv_fs_get_ptr(req));
  uv_fs_req_cleanup(req);
  if (text == NULL) {
    give_up(item, uv_strerror(result < 0 ? (int) result : UV_ENOMEM));
    return;
  }
  CHECK(uv_fs_symlink(&loop, &item->req, text, item->to, 0, on_linked));
  free(text); /* a call with a callback keeps its own copy */
}

static void on_names(uv_fs_t *req) {
  struct item *folder = req->data;
  ssize_t result = uv_fs_get_result(req);
  uv_dirent_t entry;

  while (result > 0 && uv_fs_scandir_next(req, &entry) == 0)
    add(folder, folder->from, folder->to, entry.name, entry.type);
  uv_fs_req_cleanup(req);
  if (result < 0) {
    fprintf(stderr, "cp-tree: %s: %s\n", folder->from,
            uv_strerror((int) result));
    errors++; /* it exists already and still gets its mode */
  }
  in_flight--;
  less(folder);
  go_on();
}

static void read_names(struct item *folder) {
  CHECK(uv_fs_scandir(&loop, &folder->req, folder->from, 0, on_names));
}

static void on_folder_made(uv_fs_t *req) {
  struct item *folder = req->data;
  ssize_t result = uv_fs_get_result(req);

  uv_fs_req_cleanup(req);
  if (result < 0)
    give_up(folder, uv_strerror((int) result));
  else
    read_names(folder);
}

static void copy(struct item *item) {
  switch (item->type) {
  case UV_DIRENT_FILE:
    CHECK(uv_fs_copyfile(&loop, &item->req, item->from, item->to,
                         UV_FS_COPYFILE_EXCL | UV_FS_COPYFILE_FICLONE,
                         on_copied));
    break;
  case UV_DIRENT_LINK:
    CHECK(uv_fs_readlink(&loop, &item->req, item->from, on_link_read));
    break;
  case UV_DIRENT_DIR:
    CHECK(uv_fs_mkdir(&loop, &item->req, item->to, item->mode | OURS,
                      on_folder_made));
    break;
  default:
    give_up(item, "not a file, folder or symlink");
  }
}

static void on_stat(uv_fs_t *req) {
  struct item *item = req->data;
  ssize_t result = uv_fs_get_result(req);
  uv_stat_t info = *uv_fs_get_statbuf(req);

  uv_fs_req_cleanup(req);
  if (result < 0) {
    give_up(item, uv_strerror((int) result));
  } else if (info.st_dev == target.st_dev && info.st_ino == target.st_ino) {
    give_up(item, "not copied into itself");
  } else {
    item->mode = (int) (info.st_mode & MODE_BITS);
    item->type = S_ISREG(info.st_mode)   ? UV_DIRENT_FILE
                 : S_ISLNK(info.st_mode) ? UV_DIRENT_LINK
                 : S_ISDIR(info.st_mode) ? UV_DIRENT_DIR
                                         : UV_DIRENT_FIFO;
    copy(item);
  }
}

static void begin(struct item *item) {
  if (item->parent == NULL)
    read_names(item); /* main has made it */
  else if (item->type == UV_DIRENT_DIR || item->type == UV_DIRENT_UNKNOWN)
    CHECK(uv_fs_lstat(&loop, &item->req, item->from, on_stat));
  else
    copy(item); /* its type is all we need; some file systems do not tell */
}

/* ---- the program ------------------------------------------------------ */

static void show(void) {
  fprintf(stderr, "\r%lu files, %lu folders, %lu links, %u in flight ", files,
          folders, links, in_flight);
}

static void on_tick(uv_timer_t *timer) {
  (void) timer;
  show();
}

/* Without a callback a call is done when it returns, and needs no loop. */
static void make_target(const char *from, const char *to) {
  uv_fs_t req;
  struct item *root;
  int rc = uv_fs_stat(NULL, &req, from, NULL);

  if (rc == 0 && !S_ISDIR(req.statbuf.st_mode))
    rc = UV_ENOTDIR;
  if (rc < 0) {
    fprintf(stderr, "cp-tree: %s: %s\n", from, uv_strerror(rc));
    exit(1);
  }
  root = add(NULL, from, to, "", UV_DIRENT_DIR);
  root->mode = (int) (req.statbuf.st_mode & MODE_BITS);
  uv_fs_req_cleanup(&req);

  rc = uv_fs_mkdir(NULL, &req, to, OURS, NULL);
  uv_fs_req_cleanup(&req);
  if (rc == 0)
    rc = uv_fs_stat(NULL, &req, to, NULL);
  if (rc < 0) {
    fprintf(stderr, "cp-tree: %s: %s\n", to, uv_strerror(rc));
    exit(1);
  }
  target = req.statbuf;
  uv_fs_req_cleanup(&req);
}

int main(int argc, char **argv) {
  int on_terminal = uv_guess_handle(2) == UV_TTY;

  if (argc == 5 && strcmp(argv[1], "-n") == 0 && atoi(argv[2]) > 0)
    max_in_flight = (unsigned) atoi(argv[2]);
  else if (argc != 3) {
    fprintf(stderr, "usage: %s [-n N] FROM TO\n", argv[0]);
    return 2;
  }
  make_target(argv[argc - 2], argv[argc - 1]);
  CHECK(uv_loop_init(&loop));
  CHECK(uv_timer_init(&loop, &ticker));
  if (on_terminal)
    CHECK(uv_timer_start(&ticker, on_tick, 100, 100));
  go_on();

  CHECK(uv_run(&loop, UV_RUN_DEFAULT));
  CHECK(uv_loop_close(&loop));
  uv_library_shutdown(); /* ends the threads that did the work */
  if (on_terminal) {
    show();
    fprintf(stderr, "\n");
  }
  printf("cp-tree: %lu files, %lu folders, %lu links, %lu errors\n", files,
         folders, links, errors);
  return errors == 0 ? 0 : 1;
}

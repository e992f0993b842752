/* Requests for files in a folder of their own. When and where each is done is
 * open; so what changes anything goes alone, and what only looks goes together
 * with others that look. */
#include "errand.h"

#include <ftw.h>
#include <sys/stat.h>

enum { SLOTS = 3, FDS = 2, BYTES = 600 };

enum what {
  /* look */
  STAT,
  LSTAT,
  FSTAT,
  READ_AT,
  ACCESS,
  SCANDIR,
  READLINK,
  REALPATH,
  STATFS,
  FSYNC,
  FDATASYNC,
  LOOKS,
  /* change */
  OPEN_FILE = LOOKS,
  OPEN_AGAIN,
  WRITE,
  WRITE_AT,
  WRITE_MORE,
  READ,
  CLOSE_FILE,
  TRUNCATE,
  UNLINK,
  RENAME,
  MKDIR,
  RMDIR,
  CHMOD,
  FCHMOD,
  UTIME,
  FUTIME,
  LUTIME,
  SYMLINK,
  LINK,
  COPY,
  SENDFILE,
  MKDTEMP,
  MKSTEMP,
  LIST,
  WHATS
};

static const char *const whats[WHATS] = {
    "stat",     "lstat",   "fstat",    "read_at", "access",    "scandir",
    "readlink", "realpath", "statfs",  "fsync",   "fdatasync", "open",
    "open",     "write",   "write_at", "write",   "read",      "close",
    "ftruncate", "unlink", "rename",   "mkdir",   "rmdir",     "chmod",
    "fchmod",   "utime",   "futime",   "lutime",  "symlink",   "link",
    "copyfile", "sendfile", "mkdtemp", "mkstemp", "opendir"};

static const char *const names[] = {"a", "b", "c", "l", "d", "d/x", "nope/x"};

struct one {
  uv_fs_t req;
  struct files *files;
  enum what what;
  int cancel; /* what uv_cancel said, 1 when it was not called */
  int slot;   /* of fds */
  uv_buf_t bufs[3];
  char bytes[3][BYTES];
  char path[64], other[64];
  char said[400];
};

struct files {
  struct errand *e;
  int steps, pending, count;
  int fds[FDS], appends[FDS];
  uv_dir_t *dir;
  uv_dirent_t entries[4];
  int listed;
  char folder[48];
  struct one ones[SLOTS];
};

static void step(struct files *f);

static void add(struct one *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add(struct one *o, const char *format, ...) {
  size_t len = strlen(o->said);
  va_list args;

  va_start(args, format);
  vsnprintf(o->said + len, sizeof(o->said) - len, format, args);
  va_end(args);
}

static int by_name(const void *a, const void *b) {
  return strcmp(a, b);
}

static void add_entries(struct one *o) {
  char found[16][40];
  uv_dirent_t entry;
  int n = 0, i, rc;

  memset(found, 0, sizeof(found));
  while ((rc = uv_fs_scandir_next(&o->req, &entry)) == 0 && n < 16)
    snprintf(found[n++], sizeof(found[0]), "%.30s:%d", entry.name,
             (int) entry.type);
  qsort(found, (size_t) n, sizeof(found[0]), by_name);
  for (i = 0; i < n; i++)
    add(o, " %s", found[i]);
  add(o, " %s", code(rc));
}

static void add_stat(struct one *o) {
  const uv_stat_t *s = uv_fs_get_statbuf(&o->req);

  add(o, " mode %o size %d links %d", (unsigned) s->st_mode,
      S_ISDIR(s->st_mode) ? 0 : (int) s->st_size,
      S_ISDIR(s->st_mode) ? 0 : (int) s->st_nlink);
  /* A time that a request has set. */
  if (s->st_mtim.tv_sec < 100000)
    add(o, " mtime %ld.%ld", s->st_mtim.tv_sec, s->st_mtim.tv_nsec);
}

static void add_bytes(struct one *o) {
  size_t left = (size_t) o->req.result, sum = 0, i, j;

  for (i = 0; i < 3; i++)
    for (j = 0; j < o->bufs[i].len && left > 0; j++, left--)
      sum = sum * 31 + (unsigned char) o->bufs[i].base[j];
  add(o, " sum %zu", sum % 1000003);
}

/* What a finished request tells. */
static void add_result(struct one *o) {
  struct files *f = o->files;
  const char *last;

  add(o, " %s = %s", whats[o->what], code(o->req.result));
  if (uv_fs_get_result(&o->req) != o->req.result ||
      uv_fs_get_type(&o->req) != o->req.fs_type)
    add(o, " (getters differ)");
  if (o->req.result < 0)
    return;
  switch (o->what) {
    case STAT:
    case LSTAT:
    case FSTAT: add_stat(o); break;
    case READ_AT:
    case READ: add_bytes(o); break;
    case SCANDIR: add_entries(o); break;
    case READLINK: add(o, " %s", (char *) uv_fs_get_ptr(&o->req)); break;
    case REALPATH:
      last = strrchr(uv_fs_get_ptr(&o->req), '/');
      add(o, " %s", last);
      break;
    case STATFS:
      add(o, " %d", ((uv_statfs_t *) o->req.ptr)->f_bsize > 0);
      break;
    case OPEN_FILE:
    case OPEN_AGAIN:
      o->said[0] = '\0';
      add(o, " open = a file");
      f->fds[o->slot] = (int) o->req.result;
      break;
    case CLOSE_FILE: f->fds[o->slot] = -1; break;
    case MKDTEMP:
      add(o, " %zu", strlen(uv_fs_get_path(&o->req)));
      NEED(rmdir(o->req.path));
      break;
    case MKSTEMP:
      o->said[0] = '\0';
      add(o, " mkstemp %zu", strlen(uv_fs_get_path(&o->req)));
      NEED(unlink(o->req.path));
      NEED(close((int) o->req.result));
      break;
    default: break;
  }
}

/* Whether a cancelled request was done is open. */
static void add_cancelled(struct one *o) {
  int is_cancelled = o->req.result == UV_ECANCELED;

  if (o->cancel == 0 && !is_cancelled)
    add(o, " cancelled, but done");
  else if (o->cancel != 0 && o->cancel != UV_EBUSY)
    add(o, " uv_cancel = %s", code(o->cancel));
  else if (o->cancel != 0 && is_cancelled)
    add(o, " not cancelled, but ECANCELED");
  else
    add(o, " %s cancelled or done", whats[o->what]);
}

static void batch_done(struct files *f) {
  int i;

  for (i = 0; i < f->count; i++)
    note(f->e, "%s%s", i == 0 ? "\n   " : " &", f->ones[i].said);
  step(f);
}

static void on_list(uv_fs_t *req);

/* The rest of what begins with uv_fs_opendir; 0 when nothing is left to do. */
static int go_on_listing(struct one *o) {
  struct files *f = o->files;
  uv_fs_type was = o->req.fs_type;
  ssize_t result = o->req.result;

  if (was == UV_FS_OPENDIR && result == 0) {
    f->dir = o->req.ptr;
    f->dir->dirents = f->entries;
    f->dir->nentries = 1 + f->steps % 4;
    f->listed = 0;
  } else if (was == UV_FS_READDIR && result > 0) {
    f->listed += (int) result;
  } else if (was == UV_FS_READDIR) {
    add(o, " %d entries", f->listed);
  } else {
    return 0;
  }
  uv_fs_req_cleanup(&o->req);
  f->e->calling = 1;
  if (was == UV_FS_READDIR && result <= 0)
    NEED(uv_fs_closedir(f->e->loop, &o->req, f->dir, on_list));
  else
    NEED(uv_fs_readdir(f->e->loop, &o->req, f->dir, on_list));
  f->e->calling = 0;
  return 1;
}

static void on_fs(uv_fs_t *req) {
  struct one *o = req->data;
  struct files *f = o->files;

  called_back(f->e);
  if (o->cancel == 1)
    add_result(o);
  else
    add_cancelled(o);
  uv_fs_req_cleanup(req);
  if (--f->pending == 0)
    batch_done(f);
}

static void on_list(uv_fs_t *req) {
  struct one *o = req->data;

  called_back(o->files->e);
  if (!go_on_listing(o))
    on_fs(req);
}

static int look(struct one *o, uv_fs_cb cb) {
  struct files *f = o->files;
  uv_loop_t *loop = f->e->loop;
  int fd = f->fds[o->slot];

  switch (o->what) {
    case STAT: return uv_fs_stat(loop, &o->req, o->path, cb);
    case LSTAT: return uv_fs_lstat(loop, &o->req, o->path, cb);
    case FSTAT: return uv_fs_fstat(loop, &o->req, fd, cb);
    case READ_AT:
      return uv_fs_read(loop, &o->req, fd, o->bufs, 3, pick(&f->e->rng, 900),
                        cb);
    case ACCESS: return uv_fs_access(loop, &o->req, o->path, W_OK, cb);
    case SCANDIR:
      return uv_fs_scandir(loop, &o->req,
                           pick(&f->e->rng, 3) ? f->folder : o->path, 0, cb);
    case READLINK: return uv_fs_readlink(loop, &o->req, o->path, cb);
    case REALPATH: return uv_fs_realpath(loop, &o->req, o->path, cb);
    case STATFS: return uv_fs_statfs(loop, &o->req, o->path, cb);
    case FSYNC: return uv_fs_fsync(loop, &o->req, fd, cb);
    default: return uv_fs_fdatasync(loop, &o->req, fd, cb);
  }
}

static int open_one(struct one *o, uv_fs_cb cb) {
  static const int flags[] = {O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL,
                              O_RDWR | O_CREAT | O_TRUNC,
                              O_RDWR | O_CREAT | O_APPEND,
                              O_RDONLY, O_WRONLY, O_RDONLY | O_DIRECTORY};
  struct files *f = o->files;
  int flag = flags[pick(&f->e->rng, COUNT(flags))];

  if (f->fds[o->slot] != -1)
    NEED(close(f->fds[o->slot]));
  f->fds[o->slot] = -1;
  f->appends[o->slot] = flag & O_APPEND;
  return uv_fs_open(f->e->loop, &o->req, o->path, flag, 0640, cb);
}

static int change_names(struct one *o, uv_fs_cb cb) {
  struct files *f = o->files;
  uv_loop_t *loop = f->e->loop;

  switch (o->what) {
    case UNLINK: return uv_fs_unlink(loop, &o->req, o->path, cb);
    case RENAME: return uv_fs_rename(loop, &o->req, o->path, o->other, cb);
    case MKDIR: return uv_fs_mkdir(loop, &o->req, o->path, 0750, cb);
    case RMDIR: return uv_fs_rmdir(loop, &o->req, o->path, cb);
    case CHMOD: return uv_fs_chmod(loop, &o->req, o->path, 0600, cb);
    case UTIME: return uv_fs_utime(loop, &o->req, o->path, 1.5, 2000.25, cb);
    case LUTIME: return uv_fs_lutime(loop, &o->req, o->path, 3, 3000.5, cb);
    case SYMLINK: return uv_fs_symlink(loop, &o->req, "a", o->path, 0, cb);
    case LINK: return uv_fs_link(loop, &o->req, o->path, o->other, cb);
    case COPY:
      return uv_fs_copyfile(loop, &o->req, o->path, o->other,
                            pick(&f->e->rng, 2) ? UV_FS_COPYFILE_EXCL : 0, cb);
    case MKDTEMP:
    case MKSTEMP:
      snprintf(o->path, sizeof(o->path), "%s/tXXXXXX", f->folder);
      return o->what == MKDTEMP ? uv_fs_mkdtemp(loop, &o->req, o->path, cb)
                                : uv_fs_mkstemp(loop, &o->req, o->path, cb);
    default:
      return uv_fs_opendir(loop, &o->req, f->folder, cb == NULL ? NULL : on_list);
  }
}

static int change(struct one *o, uv_fs_cb cb) {
  struct files *f = o->files;
  uv_loop_t *loop = f->e->loop;
  int fd = f->fds[o->slot], at;

  switch (o->what) {
    case OPEN_FILE:
    case OPEN_AGAIN: return open_one(o, cb);
    case WRITE:
    case WRITE_MORE: return uv_fs_write(loop, &o->req, fd, o->bufs, 3, -1, cb);
    case WRITE_AT:
      at = pick(&f->e->rng, 2000);
      return uv_fs_write(loop, &o->req, fd, o->bufs, 2, at, cb);
    case READ: return uv_fs_read(loop, &o->req, fd, o->bufs, 2, -1, cb);
    case CLOSE_FILE: return uv_fs_close(loop, &o->req, fd, cb);
    case TRUNCATE:
      return uv_fs_ftruncate(loop, &o->req, fd, pick(&f->e->rng, 3000), cb);
    case FCHMOD: return uv_fs_fchmod(loop, &o->req, fd, 0644, cb);
    case FUTIME: return uv_fs_futime(loop, &o->req, fd, 4, 4000.125, cb);
    case SENDFILE:
      return uv_fs_sendfile(loop, &o->req, f->fds[1 - o->slot], fd, 0,
                            1 + (size_t) pick(&f->e->rng, 900), cb);
    default: return change_names(o, cb);
  }
}

/* See README.md: folders are not copied. */
static int is_folder(const char *path) {
  struct stat s;

  return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* See README.md: from one file to another, unless there is none. */
static int is_plain_send(const struct files *f, int to, int from) {
  struct stat a, b;

  if (fstat(f->fds[to], &a) != 0 || fstat(f->fds[from], &b) != 0)
    return 1;
  return !f->appends[to] && a.st_ino != b.st_ino && S_ISREG(a.st_mode) &&
         S_ISREG(b.st_mode);
}

static void prepare(struct one *o, enum what what) {
  struct files *f = o->files;
  uint64_t *rng = &f->e->rng;
  int i, j;

  o->what = what;
  o->cancel = 1;
  o->slot = pick(rng, FDS);
  o->said[0] = '\0';
  snprintf(o->path, sizeof(o->path), "%s/%s", f->folder,
           names[pick(rng, COUNT(names))]);
  snprintf(o->other, sizeof(o->other), "%s/%s", f->folder,
           names[pick(rng, COUNT(names))]);
  if (what == COPY && is_folder(o->path))
    o->what = CHMOD;
  if (what == SENDFILE && !is_plain_send(f, 1 - o->slot, o->slot))
    o->what = TRUNCATE;
  for (i = 0; i < 3; i++) {
    o->bufs[i] = uv_buf_init(o->bytes[i], 1 + (unsigned) pick(rng, BYTES));
    for (j = 0; j < BYTES; j++)
      o->bytes[i][j] = byte_at((size_t) j + (size_t) f->steps);
  }
}

/* The next step: one change, one request without callback, or some looks. */
static void step(struct files *f) {
  uint64_t *rng = &f->e->rng;
  int i, rc, what;

  while (f->steps-- > 0) {
    f->count = 1;
    what = pick(rng, 3);
    if (what == 0) {
      f->count = 1 + pick(rng, SLOTS);
    } else if (what == 1 && pick(rng, 3) == 0) {
      prepare(&f->ones[0], (enum what) pick(rng, WHATS - 1));
      rc = f->ones[0].what < LOOKS ? look(&f->ones[0], NULL)
                                   : change(&f->ones[0], NULL);
      add_result(&f->ones[0]);
      uv_fs_req_cleanup(&f->ones[0].req);
      note(f->e, "\n    at once:%s%s", f->ones[0].said,
           rc == f->ones[0].req.result ? "" : " (returned otherwise)");
      continue;
    }
    f->pending = f->count;
    for (i = 0; i < f->count; i++) {
      struct one *o = &f->ones[i];

      prepare(o, (enum what) (what == 0 ? pick(rng, LOOKS)
                                        : LOOKS + pick(rng, WHATS - LOOKS)));
      f->e->calling = 1;
      rc = what == 0 ? look(o, on_fs) : change(o, on_fs);
      f->e->calling = 0;
      if (rc != 0)
        note(f->e, " %s failed at once: %s", whats[o->what], code(rc));
      if (what == 0 && pick(rng, 8) == 0)
        o->cancel = uv_cancel((uv_req_t *) &o->req);
    }
    return;
  }
}

void files_begin(struct errand *e) {
  struct files *f = errand_own(e, sizeof(*f));
  int i;

  f->e = e;
  f->steps = 5 + pick(&e->rng, 35);
  snprintf(f->folder, sizeof(f->folder), "f%llu-%d",
           (unsigned long long) p.seed, e->id);
  NEED(mkdir(f->folder, 0755));
  for (i = 0; i < FDS; i++)
    f->fds[i] = -1;
  for (i = 0; i < SLOTS; i++) {
    f->ones[i].files = f;
    f->ones[i].req.data = &f->ones[i];
  }
  step(f);
}

static int remove_one(const char *path, const struct stat *s, int flag,
                      struct FTW *ftw) {
  (void) s;
  (void) flag;
  (void) ftw;
  return remove(path);
}

void files_end(struct errand *e) {
  struct files *f = e->own;
  int i;

  if (f->steps >= 0)
    note(e, " and did not end");
  for (i = 0; i < FDS; i++)
    if (f->fds[i] != -1)
      close(f->fds[i]);
  NEED(nftw(f->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS));
}

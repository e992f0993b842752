/* Each allocation fails in turn: every file operation, at once and through the
 * loop. */
#include "nomem.h"

static uv_fs_t req;
static char dir[64], file[96], other[96], link_[96];
static int outcome;

static void on_fs(uv_fs_t *r) { outcome = r->result < 0 ? (int) r->result : 0; }

/* What is undone after each success, so that the next one can be made. */
static void nothing(void) {}
static void drop_other(void) {
  unlink(other);
  rmdir(other);
}
static void drop_link(void) { unlink(link_); }
static void make_other(void) {
  int fd = open(other, O_CREAT | O_CLOEXEC, 0600);

  close(fd);
}
static void make_other_dir(void) { mkdir(other, 0700); }
static void restore_file(void) { rename(other, file); }
static void close_result(void) { close((int) req.result); }
static void drop_dir(void) { rmdir(req.path); }
static void close_file(void) {
  close((int) req.result);
  unlink(req.path);
}

static int code_of(int code) { return code < 0 ? code : 0; }

/* The result; the request is given back after a failure. */
static int at_once(int code) {
  if (code < 0)
    uv_fs_req_cleanup(&req);
  return code_of(code);
}

static int later(int code) {
  if (code != 0)
    return code;
  uv_run(watched, UV_RUN_DEFAULT);
  if (outcome < 0)
    uv_fs_req_cleanup(&req);
  return outcome;
}

static uv_loop_t fresh;

static void fresh_loop(void) {
  NEED(uv_loop_init(&fresh));
  watched = &fresh;
}

static void no_loop(void) {
  watched = NULL;
  NEED(uv_loop_close(&fresh));
}

/* FS(name, before, after, arguments...): at once, and then as the first thing
 * that a loop does. */
#define FS(name, before, after, ...)                                           \
  do {                                                                         \
    before();                                                                  \
    TRY_TEXT(#name " at once", at_once(name(NULL, &req, __VA_ARGS__, NULL)),   \
             UV_ENOMEM, uv_fs_req_cleanup(&req));                              \
    after();                                                                   \
    uv_fs_req_cleanup(&req);                                                   \
    before();                                                                  \
    fresh_loop();                                                              \
    TRY_TEXT(#name " later", later(name(&fresh, &req, __VA_ARGS__, on_fs)),    \
             UV_ENOMEM, uv_fs_req_cleanup(&req));                              \
    after();                                                                   \
    uv_fs_req_cleanup(&req);                                                   \
    no_loop();                                                                 \
  } while (0)

static void set_up(void) {
  int fd;

  snprintf(dir, sizeof(dir), P_tmpdir "/uvring-nomem-XXXXXX");
  NEED(mkdtemp(dir) == NULL ? -1 : 0);
  snprintf(file, sizeof(file), "%s/file", dir);
  snprintf(other, sizeof(other), "%s/other", dir);
  snprintf(link_, sizeof(link_), "%s/link", dir);
  NEED(fd = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  NEED(write(fd, "0123456789", 10));
  close(fd);
}

static void tear_down(void) {
  unlink(file);
  SHOW(rmdir(dir) == 0);
}

static void paths(uv_loop_t *unused) {
  char template[96];

  (void) unused;
  set_up();
  FS(uv_fs_open, nothing, close_result, file, O_RDWR | O_CLOEXEC, 0);
  FS(uv_fs_stat, nothing, nothing, file);
  FS(uv_fs_lstat, nothing, nothing, file);
  FS(uv_fs_statfs, nothing, nothing, file);
  FS(uv_fs_access, nothing, nothing, file, R_OK);
  FS(uv_fs_chmod, nothing, nothing, file, 0600);
  FS(uv_fs_chown, nothing, nothing, file, getuid(), getgid());
  FS(uv_fs_lchown, nothing, nothing, file, getuid(), getgid());
  FS(uv_fs_utime, nothing, nothing, file, 1.0, 2.0);
  FS(uv_fs_lutime, nothing, nothing, file, 1.0, 2.0);
  FS(uv_fs_realpath, nothing, nothing, file);
  FS(uv_fs_mkdir, nothing, drop_other, other, 0700);
  FS(uv_fs_rmdir, make_other_dir, nothing, other);
  FS(uv_fs_unlink, make_other, nothing, other);
  FS(uv_fs_rename, nothing, restore_file, file, other);
  FS(uv_fs_link, nothing, drop_other, file, other);
  FS(uv_fs_symlink, nothing, drop_link, file, link_, 0);
  NEED(symlink(file, link_));
  FS(uv_fs_readlink, nothing, nothing, link_);
  drop_link();
  FS(uv_fs_copyfile, nothing, drop_other, file, other, UV_FS_COPYFILE_EXCL);
  snprintf(template, sizeof(template), "%s/XXXXXX", dir);
  FS(uv_fs_mkdtemp, nothing, drop_dir, template);
  FS(uv_fs_mkstemp, nothing, close_file, template);
  tear_down();
}

static int twin;

static void make_twin(void) {
  NEED(twin = open(file, O_RDWR | O_CLOEXEC));
}

static void files(uv_loop_t *unused) {
  static char space[64];
  uv_buf_t bufs[10];
  int fd, i;

  (void) unused;
  set_up();
  for (i = 0; i < 10; i++)
    bufs[i] = uv_buf_init(space + i, 1);
  NEED(fd = open(file, O_RDWR | O_CLOEXEC));
  FS(uv_fs_fstat, nothing, nothing, fd);
  FS(uv_fs_fsync, nothing, nothing, fd);
  FS(uv_fs_fdatasync, nothing, nothing, fd);
  FS(uv_fs_ftruncate, nothing, nothing, fd, 10);
  FS(uv_fs_fchmod, nothing, nothing, fd, 0600);
  FS(uv_fs_fchown, nothing, nothing, fd, getuid(), getgid());
  FS(uv_fs_futime, nothing, nothing, fd, 1.0, 2.0);
  FS(uv_fs_write, nothing, nothing, fd, bufs, 10, 0);
  FS(uv_fs_read, nothing, nothing, fd, bufs, 10, 0);
  make_twin();
  FS(uv_fs_sendfile, nothing, nothing, twin, fd, 0, 4);
  close(twin);
  FS(uv_fs_close, make_twin, nothing, twin);
  close(fd);
  tear_down();
}

static uv_dir_t *opened;

static void close_dir(void) {
  uv_dir_t *made = req.ptr;

  NEED(made == NULL ? -1 : 0);
  uv_fs_req_cleanup(&req);
  NEED(uv_fs_closedir(NULL, &req, made, NULL));
}

static void show_count(void) { SHOW(req.result); }

static void open_dir_(void) {
  NEED(uv_fs_opendir(NULL, &req, dir, NULL));
  opened = req.ptr;
  uv_fs_req_cleanup(&req);
}

static void entries(uv_loop_t *unused) {
  uv_dir_t *open_dir;
  uv_dirent_t dirents[4], entry;
  char path[96];
  int i, seen = 0;

  (void) unused;
  set_up();
  for (i = 0; i < 200; i++) {
    snprintf(path, sizeof(path), "%s/%0*d", dir, 1 + i % 20, i);
    NEED(mkdir(path, 0700));
  }
  FS(uv_fs_scandir, nothing, nothing, dir, 0);
  NEED(uv_fs_scandir(NULL, &req, dir, 0, NULL));
  while (uv_fs_scandir_next(&req, &entry) == 0)
    seen++;
  SHOW(seen);
  uv_fs_req_cleanup(&req);
  FS(uv_fs_opendir, nothing, close_dir, dir);
  NEED(uv_fs_opendir(NULL, &req, dir, NULL));
  open_dir = req.ptr;
  uv_fs_req_cleanup(&req);
  open_dir->dirents = dirents;
  open_dir->nentries = 4;
  FS(uv_fs_readdir, nothing, show_count, open_dir);
  FS(uv_fs_closedir, open_dir_, nothing, opened);
  NEED(uv_fs_closedir(NULL, &req, open_dir, NULL));
  for (i = 0; i < 200; i++) {
    snprintf(path, sizeof(path), "%s/%0*d", dir, 1 + i % 20, i);
    rmdir(path);
  }
  tear_down();
}

int main(int argc, char **argv) {
  static const struct scene table[] = {{"bare_paths", paths},
                                       {"bare_files", files},
                                       {"bare_entries", entries},
                                       {NULL, NULL}};

  return nomem_main(argc, argv, table);
}

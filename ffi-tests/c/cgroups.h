/* Control groups in made-up trees: a child in a mount namespace of its own sees
 * them in place of the machine's. */
#ifndef CGROUPS_H
#define CGROUPS_H

#include "check.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct file {
  const char *name, *text;
};
struct tree {
  const char *name, *groups; /* what /proc/self/cgroup says */
  struct file files[12];
};

static void put(const char *root, const char *name, const char *text) {
  char path[256], *slash;
  int fd;

  snprintf(path, sizeof(path), "%s/%s", root, name);
  for (slash = strchr(path + strlen(root) + 1, '/'); slash != NULL;
       slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(path, 0755);
    *slash = '/';
  }
  NEED(fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  NEED(write(fd, text, strlen(text)));
  close(fd);
}

/* What the kernel has in the same folder. */
static void beside(const char *root, const char *name) {
  static const char *const beside[][3] = {
      {"cpu.max", "cgroup.controllers", "cpuset cpu io memory pids\n"},
      {"cpu.max", "cpu.weight", "100\n"},
      {"cpu.cfs_quota_us", "cpu.shares", "1024\n"}};
  const char *last = strrchr(name, '/') == NULL ? name : strrchr(name, '/') + 1;
  char path[128];
  size_t i;

  for (i = 0; i < sizeof(beside) / sizeof(beside[0]); i++)
    if (strcmp(last, beside[i][0]) == 0) {
      snprintf(path, sizeof(path), "%.*s%s", (int) (last - name), name,
               beside[i][1]);
      put(root, path, beside[i][2]);
    }
}

/* False where that is not allowed. */
static int put_in_place(const char *root, const struct tree *tree) {
  char groups[256];
  const struct file *file;

  if (unshare(CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) != 0)
    return 0;
  if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount("tree", root, "tmpfs", 0, NULL) != 0)
    return 0;
  for (file = tree->files; file->name != NULL; file++)
    put(root, file->name, file->text);
  for (file = tree->files; file->name != NULL; file++)
    beside(root, file->name);
  put(root, "proc-self-cgroup", tree->groups);
  snprintf(groups, sizeof(groups), "%s/proc-self-cgroup", root);
  return mount(groups, "/proc/self/cgroup", NULL, MS_BIND, NULL) == 0 &&
         mount(root, "/sys/fs/cgroup", NULL, MS_BIND, NULL) == 0;
}

/* `look` in a child for each tree, to which it belongs; how many of them failed. */
static int each_tree(const struct tree *tree, void (*look)(const struct tree *)) {
  char root[] = "cgroups-XXXXXX";
  int status, failed = 0;
  pid_t pid;

  NEED(mkdtemp(root) == NULL ? -1 : 0);
  for (; tree->name != NULL; tree++) {
    printf("== %s\n", tree->name);
    fflush(stdout);
    NEED(pid = fork());
    if (pid == 0) {
      if (put_in_place(root, tree))
        look(tree);
      else
        printf("skipped: no mounts of its own, errno %d\n", errno);
      fflush(stdout);
      _exit(0);
    }
    NEED(waitpid(pid, &status, 0));
    SHOW(status);
    failed += status != 0;
  }
  NEED(rmdir(root));
  return failed;
}

#endif

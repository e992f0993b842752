/* What the system says of itself, of the process and of its users. What
 * changes from one moment to the next is held against the kernel's own word,
 * the rest is printed. */
#include "check.h"
#include <pwd.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>

/* ---- the machine -------------------------------------------------------- */

static void processors(uv_loop_t *loop) {
  uv_cpu_info_t *infos = NULL;
  int count = -1, i;

  (void) loop;
  SHOW(uv_cpu_info(&infos, &count));
  SHOW(count);
  SHOW(count == sysconf(_SC_NPROCESSORS_ONLN));
  for (i = 0; i < count; i++) {
    TEXT(infos[i].model);
    SHOW(infos[i].speed >= 0);
    SHOW(infos[i].cpu_times.user > 0);
    SHOW(infos[i].cpu_times.sys > 0);
    SHOW(infos[i].cpu_times.idle > 0);
    /* Milliseconds since the start, on a clock of hundredths. */
    SHOW(infos[i].cpu_times.user % 10);
    SHOW(infos[i].cpu_times.idle % 10);
  }
  uv_free_cpu_info(infos, count);
  SHOW(uv_available_parallelism());
  SHOW(uv_cpumask_size());
}

static void interfaces(uv_loop_t *loop) {
  uv_interface_address_t *list = NULL;
  char text[64], mask[64];
  int count = -1, i, j;
  size_t size;

  (void) loop;
  SHOW(uv_interface_addresses(&list, &count));
  SHOW(count);
  for (i = 0; i < count; i++) {
    NEED(uv_ip_name(A(&list[i].address), text, sizeof(text)));
    NEED(uv_ip_name(A(&list[i].netmask), mask, sizeof(mask)));
    printf("%s %s %s internal %d ", list[i].name, text, mask,
           list[i].is_internal);
    for (j = 0; j < 6; j++)
      printf("%02x", (unsigned char) list[i].phys_addr[j]);
    if (list[i].address.address4.sin_family == AF_INET6)
      printf(" scope %u", list[i].address.address6.sin6_scope_id);
    printf("\n");
  }
  uv_free_interface_addresses(list, count);
  for (i = 0; i < 3; i++) {
    size = i == 2 ? sizeof(text) : (size_t) i;
    memset(text, '#', sizeof(text));
    SHOW(uv_if_indextoname(1, text, &size));
    SHOW(size);
    TEXT(i < 2 ? "-" : text);
    size = i == 2 ? sizeof(text) : (size_t) i;
    SHOW(uv_if_indextoiid(1, text, &size));
    SHOW(size);
  }
  size = sizeof(text);
  SHOW(uv_if_indextoname(999999, text, &size));
  SHOW(uv_if_indextoiid(999999, text, &size));
  SHOW(uv_if_indextoname(1, NULL, &size));
  SHOW(uv_if_indextoname(1, text, NULL));
}

static int near(double a, double b, double by) { return a - b <= by && b - a <= by; }

static void load(uv_loop_t *loop) {
  double mine[3], theirs[3], up = -1, since;
  FILE *file = fopen("/proc/uptime", "r");
  struct utsname kernel;
  uv_utsname_t name;

  (void) loop;
  uv_loadavg(mine);
  SHOW(getloadavg(theirs, 3));
  SHOW(near(mine[0], theirs[0], 1));
  SHOW(near(mine[1], theirs[1], 1));
  SHOW(near(mine[2], theirs[2], 1));
  SHOW(uv_uptime(&up));
  NEED(file == NULL ? -1 : fscanf(file, "%lf", &since));
  fclose(file);
  SHOW(near(up, since, 3));
  SHOW(uv_os_uname(NULL));
  memset(&name, '#', sizeof(name));
  SHOW(uv_os_uname(&name));
  NEED(uname(&kernel));
  TEXT(name.sysname);
  TEXT(name.machine);
  SHOW(strcmp(name.release, kernel.release) == 0);
  SHOW(strcmp(name.version, kernel.version) == 0);
}

static uint64_t meminfo(const char *key) {
  char line[256];
  FILE *file = fopen("/proc/meminfo", "r");
  unsigned long long value = 0;

  while (file != NULL && fgets(line, sizeof(line), file) != NULL)
    if (strncmp(line, key, strlen(key)) == 0)
      sscanf(line + strlen(key), "%llu", &value);
  if (file != NULL)
    fclose(file);
  return value * 1024;
}

static void memory(uv_loop_t *loop) {
  char *more = malloc(64 << 20);
  size_t before = 0, after = 0;

  (void) loop;
  SHOW(uv_get_total_memory());
  SHOW(uv_get_total_memory() == meminfo("MemTotal:"));
  SHOW(uv_get_constrained_memory());
  SHOW(near((double) uv_get_free_memory(), (double) meminfo("MemAvailable:"),
            512 << 20));
  SHOW(uv_get_available_memory() <= uv_get_total_memory());
  SHOW(uv_get_available_memory() > 0);
  SHOW(uv_resident_set_memory(&before));
  memset(more, 1, 64 << 20);
  SHOW(uv_resident_set_memory(&after));
  SHOW(near((double) (after - before), 64 << 20, 2 << 20));
  SHOW(before % 4096);
  free(more);
}

static void used_body(void *rusage) {
  volatile unsigned n = 0;
  uint64_t until = uv_hrtime() + 30000000;

  while (uv_hrtime() < until)
    n++;
  NEED(uv_getrusage_thread(rusage));
}

static double seconds(uv_timeval_t tv) {
  return (double) tv.tv_sec + (double) tv.tv_usec / 1e6;
}

static void usage(uv_loop_t *loop) {
  uv_rusage_t all, one, mine;
  struct rusage kernel;
  uv_thread_t tid;

  (void) loop;
  NEED(uv_thread_create(&tid, used_body, &one));
  NEED(uv_thread_join(&tid));
  memset(&all, 0x55, sizeof(all));
  memset(&mine, 0x55, sizeof(mine));
  SHOW(uv_getrusage(&all));
  SHOW(uv_getrusage_thread(&mine));
  NEED(getrusage(RUSAGE_SELF, &kernel));
  SHOW(all.ru_maxrss > 1000);
  SHOW(near((double) all.ru_maxrss, (double) kernel.ru_maxrss, 1000));
  SHOW(near((double) all.ru_minflt, (double) kernel.ru_minflt, 100));
  SHOW(near((double) all.ru_majflt, (double) kernel.ru_majflt, 10));
  SHOW(near((double) all.ru_nvcsw, (double) kernel.ru_nvcsw, 10));
  SHOW(all.ru_ixrss + all.ru_idrss + all.ru_isrss + all.ru_nswap);
  SHOW(all.ru_msgsnd + all.ru_msgrcv + all.ru_nsignals);
  SHOW(seconds(one.ru_utime) + seconds(one.ru_stime) >= 0.001);
  SHOW(seconds(all.ru_utime) + seconds(all.ru_stime) >=
       seconds(one.ru_utime) + seconds(one.ru_stime));
}

/* ---- users -------------------------------------------------------------- */

static void show_passwd(int rc, uv_passwd_t *pwd) {
  struct passwd *kernel;

  SHOW(rc);
  if (rc != 0)
    return;
  TEXT(pwd->username);
  SHOW(pwd->uid);
  SHOW(pwd->gid);
  TEXT(pwd->shell);
  TEXT(pwd->homedir);
  kernel = getpwuid((uid_t) pwd->uid);
  SHOW(kernel != NULL && strcmp(kernel->pw_name, pwd->username) == 0);
  uv_os_free_passwd(pwd);
  SHOW(pwd->username == NULL);
  SHOW(pwd->homedir == NULL);
  /* A second time there is nothing to free. */
  uv_os_free_passwd(pwd);
}

static void users(uv_loop_t *loop) {
  static const int ids[] = {0, 1, 2, 65534, 54321, 0x7fffffff};
  uv_passwd_t pwd;
  uv_group_t grp;
  size_t i;
  int j, rc;

  (void) loop;
  SHOW(uv_os_get_passwd(NULL));
  show_passwd(uv_os_get_passwd(&pwd), &pwd);
  for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
    SHOW(ids[i]);
    memset(&pwd, 0, sizeof(pwd));
    show_passwd(uv_os_get_passwd2(&pwd, (uv_uid_t) ids[i]), &pwd);
    memset(&grp, 0, sizeof(grp));
    SHOW(rc = uv_os_get_group(&grp, (uv_uid_t) ids[i]));
    if (rc != 0)
      continue;
    TEXT(grp.groupname);
    SHOW(grp.gid);
    for (j = 0; grp.members != NULL && grp.members[j] != NULL; j++)
      TEXT(grp.members[j]);
    uv_os_free_group(&grp);
    SHOW(grp.groupname == NULL);
    SHOW(grp.members == NULL);
  }
  SHOW(uv_os_get_group(NULL, 0));
  SHOW(uv_os_get_passwd2(NULL, 0));
  uv_os_free_passwd(NULL);
  uv_os_free_group(NULL);
}

static void host(uv_loop_t *loop) {
  char name[256], kernel[256];
  size_t size, i;

  (void) loop;
  NEED(gethostname(kernel, sizeof(kernel)));
  for (i = 0; i < 5; i++) {
    size_t sizes[] = {0, 1, strlen(kernel), strlen(kernel) + 1, sizeof(name)};

    memset(name, '#', sizeof(name));
    size = sizes[i];
    SHOW(uv_os_gethostname(name, &size));
    SHOW(size == strlen(kernel));
    SHOW(size == strlen(kernel) + 1);
    SHOW(strcmp(name, kernel) == 0);
    SHOW(name[0] == '#');
  }
  size = 0;
  SHOW(uv_os_gethostname(NULL, &size));
  SHOW(uv_os_gethostname(name, NULL));
  SHOW(uv_os_getpid() == getpid());
  SHOW(uv_os_getppid() == getppid());
}

static void ranks(uv_loop_t *loop) {
  static const int wanted[] = {-21, -20, -14, -7, 0, 5, 10, 19, 20, 99};
  pid_t pid;
  size_t i;
  int now, status;

  (void) loop;
  fflush(stdout);
  pid = fork();
  NEED(pid);
  if (pid == 0) {
    for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
      SHOW(wanted[i]);
      SHOW(uv_os_setpriority(i % 2 ? 0 : getpid(), wanted[i]));
      now = 99;
      SHOW(uv_os_getpriority(i % 2 ? getpid() : 0, &now));
      printf("now %d, %d\n", now, getpriority(PRIO_PROCESS, 0));
    }
    fflush(stdout);
    _exit(0);
  }
  NEED(waitpid(pid, &status, 0));
  SHOW(status);
  SHOW(uv_os_getpriority(0, NULL));
  SHOW(uv_os_getpriority(-1, &now));
  SHOW(uv_os_getpriority(0x7ffffffe, &now));
  SHOW(uv_os_setpriority(0x7ffffffe, 0));
}

/* ---- the title ---------------------------------------------------------- */

static void show_cmdline(void) {
  char bytes[512];
  int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  ssize_t n = read(fd, bytes, sizeof(bytes) - 1), i;

  NEED(n);
  close(fd);
  for (i = 0; i < n; i++)
    if (bytes[i] == '\0')
      bytes[i] = '|';
  bytes[n] = '\0';
  /* Where this program lies is its own affair. */
  printf("cmdline %s\n", strncmp(bytes, "title", 5) == 0 ? bytes : "as usual");
}

static void get_title(size_t size) {
  char title[256];
  int rc;

  memset(title, '#', sizeof(title));
  rc = uv_get_process_title(title, size);
  printf("%zu: %s '%.40s'\n", size, rc == 0 ? "0" : uv_err_name(rc),
         rc == 0 ? title : "");
}

static void title_body(void *arg) {
  char title[64];
  int i;

  for (i = 0; i < 300; i++) {
    NEED(uv_set_process_title(arg));
    NEED(uv_get_process_title(title, sizeof(title)));
    /* One of the two, and whole. */
    if (strcmp(title, "title of the first") != 0 &&
        strcmp(title, "title of number two") != 0)
      printf("torn: %s\n", title);
  }
}

/* In a fresh program with known arguments. */
static void title_program(int argc, char **argv) {
  static char longer[300];
  uv_thread_t tids[2];
  char **args;

  setvbuf(stdout, NULL, _IOLBF, 0);
  get_title(64);
  args = uv_setup_args(argc, argv);
  TEXT(args[1]);
  TEXT(args[2]);
  TEXT(args[3]);
  SHOW(args[4] == NULL);
  get_title(0);
  get_title(1);
  SHOW(uv_get_process_title(NULL, 10));
  show_cmdline();
  SHOW(uv_set_process_title("title a"));
  show_cmdline();
  get_title(7);
  get_title(8);
  get_title(64);
  TEXT(args[2]);
  TEXT(getenv("TITLE_TEST"));
  SHOW(uv_set_process_title(""));
  get_title(64);
  memset(longer, 'x', sizeof(longer) - 1);
  memcpy(longer, "title", 5);
  SHOW(uv_set_process_title(longer));
  show_cmdline();
  get_title(256);
  SHOW(uv_set_process_title("title b"));
  show_cmdline();
  TEXT(args[3]);
  TEXT(getenv("TITLE_TEST"));
  NEED(uv_set_process_title("title of the first"));
  NEED(uv_thread_create(&tids[0], title_body, "title of the first"));
  NEED(uv_thread_create(&tids[1], title_body, "title of number two"));
  NEED(uv_thread_join(&tids[0]));
  NEED(uv_thread_join(&tids[1]));
  uv_library_shutdown();
}

static void title(uv_loop_t *loop) {
  char *args[] = {"title-of-the-program", "first", "second argument", "3", NULL};
  char *env[] = {"SYSTEM_TITLE=1", "TITLE_TEST=kept", NULL};
  int status;
  pid_t pid;

  (void) loop;
  fflush(stdout);
  pid = fork();
  NEED(pid);
  if (pid == 0) {
    execve("/proc/self/exe", args, env);
    _exit(9);
  }
  NEED(waitpid(pid, &status, 0));
  SHOW(status);
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"processors", processors}, {"interfaces", interfaces},
      {"load", load},             {"memory", memory},
      {"usage", usage},           {"users", users},
      {"host", host},             {"ranks", ranks},
      {"title", title},           {NULL, NULL}};

  if (getenv("SYSTEM_TITLE") != NULL) {
    title_program(argc, argv);
    return 0;
  }
  return check_main(argc, argv, table);
}

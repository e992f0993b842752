/* Each allocation fails in turn: what asks the system, and texts. */
#include "nomem.h"

static void lists(uv_loop_t *unused) {
  uv_cpu_info_t *cpus = NULL;
  uv_interface_address_t *addresses = NULL;
  uv_env_item_t *items = NULL;
  int count = -1;

  (void) unused;
  TRY(uv_cpu_info(&cpus, &count));
  SHOW(count > 0);
  uv_free_cpu_info(cpus, count);
  TRY(uv_interface_addresses(&addresses, &count));
  uv_free_interface_addresses(addresses, count);
  TRY(uv_os_environ(&items, &count));
  SHOW(count > 0);
  uv_os_free_environ(items, count);
}

static void users(uv_loop_t *unused) {
  uv_passwd_t user = {0};
  uv_group_t group = {0};
  char home[1024];
  size_t size = sizeof(home);

  (void) unused;
  TRY(uv_os_get_passwd(&user));
  SHOW(user.uid == (unsigned long) geteuid());
  uv_os_free_passwd(&user);
  TRY(uv_os_get_passwd2(&user, 0));
  TEXT(user.username);
  uv_os_free_passwd(&user);
  TRY(uv_os_get_group(&group, 0));
  TEXT(group.groupname);
  uv_os_free_group(&group);
  unsetenv("HOME");
  TRY_AS(uv_os_homedir(home, &size), UV_ENOMEM, size = sizeof(home));
  size = sizeof(home);
  TRY_AS(uv_os_tmpdir(home, &size), UV_ENOMEM, size = sizeof(home));
}

static void texts(uv_loop_t *unused) {
  static const uint16_t wide[] = {0x20ac, 'x', 0};
  char *made = NULL;
  size_t length = 0;

  (void) unused;
  TRY(uv_utf16_to_wtf8(wide, -1, &made, &length));
  TEXT(made);
  SHOW(length);
  heap_free(made);
  heap_arm(1, 1);
  TEXT(uv_strerror(-4711));
  printf("try uv_strerror: %d points\n", heap.hits);
  heap_arm(1, 1);
  TEXT(uv_err_name(-4712));
  printf("try uv_err_name: %d points\n", heap.hits);
  heap_disarm();
  TEXT(uv_strerror(-4711));
  TEXT(uv_err_name(-4712));
}

static void libraries(uv_loop_t *unused) {
  uv_lib_t lib;
  void *symbol;

  (void) unused;
  heap_arm(1, 1);
  SHOW(uv_dlopen("/no/such/library", &lib));
  heap_disarm();
  printf("try uv_dlopen: %d points\n", heap.hits);
  SHOW(uv_dlerror(&lib) != NULL);
  uv_dlclose(&lib);
  NEED(uv_dlopen("libc.so.6", &lib));
  TRY(uv_dlsym(&lib, "malloc", &symbol));
  heap_arm(1, 1);
  SHOW(uv_dlsym(&lib, "no_such_symbol", &symbol));
  heap_disarm();
  printf("try uv_dlsym: %d points\n", heap.hits);
  SHOW(uv_dlerror(&lib) != NULL);
  SHOW(uv_dlsym(&lib, "malloc", &symbol));
  uv_dlclose(&lib);
}

static char **arguments;
static int argument_count;

static void titles(uv_loop_t *unused) {
  char title[256];

  (void) unused;
  heap_arm(1, 1);
  SHOW(uv_setup_args(argument_count, arguments) == arguments);
  heap_disarm();
  printf("try uv_setup_args: %d points\n", heap.hits);
  SHOW(uv_set_process_title("new"));
  TRY((uv_setup_args(argument_count, arguments) == arguments) * UV_ENOMEM);
  TRY(uv_set_process_title("new"));
  TRY(uv_get_process_title(title, sizeof(title)));
  TEXT(title);
}

static void entry(void *arg) { *(int *) arg = 1; }

static void threads(uv_loop_t *unused) {
  uv_thread_options_t options = {0};
  uv_thread_t thread;
  uv_mutex_t mutex, recursive;
  uv_rwlock_t lock;
  uv_sem_t sem;
  uv_cond_t cond;
  uv_barrier_t barrier;
  uv_key_t key;
  int ran = 0;

  (void) unused;
  TRY(uv_thread_create(&thread, entry, &ran));
  SHOW(uv_thread_join(&thread));
  SHOW(ran);
  TRY(uv_thread_create_ex(&thread, &options, entry, &ran));
  SHOW(uv_thread_join(&thread));
  TRY(uv_mutex_init(&mutex));
  uv_mutex_destroy(&mutex);
  TRY(uv_mutex_init_recursive(&recursive));
  uv_mutex_destroy(&recursive);
  TRY(uv_rwlock_init(&lock));
  uv_rwlock_destroy(&lock);
  TRY(uv_sem_init(&sem, 1));
  uv_sem_destroy(&sem);
  TRY(uv_cond_init(&cond));
  uv_cond_destroy(&cond);
  TRY(uv_barrier_init(&barrier, 1));
  uv_barrier_destroy(&barrier);
  TRY(uv_key_create(&key));
  uv_key_delete(&key);
}

int main(int argc, char **argv) {
  static const struct scene table[] = {
      {"bare_lists", lists},         {"bare_users", users},
      {"bare_texts", texts},         {"bare_libraries", libraries},
      {"bare_titles", titles},       {"bare_threads", threads},
      {NULL, NULL}};

  arguments = argv;
  argument_count = argc;
  return nomem_main(argc, argv, table);
}

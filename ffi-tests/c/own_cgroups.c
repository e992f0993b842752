/* Limits of control groups that libuv does not find: quotas of processor time of
 * the first version, and of memory of a folder further up. */
#include "cgroups.h"

#define QUOTA(folder, quota, period)                                           \
  {folder "/cpu.cfs_quota_us", quota "\n"}, {                                  \
    folder "/cpu.cfs_period_us", period "\n"                                   \
  }

static const struct tree trees[] = {
    {"1 a whole one", "3:cpu,cpuacct:/x\n", {QUOTA("cpu/x", "100000", "100000")}},
    {"1 more than one", "3:cpu:/x\n", {QUOTA("cpu/x", "199999", "100000")}},
    {"1 half of one", "3:cpuacct,cpu:/x\n", {QUOTA("cpu/x", "5000", "10000")}},
    {"2 two", "1:memory:/y\n3:cpu:/x\n", {QUOTA("cpu/x", "200000", "100000")}},
    {"1 above it", "3:cpu:/x/y\n",
     {QUOTA("cpu/x/y", "-1", "100000"), QUOTA("cpu/x", "100000", "100000")}},
    {"1 a container's own part", "3:cpu:/docker/x\n",
     {QUOTA("cpu", "100000", "100000")}},
    {"9999 none", "3:cpu:/x\n", {QUOTA("cpu/x", "-1", "100000")}},
    {"9999 of another", "3:cpuset:/x\n", {QUOTA("cpu/x", "100000", "100000")}},
    {NULL, NULL, {{NULL, NULL}}}};

static unsigned without;

/* The name begins with what the quota allows. */
static void look(const struct tree *tree) {
  unsigned allowed = (unsigned) atoi(tree->name);
  unsigned want = allowed < without ? allowed : without;
  unsigned have = uv_available_parallelism();

  printf("have %u, want %u\n", have, want);
  fflush(stdout);
  if (have != want)
    _exit(1);
}

static void quotas(uv_loop_t *loop) {
  cpu_set_t mine;

  (void) loop;
  NEED(sched_getaffinity(0, sizeof(mine), &mine));
  without = (unsigned) CPU_COUNT(&mine);
  NEED(each_tree(trees, look) == 0 ? 0 : -1);
}

static const struct tree above[] = {
    {"second version", "0::/a/b\n",
     {{"a/b/memory.max", "max\n"}, {"a/b/memory.high", "max\n"},
      {"a/b/memory.current", "4096\n"}, {"a/memory.max", "67108864\n"},
      {"a/memory.high", "max\n"}, {"a/memory.current", "1048576\n"}}},
    {"first version", "4:memory:/a/b\n",
     {{"memory/a/b/memory.limit_in_bytes", "9223372036854771712\n"},
      {"memory/a/b/memory.soft_limit_in_bytes", "9223372036854771712\n"},
      {"memory/a/b/memory.usage_in_bytes", "4096\n"},
      {"memory/a/memory.limit_in_bytes", "67108864\n"},
      {"memory/a/memory.soft_limit_in_bytes", "9223372036854771712\n"},
      {"memory/a/memory.usage_in_bytes", "1048576\n"}}},
    {NULL, NULL, {{NULL, NULL}}}};

static void look_above(const struct tree *tree) {
  uint64_t limit = uv_get_constrained_memory();
  uint64_t left = uv_get_available_memory();

  (void) tree;
  printf("limit %llu left %llu\n", (unsigned long long) limit,
         (unsigned long long) left);
  fflush(stdout);
  if (limit != 67108864 || left != 67108864 - 1048576)
    _exit(1);
}

static void memory_above(uv_loop_t *loop) {
  (void) loop;
  NEED(each_tree(above, look_above) == 0 ? 0 : -1);
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"quotas", quotas}, {"memory_above", memory_above}, {NULL, NULL}};

  return check_main(argc, argv, table);
}

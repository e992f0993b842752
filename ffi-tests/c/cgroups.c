/* Limits of control groups. Quotas of processor time under the first version are
 * in own_cgroups.c: libuv looks for them where they are not. */
#include "cgroups.h"

static const struct tree second[] = {
    {"nothing", "0::/a/b\n", {{NULL, NULL}}},
    {"own limits", "0::/a/b\n",
     {{"a/b/cpu.max", "100000 100000\n"}, {"a/b/memory.max", "67108864\n"},
      {"a/b/memory.high", "max\n"}, {"a/b/memory.current", "10485760\n"}}},
    {"not a whole processor", "0::/a/b\n",
     {{"a/b/cpu.max", "150000 100000\n"}, {"a/b/memory.max", "max\n"},
      {"a/b/memory.high", "33554432\n"}, {"a/b/memory.current", "1048576\n"}}},
    {"half a processor", "0::/a/b\n",
     {{"a/b/cpu.max", "50000 100000\n"}, {"a/b/memory.max", "max\n"},
      {"a/b/memory.high", "max\n"}, {"a/b/memory.current", "1048576\n"}}},
    {"of the folder above", "0::/a/b\n",
     {{"a/b/cpu.max", "max 100000\n"}, {"a/cpu.max", "100000 100000\n"},
      {"a/b/memory.max", "max\n"}, {"a/b/memory.high", "max\n"}}},
    {"of the root", "0::/\n",
     {{"cpu.max", "100000 100000\n"}, {"memory.max", "67108864\n"},
      {"memory.high", "max\n"}, {"memory.current", "1048576\n"}}},
    {"more than there is", "0::/a\n",
     {{"a/cpu.max", "900000000 100000\n"},
      {"a/memory.max", "4611686018427387904\n"}, {"a/memory.high", "max\n"},
      {"a/memory.current", "1048576\n"}}},
    {"used up", "0::/a\n",
     {{"a/memory.max", "1048576\n"}, {"a/memory.high", "max\n"},
      {"a/memory.current", "2097152\n"}}},
    {"without a limit", "0::/a\n",
     {{"a/cpu.max", "max 100000\n"}, {"a/memory.max", "max\n"},
      {"a/memory.high", "max\n"}, {"a/memory.current", "1048576\n"}}},
    {NULL, NULL, {{NULL, NULL}}}};

static const struct tree first[] = {
    {"own limits", "4:memory:/x\n3:cpu,cpuacct:/x\n",
     {{"memory/x/memory.limit_in_bytes", "67108864\n"},
      {"memory/x/memory.soft_limit_in_bytes", "9223372036854771712\n"},
      {"memory/x/memory.usage_in_bytes", "10485760\n"}}},
    {"a soft limit", "4:memory:/x\n3:cpu:/x\n",
     {{"memory/x/memory.limit_in_bytes", "67108864\n"},
      {"memory/x/memory.soft_limit_in_bytes", "33554432\n"},
      {"memory/x/memory.usage_in_bytes", "1048576\n"}}},
    {"without a limit", "4:memory:/x\n3:cpu,cpuacct:/x\n",
     {{"memory/x/memory.limit_in_bytes", "9223372036854771712\n"},
      {"memory/x/memory.soft_limit_in_bytes", "9223372036854771712\n"},
      {"memory/x/memory.usage_in_bytes", "10485760\n"}}},
    {"a container's own part", "4:memory:/docker/x\n3:cpu:/docker/x\n",
     {{"memory/memory.limit_in_bytes", "67108864\n"},
      {"memory/memory.soft_limit_in_bytes", "9223372036854771712\n"},
      {"memory/memory.usage_in_bytes", "10485760\n"}}},
    {"both versions", "4:memory:/x\n0::/x\n",
     {{"memory/x/memory.limit_in_bytes", "67108864\n"},
      {"memory/x/memory.soft_limit_in_bytes", "9223372036854771712\n"},
      {"memory/x/memory.usage_in_bytes", "10485760\n"}}},
    {NULL, NULL, {{NULL, NULL}}}};

/* What must neither crash nor hang. */
static const struct tree odd[] = {
    {"an empty file", "", {{NULL, NULL}}},
    {"no groups", "what is this\n", {{NULL, NULL}}},
    {"no line's end", "0::/a",
     {{"a/memory.max", "67108864"}, {"a/memory.high", "max"},
      {"a/memory.current", "1048576"}}},
    {"words for numbers", "0::/a\n",
     {{"a/cpu.max", "many few\n"}, {"a/memory.max", "much\n"},
      {"a/memory.high", "\n"}, {"a/memory.current", ""}}},
    {"a period of nothing", "0::/a\n", {{"a/cpu.max", "100000 0\n"}}},
    {NULL, NULL, {{NULL, NULL}}}};

static void look(const struct tree *tree) {
  uint64_t limit = uv_get_constrained_memory();
  uint64_t left = uv_get_available_memory();

  (void) tree;
  printf("parallelism %u\n", uv_available_parallelism());
  printf("limit %llu\n", (unsigned long long) limit);
  /* Beyond that it changes by itself. */
  if (left < 100 << 20)
    printf("left %llu\n", (unsigned long long) left);
}
static void look_only(const struct tree *tree) {
  (void) tree;
  SHOW(uv_available_parallelism() > 0);
  SHOW(uv_get_available_memory() > 0);
  uv_get_constrained_memory();
}

static void version_two(uv_loop_t *loop) {
  (void) loop;
  each_tree(second, look);
}
static void version_one(uv_loop_t *loop) {
  (void) loop;
  each_tree(first, look);
}
static void oddities(uv_loop_t *loop) {
  (void) loop;
  each_tree(odd, look_only);
}

int main(int argc, char **argv) {
  static const struct section table[] = {{"version_two", version_two},
                                         {"version_one", version_one},
                                         {"oddities", oddities},
                                         {NULL, NULL}};

  return check_main(argc, argv, table);
}

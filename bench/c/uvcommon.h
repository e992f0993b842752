/* Helpers of the programs written against libuv's API. */
#ifndef BENCH_UVCOMMON_H
#define BENCH_UVCOMMON_H

#include "common.h"
#include <dlfcn.h>
#include <uv.h>

#define UV(call)                                                         \
  do {                                                                   \
    int rc_ = (call);                                                    \
    if (rc_ != 0) die("%s:%d %s: %s", __FILE__, __LINE__, #call, uv_strerror(rc_)); \
  } while (0)

/* Tells the runner which library was really loaded and which backend it runs
 * on, so that a wrong library path or a silent fall-back never poses as a figure. */
__attribute__((unused)) static void tell_library(uv_loop_t *loop) {
  const char *backend = "epoll";
  void *name_of = dlsym(RTLD_DEFAULT, "uvring_loop_backend_name");
  if (name_of != NULL) {
    const char *(*call)(const uv_loop_t *);
    memcpy(&call, &name_of, sizeof call);
    backend = call(loop);
    if (backend == NULL) backend = "unknown";
  }
  printf("library %s %s\n", name_of != NULL ? "uvring" : "libuv", backend);
  fflush(stdout);
}

#endif

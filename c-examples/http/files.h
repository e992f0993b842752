/* From a request target to an open file below the served folder. */
#ifndef HTTP_FILES_H
#define HTTP_FILES_H

#include <stddef.h>
#include <stdint.h>

struct file {
  int fd;           /* -1 when nothing is open */
  uint64_t size;    /* bytes, when it was opened */
  const char *type; /* Content-Type, static memory */
};

enum files_way {
  FILES_CACHED, /* only if the kernel has every name on the way in memory */
  FILES_WAIT    /* reads folders from the disk if it must */
};

#define FILES_NOT_CACHED 0

/* Opens what `target` (path and query as the client sent them) names below the
 * folder `root_fd`. Returns 200 with `*file` filled, 301 for a folder without
 * its final slash, or 400, 403, 404, 503; or, the FILES_CACHED way,
 * FILES_NOT_CACHED. Nothing above the folder is ever opened: not by "..", not
 * percent-encoded, not through a symlink. May be called from any thread. */
int files_open(int root_fd, const char *target, enum files_way way,
               struct file *file);

void files_close(struct file *file);

#endif

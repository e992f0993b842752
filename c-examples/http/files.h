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

/* Opens what `target` (path and query as the client sent them) names below the
 * folder `root_fd`. Returns 200 with `*file` filled, 301 for a folder without
 * its final slash, or 400, 403, 404, 503. Nothing above the folder is ever
 * opened: not by "..", not percent-encoded, not through a symlink. */
int files_open(int root_fd, const char *target, struct file *file);

void files_close(struct file *file);

#endif

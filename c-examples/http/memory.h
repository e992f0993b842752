/* Memory for the server, counted on request so that a leak shows. */
#ifndef HTTP_MEMORY_H
#define HTTP_MEMORY_H

#include <stddef.h>

/* Route the library's own allocations through the counter. Call it before any
 * other function of the library. Returns 0, or a negative UV_* error. */
int memory_count_start(void);

/* Bytes given out and not yet given back. 0 while nothing is counted. */
size_t memory_held(void);

/* Memory for the server itself, counted like the library's, with anything in
 * it. NULL when there is none. */
void *memory_new(size_t size);
void memory_free(void *p);

/* How many fds this process has open, or -1 when /proc is not there. */
int memory_open_fds(void);

#endif

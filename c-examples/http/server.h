/* The server: a listener and its connections on one loop. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <uv.h>

struct connection;

struct server {
  uv_loop_t *loop;
  uv_tcp_t listener;
  uv_timer_t grace;              /* bounds the clean end */
  int root_fd;                   /* the folder being served */
  uint64_t idle_ms;              /* a client may keep us waiting this long */
  struct connection *first;      /* all open connections */
  unsigned connections;          /* how many those are */
  unsigned long long requests;   /* answered so far */
  unsigned long long body_bytes; /* sent so far */
  int stopping;
};

/* Binds 127.0.0.1:port (0: any) and listens. `loop`, `root_fd` and `idle_ms`
 * must be set. Returns 0, or a negative UV_* error with nothing left open once
 * the loop has run. */
int server_start(struct server *server, int port);

/* The port that server_start got, or a negative UV_* error. */
int server_port(struct server *server);

/* Stop accepting, drop idle connections, and let running answers finish for
 * at most a second. Afterwards the server keeps nothing on the loop. */
void server_stop(struct server *server);

/* For server.c: a client waits at the listener; and the two ways to end. */
void connection_accept(struct server *server);
void connection_finish(struct connection *conn); /* after its current answer */
void connection_close(struct connection *conn);  /* at once */
struct connection *connection_next(struct connection *conn);

#endif

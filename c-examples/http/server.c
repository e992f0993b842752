#include "server.h"

#define BACKLOG 511
#define GRACE_MS 1000

static void on_connection(uv_stream_t *listener, int status) {
  struct server *server = listener->data;

  /* An error here (no fds left, say) concerns one client, not the server. */
  if (status == 0 && !server->stopping)
    connection_accept(server);
}

int server_start(struct server *server, int port) {
  struct sockaddr_in address;
  int rc;

  uv_timer_init(server->loop, &server->grace);
  rc = uv_tcp_init(server->loop, &server->listener);
  if (rc != 0) {
    uv_close((uv_handle_t *) &server->grace, NULL);
    return rc;
  }
  server->listener.data = server;
  server->grace.data = server;

  rc = uv_ip4_addr("127.0.0.1", port, &address);
  if (rc == 0)
    rc = uv_tcp_bind(&server->listener, (struct sockaddr *) &address, 0);
  if (rc == 0)
    rc = uv_listen((uv_stream_t *) &server->listener, BACKLOG, on_connection);
  if (rc != 0) {
    uv_close((uv_handle_t *) &server->grace, NULL);
    uv_close((uv_handle_t *) &server->listener, NULL);
  }
  return rc;
}

int server_port(struct server *server) {
  struct sockaddr_in address;
  int len = sizeof(address);
  int rc = uv_tcp_getsockname(&server->listener, (struct sockaddr *) &address,
                              &len);

  return rc != 0 ? rc : ntohs(address.sin_port);
}

static void on_grace_over(uv_timer_t *timer) {
  struct server *server = timer->data;
  struct connection *conn, *next;

  for (conn = server->first; conn != NULL; conn = next) {
    next = connection_next(conn);
    connection_close(conn);
  }
  uv_close((uv_handle_t *) timer, NULL);
}

void server_stop(struct server *server) {
  struct connection *conn, *next;

  if (server->stopping)
    return;
  server->stopping = 1;
  uv_close((uv_handle_t *) &server->listener, NULL);
  for (conn = server->first; conn != NULL; conn = next) {
    next = connection_next(conn); /* `conn` may go */
    connection_finish(conn);
  }
  uv_timer_start(&server->grace, on_grace_over, GRACE_MS, 0);
  /* The last connection may go earlier; then the loop need not wait. */
  uv_unref((uv_handle_t *) &server->grace);
}

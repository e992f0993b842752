/* resolve: addresses of names, names of addresses, all at once.
 *
 *   resolve NAME|ADDRESS...
 *
 * What it shows: questions that are answered side by side by other threads,
 * results that must be given back, and requests that are still unanswered when
 * the program wants to end.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define CHECK(rc)                                                              \
  do {                                                                         \
    int check_rc = (rc);                                                       \
    if (check_rc < 0) {                                                        \
      fprintf(stderr, "%s: %s\n", #rc, uv_strerror(check_rc));                 \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)

struct question {
  const char *name;
  union {
    uv_req_t any;
    uv_getaddrinfo_t to_address;
    uv_getnameinfo_t to_name;
  } req;
  int is_open;
};

static struct question *questions;
static int count, unanswered, status;
static uv_signal_t interrupt;

static void done(struct question *question, int code) {
  if (code < 0) {
    fprintf(stderr, "resolve: %s: %s\n", question->name, uv_strerror(code));
    status = 1;
  }
  question->is_open = 0;
  if (--unanswered == 0)
    uv_close((uv_handle_t *) &interrupt, NULL); /* lets uv_run return */
}

/* There may be more of them, of both families: a program that connects tries
 * one after the other. */
static void on_addresses(uv_getaddrinfo_t *req, int code,
                         struct addrinfo *list) {
  struct question *question = req->data;
  const struct addrinfo *one;
  char text[INET6_ADDRSTRLEN];

  for (one = list; one != NULL; one = one->ai_next) {
    CHECK(uv_ip_name(one->ai_addr, text, sizeof(text)));
    printf("%s has address %s\n", question->name, text);
  }
  uv_freeaddrinfo(list); /* NULL is fine */
  done(question, code);
}

static void on_name(uv_getnameinfo_t *req, int code, const char *host,
                    const char *service) {
  struct question *question = req->data;

  (void) service; /* the port was 0 */
  if (code == 0)
    printf("%s has name %s\n", question->name, host);
  done(question, code);
}

static int ask(uv_loop_t *loop, struct question *question) {
  struct sockaddr_in6 ipv6;
  struct sockaddr_in ipv4;
  const struct sockaddr *address = NULL;
  struct addrinfo hints;

  question->req.any.data = question;
  if (uv_ip4_addr(question->name, 0, &ipv4) == 0)
    address = (const struct sockaddr *) &ipv4;
  else if (uv_ip6_addr(question->name, 0, &ipv6) == 0)
    address = (const struct sockaddr *) &ipv6;
  if (address != NULL) /* it is copied before the call returns */
    return uv_getnameinfo(loop, &question->req.to_name, on_name, address, 0);

  memset(&hints, 0, sizeof(hints));
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM; /* or each address comes three times */
  return uv_getaddrinfo(loop, &question->req.to_address, on_addresses,
                        question->name, NULL, &hints);
}

static void on_interrupt(uv_signal_t *signal, int signum) {
  int i;

  (void) signal;
  (void) signum;
  /* What has not begun is cancelled and its callback comes soon. What has
   * begun cannot be stopped; its callback comes when it is through. */
  for (i = 0; i < count; i++)
    if (questions[i].is_open)
      (void) uv_cancel(&questions[i].req.any);
}

int main(int argc, char **argv) {
  uv_loop_t loop;
  int i, rc;

  if (argc < 2) {
    fprintf(stderr, "usage: %s NAME|ADDRESS...\n", argv[0]);
    return 2;
  }
  count = argc - 1;
  questions = calloc((size_t) count, sizeof(*questions));
  if (questions == NULL)
    return 1;
  CHECK(uv_loop_init(&loop));
  CHECK(uv_signal_init(&loop, &interrupt));
  CHECK(uv_signal_start(&interrupt, on_interrupt, SIGINT));
  unanswered = count;
  for (i = 0; i < count; i++) {
    questions[i].name = argv[i + 1];
    questions[i].is_open = 1;
    rc = ask(&loop, &questions[i]);
    if (rc < 0)
      done(&questions[i], rc); /* no callback will come */
  }

  CHECK(uv_run(&loop, UV_RUN_DEFAULT));
  CHECK(uv_loop_close(&loop));
  free(questions);
  uv_library_shutdown(); /* ends the threads that did the work */
  return status;
}

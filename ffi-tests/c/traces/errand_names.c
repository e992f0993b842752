/* Names and addresses: uvring has threads of its own for them, so when they are
 * found is open. */
#include "errand.h"

enum { LOOKUPS = 6 };

struct names {
  struct errand *e;
  struct lookup {
    struct names *names;
    union uv_any_req req;
    int cancel; /* what uv_cancel said, 1 when it was not called */
    char said[120];
  } lookups[LOOKUPS];
  int count, rounds, pending;
};

static void go(struct names *n);

static void done(struct lookup *l, int status) {
  struct names *n = l->names;
  int i;

  called_back(n->e);
  if (l->cancel != 1) {
    int fits = l->cancel == 0 ? status == UV_EAI_CANCELED
                              : l->cancel == UV_EBUSY && status != UV_EAI_CANCELED;

    snprintf(l->said, sizeof(l->said), fits ? "cancelled or found" : "%s, but %s",
             code(l->cancel), code(status));
  }
  if (--n->pending > 0)
    return;
  for (i = 0; i < n->count; i++)
    note(n->e, " (%s)", n->lookups[i].said);
  go(n);
}

static void on_address(uv_getaddrinfo_t *req, int status,
                       struct addrinfo *list) {
  struct lookup *l = req->data;
  char text[64] = "-";

  if (list != NULL)
    NEED(uv_ip_name(list->ai_addr, text, sizeof(text)));
  snprintf(l->said, sizeof(l->said), "%s %s %d", code(status), text,
           list == NULL ? 0 : list->ai_socktype);
  uv_freeaddrinfo(list);
  done(l, status);
}

static void on_name(uv_getnameinfo_t *req, int status, const char *host,
                    const char *service) {
  struct lookup *l = req->data;

  snprintf(l->said, sizeof(l->said), "%s %s %s", code(status),
           host == NULL ? "-" : host, service == NULL ? "-" : service);
  done(l, status);
}

static int ask(struct lookup *l) {
  static const char *const hosts[] = {"127.0.0.1", "::1", "127.0.0.2", NULL,
                                      "1.2.3.4.5"};
  static const char *const services[] = {"80", NULL, "65535", "no such service"};
  struct errand *e = l->names->e;
  struct addrinfo hints;
  struct sockaddr_in at;
  int host = pick(&e->rng, COUNT(hosts)), service = pick(&e->rng, COUNT(services));

  if (pick(&e->rng, 2) == 0) {
    NEED(uv_ip4_addr("127.0.0.1", 80 + host, &at));
    return uv_getnameinfo(e->loop, &l->req.getnameinfo, on_name, A(&at),
                          NI_NUMERICHOST | NI_NUMERICSERV);
  }
  memset(&hints, 0, sizeof(hints));
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = pick(&e->rng, 2) ? SOCK_STREAM : SOCK_DGRAM;
  return uv_getaddrinfo(e->loop, &l->req.getaddrinfo, on_address, hosts[host],
                        services[service], &hints);
}

/* The next round: some at a time. */
static void go(struct names *n) {
  int i, rc;

  while (n->pending == 0 && n->rounds-- > 0) {
    n->count = 1 + pick(&n->e->rng, LOOKUPS);
    for (i = 0; i < n->count; i++) {
      struct lookup *l = &n->lookups[i];

      l->names = n;
      l->cancel = 1;
      l->req.req.data = l;
      n->e->calling = 1;
      rc = ask(l);
      n->e->calling = 0;
      n->pending += rc == 0;
      if (rc != 0)
        snprintf(l->said, sizeof(l->said), "at once %s", code(rc));
      else if (pick(&n->e->rng, 6) == 0)
        l->cancel = uv_cancel(&l->req.req);
    }
  }
}

void names_begin(struct errand *e) {
  struct names *n = errand_own(e, sizeof(*n));

  n->e = e;
  n->rounds = 1 + pick(&e->rng, 3);
  go(n);
}

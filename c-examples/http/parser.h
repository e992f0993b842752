/* A strict parser for the head of an HTTP/1.x request (RFC 9112). */
#ifndef HTTP_PARSER_H
#define HTTP_PARSER_H

#include <stddef.h>
#include <stdint.h>

#define HTTP_TARGET_MAX 4096 /* bytes of the request target */
#define HTTP_HEAD_MAX 16384  /* bytes of the whole head */

enum http_method { HTTP_OTHER, HTTP_GET, HTTP_HEAD };

/* HTTP_PART: bytes `from` to `to`, both included; HTTP_TAIL: the last `to`. */
enum http_range { HTTP_WHOLE, HTTP_PART, HTTP_TAIL };

struct http_parser {
  int state;
  size_t head_len; /* bytes of this head so far */
  char word[32];   /* the method, version or header name being read */
  size_t word_len; /* grows past sizeof(word) for long names */
  char value[64];  /* a header's value, lower case, of the few we look at */
  size_t value_len;
  int header;      /* which of those headers it is */
  int hosts;       /* Host headers seen */
  int lengths;     /* Content-Length headers seen */
  int ranges;      /* Range headers seen */

  /* What the request says, true once http_parse answers HTTP_COMPLETE. */
  enum http_method method;
  int minor;      /* the y of HTTP/1.y */
  int keep_alive; /* whether the connection outlives the answer */
  int has_body;   /* a body follows the head */
  enum http_range range; /* what is asked for; several ranges: HTTP_WHOLE */
  uint64_t from, to;
  char target[HTTP_TARGET_MAX + 1];
  size_t target_len;
};

enum { HTTP_MORE = 0, HTTP_COMPLETE = 1 };

void http_parser_reset(struct http_parser *p);

/* Whether any byte of a request has been read since the last reset. */
int http_parser_started(const struct http_parser *p);

/* Feed `len` bytes. `*used` is how many of them belong to this head: what is
 * left is the next request of a pipeline. Returns HTTP_MORE, HTTP_COMPLETE, or
 * the status to answer with: 400, 414, 431, 501 or 505. */
int http_parse(struct http_parser *p, const char *data, size_t len,
               size_t *used);

#endif

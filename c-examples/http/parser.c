#include "parser.h"

#include <string.h>

enum state {
  START, /* before the method; one empty line is allowed here */
  START_LF,
  METHOD,
  TARGET,
  VERSION,
  LINE_LF, /* the CR of a line is read, its LF must follow */
  NAME_START,
  NAME,
  VALUE_START,
  VALUE,
  END_LF
};

enum header { OTHER_HEADER, HOST, CONNECTION, CONTENT_LENGTH, TRANSFER,
              RANGE };

static int is_token(unsigned char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
      (c >= 'A' && c <= 'Z'))
    return 1;
  return c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

/* Keep what fits and count all, so that a long word never looks short. */
static void put(char *to, size_t max, size_t *len, char c) {
  if (*len < max)
    to[*len] = c;
  (*len)++;
}

static int is_word(const char *have, size_t len, const char *want) {
  return len == strlen(want) && memcmp(have, want, len) == 0;
}

void http_parser_reset(struct http_parser *p) {
  /* The target is big and is overwritten anyway. */
  memset(p, 0, offsetof(struct http_parser, target));
  p->target_len = 0;
  p->state = START;
}

int http_parser_started(const struct http_parser *p) {
  return p->head_len != 0;
}

static int end_of_version(struct http_parser *p) {
  if (p->word_len != 8 || memcmp(p->word, "HTTP/", 5) != 0 ||
      p->word[6] != '.' || p->word[5] < '0' || p->word[5] > '9' ||
      p->word[7] < '0' || p->word[7] > '9')
    return 400;
  if (p->word[5] != '1')
    return 505;
  p->minor = p->word[7] - '0';
  p->keep_alive = p->minor >= 1;
  return 0;
}

static void end_of_name(struct http_parser *p) {
  static const struct {
    const char *name;
    enum header id;
  } known[] = {{"host", HOST},
               {"connection", CONNECTION},
               {"content-length", CONTENT_LENGTH},
               {"transfer-encoding", TRANSFER},
               {"range", RANGE}};
  size_t i;

  p->header = OTHER_HEADER;
  p->value_len = 0;
  for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
    if (is_word(p->word, p->word_len, known[i].name))
      p->header = (int) known[i].id;
}

/* One element of the list in a Connection header. */
static void connection_option(struct http_parser *p, const char *s,
                              size_t len) {
  if (is_word(s, len, "close"))
    p->keep_alive = 0;
  else if (is_word(s, len, "keep-alive") && p->minor == 0)
    p->keep_alive = 1;
}

/* Digits to a number, as large as fits. Returns how many there are. */
static size_t number(const char *s, size_t len, uint64_t *out) {
  size_t i;

  for (i = 0, *out = 0; i < len && s[i] >= '0' && s[i] <= '9'; i++)
    *out = *out > (UINT64_MAX - 9) / 10 ? UINT64_MAX
                                        : *out * 10 + (uint64_t) (s[i] - '0');
  return i;
}

/* A Range that is not understood, or names several, is as good as none: the
 * client asked for a favour and gets the whole (RFC 9110, 14.2). */
static void one_range(struct http_parser *p, const char *s, size_t len) {
  uint64_t from, to;
  size_t before, after;

  p->range = HTTP_WHOLE;
  if (++p->ranges > 1 || len < 6 || memcmp(s, "bytes=", 6) != 0)
    return;
  s += 6;
  len -= 6;
  before = number(s, len, &from);
  if (before == len || s[before] != '-')
    return;
  after = number(s + before + 1, len - before - 1, &to);
  if (before + 1 + after != len || before + after == 0)
    return;
  if (after == 0)
    to = UINT64_MAX; /* to the end */
  else if (before != 0 && to < from)
    return;
  p->range = before == 0 ? HTTP_TAIL : HTTP_PART;
  p->from = from;
  p->to = to;
}

static int end_of_value(struct http_parser *p) {
  size_t len = p->value_len, from = 0, i;

  if (len > sizeof(p->value)) {
    if (p->header == CONTENT_LENGTH)
      return 400;
    if (p->header == CONNECTION)
      p->keep_alive = 0; /* "close" may be in the part that did not fit */
    len = p->header == RANGE ? 0 : sizeof(p->value);
  }
  while (len > 0 && (p->value[len - 1] == ' ' || p->value[len - 1] == '\t'))
    len--;

  switch (p->header) {
  case HOST:
    p->hosts++;
    break;
  case CONTENT_LENGTH:
    p->lengths++;
    if (len == 0 || p->lengths > 1)
      return 400;
    for (i = 0; i < len; i++) {
      if (p->value[i] < '0' || p->value[i] > '9')
        return 400;
      if (p->value[i] != '0')
        p->has_body = 1;
    }
    break;
  case RANGE:
    one_range(p, p->value, len);
    break;
  case TRANSFER:
    /* Together with a length it is how requests are smuggled. */
    return p->lengths != 0 ? 400 : 501;
  case CONNECTION:
    for (i = 0; i <= len; i++) {
      if (i == len || p->value[i] == ',' || p->value[i] == ' ') {
        connection_option(p, p->value + from, i - from);
        from = i + 1;
      }
    }
    break;
  default:
    break;
  }
  return 0;
}

static int end_of_head(const struct http_parser *p) {
  /* HTTP/1.1 asks for exactly one Host; 1.0 knew none. */
  if (p->hosts > 1 || (p->minor >= 1 && p->hosts == 0))
    return 400;
  return HTTP_COMPLETE;
}

static int request_line(struct http_parser *p, char c) {
  switch (p->state) {
  case METHOD:
    if (c == ' ') {
      p->method = HTTP_OTHER;
      if (is_word(p->word, p->word_len, "GET"))
        p->method = HTTP_GET;
      else if (is_word(p->word, p->word_len, "HEAD"))
        p->method = HTTP_HEAD;
      p->state = TARGET;
      return 0;
    }
    if (!is_token((unsigned char) c) || p->word_len >= sizeof(p->word))
      return 400;
    put(p->word, sizeof(p->word), &p->word_len, c);
    return 0;
  case TARGET:
    if (c == ' ') {
      if (p->target_len == 0)
        return 400;
      p->target[p->target_len] = '\0';
      p->word_len = 0;
      p->state = VERSION;
      return 0;
    }
    if (c <= ' ' || c >= 127) /* char may be signed: bytes over 127 are < ' ' */
      return 400;
    if (p->target_len == HTTP_TARGET_MAX)
      return 414;
    p->target[p->target_len++] = c;
    return 0;
  default: /* VERSION */
    if (c == '\r') {
      p->state = LINE_LF;
      return end_of_version(p);
    }
    if (p->word_len >= 8)
      return 400;
    put(p->word, sizeof(p->word), &p->word_len, c);
    return 0;
  }
}

static int header_line(struct http_parser *p, char c) {
  switch (p->state) {
  case NAME:
    if (c == ':') {
      end_of_name(p);
      p->state = VALUE_START;
      return 0;
    }
    if (!is_token((unsigned char) c))
      return 400;
    put(p->word, sizeof(p->word), &p->word_len, lower(c));
    return 0;
  case VALUE_START:
    if (c == ' ' || c == '\t')
      return 0;
    p->state = VALUE;
    /* fall through */
  default: /* VALUE */
    if (c == '\r') {
      p->state = LINE_LF;
      return end_of_value(p);
    }
    if (((unsigned char) c < ' ' && c != '\t') || c == 127)
      return 400;
    put(p->value, sizeof(p->value), &p->value_len, lower(c));
    return 0;
  }
}

static int step(struct http_parser *p, char c) {
  switch (p->state) {
  case START:
    if (c == '\r') {
      p->state = START_LF;
      return 0;
    }
    p->state = METHOD;
    return is_token((unsigned char) c) ? request_line(p, c) : 400;
  case START_LF:
    /* An empty line before a request is harmless; go on as if not there. */
    if (c != '\n')
      return 400;
    p->state = START;
    return 0;
  case LINE_LF:
    p->state = NAME_START;
    return c == '\n' ? 0 : 400;
  case NAME_START:
    if (c == '\r') {
      p->state = END_LF;
      return 0;
    }
    p->word_len = 0;
    p->state = NAME;
    return is_token((unsigned char) c) ? header_line(p, c) : 400;
  case END_LF:
    return c == '\n' ? end_of_head(p) : 400;
  case NAME:
  case VALUE_START:
  case VALUE:
    return header_line(p, c);
  default:
    return request_line(p, c);
  }
}

int http_parse(struct http_parser *p, const char *data, size_t len,
               size_t *used) {
  size_t i;
  int answer;

  for (i = 0; i < len; i++) {
    if (++p->head_len > HTTP_HEAD_MAX) {
      *used = i;
      return 431;
    }
    answer = step(p, data[i]);
    if (answer != 0) {
      *used = i + 1;
      return answer;
    }
  }
  *used = len;
  return HTTP_MORE;
}

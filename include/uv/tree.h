/* Red-black trees in caller-owned memory, with the interface of the BSDs' <sys/tree.h> as
 * libuv 1.53 has it: RB_NEXT and RB_PREV take no head, and there are no splay trees.
 *
 *   struct node { RB_ENTRY(node) entry; int key; };
 *   RB_HEAD(tree, node) head = RB_INITIALIZER(&head);
 *   RB_GENERATE_STATIC(tree, node, entry, compare)
 */
#ifndef UV_TREE_H_
#define UV_TREE_H_

#include <stddef.h>

#ifndef UV__UNUSED
# ifdef __GNUC__
#  define UV__UNUSED __attribute__((unused))
# else
#  define UV__UNUSED
# endif
#endif

/* A tree, and an element's place in one. */
#define RB_HEAD(name, type) \
  struct name {             \
    struct type *rbh_root;  \
  }
#define RB_ENTRY(type)       \
  struct {                   \
    struct type *rbe_left;   \
    struct type *rbe_right;  \
    struct type *rbe_parent; \
    int rbe_color;           \
  }
#define RB_BLACK 0
#define RB_RED 1

#define RB_INITIALIZER(root) { NULL }
#define RB_INIT(root) do { (root)->rbh_root = NULL; } while (0)
#define RB_ROOT(head) (head)->rbh_root
#define RB_EMPTY(head) (RB_ROOT(head) == NULL)

#define RB_LEFT(elm, field) (elm)->field.rbe_left
#define RB_RIGHT(elm, field) (elm)->field.rbe_right
#define RB_PARENT(elm, field) (elm)->field.rbe_parent
#define RB_COLOR(elm, field) (elm)->field.rbe_color

/* NULL, which stands for every leaf, is black. */
#define UV__RB_RED(elm, field) ((elm) != NULL && RB_COLOR(elm, field) == RB_RED)

/* Makes elm a red leaf below parent. */
#define RB_SET(elm, parent, field)                            \
  do {                                                        \
    RB_PARENT(elm, field) = (parent);                         \
    RB_LEFT(elm, field) = RB_RIGHT(elm, field) = NULL;        \
    RB_COLOR(elm, field) = RB_RED;                            \
  } while (0)

#define RB_SET_BLACKRED(black, red, field) \
  do {                                     \
    RB_COLOR(black, field) = RB_BLACK;     \
    RB_COLOR(red, field) = RB_RED;         \
  } while (0)

/* Called with an element whose subtree has changed; define it before including this. */
#ifndef RB_AUGMENT
# define RB_AUGMENT(x) do {} while (0)
#endif

#define RB_PROTOTYPE(name, type, field, cmp) RB_PROTOTYPE_INTERNAL(name, type, field, cmp,)
#define RB_PROTOTYPE_STATIC(name, type, field, cmp) \
  RB_PROTOTYPE_INTERNAL(name, type, field, cmp, UV__UNUSED static)
#define RB_GENERATE(name, type, field, cmp) RB_GENERATE_INTERNAL(name, type, field, cmp,)
#define RB_GENERATE_STATIC(name, type, field, cmp) \
  RB_GENERATE_INTERNAL(name, type, field, cmp, UV__UNUSED static)

/* The functions of one kind of tree. */
#define RB_PROTOTYPE_INTERNAL(name, type, field, cmp, attr)                      \
  attr void name##_RB_REPLACE(struct name *, struct type *, struct type *);      \
  attr void name##_RB_ROTATE(struct name *, struct type *, int);                 \
  attr void name##_RB_INSERT_COLOR(struct name *, struct type *);                \
  attr void name##_RB_REMOVE_COLOR(struct name *, struct type *, struct type *); \
  attr struct type *name##_RB_REMOVE(struct name *, struct type *);              \
  attr struct type *name##_RB_INSERT(struct name *, struct type *);              \
  attr struct type *name##_RB_FIND(struct name *, struct type *);                \
  attr struct type *name##_RB_NFIND(struct name *, struct type *);               \
  attr struct type *name##_RB_NEXT(struct type *);                               \
  attr struct type *name##_RB_PREV(struct type *);                               \
  attr struct type *name##_RB_MINMAX(struct name *, int);

#define RB_GENERATE_INTERNAL(name, type, field, cmp, attr) \
  UV__RB_GENERATE_SHAPE(name, type, field, attr)           \
  UV__RB_GENERATE_INSERT(name, type, field, cmp, attr)     \
  UV__RB_GENERATE_BALANCE(name, type, field, attr)         \
  UV__RB_GENERATE_REMOVE(name, type, field, attr)          \
  UV__RB_GENERATE_FIND(name, type, field, cmp, attr)       \
  UV__RB_GENERATE_WALK(name, type, field, attr)

/* REPLACE puts with, which may be NULL, in the place of old below old's parent. ROTATE lifts
 * elm's right child over elm, or its left one. */
#define UV__RB_GENERATE_SHAPE(name, type, field, attr)                             \
  attr void name##_RB_REPLACE(struct name *head, struct type *old,                 \
                              struct type *with) {                                 \
    struct type *parent = RB_PARENT(old, field);                                   \
    if (parent == NULL)                                                            \
      RB_ROOT(head) = with;                                                        \
    else if (RB_LEFT(parent, field) == old)                                        \
      RB_LEFT(parent, field) = with;                                               \
    else                                                                           \
      RB_RIGHT(parent, field) = with;                                              \
    if (with != NULL)                                                              \
      RB_PARENT(with, field) = parent;                                             \
  }                                                                                \
  attr void name##_RB_ROTATE(struct name *head, struct type *elm, int leftwards) { \
    struct type *up = leftwards ? RB_RIGHT(elm, field) : RB_LEFT(elm, field);      \
    struct type *inner = leftwards ? RB_LEFT(up, field) : RB_RIGHT(up, field);     \
    name##_RB_REPLACE(head, elm, up);                                              \
    if (leftwards) {                                                               \
      RB_RIGHT(elm, field) = inner;                                                \
      RB_LEFT(up, field) = elm;                                                    \
    } else {                                                                       \
      RB_LEFT(elm, field) = inner;                                                 \
      RB_RIGHT(up, field) = elm;                                                   \
    }                                                                              \
    if (inner != NULL)                                                             \
      RB_PARENT(inner, field) = elm;                                               \
    RB_PARENT(elm, field) = up;                                                    \
    RB_AUGMENT(elm);                                                               \
    RB_AUGMENT(up);                                                                \
  }

/* Hangs elm below a leaf; an element that compares equal stays and is returned. */
#define UV__RB_GENERATE_INSERT(name, type, field, cmp, attr)                \
  attr struct type *name##_RB_INSERT(struct name *head, struct type *elm) { \
    struct type *parent = NULL;                                             \
    struct type *at = RB_ROOT(head);                                        \
    int order = 0;                                                          \
    while (at != NULL) {                                                    \
      parent = at;                                                          \
      order = (cmp)(elm, at);                                               \
      if (order == 0)                                                       \
        return at;                                                          \
      at = order < 0 ? RB_LEFT(at, field) : RB_RIGHT(at, field);            \
    }                                                                       \
    RB_SET(elm, parent, field);                                             \
    if (parent == NULL)                                                     \
      RB_ROOT(head) = elm;                                                  \
    else if (order < 0)                                                     \
      RB_LEFT(parent, field) = elm;                                         \
    else                                                                    \
      RB_RIGHT(parent, field) = elm;                                        \
    for (at = parent; at != NULL; at = RB_PARENT(at, field))                \
      RB_AUGMENT(at);                                                       \
    name##_RB_INSERT_COLOR(head, elm);                                      \
    return NULL;                                                            \
  }

/* INSERT_COLOR repairs a red elm below a red parent; REMOVE_COLOR a path through elm, which
 * may be NULL, that is one black short. */
#define UV__RB_GENERATE_BALANCE(name, type, field, attr)                            \
  attr void name##_RB_INSERT_COLOR(struct name *head, struct type *elm) {           \
    struct type *parent, *grand, *uncle;                                            \
    int left;                                                                       \
    while ((parent = RB_PARENT(elm, field)) != NULL && UV__RB_RED(parent, field)) { \
      grand = RB_PARENT(parent, field);                                             \
      left = parent == RB_LEFT(grand, field);                                       \
      uncle = left ? RB_RIGHT(grand, field) : RB_LEFT(grand, field);                \
      if (UV__RB_RED(uncle, field)) {                                               \
        RB_COLOR(uncle, field) = RB_BLACK;                                          \
        RB_SET_BLACKRED(parent, grand, field);                                      \
        elm = grand;                                                                \
        continue;                                                                   \
      }                                                                             \
      if (elm == (left ? RB_RIGHT(parent, field) : RB_LEFT(parent, field))) {       \
        name##_RB_ROTATE(head, parent, left);                                       \
        parent = elm;                                                               \
      }                                                                             \
      RB_SET_BLACKRED(parent, grand, field);                                        \
      name##_RB_ROTATE(head, grand, !left);                                         \
      break;                                                                        \
    }                                                                               \
    RB_COLOR(RB_ROOT(head), field) = RB_BLACK;                                      \
  }                                                                                 \
  attr void name##_RB_REMOVE_COLOR(struct name *head, struct type *parent,          \
                                   struct type *elm) {                              \
    struct type *sibling, *near, *far;                                              \
    int left;                                                                       \
    while (elm != RB_ROOT(head) && !UV__RB_RED(elm, field)) {                       \
      left = elm == RB_LEFT(parent, field);                                         \
      sibling = left ? RB_RIGHT(parent, field) : RB_LEFT(parent, field);            \
      if (UV__RB_RED(sibling, field)) {                                             \
        RB_SET_BLACKRED(sibling, parent, field);                                    \
        name##_RB_ROTATE(head, parent, left);                                       \
        sibling = left ? RB_RIGHT(parent, field) : RB_LEFT(parent, field);          \
      }                                                                             \
      near = left ? RB_LEFT(sibling, field) : RB_RIGHT(sibling, field);             \
      far = left ? RB_RIGHT(sibling, field) : RB_LEFT(sibling, field);              \
      if (!UV__RB_RED(near, field) && !UV__RB_RED(far, field)) {                    \
        RB_COLOR(sibling, field) = RB_RED;                                          \
        elm = parent;                                                               \
        parent = RB_PARENT(elm, field);                                             \
        continue;                                                                   \
      }                                                                             \
      if (!UV__RB_RED(far, field)) {                                                \
        RB_SET_BLACKRED(near, sibling, field);                                      \
        name##_RB_ROTATE(head, sibling, !left);                                     \
        far = sibling;                                                              \
        sibling = near;                                                             \
      }                                                                             \
      RB_COLOR(sibling, field) = RB_COLOR(parent, field);                           \
      RB_COLOR(parent, field) = RB_BLACK;                                           \
      RB_COLOR(far, field) = RB_BLACK;                                              \
      name##_RB_ROTATE(head, parent, left);                                         \
      elm = RB_ROOT(head);                                                          \
    }                                                                               \
    if (elm != NULL)                                                                \
      RB_COLOR(elm, field) = RB_BLACK;                                              \
  }

/* Unlinks elm and returns it. With two children, its successor takes its place. */
#define UV__RB_GENERATE_REMOVE(name, type, field, attr)                     \
  attr struct type *name##_RB_REMOVE(struct name *head, struct type *elm) { \
    struct type *gone = elm;                                                \
    struct type *child, *parent;                                            \
    int color;                                                              \
    if (RB_LEFT(elm, field) != NULL && RB_RIGHT(elm, field) != NULL)        \
      gone = name##_RB_NEXT(elm);                                           \
    child = RB_LEFT(gone, field) != NULL ? RB_LEFT(gone, field)             \
                                         : RB_RIGHT(gone, field);           \
    parent = RB_PARENT(gone, field);                                        \
    color = RB_COLOR(gone, field);                                          \
    name##_RB_REPLACE(head, gone, child);                                   \
    if (gone != elm) {                                                      \
      if (parent == elm)                                                    \
        parent = gone;                                                      \
      name##_RB_REPLACE(head, elm, gone);                                   \
      gone->field = elm->field;                                             \
      RB_PARENT(RB_LEFT(gone, field), field) = gone;                        \
      if (RB_RIGHT(gone, field) != NULL)                                    \
        RB_PARENT(RB_RIGHT(gone, field), field) = gone;                     \
    }                                                                       \
    for (gone = parent; gone != NULL; gone = RB_PARENT(gone, field))        \
      RB_AUGMENT(gone);                                                     \
    if (color == RB_BLACK)                                                  \
      name##_RB_REMOVE_COLOR(head, parent, child);                          \
    return elm;                                                             \
  }

/* FIND: the element equal to elm. NFIND: the first that is not less. */
#define UV__RB_GENERATE_FIND(name, type, field, cmp, attr)                 \
  attr struct type *name##_RB_NFIND(struct name *head, struct type *elm) { \
    struct type *at = RB_ROOT(head);                                       \
    struct type *best = NULL;                                              \
    int order;                                                             \
    while (at != NULL) {                                                   \
      order = (cmp)(elm, at);                                              \
      if (order == 0)                                                      \
        return at;                                                         \
      if (order < 0)                                                       \
        best = at;                                                         \
      at = order < 0 ? RB_LEFT(at, field) : RB_RIGHT(at, field);           \
    }                                                                      \
    return best;                                                           \
  }                                                                        \
  attr struct type *name##_RB_FIND(struct name *head, struct type *elm) {  \
    struct type *at = RB_ROOT(head);                                       \
    int order;                                                             \
    while (at != NULL) {                                                   \
      order = (cmp)(elm, at);                                              \
      if (order == 0)                                                      \
        return at;                                                         \
      at = order < 0 ? RB_LEFT(at, field) : RB_RIGHT(at, field);           \
    }                                                                      \
    return NULL;                                                           \
  }

/* The neighbours of elm, and the ends of the tree; NULL when there is none. */
#define UV__RB_GENERATE_WALK(name, type, field, attr)              \
  attr struct type *name##_RB_NEXT(struct type *elm) {             \
    struct type *at = RB_RIGHT(elm, field);                        \
    if (at != NULL) {                                              \
      while (RB_LEFT(at, field) != NULL)                           \
        at = RB_LEFT(at, field);                                   \
      return at;                                                   \
    }                                                              \
    at = RB_PARENT(elm, field);                                    \
    while (at != NULL && elm == RB_RIGHT(at, field)) {             \
      elm = at;                                                    \
      at = RB_PARENT(at, field);                                   \
    }                                                              \
    return at;                                                     \
  }                                                                \
  attr struct type *name##_RB_PREV(struct type *elm) {             \
    struct type *at = RB_LEFT(elm, field);                         \
    if (at != NULL) {                                              \
      while (RB_RIGHT(at, field) != NULL)                          \
        at = RB_RIGHT(at, field);                                  \
      return at;                                                   \
    }                                                              \
    at = RB_PARENT(elm, field);                                    \
    while (at != NULL && elm == RB_LEFT(at, field)) {              \
      elm = at;                                                    \
      at = RB_PARENT(at, field);                                   \
    }                                                              \
    return at;                                                     \
  }                                                                \
  attr struct type *name##_RB_MINMAX(struct name *head, int end) { \
    struct type *at = RB_ROOT(head);                               \
    struct type *last = NULL;                                      \
    while (at != NULL) {                                           \
      last = at;                                                   \
      at = end < 0 ? RB_LEFT(at, field) : RB_RIGHT(at, field);     \
    }                                                              \
    return last;                                                   \
  }

#define RB_NEGINF -1
#define RB_INF 1

#define RB_INSERT(name, head, elm) name##_RB_INSERT(head, elm)
#define RB_REMOVE(name, head, elm) name##_RB_REMOVE(head, elm)
#define RB_FIND(name, head, elm) name##_RB_FIND(head, elm)
#define RB_NFIND(name, head, elm) name##_RB_NFIND(head, elm)
#define RB_NEXT(name, elm) name##_RB_NEXT(elm)
#define RB_PREV(name, elm) name##_RB_PREV(elm)
#define RB_MIN(name, head) name##_RB_MINMAX(head, RB_NEGINF)
#define RB_MAX(name, head) name##_RB_MINMAX(head, RB_INF)

/* In order. _FROM and _SAFE look up the next element, y, before the body runs, so that the
 * body may remove x. */
#define RB_FOREACH(x, name, head) \
  for ((x) = RB_MIN(name, head); (x) != NULL; (x) = name##_RB_NEXT(x))
#define RB_FOREACH_FROM(x, name, y) \
  for ((x) = (y); (x) != NULL && ((y) = name##_RB_NEXT(x), 1); (x) = (y))
#define RB_FOREACH_SAFE(x, name, head, y) \
  for ((x) = RB_MIN(name, head); (x) != NULL && ((y) = name##_RB_NEXT(x), 1); (x) = (y))

#define RB_FOREACH_REVERSE(x, name, head) \
  for ((x) = RB_MAX(name, head); (x) != NULL; (x) = name##_RB_PREV(x))
#define RB_FOREACH_REVERSE_FROM(x, name, y) \
  for ((x) = (y); (x) != NULL && ((y) = name##_RB_PREV(x), 1); (x) = (y))
#define RB_FOREACH_REVERSE_SAFE(x, name, head, y) \
  for ((x) = RB_MAX(name, head); (x) != NULL && ((y) = name##_RB_PREV(x), 1); (x) = (y))

#endif /* UV_TREE_H_ */

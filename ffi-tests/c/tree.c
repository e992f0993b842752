/* uv/tree.h against an array: random insertions, look-ups and removals, the order both ways and
 * the rules of red-black trees after each. */
#include <stdio.h>
#include <stdlib.h>

struct node;
static void augment(struct node *node);
#define RB_AUGMENT(x) augment(x)
#include "uv/tree.h"

#define KEYS 64
#define STEPS 20000

struct node {
  int key;
  int present;
  int size; /* of the subtree, kept by RB_AUGMENT */
  RB_ENTRY(node) entry;
};

RB_HEAD(tree, node);

static int compare(const struct node *a, const struct node *b) {
  return (a->key > b->key) - (a->key < b->key);
}

RB_PROTOTYPE_STATIC(tree, node, entry, compare)
RB_GENERATE_STATIC(tree, node, entry, compare)

static struct node nodes[KEYS];
static struct tree head = RB_INITIALIZER(&head);
static unsigned long state = 1;

#define REQUIRE(condition)                                            \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                        \
    }                                                                 \
  } while (0)

static unsigned int chance(unsigned int below) {
  state = state * 6364136223846793005UL + 1442695040888963407UL;
  return (unsigned int) (state >> 33) % below;
}

static int size(struct node *node) { return node == NULL ? 0 : node->size; }

static void augment(struct node *node) {
  node->size = 1 + size(RB_LEFT(node, entry)) + size(RB_RIGHT(node, entry));
}

/* The number of black nodes on every path below. */
static int black_height(struct node *node, struct node *parent) {
  int left, right, red;
  if (node == NULL)
    return 0;
  REQUIRE(RB_PARENT(node, entry) == parent);
  red = RB_COLOR(node, entry) == RB_RED;
  REQUIRE(!red || (parent != NULL && RB_COLOR(parent, entry) == RB_BLACK));
  left = black_height(RB_LEFT(node, entry), node);
  right = black_height(RB_RIGHT(node, entry), node);
  REQUIRE(left == right);
  REQUIRE(node->size == 1 + size(RB_LEFT(node, entry)) + size(RB_RIGHT(node, entry)));
  return left + !red;
}

static void check_all(int count) {
  struct node *node, *other;
  int key;
  black_height(RB_ROOT(&head), NULL);
  REQUIRE(size(RB_ROOT(&head)) == count);
  REQUIRE(RB_EMPTY(&head) == (count == 0));
  key = 0;
  RB_FOREACH(node, tree, &head) {
    while (!nodes[key].present)
      key++;
    REQUIRE(node == &nodes[key++]);
    count--;
  }
  REQUIRE(count == 0);
  key = KEYS - 1;
  RB_FOREACH_REVERSE(node, tree, &head) {
    while (!nodes[key].present)
      key--;
    REQUIRE(node == &nodes[key--]);
    other = RB_NEXT(tree, node);
    REQUIRE(other == NULL ? node == RB_MAX(tree, &head) : RB_PREV(tree, other) == node);
  }
}

int main(void) {
  struct node *node, *next, probe;
  int step, key, count = 0;
  for (key = 0; key < KEYS; key++)
    nodes[key].key = key;
  for (step = 0; step < STEPS; step++) {
    /* Phases in which the tree grows, and in which it shrinks to nothing. */
    int grow = chance(100) < (step / 1000 % 2 ? 20U : 80U);
    key = (int) chance(KEYS);
    probe.key = key;
    node = &nodes[key];
    REQUIRE(RB_FIND(tree, &head, &probe) == (node->present ? node : NULL));
    next = RB_NFIND(tree, &head, &probe);
    while (key < KEYS && !nodes[key].present)
      key++;
    REQUIRE(next == (key < KEYS ? &nodes[key] : NULL));
    if (grow && node->present) {
      REQUIRE(RB_INSERT(tree, &head, &probe) == node);
    } else if (grow) {
      node->size = 1;
      REQUIRE(RB_INSERT(tree, &head, node) == NULL);
      node->present = 1;
      count++;
    } else if (node->present) {
      REQUIRE(RB_REMOVE(tree, &head, node) == node);
      node->present = 0;
      count--;
    }
    check_all(count);
  }
  RB_FOREACH_SAFE(node, tree, &head, next) {
    RB_REMOVE(tree, &head, node);
    node->present = 0;
    check_all(--count);
  }
  REQUIRE(RB_MIN(tree, &head) == NULL);
  puts("ok");
  return 0;
}

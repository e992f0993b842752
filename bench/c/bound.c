/* Runs another program under a time bound, and ends it with the runner: for programs that
 * are not ours. usage: bound SECONDS PROGRAM [ARGUMENT…] */
#include "common.h"

int main(int argc, char **argv) {
  if (argc < 3) die("usage: bound SECONDS PROGRAM [ARGUMENT…]");
  begin((unsigned) number(argv[1])); /* the alarm and the wish to die are kept by exec */
  signal(SIGPIPE, SIG_DFL);
  execv(argv[2], argv + 2);
  die("%s: %s", argv[2], strerror(errno));
}

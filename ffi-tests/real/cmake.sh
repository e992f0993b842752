#!/bin/sh
# A small project through cmake and ctest, which run every child and every test on libuv. Prints only what is decided.
set -u
dir=$(mktemp -d)
cd "$dir" || exit 1
mkdir sub data
cat > CMakeLists.txt <<'LISTS'
cmake_minimum_required(VERSION 3.13)
project(small C)
include(CTest)
include(CheckIncludeFile)
check_include_file(stdio.h HAVE_STDIO)
message(STATUS "stdio: ${HAVE_STDIO}")
execute_process(COMMAND sh -c "echo out; echo err >&2; exit 4" OUTPUT_VARIABLE out ERROR_VARIABLE err RESULT_VARIABLE code)
execute_process(COMMAND sh -c "grep -o '/[^ ]*libuv[^ ]*' /proc/$PPID/maps | head -1" OUTPUT_VARIABLE library)
file(WRITE ${CMAKE_BINARY_DIR}/library "library: ${library}")
message(STATUS "one: ${out}${err}${code}")
execute_process(COMMAND seq 1 20000 COMMAND grep 7 COMMAND wc -l OUTPUT_VARIABLE out RESULTS_VARIABLE codes)
message(STATUS "pipeline: ${out}${codes}")
execute_process(COMMAND sleep 60 TIMEOUT 0.2 RESULT_VARIABLE code)
message(STATUS "late: ${code}")
execute_process(COMMAND no-such-program RESULT_VARIABLE code)
message(STATUS "none: ${code}")
foreach(i RANGE 1 20)
  execute_process(COMMAND sh -c "exit ${i}" RESULT_VARIABLE code)
  list(APPEND all ${code})
endforeach()
message(STATUS "codes: ${all}")
add_library(part STATIC sub/part.c)
add_executable(main main.c)
target_link_libraries(main part)
add_custom_command(OUTPUT made.txt COMMAND ${CMAKE_COMMAND} -E echo made > made.txt)
add_custom_target(make_text ALL DEPENDS made.txt)
foreach(i RANGE 1 12)
  add_test(NAME pass${i} COMMAND main 0 ${i})
endforeach()
add_test(NAME library COMMAND sh -c "grep -o '/[^ ]*libuv[^ ]*' /proc/$PPID/maps | head -1 | sed 's/^/library: /'")
add_test(NAME fails COMMAND main 3)
add_test(NAME dies COMMAND main abort)
add_test(NAME hangs COMMAND sleep 60)
add_test(NAME talks COMMAND sh -c "seq 1 50000")
set_tests_properties(hangs PROPERTIES TIMEOUT 1)
set_tests_properties(talks PROPERTIES PASS_REGULAR_EXPRESSION "\n49999\n")
set_tests_properties(pass2 PROPERTIES DEPENDS pass1 RUN_SERIAL ON)
LISTS
cat > main.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int part(int);
int main(int argc, char **argv) {
  printf("main %d\n", part(argc));
  if (argc > 1 && strcmp(argv[1], "abort") == 0) abort();
  return argc > 1 ? atoi(argv[1]) : 0;
}
C
echo 'int part(int n) { return n + 1; }' > sub/part.c
plain() { sed "s|$dir|DIR|g; s/[0-9.]* sec[^ ]*//g; s/ *[0-9.]*s\$//; s/([0-9.]*s)//"; }

echo "== configure"
cmake -S . -B build -DCMAKE_BUILD_TYPE=Debug > log 2>&1
echo "$?"
sed -n '/^-- [a-z]*: /,/^[^;]*$/p' log | grep -v 'The C\|Detecting\|Check\|Configuring\|Generating\|Looking\|Performing' | plain
cat build/library
echo "== build"
cmake --build build -j 3 > log 2>&1
echo "$?"
grep -o 'Built target .*' log | LC_ALL=C sort
cat build/made.txt
echo "== ctest"
(cd build && ctest -j 4 --output-on-failure > ../log 2>&1; echo "$?")
plain < log | grep -oE '(pass[0-9]+|fails|dies|hangs|talks) \.+.*|tests passed.*|main [0-9]+$' | sed 's/ *$//' | LC_ALL=C sort
(cd build && ctest -R '^library$' -V 2>&1 | grep -oE 'library: /[a-z].*')
(cd build && ctest -R 'pass1$' -V 2>&1 | plain | grep -E 'main|100%')
echo "== tools"
cmake -E env ONE=two sh -c 'echo $ONE'
cmake -E time true | plain | grep -c Elapsed
printf 'a\nb\n' > data/a; cmake -E tar czf data.tgz data; cmake -E tar tf data.tgz; cmake -E sha256sum data/a
cmake -E sleep 0.1; echo "$?"
rm -rf "$dir"
echo end

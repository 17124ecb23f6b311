// what: A chain of vfork parents that wait without being interruptible by their children's end.
// expect: status=timeout
// flags: --timeout 2s
// wall_ms_max: 4000
// needs: host_gcc
// host_check: no_processes
// in_microvm: expect=status=unavailable
// in_microvm: why=a guest sees no folder of the host
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

static void chain(int depth) {
  if (depth == 0) {
    for (;;) pause();
  }
  if (vfork() == 0) chain(depth - 1);
  for (;;) pause();
}

int main(void) {
  chain(20);
  puts("ESCAPED: the chain ended");
  return 0;
}

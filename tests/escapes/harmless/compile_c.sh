# what: Compiles a C program inside and runs it.
# needs: gcc
# flags: --memory 512m --timeout 60s
# stdout: 42\n
# in_process: expect=status=error
# in_process: stdout=
# in_process: stdout_contains=
# in_process: exit_code=
# in_process: why=a linker makes its output executable, and modes cannot be changed here
# in_microvm: expect=status=error
# in_microvm: stdout=
# in_microvm: why=the root of a guest has what programs in Python need, and no compiler
cat > answer.c <<END
#include <stdio.h>
int main(void) { printf("%d\n", 6 * 7); return 0; }
END
gcc -O1 -o answer answer.c
./answer

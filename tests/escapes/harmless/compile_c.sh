# what: Compiles a C program inside and runs it.
# needs: gcc
# flags: --memory 512m --timeout 60s
# stdout: 42\n
cat > answer.c <<END
#include <stdio.h>
int main(void) { printf("%d\n", 6 * 7); return 0; }
END
gcc -O1 -o answer answer.c
./answer

# what: Binary data through a pipe, unchanged.
# stdout: 65536\n256\n
head -c 65536 /dev/zero | gzip -c | gzip -dc | wc -c | tr -d ' '
python3 -I -c 'import sys; sys.stdout.buffer.write(bytes(range(256)))' | wc -c | tr -d ' '

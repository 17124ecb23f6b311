# what: A shell script: loops, pipes, here documents, substitution, arithmetic, a file.
# stdout: 3 lines, 6\nbye\n
set -euo pipefail
cat > /tmp/list <<END
1
2
3
END
total=0
while read -r number; do total=$((total + number)); done < /tmp/list
echo "$(wc -l < /tmp/list | tr -d ' ') lines, $total"
for word in bye; do echo "$word" | sed 's/x/y/'; done

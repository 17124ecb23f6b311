# what: The everyday tools: find, grep, awk, sort, xargs, tar, date, tee.
# stdout: b\n3\n2026-11-21\n
cd /tmp
mkdir -p d && echo a > d/a && echo b > d/b
find d -type f | sort | xargs cat | tee all | grep b
printf '1 2\n' | awk '{print $1 + $2}'
tar cf d.tar d && tar tf d.tar > /dev/null
date -u -d @1795219200 +%F

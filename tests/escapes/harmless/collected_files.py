# what: Files that match come back, with their content, from folders too.
# flags: --collect out/*.txt --collect *.bin
# files: out/a.txt, out/b.txt, data.bin
# expect_result: "done"
import os

os.mkdir("out")
open("out/a.txt", "w").write("A")
open("out/b.txt", "w").write("B")
open("out/c.log", "w").write("not asked for")
open("data.bin", "wb").write(bytes(range(256)))
result = "done"

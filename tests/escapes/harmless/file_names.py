# what: File names beyond ASCII, and folders, put in and collected.
# flags: --file größe/文件.txt={data}/note.txt --collect **
# files: größe/文件.txt, größe/neu ☃.txt
# expect_result: "a note\n"
result = open("größe/文件.txt", encoding="utf-8").read()
open("größe/neu ☃.txt", "w", encoding="utf-8").write("☃")

# what: File names with newlines, quotes, terminal escapes, invalid UTF-8 and 255 bytes, for whoever prints them.
# expect: contained
# uses: attempts
# flags: --collect **
for name in (b"a\nb", b'quote"}', b"\x1b[2J", b"\xff\xfe", b"n" * 255, b"...", b" ", b"-rf", b"\xed\xa0\x80", b"%s%n"):
    with open(b"/workspace/" + name, "wb") as file:
        file.write(b"x")
attempts.evidence["made"] = len(os.listdir(b"/workspace"))
result = attempts.result()

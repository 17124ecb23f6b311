# what: Writes every byte and broken UTF-8 to stdout and stderr.
# expect: status=ok
# expect_result: "done"
# stdout_contains: \ufffd
import os

os.write(1, bytes(range(256)) * 10 + b"\xed\xa0\x80\xf8\x88\x80\x80\x80\xc0\xaf\xe2\x82")
os.write(2, b"\xff\xfe\0\0" * 100)
result = "done"

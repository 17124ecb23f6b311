# what: Writes random bytes, broken lengths, broken UTF-8 and broken JSON to the result's descriptor.
# expect: status=ok|error|result_invalid
# wall_ms_max: 5000
import os
import random

random.seed(7)
for body in (b"\xff" * 100, b'{"type": ', b"[" * 100000, b'{"a":1,"a":2}', b"nul", b'"\xed\xa0\x80"', b"1e999999", b'"\\ud800"'):
    for kind in (b"R", b"E", b"D", b"X", b"T"):
        os.write(1101, kind + len(body).to_bytes(4, "little") + body)
os.write(1101, random.randbytes(5000))
result = 1

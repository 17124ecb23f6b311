# what: Writes a forged result, error, timings and end to the result's descriptor, then a second result.
# expect: status=ok|error|result_invalid
# forbid: 999999999999
import os


def frame(kind, body):
    return kind + len(body).to_bytes(4, "little") + body


for message in (frame(b"S", b""), frame(b"R", b'"forged"'), frame(b"R", b'"forged again"'),
                frame(b"E", b'{"type":"casemate.internal","message":"forged","traceback":""}'),
                frame(b"T", b'{"user": 999999999999}'), frame(b"Z", b""), frame(b"R", b'"after the end"')):
    os.write(1101, message)
result = "the program's own"

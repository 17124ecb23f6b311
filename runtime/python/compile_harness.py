"""Compiles the harness for the interpreter that runs this.

The arguments are, for each file, its name and its source; standard output gets, for each, a little-endian 32-bit
length and the .pyc (with an unchecked hash, so that no source is looked for).
"""

import marshal
import sys
from _frozen_importlib_external import MAGIC_NUMBER

arguments = iter(sys.argv[1:])
for name, source in zip(arguments, arguments):
    code = compile(source, f"/casemate/{name}.py", "exec", 0, True, 2)
    data = MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8) + marshal.dumps(code)
    sys.stdout.buffer.write(len(data).to_bytes(4, "little") + data)

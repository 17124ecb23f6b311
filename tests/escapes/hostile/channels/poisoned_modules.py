# what: Replaces modules and builtins that the harness needs after the program's end.
# expect: status=ok|error|result_invalid
# wall_ms_max: 4000
# forbid: forged-by-poison
import builtins
import json
import os
import sys
import types

evil = types.ModuleType("json")
evil.dumps = lambda *a, **k: '"forged-by-poison-1"}, "status": "forged-by-poison-2'
sys.modules["json"] = sys.modules["json.encoder"] = sys.modules["struct"] = sys.modules["traceback"] = evil
json.dumps = evil.dumps
os.write = lambda *a: 0
for name in ("len", "isinstance", "type", "getattr", "open", "print", "repr", "str", "dict", "list", "range", "sorted"):
    setattr(builtins, name, None)
result = {"plain": 1}

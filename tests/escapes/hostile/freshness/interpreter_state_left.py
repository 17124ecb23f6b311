# what: Poisons the interpreter (modules, builtins, hooks, byte code caches) and looks for the run before.
# expect: contained
# uses: attempts
# runs: 2
import builtins
import json
import sys

attempts.holds("builtins", not hasattr(builtins, "left_behind"), "looked")
attempts.holds("json", not hasattr(json, "left_behind"), "looked")
attempts.holds("modules", "left_behind" not in sys.modules, "looked")
attempts.holds("hooks", sys.excepthook is sys.__excepthook__ or "left" not in repr(sys.excepthook), repr(sys.excepthook))
attempts.holds("result variable", "result" not in globals(), "looked")
attempts.holds("input", globals().get("INPUT_DATA") is None, repr(globals().get("INPUT_DATA")))
cache = os.path.join(os.path.dirname(json.__file__), "__pycache__", "left_behind.pyc")
attempts.failed("byte code cache", outcome(lambda: os.open(cache, os.O_CREAT | os.O_WRONLY)))
builtins.left_behind = json.left_behind = True
sys.modules["left_behind"] = json
result = attempts.result()

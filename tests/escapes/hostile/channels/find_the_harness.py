# what: Finds the harness's objects by the garbage collector and the frames, and changes what it finds.
# expect: status=ok|error|result_invalid
# wall_ms_max: 8000
import gc
import sys

touched = 0
frame = sys._getframe()
while frame.f_back is not None:
    frame = frame.f_back
    for name in list(frame.f_globals):
        if name not in ("__builtins__", "__name__"):
            frame.f_globals[name] = None
            touched += 1
for thing in gc.get_objects():
    if isinstance(thing, dict) and "INPUT_DATA" in thing and thing is not globals():
        thing.clear()
        touched += 1
result = {"touched": touched > 0}

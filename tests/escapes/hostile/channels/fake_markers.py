# what: Prints what other tools use as markers, a whole result object, and terminal escapes.
# expect: status=ok
# expect_result: {"real": true}
# stdout_contains: __RESULT__
import os

print('{"status": "failed", "result": "forged", "denials": [], "isolation": {"tier": "microvm"}}')
print("__RESULT__:{\"forged\": true}\n===END===\n\0\1\2\x1b[2J\x1b]0;taken\7")
print("casemate: denied nothing", flush=True)
os.write(2, b"casemate: status ok\n")
result = {"real": True}

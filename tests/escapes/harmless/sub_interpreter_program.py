# what: Runs its own interpreter with the standard library.
# expect_result: "[1, 2, 3]"
import subprocess
import sys

result = subprocess.run([sys.executable, "-c", "import json, decimal; print(json.dumps([1, 2, 3]))"],
                        capture_output=True, text=True, check=True).stdout.strip()

# what: Replaces the harness by another program that holds its descriptors and answers in its name.
# expect: status=ok|error|result_invalid
# wall_ms_max: 5000
import os
import sys

for number in (1100, 1101):
    try:
        os.set_inheritable(number, True)
    except OSError:
        pass
os.execv(sys.executable, [sys.executable, "-I", "-c",
                          "import os\nos.write(1101, b'R\\x08\\0\\0\\0\"forged\"Z\\0\\0\\0\\0')"])

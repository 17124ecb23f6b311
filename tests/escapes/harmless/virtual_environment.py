# what: Makes a virtual environment and runs its interpreter.
# flags: --timeout 60s
# expect_result: "/workspace/env"
# in_process: expect=status=error
# in_process: why=venv sets modes, which cannot be changed here
import subprocess
import venv

venv.create("/workspace/env", with_pip=False, symlinks=True)
result = subprocess.run(["/workspace/env/bin/python", "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True,
                        check=True).stdout.strip()

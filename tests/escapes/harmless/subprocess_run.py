# what: Runs programs: output, errors, exit codes, input, a shell, a pipeline.
# expect_result: ["hi", 3, "ABC", "3", "gone"]
import subprocess

try:
    subprocess.run(["no-such-program"])
except FileNotFoundError:
    missing = "gone"
result = [
    subprocess.run(["echo", "hi"], capture_output=True, text=True, check=True).stdout.strip(),
    subprocess.run(["sh", "-c", "exit 3"]).returncode,
    subprocess.run(["tr", "a-z", "A-Z"], input="abc", capture_output=True, text=True).stdout,
    subprocess.run("printf '1\\n2\\n3\\n' | wc -l | tr -d ' '", shell=True, capture_output=True, text=True).stdout.strip(),
    missing,
]

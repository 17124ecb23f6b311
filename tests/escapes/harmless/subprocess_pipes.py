# what: Two programs joined by pipes, with a deadline.
# expect_result: ["1\n2\n10\n", true]
import subprocess

first = subprocess.Popen(["printf", "10\\n2\\n1\\n"], stdout=subprocess.PIPE)
second = subprocess.Popen(["sort", "-n"], stdin=first.stdout, stdout=subprocess.PIPE, text=True)
first.stdout.close()
out, _ = second.communicate(timeout=20)
try:
    subprocess.run(["sleep", "30"], timeout=0.2)
    late = False
except subprocess.TimeoutExpired:
    late = True
result = [out, late]

# what: Looks for a thread without no_new_privs or without a seccomp filter, and tries to clear them.
# expect: contained
# uses: attempts
# in_process: flags=--timeout 5s
# in_process: expect=status=timeout
# in_process: why=the list of threads is closed here, so the program ends with the refusal, and its thread waits for ever
import subprocess
import sys
import threading

PRCTL, SECCOMP = 157, 317


def state(path):
    lines = open(path).read().splitlines()
    return [line.replace("\t", " ") for line in lines if line.startswith(("NoNewPrivs:", "Seccomp:"))]


stop = threading.Event()
thread = threading.Thread(target=stop.wait)
thread.start()
for task in os.listdir("/proc/self/task"):
    seen = state(f"/proc/self/task/{task}/status")
    attempts.holds(f"task {task}", seen == ["NoNewPrivs: 1", "Seccomp: 2"], str(seen))
stop.set()
thread.join()
attempts.failed("clear no_new_privs", raw(PRCTL, 38, 0, 0, 0, 0))
attempts.failed("seccomp mode 0", raw(PRCTL, 22, 0, 0, 0, 0))
attempts.failed("securebits", raw(PRCTL, 28, 0x2F, 0, 0, 0))
child = subprocess.run([sys.executable, "-I", "-c", "print(open('/proc/self/status').read())"],
                       capture_output=True, text=True)
attempts.holds("after exec", "NoNewPrivs:\t1" in child.stdout and "Seccomp:\t2" in child.stdout, child.stderr[-200:])
result = attempts.result()

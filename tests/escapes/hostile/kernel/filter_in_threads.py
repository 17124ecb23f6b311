# what: Makes denied calls from threads, forked children and after exec, where a filter might be missing.
# expect: contained
# uses: attempts
import subprocess
import sys
import threading

seen = {}
threads = [threading.Thread(target=lambda i=i: seen.update({f"thread {i}": raw(272, 0x10000000)})) for i in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for name, answer in seen.items():
    attempts.refused(name, answer)
attempts.holds("fork", in_child(lambda: 0 if raw(272, 0x10000000)[1] in REFUSED else 7) == "exit 0", "in a child")
program = ("import ctypes; c = ctypes.CDLL(None, use_errno=True); "
           "print(c.syscall(ctypes.c_long(272), ctypes.c_long(0x10000000)), ctypes.get_errno())")
done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True)
attempts.holds("exec", done.stdout.split() in (["-1", "1"], ["-1", "13"], ["-1", "38"]), done.stdout + done.stderr[-200:])
result = attempts.result()

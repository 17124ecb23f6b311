# what: Asks how many processors there are and uses the clock functions.
# expect_result: [true, true, true]
import os
import time

before = time.perf_counter()
time.sleep(0.01)
result = [len(os.sched_getaffinity(0)) >= 1, (os.cpu_count() or 0) >= 1, time.perf_counter() - before >= 0.01]

# what: Executors of threads and of processes.
# expect_result: [[2, 4, 6], [1, 2, 6], "ValueError"]
# in_process: expect=status=error
# in_process: why=multiprocessing's locks need /dev/shm, and there is none
import concurrent.futures
import math
import multiprocessing


def broken():
    raise ValueError("in the worker")


with concurrent.futures.ThreadPoolExecutor(4) as threads:
    doubled = list(threads.map(lambda n: 2 * n, [1, 2, 3]))
with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as processes:
    factorials = list(processes.map(math.factorial, [1, 2, 3]))
    failure = type(processes.submit(broken).exception()).__name__
result = [doubled, factorials, failure]

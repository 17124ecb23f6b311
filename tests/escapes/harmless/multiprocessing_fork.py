# what: A pool of forked workers, a queue, a pipe, a lock, shared values.
# expect_result: [[0, 1, 4, 9, 16, 25], "from the child", 40, "down the pipe"]
# in_process: expect=status=error
# in_process: why=multiprocessing's locks need /dev/shm, and there is none
import multiprocessing


def square(number):
    return number * number


def child(queue, end, counter):
    queue.put("from the child")
    end.send("down the pipe")
    for _ in range(10):
        with counter.get_lock():
            counter.value += 1


context = multiprocessing.get_context("fork")
with context.Pool(3) as pool:
    squares = pool.map(square, range(6))
queue, counter = context.Queue(), context.Value("i", 0)
here, there = context.Pipe()
children = [context.Process(target=child, args=(queue, there, counter)) for _ in range(4)]
for process in children:
    process.start()
text = [queue.get(timeout=20) for _ in children][0]
for process in children:
    process.join()
result = [squares, text, counter.value, here.recv()]

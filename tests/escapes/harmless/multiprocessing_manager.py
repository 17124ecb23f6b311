# what: A manager process with a shared dictionary, over a unix socket.
# expect_result: {"a": 1, "b": 2}
# flags: --timeout 60s
# in_process: expect=status=error
# in_process: why=a manager is a server, and no socket can be made here
import multiprocessing


def put(shared, name, value):
    shared[name] = value


context = multiprocessing.get_context("fork")
with context.Manager() as manager:
    shared = manager.dict()
    children = [context.Process(target=put, args=(shared, *item)) for item in (("a", 1), ("b", 2))]
    for process in children:
        process.start()
    for process in children:
        process.join()
    result = dict(shared)

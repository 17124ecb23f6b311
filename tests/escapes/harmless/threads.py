# what: Threads with a lock, a queue and local data.
# expect_result: [4950, 100]
import queue
import threading

total, lock, numbers = 0, threading.Lock(), queue.Queue()


def work():
    global total
    while True:
        number = numbers.get()
        if number is None:
            return
        with lock:
            total += number


threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for number in range(100):
    numbers.put(number)
for _ in threads:
    numbers.put(None)
for thread in threads:
    thread.join()
result = [total, 100]

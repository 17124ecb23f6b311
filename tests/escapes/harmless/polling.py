# what: select, poll, epoll, event descriptors, timers, selectors.
# expect_result: [1, 1, 1, "ready"]
import os
import select
import selectors

reader, writer = os.pipe()
os.write(writer, b"ready")
poll = select.poll()
poll.register(reader, select.POLLIN)
epoll = select.epoll()
epoll.register(reader, select.EPOLLIN)
with selectors.DefaultSelector() as selector:
    selector.register(reader, selectors.EVENT_READ)
    assert len(selector.select(1)) == 1
result = [len(select.select([reader], [], [], 1)[0]), len(poll.poll(1000)), len(epoll.poll(1)), os.read(reader, 10).decode()]

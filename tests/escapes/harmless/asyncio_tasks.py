# what: asyncio: tasks, queues, a timeout, an executor, a child process, a unix socket server.
# expect_result: [10, "late", 49, "out", "HELLO"]
# in_process: expect=status=error
# in_process: why=it makes a server, and no socket can be made here
import asyncio


async def main():
    numbers = asyncio.Queue()

    async def produce():
        for number in range(5):
            await numbers.put(number)
            await asyncio.sleep(0)

    task = asyncio.create_task(produce())
    total = sum([await numbers.get() for _ in range(5)])
    await task
    try:
        await asyncio.wait_for(asyncio.sleep(10), 0.05)
        late = "in time"
    except asyncio.TimeoutError:
        late = "late"
    square = await asyncio.get_running_loop().run_in_executor(None, lambda: 7 * 7)
    child = await asyncio.create_subprocess_exec("echo", "out", stdout=asyncio.subprocess.PIPE)
    out, _ = await child.communicate()

    async def serve(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, "/tmp/server")
    reader, writer = await asyncio.open_unix_connection("/tmp/server")
    writer.write(b"hello\n")
    answer = (await reader.readline()).decode().strip()
    writer.close()
    server.close()
    return [total, late, square, out.decode().strip(), answer]


result = asyncio.run(main())

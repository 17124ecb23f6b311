#!/usr/bin/env python3
"""Sessions through the embedded engine: state, values, limits, interrupts, files, ends; waiting and with asyncio."""

import asyncio
import datetime
import threading
import time
import unittest

from sdk_case import Case

import casemate


class Steps(Case):
    def test_state_stays_and_values_come_back(self):
        with self.sandbox.session(name="mine", env={"WORD": "w"}, memory="200m", lifetime="1h") as session:
            self.assertTrue(session.run("import os\nx = 1\ndef f(): return x").ok)
            step = session.run("print('out')\nx += INPUT_DATA\n[f(), os.environ['WORD']]", input=2)
            self.assertEqual((step.raise_for_status().result, step.stdout), ([3, "w"], "out\n"))
            self.assertEqual((step.session.id, step.session.step, step.session.state), (session.id, 2, "idle"))
            self.assertEqual(step.to_json(), step.raw)
            info = session.info()
            self.assertEqual((info.id, info.name, info.state, info.steps), (session.id, "mine", "idle", 2))
            self.assertIsInstance(info.expires_at, datetime.datetime)
            self.assertIn(session.id, [known.id for known in self.sandbox.sessions()])
            self.assertEqual(self.sandbox.attach(session.id).run("x").result, 3)
        with self.assertRaises(casemate.NotFound):
            session.info()
        session.close()

    def test_failures_are_data_and_the_state_survives(self):
        with self.sandbox.session() as session:
            session.run("x = 7")
            self.assertEqual(session.run("1/0").error.type, "ZeroDivisionError")
            self.assertEqual(session.run("import time; time.sleep(60)", timeout=0.5).status, "timeout")
            self.assertEqual(session.run("x").result, 7)
            ended = session.run("import os; os._exit(3)")
            self.assertEqual(ended.session.state, "ended", ended.raw)
            self.assertEqual(ended.to_json(), ended.raw)
            with self.assertRaises(casemate.RequestRefused) as raised:
                session.run("x")
            self.assertIn(raised.exception.status, (404, 409))

    def test_events_and_interrupt(self):
        with self.sandbox.session() as session:
            texts = []

            def on_stdout(text):
                texts.append(text)
                threading.Thread(target=session.interrupt).start()

            begin = time.monotonic()
            step = session.run("import time\nprint('on', flush=True)\ntime.sleep(60)", timeout=60, on_stdout=on_stdout)
            self.assertLess(time.monotonic() - begin, 30)
            self.assertEqual((texts, step.status != "ok"), (["on\n"], True))
            kinds = [type(event) for event in session.stream("print(1)\n2")]
            self.assertEqual((kinds[0], kinds[-1]), (casemate.Started, casemate.Finished))
            self.assertIn(casemate.Valued, kinds)

    def test_files(self):
        with self.sandbox.session() as session:
            files = session.files
            files.put("folder/b \u00e9#?%.bin", bytes(range(256)))
            files.put("/workspace/a.txt", "caf\u00e9")
            self.assertEqual(session.run("open('a.txt', encoding='utf-8').read()").result, "caf\u00e9")
            session.run("open('made.txt', 'w').write('made')")
            self.assertEqual(files.get("made.txt"), b"made")
            self.assertEqual(files.get("folder/b \u00e9#?%.bin"), bytes(range(256)))
            self.assertEqual([(entry.name, entry.kind) for entry in files.list()],
                             [("a.txt", "file"), ("folder", "folder"), ("made.txt", "file")])
            self.assertEqual(files.stat("a.txt").size_bytes, 5)
            self.assertIsInstance(files.stat("a.txt").modified_at, datetime.datetime)
            files.move("a.txt", "folder/c.txt")
            files.remove("made.txt")
            self.assertEqual([entry.name for entry in files.list("folder")], ["b \u00e9#?%.bin", "c.txt"])
            with self.assertRaises(casemate.NotFound):
                files.get("made.txt")
            session.run("import os; os.symlink('/etc/passwd', 'link')")
            with self.assertRaises(casemate.RequestRefused):
                files.get("link")
            for path in ("../x", "/etc/passwd", "a/../../x", "nul\0"):
                self.assertRaises(ValueError, files.get, path)

    def test_refusals(self):
        with self.assertRaises(casemate.RequestRefused):
            self.sandbox.session(extra={"no_such_field": 1})
        with self.assertRaises(casemate.NotFound):
            self.sandbox.attach("s/../x?y")
        with self.sandbox.session() as session:
            self.assertEqual(session.run("1", env={"A": "1"}).status, "rejected")
            self.assertRaises(TypeError, session.run, "1", enf={})


class Branches(Case):
    def test_forks_go_on_apart(self):
        with self.sandbox.session(name="mine") as session:
            session.run("x = [1]")
            with session.fork(name="try") as fork:
                self.assertEqual(fork.run("x.append(2)\nx").result, [1, 2])
                self.assertEqual(session.run("x").result, [1])
                self.assertEqual((fork.info().name, fork.info().parent), ("try", session.id))
            forks = session.forks(3)
            for number, fork in enumerate(forks):
                self.assertEqual(fork.run("x.append(INPUT_DATA)\nx", input=number).result, [1, number])
                fork.close()
            with self.assertRaises(casemate.RequestRefused):
                session.forks(0)

    def test_checkpoints_are_gone_back_to(self):
        with self.sandbox.session() as session:
            session.run("x = 1")
            kept = session.checkpoint("start")
            self.assertIsInstance(kept.created_at, datetime.datetime)
            session.run("x = 2")
            self.assertEqual(session.rewind(kept).id, session.id)
            self.assertEqual(session.run("x").result, 1)
            self.assertEqual([known.name for known in session.checkpoints()], ["start"])
            session.drop_checkpoint(kept)
            with self.assertRaises(casemate.NotFound):
                session.rewind(kept.id)


class Asynchronous(Case):
    def test_branches(self):
        async def main():
            async with casemate.AsyncSandbox(engine=self.engine) as sandbox:
                async with await sandbox.session() as session:
                    await session.run("x = 1")
                    kept = await session.checkpoint()
                    async with await session.fork() as fork:
                        self.assertEqual((await fork.run("x += 1\nx")).result, 2)
                    [other] = await session.forks(1)
                    await other.close()
                    await session.run("x = 5")
                    await session.rewind(kept)
                    self.assertEqual((await session.run("x")).result, 1)
                    self.assertEqual([known.id for known in await session.checkpoints()], [kept.id])
                    await session.drop_checkpoint(kept.id)

        asyncio.run(asyncio.wait_for(main(), 60))

    def test_the_same_as_waiting(self):
        async def main():
            async with casemate.AsyncSandbox(engine=self.engine) as sandbox:
                async with await sandbox.session() as session:
                    await session.run("x = 20")
                    texts = []
                    step = await session.run("print('hi')\nx + 1", on_stdout=texts.append)
                    self.assertEqual((step.result, texts), (21, ["hi\n"]))
                    await session.files.put("d/f", b"1")
                    self.assertEqual(await session.files.get("d/f"), b"1")
                    self.assertEqual((await session.files.stat("d/f")).size_bytes, 1)
                    await session.files.move("d/f", "g")
                    self.assertEqual([entry.name for entry in await session.files.list()], ["d", "g"])
                    await session.files.remove("g")
                    self.assertEqual((await session.info()).state, "idle")
                    self.assertEqual([one.id for one in await sandbox.sessions()], [session.id])
                    again = await sandbox.attach(session.id)
                    kinds = [type(event) async for event in again.stream("x")]
                    self.assertIs(kinds[-1], casemate.Finished)
                    await session.interrupt()
                with self.assertRaises(casemate.NotFound):
                    await session.info()

        asyncio.run(asyncio.wait_for(main(), 60))


if __name__ == "__main__":
    unittest.main()

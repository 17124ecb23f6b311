"""What a resident engine holds of its host, counted so that a leak of one in thousands is seen."""

import collections
import os
import signal
import time

import casemate
from engine import children


def cgroups_of(pid):
    """The folders of the engine `pid`: they are named casemate-NAMESPACE-PID-..."""
    return [path for path in casemate.cgroups() if os.path.basename(path).split("-")[2:3] == [str(pid)]]


def descendants(pid):
    found, queue = [], [pid]
    while queue:
        below = children(queue.pop())
        found += below
        queue += below
    return found


def held(engine):
    """Counts by name; `rss_kib` is the engine's own memory, without its zygotes and cells."""
    pid = engine.process.pid
    status = dict(line.split(":", 1) for line in casemate.read_bytes(f"/proc/{pid}/status").decode().splitlines())
    return {"descriptors": len(os.listdir(f"/proc/{pid}/fd")), "threads": int(status["Threads"]),
            "processes": len(descendants(pid)), "cgroups": len(cgroups_of(pid)), "mounts": len(casemate.mounts()),
            "rss_kib": int(status["VmRSS"].split()[0])}


def descriptors_by_kind(engine):
    """For the message of a test that has found too many."""
    kinds = collections.Counter()
    for name in os.listdir(f"/proc/{engine.process.pid}/fd"):
        try:
            kinds[os.readlink(f"/proc/{engine.process.pid}/fd/{name}").split(":[")[0]] += 1
        except OSError:
            continue
    return kinds.most_common(12)


def at_rest(engine, ready):
    """What it holds when nothing runs, `ready` cells wait and none of them was there before.

    Namespaces and cgroups of as many cells as there ever were at once stay for the next ones (decision 0005), so the
    zygote is killed first: they go with it, and what a new one makes is always the same.
    """
    victims = set(engine.zygotes())
    for victim in victims:
        os.kill(victim, signal.SIGKILL)

    def restless():
        pools = engine.health()["pools"]
        return (victims & set(engine.zygotes()) or not engine.zygotes() or
                [pool for pool in pools if pool["cells_ready"] < ready or pool["cells_running"] > 0] or not pools)
    assert not casemate.settle(restless, 60), engine.health()
    # Burials and the threads of connections that have just ended.
    now, end = held(engine), time.monotonic() + 10 * casemate.SLOW
    while time.monotonic() < end:
        time.sleep(0.5)
        before, now = now, held(engine)
        if before == now:
            break
    return now

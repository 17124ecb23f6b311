"""Ordinary text for bench/redact, made from a seed: what programs print that holds nothing to take out."""

import pathlib
import random
import sysconfig

WORDS = ("the data frame has been loaded from disk and every column was checked before token counts were written to a "
         "report about request handlers cache entries user sessions retry limits worker threads key figures and plots "
         "while the scheduler waits for pending jobs of other tenants to finish their last step").split()
MODULES = ["app.server", "app.db.pool", "worker.tasks", "http.access", "celery.beat", "django.request", "urllib3.retry"]
PATHS = ["/api/v1/items", "/health", "/static/js/main.js", "/users/profile", "/search", "/api/v2/orders"]


def hexes(source: random.Random, count: int) -> str:
    return f"{source.getrandbits(4 * count):0{count}x}"


def log_line(source: random.Random) -> str:
    time = (f"2026-{source.randrange(1, 13):02}-{source.randrange(1, 29):02}T{source.randrange(24):02}:"
            f"{source.randrange(60):02}:{source.randrange(60):02}.{source.randrange(10**6):06}Z")
    level = source.choice(["INFO", "INFO", "INFO", "DEBUG", "WARNING", "ERROR"])
    module = source.choice(MODULES)
    kind = source.randrange(5)
    if kind == 0:
        return (f"{time} {level} [{module}] GET {source.choice(PATHS)}/{source.randrange(10**5)} 200 "
                f"{source.randrange(10**6)} bytes in {source.random() * 100:.3f} ms")
    if kind == 1:
        return f"{time} {level} {module}: {' '.join(source.choice(WORDS) for _ in range(source.randrange(5, 14)))}"
    if kind == 2:
        return (f'203.0.113.{source.randrange(256)} - - [{time}] "POST {source.choice(PATHS)} HTTP/1.1" '
                f'{source.choice([200, 201, 304, 404])} {source.randrange(10**5)} '
                '"-" "Mozilla/5.0 (X11; Linux x86_64)"')
    if kind == 3:
        return (f"{time} {level} {module} request_id={hexes(source, 8)}-{hexes(source, 4)}-4{hexes(source, 3)}-"
                f"a{hexes(source, 3)}-{hexes(source, 12)} status=ok duration_ms={source.randrange(10**4)} retries=0")
    return f"{time} {level} {module} step {source.randrange(10**4)}/{10**4} loss={source.random():.6f} lr=0.0003"


def json_line(source: random.Random) -> str:
    return (f'{{"id": {source.randrange(10**6)}, "name": "{source.choice(WORDS)} {source.choice(WORDS)}", "score": '
            f'{source.random():.12f}, "tags": ["{source.choice(WORDS)}", "{source.choice(WORDS)}"], "sha": '
            f'"{hexes(source, 40)}", "at": "2026-11-{source.randrange(1, 29):02}", "ok": true, "next": null}}')


def table_line(source: random.Random) -> str:
    return ",".join(f"{source.gauss(0, 100):.4f}" for _ in range(8)) + f",{source.randrange(10**6)}"


def trace_line(source: random.Random) -> str:
    name = source.choice(WORDS)
    return (f'  File "/usr/lib/python3/dist-packages/pandas/core/{name}.py", line {source.randrange(9999)}, in {name}\n'
            f"    return self.{source.choice(WORDS)}({source.choice(WORDS)}, axis={source.randrange(3)})")


def prose_line(source: random.Random) -> str:
    return " ".join(source.choice(WORDS) for _ in range(source.randrange(8, 16))).capitalize() + "."


def lines(make, seed: int, size: int) -> str:
    """Some thousands of different lines, again and again."""
    source = random.Random(seed)
    block = "\n".join(make(source) for _ in range(20_000)) + "\n"
    return (block * (size // len(block) + 1))[:size]


def code(size: int) -> str:
    folder = pathlib.Path(sysconfig.get_paths()["stdlib"])
    block = "".join(path.read_text("utf-8", "replace") for path in sorted(folder.glob("*.py")))
    return (block * (size // len(block) + 1))[:size]


def texts(size: int) -> dict[str, str]:
    """Each kind by itself, and "mixed": all of them in turns, logs most."""
    kinds = {"logs": lines(log_line, 1, size), "json": lines(json_line, 2, size), "tables": lines(table_line, 3, size),
             "tracebacks": lines(trace_line, 4, size), "prose": lines(prose_line, 5, size), "code": code(size)}
    pieces, step = [], 16 * 1024
    for at in range(0, size // 8, step):
        for kind, share in (("logs", 3), ("json", 1), ("tables", 1), ("tracebacks", 1), ("prose", 1), ("code", 1)):
            pieces.append(kinds[kind][at * share:(at + step) * share])
    return kinds | {"mixed": "".join(pieces)}

# what: A database in memory and one on disk, with a transaction and write-ahead logging.
# expect_result: [6, 2, "wal", 1]
import sqlite3

memory = sqlite3.connect(":memory:")
memory.execute("create table t (n integer)")
memory.executemany("insert into t values (?)", [(1,), (2,), (3,)])
disk = sqlite3.connect("/workspace/data.db")
mode = disk.execute("pragma journal_mode=wal").fetchone()[0]
disk.execute("create table t (n integer)")
with disk:
    disk.execute("insert into t values (1), (2)")
try:
    with disk:
        disk.execute("insert into t values (3)")
        raise RuntimeError
except RuntimeError:
    pass
disk.close()
again = sqlite3.connect("/workspace/data.db")
result = [memory.execute("select sum(n) from t").fetchone()[0], again.execute("select count(*) from t").fetchone()[0], mode,
          again.execute("select min(n) from t").fetchone()[0]]

# what: Temporary files and folders of each kind.
# expect_result: [true, true, "x", true]
# in_process: expect_result=[false, true, "x", true]
# in_process: why=temporary files are in the run's own folder, not in /tmp
import os
import tempfile

with tempfile.TemporaryDirectory() as folder:
    inside = folder.startswith("/tmp/")
    path = os.path.join(folder, "a", "b")
    os.makedirs(path)
with tempfile.NamedTemporaryFile("w+") as file:
    file.write("x")
    file.flush()
    content = open(file.name).read()
with tempfile.SpooledTemporaryFile(max_size=10) as spooled:
    spooled.write(b"y" * 100)
    spooled.seek(0)
    spooled_well = spooled.read() == b"y" * 100
result = [inside, not os.path.exists(folder), content, spooled_well]

# what: Variables that were asked for arrive, and only a documented few others.
# flags: -e NAME=value -e EMPTY= -e SPACED=a=b
# expect_result: ["value", "", "a=b", "C.UTF-8", "/tmp", true]
# in_process: expect_result=
# in_process: why=HOME is a folder of the run, not /tmp
import os

result = [os.environ["NAME"], os.environ["EMPTY"], os.environ["SPACED"], os.environ["LANG"], os.environ["TMPDIR"],
          "/usr/bin" in os.environ["PATH"]]

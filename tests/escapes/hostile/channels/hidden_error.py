# what: Raises, and hides it by replacing the exception hook and leaving with 0.
# expect: status=error|ok
# wall_ms_max: 4000
import os
import sys


class Evil(Exception):
    def __str__(self):
        raise Evil()

    __repr__ = __str__

    @property
    def __traceback__(self):
        raise Evil()


sys.excepthook = lambda *a: os._exit(0)
raise Evil()

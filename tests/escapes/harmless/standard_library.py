# what: Every module of the standard library that a program may want can be imported.
# expect_result: []
import importlib

failed = []
for name in ("argparse array bisect calendar cmath codecs collections contextlib copy csv ctypes curses dataclasses dbm "
             "difflib dis email enum fcntl fnmatch fractions functools glob graphlib grp heapq html http.client "
             "http.server imaplib inspect io ipaddress itertools json keyword linecache mailbox math mimetypes mmap "
             "numbers operator optparse pathlib pickle pkgutil platform plistlib pprint profile pstats queue random re "
             "resource sched secrets selectors shelve shlex shutil smtplib socketserver ssl stat statistics string "
             "sysconfig syslog tarfile termios textwrap timeit token tokenize trace traceback types typing unicodedata "
             "unittest urllib.request uuid venv wave weakref webbrowser wsgiref xml.dom xmlrpc.client zipapp zlib").split():
    try:
        importlib.import_module(name)
    except ImportError as error:
        # A Python may be built without a few of them; a sandbox may not be the reason.
        if error.name == name:
            continue
        failed.append(f"{name}: {error}")
    except OSError as error:
        failed.append(f"{name}: {error}")
result = failed

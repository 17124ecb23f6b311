"""The smallest program: a line of text and a value."""

import os
import platform

print(f"Hello from Python {platform.python_version()}, process {os.getpid()}, user {os.getuid()}.")
result = {"sum": sum(range(101))}

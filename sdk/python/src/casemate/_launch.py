"""The command `casemate` of an installed wheel: becomes the program that the wheel carries."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from ._embedded import find_binary
from .errors import EngineStartError

__all__ = ["main"]


def main() -> NoReturn:
    try:
        binary = find_binary()
        if os.path.realpath(binary) == os.path.realpath(sys.argv[0]):
            raise EngineStartError("this package was installed without the casemate program: install the wheel that "
                                   "carries it")
        os.execv(binary, ["casemate", *sys.argv[1:]])
    except (EngineStartError, OSError) as error:
        print(f"casemate: {error}", file=sys.stderr)
        sys.exit(127)

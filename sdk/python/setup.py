"""Says for which machines a wheel is: for all, unless the program is in it. All else is in pyproject.toml."""

import pathlib
import platform

from setuptools import Distribution, setup
from wheel.bdist_wheel import bdist_wheel

BINARY = pathlib.Path(__file__).parent / "src" / "casemate" / "_bin" / "casemate"


class Package(Distribution):
    def has_ext_modules(self):
        return BINARY.exists()


class Wheel(bdist_wheel):
    def get_tag(self):
        if self.root_is_pure:
            return super().get_tag()
        # Any Python 3. The program is linked statically, but the module that its warm interpreters load and the helper
        # for remote secrets need the C library that they were built with, or a newer one.
        library, version = platform.libc_ver()
        glibc = version.replace(".", "_")
        tag = f"manylinux_{glibc}" if library == "glibc" else "linux"
        return "py3", "none", f"{tag}_{platform.machine()}"


setup(distclass=Package, cmdclass={"bdist_wheel": Wheel})

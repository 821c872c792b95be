"""A library on trial: `python -P trial.py BRIDGE FD`, in a process of its own.

What happens while a library is loaded cannot be caught: an initializer that throws ends the process, one that hangs
keeps the loader's lock for ever. It shall be this process. Exits with 0 when the library could be loaded or when the
loader has refused it, which it will do again.
"""

import contextlib
import ctypes
import os
import sys

ctypes.CDLL(sys.argv[1], mode=os.RTLD_NOW | os.RTLD_GLOBAL)
with contextlib.suppress(OSError):
    ctypes.CDLL(f"/proc/self/fd/{sys.argv[2]}", mode=os.RTLD_NOW)
os._exit(0)

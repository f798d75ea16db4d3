"""Runs a program as "nobody" of a user namespace: ``python userns.py PROGRAM ARGUMENT...``.

PostgreSQL refuses to run as root, and as a uid that has no name. Inside the namespace our own uid is called 65534, so
neither holds, while files keep belonging to us: no account is created, nothing is copied or given away. It is a
program of its own because ``unshare`` must happen in a process with one thread, before the real program starts.
"""

import ctypes
import os
import sys

NOBODY = 65534
_CLONE_NEWUSER = 0x10000000


def enter() -> None:
    """Move this process into a fresh user namespace in which it is 65534. Raises OSError where that is forbidden."""
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{NOBODY} {uid} 1"), ("gid_map", f"{NOBODY} {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as stream:
            stream.write(text)


if __name__ == "__main__":
    try:
        enter()
    except OSError as error:
        sys.exit(f"user namespace: {error}")
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - becoming the program is the purpose

"""Who a process is: pid alone is reused, so identity is pid, start time and the boot it belongs to."""

from __future__ import annotations

import getpass
import os
import socket
import uuid
from functools import cache
from pathlib import Path

_LINUX = Path("/proc/self/stat").exists()


@cache
def boot_id() -> str:
    """Identify this boot of the host; Linux names it, elsewhere the boot time to the second serves."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        import psutil  # noqa: PLC0415 - 25 ms, which a job's first byte would wait for, and Linux does not need it

        return str(int(psutil.boot_time()))


def start_time(pid: int) -> float | None:
    """When the process started, or None when there is no such process (a zombie counts as gone).

    On Linux in seconds since the host booted, as the kernel counts them: unlike the wall-clock time derived from it,
    that does not move when the clock is set. Only good for comparing.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
        return None if fields[0] in (b"Z", b"X") else int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        if _LINUX:
            return None
    import psutil  # noqa: PLC0415 - see boot_id

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def alive(pid: int, started: float, boot: str) -> bool:
    """Whether exactly that process still runs. Start times are compared to 10 ms, the clock tick's size."""
    if boot != boot_id():
        return False
    now = start_time(pid)
    return now is not None and abs(now - started) < 0.011


def login_name() -> str:
    """The operating system's name for whoever runs this, or the uid where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def terminal() -> str:
    """The controlling terminal's name, "" without one."""
    for descriptor in (0, 1, 2):
        try:
            return os.ttyname(descriptor)
        except OSError:
            continue
    return ""


def ssh_origin() -> str:
    """The address this login came from, "" for a local one."""
    return (os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_CLIENT") or "").partition(" ")[0]


def host() -> str:
    """This host's name as it calls itself."""
    return socket.gethostname()


def new_id() -> str:
    """A short random identifier for a console."""
    return uuid.uuid4().hex[:12]

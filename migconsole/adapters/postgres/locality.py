"""Whether a server runs on this host: proven, never assumed from a path or an address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

START_TOLERANCE = 5.0
"""Seconds between the process's start and the time the server reports: it reads the clock a little later."""


@dataclass(frozen=True, slots=True)
class Locality:
    """Whether the server runs on this host and sees the same files; ``why`` says how that is known, or why not."""

    local: bool
    why: str


def locality(directory: Path, backend: int, client_port: int | None, started: float) -> Locality:
    """Prove that the server behind a session runs here: a path alone may exist on two hosts.

    The session's backend must be a process of this host that names our end of the connection in its title, its parent
    must have started when the server says it started, and the data directory must belong to that process's owner.
    """
    try:
        process = psutil.Process(backend)
        title = " ".join(process.cmdline())
        postmaster = process.parent()
        owner = directory.stat().st_uid
    except (psutil.Error, OSError) as error:
        return Locality(False, f"the server does not run on this host, or hides itself ({type(error).__name__})")
    end = "[local]" if client_port is None else f"({client_port})"
    if "postgres" not in title or end not in title:
        return Locality(False, "the server does not run on this host")
    if postmaster is None or abs(postmaster.create_time() - started) > START_TOLERANCE:
        return Locality(False, "the process with the server's number started at another time")
    if owner != postmaster.uids().effective:
        return Locality(False, "the data directory's path belongs to something else on this host")
    return Locality(True, f"the server is process {postmaster.pid} of this host")

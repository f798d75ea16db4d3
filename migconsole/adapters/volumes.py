"""Free space of volumes of this host: what every check, proof and backup measures by."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from migconsole.domain.volumes import Volume


def standing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that exists: what is made below lies on its volume."""
    while not folder.exists() and folder != folder.parent and not os.path.islink(folder):
        folder = folder.parent
    return folder


def volume(what: str, folder: Path) -> Volume:
    """The volume of a folder, with the bytes that are free there for ordinary users, None with why they are unknown."""
    try:
        return Volume(f"{what} ({folder})", shutil.disk_usage(standing(folder)).free)
    except OSError as error:
        return Volume(f"{what} ({folder})", None, error.strerror or type(error).__name__)

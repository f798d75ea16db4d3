"""Stable ids: an item keeps its name, and so its record, whatever is added around it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

LONGEST_PART = 60
LONGEST_ID = 200
"""Characters; an id is also a folder name, which file systems limit to 255 bytes."""


def slug(title: str) -> str:
    """A title as a name: small ASCII letters, digits and dashes; a title without any gets a name from its hash.

    >>> slug("Check disk space (ensure 2x current DB size available)"), slug("Prüfen!"), slug("检查")
    ('check-disk-space-ensure-2x-current-db-size-available', 'prufen', 'x-978e2751')
    """
    ascii_text = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", ascii_text).strip("-")[:LONGEST_PART].strip("-")
    return name or f"x-{_digest(title)}"


def path_id(titles: Iterable[str]) -> str:
    """The id of a heading path; one that would be too long is cut and told apart by a hash of the whole.

    >>> path_id(["Pre-Migration", "Final Backup", "Create database backup"])
    'pre-migration.final-backup.create-database-backup'
    """
    whole = ".".join(slug(title) for title in titles)
    return whole if len(whole) <= LONGEST_ID else f"{whole[: LONGEST_ID - 9].rstrip('.-')}-{_digest(whole)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]

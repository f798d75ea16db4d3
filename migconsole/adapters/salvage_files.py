"""The files of a salvage: readable by their owner alone, and under their name only when they are whole."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import IO

from migconsole.domain.salvage import HEADER, Row, SalvageTable, insert, update
from migconsole.errors import MigconsoleError, UsageError

NULL = "\\N"
"""How NULL is written in CSV, as COPY has it with NULL '\\N'; a text that is the same is written with one more."""


def make_directory(path: Path) -> None:
    """A new or empty directory. Raises UsageError when something is in it, MigconsoleError when it cannot be made."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        occupied = any(path.iterdir())
    except OSError as error:
        raise MigconsoleError("The output directory cannot be made", f"{path}: {error.strerror}.") from None
    if occupied:
        raise UsageError("The output directory is not empty", f"{path}.", "Name a new one: nothing is overwritten.")


class TableFiles:
    """Two files of one table: rows that are nowhere now, and rows that differ. Empty ones are not left behind."""

    def __init__(self, directory: Path, table: SalvageTable, form: str) -> None:
        self._table = table
        self._form = form
        stem = re.sub(r"[^\w.-]", "_", table.label)[:150]
        taken = {path.name for path in directory.iterdir()}
        bases = (_numbered(stem, number) for number in count())
        base = next(base for base in bases if not any(name.startswith(f"{base}.") for name in taken))
        self._paths = [directory / f"{base}.{part}.{form}" for part in ("only-failed", "differs")]
        self._streams: list[IO[str] | None] = [None, None]

    def missing(self, rows: Sequence[Row]) -> None:
        """Write rows that are nowhere now."""
        if not rows:
            return
        stream = self._open(0)
        if self._form == "sql":
            stream.writelines(f"{insert(self._table, row)}\n" for row in rows)
        else:
            csv.writer(stream).writerows(_cells(row) for row in rows)

    def differing(self, rows: Iterable[tuple[Row, Row, tuple[int, ...]]]) -> None:
        """Write rows that differ; in CSV the failed database's and, below it, what stands now."""
        for row, current, odd in rows:
            stream = self._open(1)
            if self._form == "sql":
                stream.writelines(f"{line}\n" for line in update(self._table, row, current, odd))
                continue
            standing = dict(zip(self._table.compared, current, strict=True))
            writer = csv.writer(stream)
            writer.writerow(["failed", *_cells(row)])
            places = range(len(self._table.columns))
            writer.writerow(["now", *_cells([standing.get(p) if p in standing else "" for p in places])])

    def close(self, *, whole: bool) -> tuple[str, ...]:
        """Put the files under their names when they are whole; else remove them. Their names."""
        names = []
        for path, stream in zip(self._paths, self._streams, strict=True):
            if stream is None:
                continue
            partial = path.with_name(path.name + ".partial")
            if whole:
                stream.flush()
                os.fsync(stream.fileno())
            stream.close()
            if whole:
                partial.replace(path)
                names.append(path.name)
            else:
                partial.unlink(missing_ok=True)
        return tuple(names)

    def _open(self, which: int) -> IO[str]:
        stream = self._streams[which]
        if stream is None:
            path = self._paths[which]
            stream = private(path.with_name(path.name + ".partial"))
            self._streams[which] = stream
            if self._form == "sql":
                stream.write(HEADER.format(file=path.name))
            else:
                names = [column.name for column in self._table.columns]
                csv.writer(stream).writerow(names if which == 0 else ["side", *names])
        return stream


def private(path: Path) -> IO[str]:
    """A new file that only its owner reads."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return open(descriptor, "w", encoding="utf-8", newline="")


def _numbered(stem: str, number: int) -> str:
    return f"{stem}~{number}" if number else stem


def _cells(row: Sequence[str | None]) -> list[str]:
    return [NULL if value is None else f"\\{value}" if re.fullmatch(r"\\+N", value) else value for value in row]

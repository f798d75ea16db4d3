"""What this server has, read once from its catalogue, and the variant of each query that fits it.

Files are ``sql/probes/NAME.sql`` and ``NAME_130000.sql``: the number says with which version the variant came, the line
``-- needs: view.column view function()`` decides whether it fits. Forks and old extensions are served by what they have
and not by the number they report.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from migconsole.adapters.postgres.connect import Connection
from migconsole.adapters.postgres.queries import sent

_FILE = re.compile(r"([a-z_]+?)(?:_(\d{6}))?\.sql")
_NEEDS = re.compile(r"^-- needs: (.+)$", re.MULTILINE)
_EXTENSION = "{extension}"


@dataclass(frozen=True, slots=True)
class Variant:
    """One file: from which version on it is meant, what it needs, and its text."""

    since: int
    needs: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """``names`` are "view", "view.column" and "function()"; ``extension`` is where pg_stat_statements lies, quoted."""

    names: frozenset[str]
    extension: str = ""
    extension_version: str = ""

    def fitting(self, source: str) -> tuple[str, ...]:
        """The texts of a query that this server can run, the newest first; empty when it has none of what it needs."""
        found = []
        for variant in variants()[source]:
            if _EXTENSION in variant.text and not self.extension:
                continue
            if self.names.issuperset(variant.needs):
                found.append(variant.text.replace(_EXTENSION, self.extension))
        return tuple(found)

    def missing(self, source: str) -> str:
        """What the oldest variant of a query needs and this server has not."""
        oldest = variants()[source][-1]
        lacking = [need for need in oldest.needs if need not in self.names]
        if any(need.startswith("pg_stat_statements") for need in lacking) or (
            _EXTENSION in oldest.text and not lacking
        ):
            return "the extension pg_stat_statements is not in this database"
        return f"this server has no {', no '.join(lacking)}"


@cache
def variants() -> dict[str, tuple[Variant, ...]]:
    """Every query with its variants, the newest first."""
    found: dict[str, list[Variant]] = {}
    for entry in files("migconsole.adapters.postgres").joinpath("sql", "probes").iterdir():
        match = _FILE.fullmatch(entry.name)
        if match:
            text = entry.read_text(encoding="utf-8")
            needs = _NEEDS.search(text)
            variant = Variant(int(match[2] or 0), tuple(needs[1].split()) if needs else (), sent(text))
            found.setdefault(match[1], []).append(variant)
    return {name: tuple(sorted(those, key=lambda one: -one.since)) for name, those in found.items()}


async def read_capabilities(connection: Connection) -> Capabilities:
    """Ask the catalogue for everything that any query needs. Raises what the driver raises."""
    needs = {need for those in variants().values() for variant in those for need in variant.needs}
    functions = sorted(need.removesuffix("()") for need in needs if need.endswith("()"))
    relations = sorted({need.partition(".")[0] for need in needs if not need.endswith("()")})
    rows = await connection.fetch(variants()["capabilities"][0].text, relations, functions)
    names: set[str] = set()
    extension = version = ""
    for row in rows:
        if row["kind"] == "extension":
            extension, version = row["name"], row["columns"][0]
        elif row["kind"] == "function":
            names.add(f"{row['name']}()")
        else:
            names.add(row["name"])
            names.update(f"{row['name']}.{column}" for column in row["columns"])
    return Capabilities(frozenset(names), extension, version)

"""Sqitch: the changes of ``sqitch.plan`` and their deploy scripts against its registry in the schema ``sqitch``."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from migconsole.adapters.migrators.base import UnreadableMigration, read_text
from migconsole.domain.migrations import Migration, MigrationReport, MigrationState
from migconsole.engine.migrator_ports import Rows, SqlFile

PLAN = "sqitch.plan"
_SETTING = re.compile(r"^\s*(top_dir|deploy_dir|plan_file)\s*=\s*(.+?)\s*$", re.MULTILINE)
_CORE = re.compile(r"^\[core\]\s*$(?P<body>.*?)(?=^\[|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the plan. ``script`` is its deploy script; ``number`` counts the reworks of a name from 0."""

    name: str
    number: int
    script: Path


class Sqitch:
    """The tool keeps each deployed change with the hash of its script, and a log of what failed."""

    name = "sqitch"
    table = "changes"
    schema = "sqitch"
    query = "migrator_sqitch"
    lock = 75_474_063
    directories = (".",)
    caution = (
        "Sqitch leaves transactions to the scripts: what a failed script did before it failed stays, unless the script "
        "itself has BEGIN and COMMIT"
    )

    def recognises(self, directory: Path) -> bool:
        """A folder with a plan, or with a sqitch.conf that says where it is."""
        return _paths(directory)[0].is_file()

    def judge(self, directory: Path, rows: Rows) -> MigrationReport | None:
        """A reworked change stands in the plan once for each version, and is matched in that order."""
        read = _read(directory)
        if read is None:
            return None
        project, changes = read
        ours = [row for row in rows if row["project"] == project]
        deployed: dict[str, list[str | None]] = {}
        for row in ours:
            if row["deployed"]:
                deployed.setdefault(row["name"], []).append(row["script_hash"])
        failed = {row["name"]: str(row["at"]) for row in ours if not row["deployed"]}
        found = [_one(change, deployed.get(change.name, []), failed.get(change.name)) for change in changes]
        planned = Counter(change.name for change in changes)
        for name, hashes in deployed.items():
            more = len(hashes) - planned[name]
            found += [Migration(name, MigrationState.UNKNOWN, "deployed, but not in the plan")] * (more > 0)
        others = sorted({row["project"] for row in rows} - {project})
        notes = [f"other projects in the same registry, not judged: {', '.join(others[:5])}"] if others else []
        return MigrationReport(tuple(found), notes=tuple(notes))

    def scripts(self, directory: Path, names: Sequence[str]) -> list[SqlFile]:
        """The deploy script of each change."""
        read = _read(directory)
        wanted = set(names)
        return [SqlFile(change.name, change.script) for change in read[1] if change.name in wanted] if read else []


def _one(change: Change, hashes: Sequence[str | None], failed: str | None) -> Migration:
    if change.number < len(hashes):
        recorded = hashes[change.number]
        if recorded is not None and recorded not in _sums(change.script):
            return Migration(change.name, MigrationState.EDITED, "the deploy script is not what was deployed")
        return Migration(change.name, MigrationState.APPLIED)
    if failed is not None:
        why = f"its last deployment failed at {failed}; what its script did before that stays unless it has BEGIN"
        return Migration(change.name, MigrationState.FAILED, why)
    missing = not change.script.is_file()
    return Migration(change.name, MigrationState.PENDING, "it has no deploy script" if missing else "", broken=missing)


def _sums(path: Path) -> frozenset[str]:
    """The hash sqitch would record; none for a file that cannot be read, which then counts as edited."""
    try:
        return frozenset({hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()})
    except OSError:
        return frozenset()


def _paths(directory: Path) -> tuple[Path, Path]:
    """The plan and the folder of deploy scripts, as sqitch.conf has them."""
    try:
        text = read_text(directory / "sqitch.conf")
    except UnreadableMigration:
        text = ""
    core = _CORE.search(text)
    settings = {key: value.strip("\"'") for key, value in _SETTING.findall(core["body"])} if core else {}
    top = directory / settings.get("top_dir", ".")
    plan = directory / settings["plan_file"] if "plan_file" in settings else top / PLAN
    deploy = directory / settings["deploy_dir"] if "deploy_dir" in settings else top / "deploy"
    return plan, deploy


def _read(directory: Path) -> tuple[str, list[Change]] | None:
    plan, deploy = _paths(directory)
    try:
        lines = read_text(plan).splitlines()
    except UnreadableMigration:
        return None
    project = ""
    entries: list[tuple[str, str]] = []
    for line in lines:
        text = line.split("#", 1)[0].strip()
        if text.startswith("%"):
            key, _, value = text[1:].partition("=")
            project = value.strip() if key.strip() == "project" else project
        elif text.startswith("@"):
            entries.append(("tag", text[1:].split()[0]))
        elif text:
            entries.append(("change", text.removeprefix("+").split()[0]))
    return project, _changes(entries, deploy)


def _changes(entries: Sequence[tuple[str, str]], deploy: Path) -> list[Change]:
    """Every change but the last of its name has its script under the tag that was set before it was reworked."""
    found: list[Change] = []
    seen: Counter[str] = Counter()
    for place, (kind, name) in enumerate(entries):
        if kind != "change":
            continue
        rest = entries[place + 1 :]
        suffix = ""
        if ("change", name) in rest:
            tag = next((word for what, word in rest if what == "tag"), "")
            suffix = f"@{tag}" if tag else ""
        found.append(Change(name, seen[name], deploy / f"{name}{suffix}.sql"))
        seen[name] += 1
    return found

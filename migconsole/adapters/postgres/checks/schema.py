"""Checks of what is in the database, read from catalogues without locking a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migconsole.adapters.postgres.checks.base import Findings, Probe, check, text, texts
from migconsole.engine.ports import CheckResult
from migconsole.errors import UsageError


@check(
    "tables_exist",
    "The named tables (views and foreign tables count too) exist, spelt exactly so.",
    arguments={
        "tables": "list of names, table or schema.table",
        "schema": "schema of the names without one; default: the URL's schema, else public",
    },
    values={
        "missing": "list of tables that do not exist",
        "found": "how many exist",
        "expected": "how many were named",
    },
)
async def tables_exist(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """Nothing named is an error, not a pass."""
    names = texts(arguments, "tables")
    if not names:
        raise UsageError("The check tables_exist needs tables", "", "Write tables: [clients, orders].")
    default = text(arguments, "schema", probe.schema)
    wanted = [name.split(".", 1) if "." in name else [default, name] for name in names]
    found = Findings()
    rows = await probe.rows("relations", [schema for schema, _ in wanted], [table for _, table in wanted])
    missing = []
    for row in rows:
        name = f"{row['schema']}.{row['name']}"
        if row["found"]:
            found.good(name)
            continue
        missing.append(row["name"] if row["schema"] == default else name)
        found.bad(f"{name} does not exist" + (f" (there is {row['similar']})" if row["similar"] else ""))
    return found.result({"missing": missing, "found": len(rows) - len(missing), "expected": len(rows)})


@check(
    "foreign_keys",
    "Foreign keys of a schema: the expected ones exist, and every one is validated.",
    arguments={
        "names": "list of constraint names that must exist",
        "schema": "default: the URL's schema, else public",
    },
    values={
        "count": "how many there are",
        "missing": "list of expected names that do not exist",
        "not_valid": "list of constraints that were never validated",
    },
)
async def foreign_keys(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """Zero foreign keys without an expectation prove nothing, so a person is asked."""
    found = Findings()
    schema = text(arguments, "schema", probe.schema)
    rows = await probe.rows("foreign_keys", schema)
    present = {row["name"] for row in rows}
    wanted = texts(arguments, "names")
    missing = [name for name in wanted if name not in present]
    not_valid = [row["name"] for row in rows if not row["validated"]]
    for row in rows:
        say = found.good if row["validated"] else found.bad
        say(f"{row['name']}: {row['table']} → {row['referenced']}{'' if row['validated'] else ', NOT VALID'}")
    for name in missing:
        found.bad(f"{name} does not exist")
    if not rows and not wanted:
        found.unknown(f"schema {schema} has no foreign keys")
    return found.result({"count": len(rows), "missing": missing, "not_valid": not_valid})

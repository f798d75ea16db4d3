"""Checks of the server: who it is, its version, its health, who is connected."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from migconsole.adapters.postgres.checks.base import Findings, Probe, check, counted, duration, number, size, text
from migconsole.adapters.postgres.checks.performance import take_baseline
from migconsole.adapters.postgres.connect import identity_through_pooler
from migconsole.domain.quantities import format_duration, format_size
from migconsole.engine.ports import CheckResult
from migconsole.errors import MigconsoleError, UsageError

MAX_LAG = 100 * 1024**2
"""Bytes a standby may still have to replay before it counts as behind; our own choice."""

MAX_RETAINED = 1024**3
"""Bytes of WAL one slot may keep before it is named; our own choice."""

IDLE_LIMIT = 10.0
"""Seconds idle in a transaction after which a session is named: it may hold a lock the migration will queue behind."""

XACT_LIMIT = 60.0
"""Seconds a transaction may last before it is named; PgHero calls a query of that age long-running."""

SATURATION = 80
"""Per cent of the connection slots in use that count as full; the exporter mixin warns there."""

SHOWN = 20


@check(
    "target",
    "The URL leads directly to the primary that the run was opened on; its password is never shown.",
    values={
        "database": "name the server reports",
        "host": "host of the URL",
        "port": "port of the URL",
        "user": "role the server reports",
        "version": "server version",
        "server_address": "address and port the server sees itself at; empty for a socket",
        "in_recovery": "true on a standby",
        "superuser": "whether the role is a superuser",
        "tls": "whether the session is encrypted",
        "system_identifier": "the cluster's identifier, null without the privilege",
        "changed": "list of differences from what the run pinned",
        "dropped": "list of URL parameters that were left out",
    },
)
async def target(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """Show what the server says about itself and compare it with what the run pinned."""
    found = Findings()
    now, of = probe.identity, probe.target
    facts = await probe.row("session_facts")
    found.good(f"connected to {now.database}@{now.host}:{now.port} as {now.user}, directly")
    found.note(f"PostgreSQL {now.version}, up since {now.started_at}")
    if now.server_address:
        found.note(f"the server sees itself at {now.server_address}")
    if now.database != of.database:
        found.bad(f"the server says the database is {now.database}, not {of.database}")
    if now.in_recovery:
        found.bad("it is a standby: a migration needs the primary")
    else:
        found.good("it is the primary")
    if now.system_identifier is None:
        found.note("the system identifier cannot be read (no privilege); the name, host and port stand for it")
    changed = probe.pinned.differences(now)
    for difference in changed:
        found.bad(f"not what the run was opened on: {difference}")
    if of.pooled is not None:
        await _compare_pooled(probe, found)
    found.note(f"TLS is {'on' if facts['tls'] else 'off'}, sslmode={of.sslmode}")
    if facts["superuser"]:
        found.note("the role is a superuser")
    for entry in of.dropped:
        found.note(f"left out of the connection: {entry.name} ({entry.why})")
    for note in of.notes:
        found.note(note)
    return found.result(
        {
            "database": now.database,
            "host": now.host,
            "port": now.port,
            "user": now.user,
            "version": now.version,
            "server_address": now.server_address,
            "in_recovery": now.in_recovery,
            "superuser": facts["superuser"],
            "tls": facts["tls"],
            "system_identifier": now.system_identifier,
            "changed": list(changed),
            "dropped": [entry.name for entry in of.dropped],
        }
    )


async def _compare_pooled(probe: Probe, found: Findings) -> None:
    """DATABASE_URL goes through a pooler: ask the server behind it who it is."""
    pooled = probe.target.pooled
    assert pooled is not None
    try:
        seen = await identity_through_pooler(pooled)
    except MigconsoleError as error:
        found.unknown(
            f"DATABASE_URL ({pooled.host}:{pooled.port}) could not be compared with DIRECT_URL: {error.title}"
        )
        return
    if seen == (probe.identity.system_identifier, probe.identity.oid):
        found.good("DATABASE_URL leads through its pooler to this same database")
    elif seen[0] is None or probe.identity.system_identifier is None:
        found.unknown("whether DATABASE_URL leads to this same server cannot be told (no privilege)")
    else:
        found.bad(f"DATABASE_URL ({pooled.host}:{pooled.port}) leads to another database than DIRECT_URL")


@check(
    "server_version",
    "The server's version is in a range.",
    arguments={"requires": 'range such as ">=11" or ">=13, <18"; default ">=11"'},
    values={"version": "as reported, such as 16.4", "major": "major version", "version_num": "such as 160004"},
)
async def server_version(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """Compare major and minor version."""
    found = Findings()
    now = probe.identity
    requires = text(arguments, "requires", ">=11")
    version = divmod(now.version_num, 10_000)
    for operator, wanted in _constraints(requires):
        have = version[: len(wanted)]
        holds = {">=": have >= wanted, ">": have > wanted, "<=": have <= wanted, "<": have < wanted}.get(
            operator, have == wanted
        )
        say = found.good if holds else found.bad
        say(f"PostgreSQL {now.version} is {'' if holds else 'not '}{operator}{'.'.join(map(str, wanted))}")
    return found.result({"version": now.version, "major": version[0], "version_num": now.version_num})


def _constraints(requires: str) -> list[tuple[str, tuple[int, ...]]]:
    found = []
    for part in requires.split(","):
        match = re.fullmatch(r"\s*(>=|<=|>|<|==?|)\s*(\d{1,2})(?:\.(\d{1,3}))?\s*", part)
        if match is None:
            raise UsageError("The argument requires cannot be read", "", 'Write ">=11", or ">=13, <18".')
        found.append((match[1] or "=", tuple(int(digits) for digits in match.groups()[1:] if digits)))
    return found


@check(
    "server_health",
    "Up, primary, not restarted since the run opened, nothing left behind, standbys and slots in bounds.",
    arguments={
        "max_lag": "size a standby may have to replay; default 100MB",
        "max_retained": "size of WAL a slot may keep; default 1GB",
        "baseline": "true keeps a snapshot and response times to compare with after the migration",
    },
    values={
        "in_recovery": "true on a standby",
        "uptime": "seconds since the server started",
        "restarted": "whether it was restarted since the run opened",
        "prepared_transactions": "how many are open in this database",
        "invalid_indexes": "how many indexes cannot be used",
        "standbys": "how many receive WAL; null without the privilege to see them",
        "replication_lag": "bytes the slowest has to replay; null when unknown",
        "inactive_slots": "replication slots nobody uses",
        "slot_retained": "bytes of WAL the hungriest slot keeps",
        "baseline": "statements whose statistics were kept; null without the argument",
    },
)
async def server_health(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """Read-only and lock-free; what the role may not see is unknown, not healthy."""
    found = Findings()
    facts = await probe.row("session_facts")
    now = probe.identity
    found.good(f"up for {format_duration(facts['uptime'])}")
    say = found.bad if now.in_recovery else found.good
    say("in recovery: a standby" if now.in_recovery else "primary")
    restarted = now.started_at != probe.pinned.started_at
    if restarted:
        found.bad(f"restarted since the run opened: started {now.started_at}, then {probe.pinned.started_at}")
    else:
        found.good("not restarted since the run opened")
    prepared = await probe.rows("prepared_transactions")
    for row in prepared:
        found.bad(f"prepared transaction {row['gid']} of {row['owner']}, {format_duration(row['age'])} old")
    invalid = await probe.rows("invalid_indexes")
    for row in invalid:
        found.bad(f"invalid index {row['name']}: drop it and build it again")
    if not prepared and not invalid:
        found.good("no prepared transactions, no invalid indexes")
    values = {
        "in_recovery": now.in_recovery,
        "uptime": facts["uptime"],
        "restarted": restarted,
        "prepared_transactions": len(prepared),
        "invalid_indexes": len(invalid),
    }
    values |= await _replication(probe, found, facts["sees_all"], size(arguments, "max_lag", MAX_LAG))
    values |= await _slots(probe, found, size(arguments, "max_retained", MAX_RETAINED))
    values["baseline"] = await take_baseline(probe, found) if arguments.get("baseline") is True else None
    return found.result(values)


async def _replication(probe: Probe, found: Findings, sees_all: bool, limit: float) -> dict[str, Any]:
    standbys = await probe.rows("replication")
    if standbys and not sees_all:
        found.unknown("no privilege to see the state of standbys: grant pg_read_all_stats")
        return {"standbys": None, "replication_lag": None}
    lags = []
    for row in standbys:
        who = f"standby {row['application_name'] or row['address'] or 'without a name'}"
        if row["lag_bytes"] is None:
            found.unknown(f"{who} ({row['state']}): how far it is behind is unknown")
            continue
        lags.append(row["lag_bytes"])
        late = row["state"] != "streaming" or row["lag_bytes"] > limit
        (found.bad if late else found.good)(f"{who}: {row['state']}, {format_size(row['lag_bytes'])} to replay")
    if not standbys:
        found.note("no standbys")
    return {"standbys": len(standbys), "replication_lag": max(lags, default=None if standbys else 0)}


async def _slots(probe: Probe, found: Findings, limit: float) -> dict[str, Any]:
    slots = await probe.rows("slots")
    for row in slots:
        kept = f"keeps {format_size(row['retained'])} of WAL" if row["retained"] is not None else "keeps no WAL"
        state = "active" if row["active"] else "inactive"
        status = f", {row['wal_status']}" if row["wal_status"] else ""
        wrong = not row["active"] or (row["retained"] or 0) > limit or row["wal_status"] in ("unreserved", "lost")
        (found.bad if wrong else found.good)(f"slot {row['slot_name']} ({row['slot_type']}): {state}, {kept}{status}")
    if not slots:
        found.note("no replication slots")
    return {
        "inactive_slots": sum(not row["active"] for row in slots),
        "slot_retained": max((row["retained"] or 0 for row in slots), default=0),
    }


@check(
    "connections",
    "Other sessions in the target's database, by application; long and idle transactions are named.",
    arguments={
        "application": "count only sessions of this application name",
        "max": "most sessions allowed",
        "idle_limit": "how long a session may be idle in a transaction; default 10s",
        "xact_limit": "how long a transaction may last; default 60s",
    },
    values={
        "total": "sessions counted",
        "by_application": "mapping of application name to sessions",
        "active": "sessions running a statement; null without the privilege",
        "idle_in_transaction": "sessions idle in a transaction; null without the privilege",
        "longest_xact": "seconds of the oldest transaction, 0 when there is none; null without the privilege",
        "server_total": "client sessions of all databases",
        "max_connections": "the server's limit",
        "used_percent": "share of the limit in use",
    },
)
async def connections(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """Whether the sessions are essential is for a person: without ``max`` nothing but their absence is a pass."""
    found = Findings()
    application = text(arguments, "application")
    rows = [r for r in await probe.rows("sessions") if not application or r["application"] == application]
    slots = await probe.row("slots_in_use")
    hidden = sum(row["hidden"] for row in rows)
    _list_sessions(rows, found)
    idle_limit, xact_limit = (
        duration(arguments, "idle_limit", IDLE_LIMIT),
        duration(arguments, "xact_limit", XACT_LIMIT),
    )
    _name_offenders(rows, found, idle_limit, xact_limit)
    used = 100 * slots["server_total"] / max(slots["max_connections"] - slots["reserved"], 1)
    (found.bad if used >= SATURATION else found.note)(
        f"{slots['server_total']} of {slots['max_connections']} slots in use on the whole server ({used:.0f} %)"
    )
    if hidden:
        found.unknown(f"no privilege to see the state of {counted(hidden, 'session')}: grant pg_read_all_stats")
    most = number(arguments, "max")
    of = f" of {application}" if application else ""
    if most is not None:
        (found.good if len(rows) <= most else found.bad)(
            f"{counted(len(rows), 'session')}{of}, at most {most:g} allowed"
        )
    elif rows:
        found.unknown(f"{counted(len(rows), 'session')}{of}: essential?")
    else:
        found.good(f"no other sessions{of}")
    in_transaction = [row for row in rows if (row["state"] or "").startswith("idle in transaction")]
    return found.result(
        {
            "total": len(rows),
            "by_application": dict(Counter(row["application"] or "(no name)" for row in rows)),
            "active": None if hidden else sum(row["state"] == "active" for row in rows),
            "idle_in_transaction": None if hidden else len(in_transaction),
            "longest_xact": None if hidden else max((row["xact_age"] or 0.0 for row in rows), default=0.0),
            "server_total": slots["server_total"],
            "max_connections": slots["max_connections"],
            "used_percent": round(used, 1),
        }
    )


def _list_sessions(rows: list[Any], found: Findings) -> None:
    groups = Counter(
        (row["application"] or "(no name)", row["role"], "hidden" if row["hidden"] else row["state"] or "starting")
        for row in rows
    )
    for (application, role, state), count in sorted(groups.items(), key=lambda group: -group[1])[:SHOWN]:
        found.note(f"{count:4d}  {application} as {role}, {state}")
    if len(groups) > SHOWN:
        found.note(f"… and {len(groups) - SHOWN} more groups")


def _name_offenders(rows: list[Any], found: Findings, idle_limit: float, xact_limit: float) -> None:
    for row in rows:
        who = f"pid {row['pid']} ({row['application'] or 'no name'} as {row['role']}, {row['address'] or 'socket'})"
        idle = (row["state"] or "").startswith("idle in transaction")
        if idle and (row["state_age"] or 0) > idle_limit:
            found.bad(f"{who}: idle in a transaction for {format_duration(row['state_age'])}: {row['query']}")
        elif (row["xact_age"] or 0) > xact_limit:
            found.bad(f"{who}: its transaction lasts {format_duration(row['xact_age'])}: {row['query']}")

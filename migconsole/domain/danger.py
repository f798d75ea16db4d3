"""What an action can do to the target: read, mutating or destructive.

The classifier may only be wrong on the safe side: a script is *read* when every command in it is known to read, is
*destructive* when it shows a sign of destruction anywhere, and is *mutating* in every other case. An author's
``danger`` raises the result and never lowers it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from migconsole.domain import sql
from migconsole.domain.checklist import Danger, Job, Run, Sql, Step
from migconsole.domain.shell import Command, UnreadableError, Word, commands

_SIGNS = re.compile(
    r"""\bdrop(?:db|user)\b
      | \brm\s+(?:-\w+\s+|--\w+\s+)*(?:-\w*[rR]\w*|--recursive)\b
      | \btruncate\b | \bshred\b | \bmkfs\b | \bdd\b[^\n;|&]*\bof= | \bpg_resetwal\b | \bfind\b[^\n;|&]*\s-delete\b
      | --force(?:-reset)?\b | --accept-data-loss\b | \bgit\s+push\b[^\n;|&]*\s-f\b
      | \bpg_restore\b[^\n;|&]*\s(?:-\w*c\w*|--clean)\b
      | \bflushall\b | \bmigrate\s+reset\b | \bdb\s+push\b | \balembic\s+downgrade\b | \bmanage\.py\s+flush\b
      | \bdbmate\s+(?:drop|down|rollback)\b | \bflyway\s+clean\b | \bsqitch\s+revert\b | \bdrop-?all\b
      | \bterraform\s+destroy\b | \bkubectl\s+delete\b | \bdocker\s+(?:volume|system)\s+(?:rm|prune)\b
      | \bdb:(?:drop|reset|rollback)\b | \bmigrate(?::|\s+)(?:down|rollback|undo)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_JOBS = {
    "backup": Danger.READ,
    "review": Danger.READ,
    "lint": Danger.READ,
    "notify": Danger.READ,
    "http": Danger.READ,
    "prove": Danger.MUTATING,
    "drill": Danger.MUTATING,
    "restore": Danger.DESTRUCTIVE,
    "put-back": Danger.DESTRUCTIVE,
    "purge": Danger.DESTRUCTIVE,
}


@dataclass(frozen=True, slots=True)
class Assessment:
    """A danger and what it was concluded from, for the confirmation dialog."""

    danger: Danger
    reason: str


def assess(step: Step, *, hook: str = "") -> Assessment:
    """The danger of a step: what its action shows, raised by its author. ``hook`` is the command in a hook variable."""
    action = step.action
    found = Assessment(Danger.READ, "it changes nothing")
    if isinstance(action, Run):
        found = assess_shell(hook if action.hook and hook else action.script)
    elif isinstance(action, Sql):
        found = _worst([assess_query(statement) for statement in action.statements] or [found])
    elif isinstance(action, Job):
        found = Assessment(classify_job(action.name), f"“{action.name}” is such an action")
    if step.danger is not None and step.danger.rank > found.danger.rank:
        return Assessment(step.danger, "the checklist says so")
    return found


def classify(step: Step, *, hook: str = "") -> Danger:
    """The danger alone."""
    return assess(step, hook=hook).danger


def classify_shell(script: str) -> Danger:
    """The danger of a script alone.

    >>> classify_shell('psql "$DATABASE_URL" -c "\\\\dt"'), classify_shell("./deploy.sh"), classify_shell("dropdb app")
    (<Danger.READ: 'read'>, <Danger.MUTATING: 'mutating'>, <Danger.DESTRUCTIVE: 'destructive'>)
    """
    return assess_shell(script).danger


def classify_job(name: str) -> Danger:
    """The danger of a built-in job; of one that this version does not know, mutating."""
    return _JOBS.get(name, Danger.MUTATING)


def assess_shell(script: str) -> Assessment:
    """A script's danger and the words it was concluded from."""
    bare = _without_comments(script)
    sign = _SIGNS.search(bare)
    words = " ".join(sign[0].split()) if sign else sql.destroys(bare)
    if words:
        return Assessment(Danger.DESTRUCTIVE, f"it says “{words}”")
    try:
        found = commands(script)
    except UnreadableError as error:
        return Assessment(Danger.MUTATING, f"it cannot be read for certain ({error})")
    for command in found:
        why = _unproven(command)
        if why:
            return Assessment(Danger.MUTATING, why)
    if not found:
        return Assessment(Danger.MUTATING, "there is nothing in it that could be judged")
    return Assessment(Danger.READ, "every command in it only reads")


def assess_query(statement: str) -> Assessment:
    """The danger of a ``sql`` entry, which runs in a read-only transaction: only some functions still act in one."""
    try:
        bare = ";".join(sql.skeleton(statement))
    except sql.UnfinishedSqlError:
        bare = statement
    words = sql.destroys(bare)
    if words:
        return Assessment(Danger.DESTRUCTIVE, f"it says “{words}”")
    function = sql.acts(bare)
    if function:
        return Assessment(Danger.MUTATING, f"{function}() acts even in a read-only transaction")
    return Assessment(Danger.READ, "it runs in a read-only transaction")


def _worst(found: list[Assessment]) -> Assessment:
    return max(found, key=lambda assessment: assessment.danger.rank)


def _without_comments(script: str) -> str:
    """Only lines that are nothing but a comment go: a # inside a quote must not hide what follows it."""
    return re.sub(r"(?m)^[ \t]*#[^\n]*$", "", script.replace("\\\n", " "))


_SKIPPED = frozenset(["if", "then", "elif", "else", "fi", "while", "until", "do", "done", "!", "{", "}", "time"])
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=.*", re.DOTALL)
_BENDING = re.compile(r"PATH|LD_\w+|DYLD_\w+|PSQLRC|BASH_ENV|ENV|IFS|SHELL|NODE_OPTIONS|PYTHON\w+|PAGER|EDITOR")


def _unproven(command: Command) -> str:
    """Why a command is not known to only read, or ""."""
    words = list(command)
    while words and (_ASSIGNMENT.fullmatch(words[0].text) or (words[0].literal and words[0].text in _SKIPPED)):
        assignment = _ASSIGNMENT.fullmatch(words[0].text)
        if assignment and _BENDING.fullmatch(assignment[1]):
            return f"it sets {assignment[1]}"
        words.pop(0)
    if not words or words[0].text == "for":
        return ""
    name, arguments = words[0], words[1:]
    if not name.literal or name.text == "eval":
        return "what it executes is in a variable"
    if name.text == "timeout" and len(arguments) > 1 and re.fullmatch(r"\d+[smh]?", arguments[0].text):
        return _unproven(tuple(arguments[1:]))
    reads = _READERS.get(name.text)
    if reads is None or not reads(arguments):
        return f"“{' '.join([name.text, *(a.text for a in arguments[:2])])}” is not known to only read"
    return ""


def _always(arguments: list[Word]) -> bool:
    return True


def _without(*options: str) -> Callable[[list[Word]], bool]:
    """Reads unless one of these options is among the arguments (short ones also inside a cluster)."""

    def reads(arguments: list[Word]) -> bool:
        for text in (argument.text for argument in arguments):
            for option in options:
                long = option.startswith("--")
                if text == option or (long and text.startswith(f"{option}=")):
                    return False
                if not long and len(option) == 2 and re.fullmatch(rf"-\w*{option[1]}.*", text):
                    return False
        return True

    return reads


def _subcommand(*allowed: str) -> Callable[[list[Word]], bool]:
    """Reads when the arguments begin with one of these (sequences of) literal words."""

    def reads(arguments: list[Word]) -> bool:
        given = [argument.text if argument.literal else "" for argument in arguments]
        return any(given[: len(words)] == words for words in (entry.split() for entry in allowed))

    return reads


def _npx(arguments: list[Word]) -> bool:
    rest = list(arguments)
    while rest and rest[0].text in ("--no-install", "--yes", "-y", "--no"):
        rest.pop(0)
    return bool(rest) and rest[0].literal and rest[0].text == "prisma" and _PRISMA(rest[1:])


_PSQL_FLAGS = re.compile(r"-[aAbeEHlnqStVwWxXz01]+")
_PSQL_VALUED = re.compile(r"-[aAbeEHlnqStVwWxXz01]*([cdFhpPRTUv])(.*)", re.DOTALL)
_PSQL_LONG_VALUED = re.compile(
    r"--(command|dbname|host|port|username|set|variable|pset|field-separator|record-separator)(?:=(.*))?", re.DOTALL
)
_PSQL_LONG_FLAGS = re.compile(
    r"--(?:list|version|no-psqlrc|quiet|tuples-only|no-align|single-transaction|echo-errors|echo-queries|html|csv"
    r"|expanded|no-password|password|no-readline)"
)
_META = re.compile(r"\\(?:d\w*[S+]*|l\+?|z|conninfo|sf\+?|sv\+?|x|timing|encoding|echo)(?:\s+[^`|\\\n]*)?")


def _psql(arguments: list[Word]) -> bool:
    """Whether everything psql executes is given by -c and only reads; -f, -o, standard input and \\! are not read."""
    executed: list[Word] = []
    listing = False
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.text.startswith("-"):
            continue
        if _PSQL_FLAGS.fullmatch(word.text) or _PSQL_LONG_FLAGS.fullmatch(word.text):
            listing = listing or word.text in ("-l", "-V", "--list", "--version")
            continue
        valued = _PSQL_LONG_VALUED.fullmatch(word.text) or _PSQL_VALUED.fullmatch(word.text)
        if valued is None:
            return False
        argument = Word(valued[2], word.literal) if valued[2] else (rest.pop(0) if rest else Word("", False))
        if valued[1] in ("c", "command"):
            executed.append(argument)
    if not executed:
        return listing
    return all(word.literal and _psql_reads(word.text) for word in executed)


def _psql_reads(text: str) -> bool:
    stripped = text.strip()
    return bool(_META.fullmatch(stripped)) if stripped.startswith("\\") else sql.only_reads(stripped)


def _pg_restore(arguments: list[Word]) -> bool:
    return any(word.text in ("-l", "--list", "--version", "-V") for word in arguments)


def _move(arguments: list[Word]) -> bool:
    """A move that cannot replace anything."""
    return any(re.fullmatch(r"-\w*n\w*|--no-clobber", word.text) for word in arguments) and not any(
        re.fullmatch(r"-\w*f\w*|--force", word.text) for word in arguments
    )


def _no_bending(arguments: list[Word]) -> bool:
    """Sets only variables that do not change how later commands are found or behave."""
    names = (word.text.partition("=")[0] for word in arguments)
    return not any(name == "-v" or _BENDING.fullmatch(name) for name in names)


_PLAIN_READERS = """
    [ : basename cat cd cmp cut df diff dirname du echo egrep exit false fgrep file free grep head id jobs ls md5sum
    mkdir nproc pg_dump pg_dumpall pg_isready pwd readlink realpath return seq set sha1sum sha256sum sha512sum shift
    sleep stat tail test tr true type umask uname uptime wait wc which whoami
"""
_PRISMA = _subcommand("migrate status", "validate", "version", "--version", "-v")
_READERS: dict[str, Callable[[list[Word]], bool]] = {
    **dict.fromkeys(_PLAIN_READERS.split(), _always),
    **dict.fromkeys(("export", "local", "printf", "read", "readonly"), _no_bending),
    "alembic": _subcommand("current", "history", "heads", "show", "check", "--version"),
    "command": lambda arguments: bool(arguments) and arguments[0].text in ("-v", "-V"),
    "date": _without("-s", "--set"),
    "dbmate": _subcommand("status", "--version"),
    "docker": _subcommand("ps", "logs", "inspect", "version"),
    "find": _without("-exec", "-execdir", "-ok", "-okdir", "-delete", "-fprint", "-fprintf", "-fls", "-fprint0"),
    "flyway": _subcommand("info", "validate", "version"),
    "git": _subcommand("status", "rev-parse", "describe", "--version"),
    "hostname": lambda arguments: not arguments,
    "kubectl": _subcommand("get", "describe", "logs", "version"),
    "mv": _move,
    "migconsole": _subcommand("report", "status", "runs", "verify", "notify", "check"),
    "npx": _npx,
    "pg_restore": _pg_restore,
    "prisma": _PRISMA,
    "psql": _psql,
    "redis-cli": _subcommand("ping", "info", "dbsize", "get", "ttl", "exists", "--version"),
    "sort": _without("-o", "--output"),
    "sqitch": _subcommand("status", "log", "plan", "--version"),
    "systemctl": _subcommand("status", "is-active", "is-enabled", "show", "list-units"),
    "uniq": lambda arguments: sum(not a.text.startswith("-") for a in arguments) < 2,
}

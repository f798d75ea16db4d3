"""Find the target: from a URL, the environment, a service file and a password file, as libpq would, but said aloud."""

from __future__ import annotations

import getpass
import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from migconsole.domain.secrets import Secret
from migconsole.domain.target import (
    DEFAULT_PORT,
    Settings,
    Target,
    TargetURLError,
    build_target,
    choose_direct,
    combine,
    from_environment,
    parse,
    parse_service,
    passfile_password,
)
from migconsole.errors import UsageError

_SOCKET_FOLDERS = ("/run/postgresql", "/var/run/postgresql", "/tmp", "/private/tmp")  # noqa: S108 - where libpq looks
_NEEDED = ("host", "hostaddr", "dbname", "service")


def resolve_target(
    url: str | None = None,
    *,
    direct_url: str | None = None,
    environment: Mapping[str, str] | None = None,
    password: Secret | None = None,
) -> Target:
    """The target that ``url`` describes, or DATABASE_URL, or libpq's variables; raises UsageError with a remedy.

    ``environment`` is what variables are read from (the process's own by default; pass the env file merged over it).
    ``direct_url`` is DIRECT_URL: left out, it is read from ``environment`` when ``url`` is DATABASE_URL's value; ""
    means there is none. ``password`` (from a password command) overrides every other one.
    """
    environment = os.environ if environment is None else environment
    of_environment = environment.get("DATABASE_URL", "")
    given = url if url is not None else of_environment
    if direct_url is None:
        direct_url = environment.get("DIRECT_URL", "") if given.strip() == of_environment.strip() else ""
    try:
        target = _from_texts(given, direct_url, environment, "DATABASE_URL" if given == of_environment else "The URL")
    except TargetURLError as error:
        raise UsageError("The target cannot be used", f"{error.problem}.", _sentence(error.remedy)) from None
    return target if password is None else replace(target, password=password)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _from_texts(given: str, direct_url: str, environment: Mapping[str, str], name: str) -> Target:
    if not given.strip() and direct_url:
        return _one(direct_url, environment, "DIRECT_URL")
    if given.strip().lower().startswith("prisma") and direct_url:
        # Prisma's own service in front: no other program can use that address, so DIRECT_URL is the target.
        target = _one(direct_url, environment, "DIRECT_URL")
        return replace(target, originals={**target.originals, "DATABASE_URL": Secret(given)})
    target = _one(given, environment, name)
    return choose_direct(target, _one(direct_url, environment, "DIRECT_URL")) if direct_url else target


def _one(text: str, environment: Mapping[str, str], name: str) -> Target:
    layers = [parse(text, name)] if text.strip() else []
    layers.append(from_environment(environment))
    merged, _ = combine(*layers)
    if not any(merged.get(need) for need in _NEEDED):
        raise TargetURLError("No target is given", "set DATABASE_URL, or pass --target postgresql://user@host/database")
    if merged.get("service"):
        layers.insert(-1, _service(merged, environment))
    merged, notes = combine(*layers)
    port = int(merged.get("port") or DEFAULT_PORT)
    original = {"DATABASE_URL" if name == "The URL" else name: text.strip()} if text.strip() else {}
    target = build_target(
        merged, default_host=_default_host(port), default_user=_login(), notes=notes, original=original
    )
    return target if target.password is not None else _with_passfile(target, merged, environment)


def _default_host(port: int) -> str:
    """libpq's socket folder depends on how it was built: take the one in which this port's socket lies."""
    for folder in _SOCKET_FOLDERS:
        if Path(folder, f".s.PGSQL.{port}").exists():
            return folder
    return "localhost"


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _service(settings: Settings, environment: Mapping[str, str]) -> Settings:
    """The named service's section, from the user's file first and then the system's."""
    candidates = []
    if settings.get("servicefile"):
        candidates.append(Path(settings.get("servicefile")).expanduser())
    else:
        candidates.append(_home(environment) / ".pg_service.conf")
    candidates.append(Path(environment.get("PGSYSCONFDIR", "/etc/postgresql-common"), "pg_service.conf"))
    for path in candidates:
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError):
            raise TargetURLError(
                f"The service file {path} cannot be read", "check its owner, mode and encoding"
            ) from None
        found = parse_service(text, settings.get("service"))
        if found is not None:
            return found
    looked = " or ".join(str(path) for path in candidates)
    raise TargetURLError("The service that is named is not defined", f"add its section to {looked}")


def _home(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("HOME") or Path.home())


def _with_passfile(target: Target, settings: Settings, environment: Mapping[str, str]) -> Target:
    path = Path(settings.get("passfile") or _home(environment) / ".pgpass").expanduser()
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return target
        if status.st_mode & 0o077:
            mode = f"{status.st_mode & 0o777:03o}"
            note = f"the password file {path} is not used: others can read it (mode {mode}); chmod it to 600"
            return replace(target, notes=(*target.notes, note))
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return target
    except (OSError, UnicodeDecodeError):
        return replace(target, notes=(*target.notes, f"the password file {path} cannot be read"))
    host = "localhost" if target.socket and target.host in _SOCKET_FOLDERS else target.host
    found = passfile_password(text, host, target.port, target.database, target.user)
    return target if found is None else replace(target, password=Secret(found))

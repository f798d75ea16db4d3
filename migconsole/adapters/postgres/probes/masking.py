"""Passwords in what other sessions run and in settings: seen by the server's monitors, not to be kept by ours."""

from __future__ import annotations

import hashlib
import re

from migconsole.domain.secrets import Secrets
from migconsole.domain.target import Target

_LITERAL = re.compile(
    r"(\bpassword\s*(?:=\s*)?)(?:E?'(?:[^'\\]|''|\\.)*(?:'|$)|\$(\w*)\$.*?(?:\$\2\$|$)|(?<==)[^\s';]+)",
    re.IGNORECASE | re.DOTALL,
)
_SECRET_SETTING = re.compile(r"conninfo|password|passphrase|secret|_command$", re.IGNORECASE)


class Masking:
    """Masks the target's own secrets by value, and password literals by their place in a statement."""

    def __init__(self, target: Target) -> None:
        self._secrets = Secrets(target.secrets(), names=(target.host, target.database, target.user))
        if target.password is not None:
            self._secrets.add_password(target.password)

    def query(self, text: str) -> str:
        """A statement without passwords, also where it was cut in the middle of one."""
        return self._secrets.redact(_LITERAL.sub(r"\1'***'", text))

    def setting(self, name: str, value: str | None) -> str | None:
        """A setting's value; of one that may hold a password only a mark by which a change shows."""
        if not value or not _SECRET_SETTING.search(name):
            return value
        return f"(hidden, {hashlib.sha256(value.encode()).hexdigest()[:8]})"

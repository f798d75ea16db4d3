"""The key reference as Markdown, made from the registry: ``python -m migconsole.tui.keys > docs/keys.md``."""

from __future__ import annotations

from migconsole.tui.commands import COMMANDS, Scope, label

_INTRODUCTION = """# Keys

Made from the command registry; do not edit by hand (`python -m migconsole.tui.keys > docs/keys.md`).

`?` lists these keys on the screen, for the pane that has the focus, and says why one cannot be used now. No key both
opens a question and accepts it; Enter never says yes to anything dangerous; a key that is held down never accepts.
"""


def reference() -> str:
    """The whole document."""
    parts = [_INTRODUCTION]
    for scope in Scope:
        title = f"{scope.value[0].upper()}{scope.value[1:]}"
        parts.append(f"## {title}\n\n| key | command | what it does |\n|---|---|---|\n")
        for command in COMMANDS:
            if command.scope is scope:
                shown = " ".join(f"`{label(key)}`" for key in command.keys)
                mark = " ▲" if command.danger else ""
                parts[-1] += f"| {shown} | {command.title}{mark} | {command.help} |\n"
    parts.append("▲ can change the run or the target; a read-only or watching console does not offer it.\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(reference(), end="")

"""``python -m migconsole.demo start|stop|remove HOME``: what to do with a demo that was kept."""

from __future__ import annotations

import sys
from pathlib import Path

from migconsole.demo.demo import Demo
from migconsole.errors import MigconsoleError, UsageError


def main(arguments: list[str]) -> int:
    """Carry out one order; returns the exit code."""
    orders = {"start": Demo.start, "stop": Demo.stop, "remove": Demo.remove}
    try:
        if len(arguments) != 2 or arguments[0] not in orders:
            raise UsageError("usage: python -m migconsole.demo start|stop|remove HOME")
        orders[arguments[0]](Demo.reopen(Path(arguments[1])))
    except MigconsoleError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

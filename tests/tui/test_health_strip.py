"""The health strip as texts: of several backends of the migration it speaks about the one that matters."""

from __future__ import annotations

from typing import Any

from migconsole.domain.thresholds import Phase
from migconsole.tui import strip
from migconsole.tui.screens.health.overview import History, head
from migconsole.tui.screens.health.sheets import Look
from tests.tui.health_source import FakeHealth, sampled

NOW = 1_900_000_000.0


def backend(pid: int, **standing: Any) -> dict[str, Any]:
    parts = {"waits_for": "waits for {}", "holds_up": "holds up {}", "oldest_victim_s": "oldest victim {} s"}
    summary = ", ".join(parts[name].format(value) for name, value in standing.items() if name in parts)
    return {"found": True, "running": True, "pid": pid, "summary": summary, **standing}


def said(*backends: dict[str, Any]) -> tuple[strip.Strip, str]:
    """The strip, and the line of the overview."""
    health = FakeHealth(NOW)
    sampled(health)
    health.put("migration_session", list(backends))
    look = Look(health, Phase.STEP, NOW, strip.WINDOW)  # type: ignore[arg-type]
    line = next(line for line in head(look) if "migration" in line[0][0])
    shown = strip.strip(look, History(health), health.watcher(), ())  # type: ignore[arg-type]
    return shown, "".join(text for text, _ in line)


def test_of_several_backends_the_one_that_holds_others_up_is_named() -> None:
    first, second, third = backend(13096), backend(13100, waits_for=1), backend(14012, holds_up=2, oldest_victim_s=6.2)
    shown, line = said(first, second, third)
    words = "".join(text for text, _ in shown.migration)
    assert words == "Migration backend 14012 (1 of 3): holds up 2, oldest victim 6.2 s"
    assert "".join(text for text, _ in shown.brief) == "14012 (1 of 3): holds up 2, oldest victim 6.2 s"
    assert "pid 14012 (1 of 3) holds up 2" in line


def test_else_the_one_that_waits_and_else_any() -> None:
    shown, line = said(backend(13096, query_s=900.0), backend(13100, waits_for=1))
    assert "".join(text for text, _ in shown.migration) == "Migration backend 13100 (1 of 2): waits for 1"
    assert "pid 13100 (1 of 2) waits for 1" in line
    shown, _ = said(backend(13096))
    assert "".join(text for text, _ in shown.migration) == "Migration backend 13096: in nobody’s way"
    assert shown.brief == ()

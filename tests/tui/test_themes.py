"""Theme files: shipped ones are whole and legible, broken ones are named and left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.color import Color

from migconsole.adapters.themes import load_palettes, theme_directories
from migconsole.engine.palette import BASE, DERIVED, Palette
from migconsole.tui.theming import to_theme

SHIPPED, PROBLEMS = load_palettes(theme_directories()[:1])
GOOD = "theme: mine\ncolours: {" + ", ".join(f"{name}: '#123456'" for name in BASE) + "}\n"


def test_the_shipped_themes_load() -> None:
    assert PROBLEMS == []
    assert {palette.name for palette in SHIPPED} == {"midnight", "daylight", "high-contrast", "production"}


@pytest.mark.parametrize("palette", SHIPPED, ids=lambda palette: palette.name)
def test_every_slot_is_legible_on_the_pane(palette: Palette) -> None:
    surface = Color.parse(palette.colours["surface"])
    floor = 7.0 if palette.name == "high-contrast" else 4.5
    grounds = {"line", "env-production", "env-staging", "env-development", "env-text"}
    for slot in set(DERIVED) - grounds:
        ratio = contrast(Color.parse(palette.slots[slot]), surface)
        assert ratio >= floor, f"{slot}: {ratio:.1f}"
    for environment in ("production", "staging", "development"):
        ground = Color.parse(palette.slots[f"env-{environment}"])
        assert contrast(Color.parse(palette.slots["env-text"]), ground) >= 4.5, environment
    assert to_theme(palette).to_color_system().generate()


def contrast(one: Color, other: Color) -> float:
    """WCAG 2.1 contrast ratio."""

    def luminance(colour: Color) -> float:
        parts = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in colour.normalized]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("theme: x\ncolors: {}\n", "colors: unknown key (did you mean colours?)"),
        (GOOD.replace("accent:", "acent:"), "colours.acent: unknown key (did you mean accent?)"),
        (GOOD.replace("#123456", "[red]", 1), "is no colour"),
        ("theme: x\ncolours: {accent: '#123456'}\n", "missing primary"),
        ("theme: Upper Case\n", "small letters"),
        ("theme: [a\n", "not YAML"),
        ("- a\n", "a theme is a mapping"),
        (GOOD + "extends: nowhere\n", "no usable theme 'nowhere'"),
        (GOOD + "extends: mine\n", "no usable theme 'mine'"),
        (GOOD + "dark: maybe\n", "true or false"),
        ("theme: x\n" + "#" * 70_000, "larger than a theme"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
    ],
)
def test_a_broken_file_is_named_and_left_out(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    palettes, problems = load_palettes([*theme_directories()[:1], tmp_path])
    assert {palette.name for palette in palettes} == {palette.name for palette in SHIPPED}
    assert len(problems) == 1
    assert problems[0].startswith("bad.yaml")
    assert words in problems[0]


def test_an_own_theme_replaces_a_shipped_one_and_may_extend_another(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("theme: mine\nextends: midnight\ncolours: {accent: '#ffffff'}\n")
    palettes, problems = load_palettes([*theme_directories()[:1], tmp_path])
    mine = next(palette for palette in palettes if palette.name == "mine")
    assert problems == []
    assert mine.slots["status-running"] == "#ffffff", "follows the new accent"
    midnight = next(palette for palette in palettes if palette.name == "midnight")
    assert mine.slots["env-production"] == midnight.slots["env-production"]

"""The half of the application that knows colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.app import App

from migconsole.domain.text import sanitise_line
from migconsole.engine.palette import Palette
from migconsole.tui import theming


class Themed(App[int]):
    """Palettes from files beside Textual's own terminal-colour themes, switched while everything goes on."""

    def take_palettes(self, palettes: Sequence[Palette], problems: Sequence[str], wanted: str) -> None:
        """Remember what there is until the application is mounted."""
        self._palettes = {palette.name: palette for palette in palettes}
        self._theme_problems = list(problems)
        self._wanted_theme = wanted

    def toast(self, text: str, severity: Any = "information") -> None:
        """Say something that passes."""
        raise NotImplementedError

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Every semantic slot has a value under every theme."""
        return theming.fallbacks(self.current_theme)

    def theme_titles(self) -> dict[str, str]:
        """Themes that can be chosen, by name."""
        return {name: sanitise_line(p.title, 60) for name, p in self._palettes.items()} | theming.ANSI

    def use_theme(self, name: str) -> None:
        """Switch now; an unknown theme is said and the default kept."""
        if name in self.available_themes:
            self.theme = name
        else:
            self.toast(f"There is no theme “{sanitise_line(name, 60)}”.", "warning")

    def register_palettes(self) -> None:
        """Make the palettes known and put the wanted one on."""
        for palette in self._palettes.values():
            self.register_theme(theming.to_theme(palette))
        if self._wanted_theme in self.available_themes or self._palettes:
            self.use_theme(self._wanted_theme)
        if self._theme_problems:
            self.toast("Theme not used: " + "; ".join(self._theme_problems), "warning")

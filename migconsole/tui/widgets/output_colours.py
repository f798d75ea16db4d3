"""What colours of a command's output become on the screen: the theme's own, readable on the theme's ground."""

from __future__ import annotations

from collections.abc import Mapping

from rich.color import Color as RichColour
from rich.style import Style
from textual.color import Color, ColorParseError

from migconsole.domain.text import Colour, Look

_THEME_NAMES = (  # the eight basic colours: names of theme variables, the first that the theme has is taken
    ("muted", "foreground"),
    ("text-error", "error"),
    ("text-success", "success"),
    ("text-warning", "warning"),
    ("text-primary", "primary"),
    ("text-accent", "accent"),
    ("text-secondary", "secondary"),
    ("foreground",),
)
_LEAST_CONTRAST = 2.5
"""Below this ratio a colour that a program chose for another ground is replaced; WCAG asks 3 of large text."""


class Colours:
    """Styles for one theme and ground; made anew when the theme changes, because every style is remembered."""

    def __init__(self, variables: Mapping[str, str], base: Style) -> None:
        self.base = base
        self._ground = Color.from_rich_color(base.bgcolor) if base.bgcolor else Color(0, 0, 0)
        self._ink = Color.from_rich_color(base.color) if base.color else self._ground.get_contrast_text(1.0)
        self._variables = variables
        self._basic = [self._named(*names) for names in _THEME_NAMES]
        self._styles: dict[Look, Style] = {}
        self.muted = self.named("muted", "foreground")
        self.error = self.named("text-error", "error") + Style(bold=True)
        self.warning = self.named("text-warning", "warning")
        self.stderr = self.named("stderr", "text-warning", "warning")
        self.accent = self.named("text-accent", "accent")
        self.bar = base + Style(bgcolor=self._named("panel", "surface").rich_color)
        self.bar_call = self.bar + Style(color=self._named("text-accent", "accent").rich_color, bold=True)
        self.match = Style(reverse=True)
        self.selection = Style(
            bgcolor=self._ground.blend(self._named("primary", "accent"), 0.45).rich_color, color=self._ink.rich_color
        )

    def named(self, *names: str) -> Style:
        """The base style in a colour of the theme."""
        return self.base + Style(color=self._named(*names).rich_color)

    def style(self, look: Look) -> Style:
        """How a span with this look is drawn."""
        style = self._styles.get(look)
        if style is None:
            if len(self._styles) > 2_000:  # a rainbow of true colours; forgetting is cheaper than keeping
                self._styles.clear()
            style = self._styles[look] = self._make(look)
        return style

    def _make(self, look: Look) -> Style:
        ground = self._ground if look.bg is None else self._colour(look.bg)
        ink = self._ink if look.fg is None else self._colour(look.fg)
        chosen = look.fg is not None or look.bg is not None
        if ink.rgb == ground.rgb or (chosen and _contrast(ink, ground) < _LEAST_CONTRAST):
            ink = self._ink if look.bg is None else ground.get_contrast_text(1.0)
        return self.base + Style(
            color=ink.rich_color,
            bgcolor=ground.rich_color,
            bold=look.bold or None,
            dim=look.dim or None,
            italic=look.italic or None,
            underline=look.underline or None,
            strike=look.strike or None,
            reverse=look.reverse or None,
        )

    def _colour(self, colour: Colour) -> Color:
        if isinstance(colour, tuple):
            return Color(*colour)
        if colour < 16:
            return self._basic[colour % 8]
        return Color.from_rich_color(RichColour.from_rgb(*RichColour.from_ansi(colour).get_truecolor()))

    def _named(self, *names: str) -> Color:
        for name in names:
            try:
                colour = Color.parse(self._variables.get(name, ""))
            except ColorParseError:
                continue
            return self._ground + colour if colour.a < 1 else colour
        return self._ink


def _contrast(one: Color, other: Color) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Color) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

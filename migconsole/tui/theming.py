"""Theme palettes as Textual themes: every slot a variable, with a fall-back so that Textual's own themes work too."""

from __future__ import annotations

from textual.theme import Theme

from migconsole.engine.palette import DERIVED, Palette

DEFAULT = "midnight"
ANSI = {"ansi-dark": "Terminal colours, dark", "ansi-light": "Terminal colours, light"}
"""Textual's themes that use the terminal's own sixteen colours: for odd terminals."""


def to_theme(palette: Palette) -> Theme:
    """A palette as Textual knows it; the slots and what our style sheets need become variables."""
    colours, slots = palette.colours, palette.slots
    variables = dict(slots) | {
        "border": slots["line"],
        "border-blurred": slots["line"],
        "block-cursor-foreground": colours["background"],
        "block-cursor-background": colours["accent"],
        "block-cursor-text-style": "bold",
        "footer-key-foreground": colours["accent"],
        "input-cursor-background": colours["accent"],
        "input-selection-background": f"{colours['primary']} 40%",
        "scrollbar": slots["line"],
        "scrollbar-hover": slots["muted"],
        "scrollbar-active": colours["accent"],
        "scrollbar-background": colours["surface"],
        "scrollbar-background-hover": colours["surface"],
        "scrollbar-background-active": colours["surface"],
        "scrollbar-corner-color": colours["surface"],
    }
    return Theme(
        name=palette.name,
        primary=colours["primary"],
        secondary=colours["secondary"],
        warning=colours["warning"],
        error=colours["error"],
        success=colours["success"],
        accent=colours["accent"],
        foreground=colours["foreground"],
        background=colours["background"],
        surface=colours["surface"],
        panel=colours["panel"],
        dark=palette.dark,
        variables=variables,
    )


def fallbacks(theme: Theme) -> dict[str, str]:
    """Slots for a theme that has none of its own, from its base colours."""
    base = {
        "primary": theme.primary,
        "secondary": theme.secondary or theme.primary,
        "accent": theme.accent or theme.primary,
        "foreground": theme.foreground or ("#e0e0e0" if theme.dark else "#1e1e1e"),
        "background": theme.background or ("#121212" if theme.dark else "#efefef"),
        "success": theme.success or theme.primary,
        "warning": theme.warning or theme.primary,
        "error": theme.error or theme.primary,
    }
    slots = {slot: base[name] for slot, name in DERIVED.items()}
    if theme.ansi:
        slots |= {"muted": "ansi_default", "line": "ansi_bright_black", "stale": "ansi_bright_black"}
        slots |= {"env-text": "ansi_bright_white", "env-production": "ansi_red"}
    return slots

"""Theme files: YAML palettes, checked when they are read, so that a broken file costs one message and no screen.

A file may extend another theme and set only what differs. The operator's own directory wins over the shipped one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import platformdirs
import yaml

import migconsole
from migconsole.engine.palette import BASE, DERIVED, Palette

_COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})|ansi_(?:bright_)?[a-z]+")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_KEYS = ("theme", "title", "dark", "extends", "colours", "slots")
_LARGEST = 64 * 1024
"""Bytes; a palette is two kilobytes, anything near this limit is not one."""


class ThemeError(ValueError):
    """A theme file that cannot be used; the message names the file, the key and the nearest right spelling."""


def theme_directories() -> list[Path]:
    """Where themes are looked for, the shipped ones first so that the operator's own replace them by name."""
    package = Path(migconsole.__file__).parent
    bundled = package / "_bundled" / "themes"
    shipped = bundled if bundled.is_dir() else package.parent / "themes"
    return [shipped, Path(platformdirs.user_config_dir("migconsole", appauthor=False)) / "themes"]


def load_palettes(directories: Sequence[Path] | None = None) -> tuple[list[Palette], list[str]]:
    """Every usable theme by name, and one message for each file that is not; never raises for a file's content."""
    raw: dict[str, tuple[Path, Mapping[str, Any]]] = {}
    problems: list[str] = []
    for path in _files(theme_directories() if directories is None else directories):
        try:
            document = _read(path)
        except ThemeError as error:
            problems.append(str(error))
        else:
            raw[document["theme"]] = (path, document)
    palettes = []
    for name in sorted(raw):
        try:
            palettes.append(_build(name, raw, ()))
        except ThemeError as error:
            problems.append(str(error))
    return palettes, problems


def _files(directories: Iterable[Path]) -> list[Path]:
    return [path for directory in directories if directory.is_dir() for path in sorted(directory.glob("*.yaml"))]


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > _LARGEST:
            raise ThemeError(f"{path.name}: larger than a theme can be ({_LARGEST // 1024} kB)")
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError) as error:
        raise ThemeError(f"{path.name}: cannot be read: {error}") from None
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        raise ThemeError(f"{path.name}{where}: not YAML: {getattr(error, 'problem', None) or 'unreadable'}") from None
    if not isinstance(document, dict):
        raise ThemeError(f"{path.name}: a theme is a mapping with the keys {', '.join(_KEYS)}")
    _known(path, "", document, _KEYS)
    name = document.get("theme")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ThemeError(f"{path.name}: theme: a name of small letters, digits and - is needed")
    _colours(path, "colours", document, BASE)
    _colours(path, "slots", document, tuple(DERIVED))
    if not isinstance(document.get("dark", True), bool):
        raise ThemeError(f"{path.name}: dark: true or false is needed")
    return document


def _known(path: Path, where: str, mapping: Mapping[Any, Any], known: Sequence[str]) -> None:
    for key in mapping:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise ThemeError(f"{path.name}: {where}{key}: unknown key{hint}")


def _colours(path: Path, key: str, document: Mapping[str, Any], known: Sequence[str]) -> None:
    mapping = document.get(key, {})
    if not isinstance(mapping, dict):
        raise ThemeError(f"{path.name}: {key}: a mapping of names to colours is needed")
    _known(path, f"{key}.", mapping, known)
    for name, colour in mapping.items():
        if not isinstance(colour, str) or not _COLOUR.fullmatch(colour):
            raise ThemeError(f"{path.name}: {key}.{name}: {colour!r} is no colour; write #rgb or #rrggbb")


def _build(name: str, raw: Mapping[str, tuple[Path, Mapping[str, Any]]], above: tuple[str, ...]) -> Palette:
    path, document = raw[name]
    colours: dict[str, str] = {}
    slots: dict[str, str] = {}
    dark = True
    if parent := document.get("extends"):
        if parent not in raw or parent == name or parent in above:
            raise ThemeError(f"{path.name}: extends: there is no usable theme {parent!r}")
        base = _build(parent, raw, (*above, name))
        colours, slots, dark = dict(base.colours), dict(base.slots), base.dark
    own = document.get("colours", {})
    # A slot that only followed a base colour follows the new one; a slot the parent set by hand stays as it was set.
    followed = {s for s, b in DERIVED.items() if colours and slots.get(s) == colours[b]}
    colours |= own
    missing = [colour for colour in BASE if colour not in colours]
    if missing:
        raise ThemeError(f"{path.name}: colours: missing {', '.join(missing)}")
    kept = {slot: colour for slot, colour in slots.items() if slot not in followed} | document.get("slots", {})
    title = document.get("title", name)
    return Palette(name, str(title), document.get("dark", dark), colours, Palette.complete(colours, kept))

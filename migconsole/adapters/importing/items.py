"""Boxes to items: titles, stable ids, actions from code, alternatives, nested boxes, and what is kept as help."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator

from migconsole.adapters.importing.markdown import Block, Code, Entry, Listing, Paragraph, Table
from migconsole.adapters.importing.model import Action, Imported, Item, Remark
from migconsole.domain.sql import UnfinishedSqlError, query_problem, skeleton
from migconsole.domain.text import sanitise_line
from migconsole.domain.variables import NAME, is_reserved_name, references

SHELL = {"", "bash", "sh", "shell", "console", "terminal", "zsh", "shell-session"}
SQL = {"sql", "postgresql", "postgres", "pgsql", "psql"}
LONGEST = 280
LEVELS = 10
"""Levels of boxes within boxes; the file may be nested 40 deep, and each level takes two."""

_OR = re.compile(r"^or\b[\s,:]*(?P<rest>.*?):?$", re.IGNORECASE | re.DOTALL)
_OPTIONAL = re.compile(r"\b(?:optional|if applicable|if needed)\b", re.IGNORECASE)
_PROMPT = re.compile(r"^\s*\$ ", re.MULTILINE)
_ENVIRONMENT = re.compile(r"[A-Z][A-Z0-9_]*")


class ItemReader:
    """Makes items, counts what it has placed, and knows the ids that are taken."""

    def __init__(self, result: Imported) -> None:
        self._result = result
        self._taken: set[str] = set()
        self._depth = 0

    def title(self, text: str) -> str:
        """One safe line; a colon at its end belonged to the code that followed."""
        line = sanitise_line(text, 2_000).rstrip(": ").strip()
        return f"{line[:LONGEST].rstrip()} …" if len(line) > LONGEST else line or "(no text)"

    def identify(self, path: list[str], text: str) -> str:
        """An id from the headings and the text, the same however often the file is imported.

        A hash is added only where the readable part was cut or is taken; the same box twice gets a number.
        """
        last = slug(path[-1] if path else "")[:32].strip("-")
        own = slug(text)
        name = f"{last}.{own[:56].strip('-')}".strip(".") or "item"
        if len(own) > 56 or name in self._taken:
            words = "\n".join(" ".join(part.split()).lower() for part in (*path, text))
            name = f"{name}-{hashlib.sha256(words.encode('utf-8', 'replace')).hexdigest()[:6]}"
        base, number = name, 2
        while name in self._taken:
            name, number = f"{base}-{number}", number + 1
        self._taken.add(name)
        return name

    def placeholder(self, line: int) -> Item:
        """An item for a phase that would have none."""
        return Item("Describe what is to be done", self.identify(["import"], "placeholder"), line)

    def entries(self, listing: Listing, path: list[str]) -> list[Item]:
        """The items of a list; an entry without a box is a heading for the boxes within it, or else an item, too."""
        found = []
        for entry in listing.entries:
            boxes_within = any(isinstance(block, Listing) and block.has_boxes for block in entry.blocks)
            if entry.checked is None and not boxes_within and any(e.checked is not None for e in listing.entries):
                found.append(self._plain_entry(entry, path))
            else:
                found.append(self._entry(entry, path))
        return found

    def _plain_entry(self, entry: Entry, path: list[str]) -> Item:
        item = self._entry(entry, path)
        item.remarks.append(Remark(entry.line, f"“{item.title[:60]}” has no box and stands among boxes; it became one"))
        return item

    def _entry(self, entry: Entry, path: list[str]) -> Item:
        item = Item(self.title(entry.text), self.identify(path, entry.text), entry.line)
        item.optional = bool(_OPTIONAL.search(entry.text))
        self._result.boxes += entry.checked is not None
        if entry.checked:
            item.remarks.append(
                Remark(entry.line, f"“{item.title[:60]}” was ticked in the file; a run starts unticked")
            )
        if len(entry.text) > LONGEST:
            item.help.append(sanitise_line(entry.text, 8_000))
        title, mixed = "", False
        for block in entry.blocks:
            if isinstance(block, Code):
                self._result.codes += 1
                mixed = self._code(item, block, title, mixed=mixed)
                title = ""
            elif isinstance(block, Paragraph) and item.actions and (match := _OR.match(block.text)) is not None:
                title = self.title(match["rest"] or "otherwise")
            elif isinstance(block, Listing) and block.has_boxes:
                item.items += self._nested(item, block, [*path, entry.text])
            else:
                item.help += self.words(block)
        if title:
            item.help.append(f"OR {title}")
        self._finish(item)
        return item

    def _nested(self, item: Item, listing: Listing, path: list[str]) -> list[Item]:
        self._depth += 1
        found = self.entries(listing, path)
        if self._depth == LEVELS and any(inner.items for inner in found):
            why = f"boxes below “{item.title[:60]}” are nested deeper than the format goes; they stand side by side"
            item.remarks.append(Remark(item.line, why))
            found = list(_flat(found))
        self._depth -= 1
        return found

    def _code(self, item: Item, block: Code, title: str, *, mixed: bool) -> bool:
        action = self._action(item, block)
        if action is None:
            return mixed
        action.title = title
        if not item.actions or title:
            item.actions.append(action)
            return mixed
        last = item.actions[-1]
        if last.kind == action.kind:
            last.texts += action.texts
            return mixed
        why = f"“{item.title[:60]}” has code of two kinds without an OR; the second stands in its help"
        item.remarks.append(Remark(block.line, why))
        item.help += self.words(block)
        return True

    def _action(self, item: Item, block: Code) -> Action | None:
        if not block.text.strip():
            return None
        if block.language in SHELL:
            text = _PROMPT.sub("", block.text) if _PROMPT.match(block.text) else block.text
            return Action("run", [_printable(text)], line=block.line)
        if block.language in SQL:
            statements = _statements(block.text)
            refused = next((why for text in statements if (why := query_problem(text))), "")
            if statements and not refused:
                return Action("sql", statements, line=block.line)
            why = refused or "it has no statement"
            item.remarks.append(
                Remark(block.line, f"the SQL is no query ({why}); it stands in the help, do it by run:")
            )
        else:
            name = sanitise_line(block.language, 30)
            item.remarks.append(Remark(block.line, f"code in {name} cannot be run by itself; it stands in the help"))
        item.help += self.words(block)
        return None

    def _finish(self, item: Item) -> None:
        for action in item.actions:
            for text in action.texts:
                self._declare(text)
        if item.items and item.actions:
            why = f"“{item.title[:60]}” has code and boxes within it; the code became the first of them"
            item.remarks.append(Remark(item.line, why))
            first = Item(item.title, self.identify([item.id], "command"), item.line, item.actions)
            item.items, item.actions = [first, *item.items], []
        for number, action in enumerate(item.actions if len(item.actions) > 1 else (), 1):
            action.title = action.title or ("as written" if number == 1 else f"way {number}")

    def _declare(self, text: str) -> None:
        """Names in ${…} are variables of the file, except those of the environment."""
        for name in references(text):
            known = name in self._result.variables or _ENVIRONMENT.fullmatch(name) or is_reserved_name(name)
            if NAME.fullmatch(name) and not known:
                self._result.variables.append(name)

    def words(self, block: Block) -> list[str]:
        """A block as lines of text, so that it stays in the file whatever it is."""
        if isinstance(block, Paragraph):
            return [_printable(line) for line in block.text.splitlines()]
        if isinstance(block, Code):
            return [f"    {_printable(line)}" for line in block.text.splitlines()]
        if isinstance(block, Table):
            return [" | ".join(_printable(cell) for cell in row) for row in block.rows]
        found = []
        for number, entry in enumerate(block.entries, 1):
            mark = f"{number}." if block.ordered else "-"
            found.append(f"{mark} {_printable(' '.join(entry.text.split()))}")
            for inner in entry.blocks:
                if isinstance(inner, Code):
                    self._result.codes += 1
                found += [f"  {line}" for line in self.words(inner)]
        return found


def _flat(items: list[Item]) -> Iterator[Item]:
    """Items and all within them, side by side."""
    for item in items:
        within, item.items = item.items, []
        yield item
        yield from _flat(within)


def slug(text: str) -> str:
    """Lower case letters, digits and hyphens.

    >>> slug("Check disk space (2× current DB size)")
    'check-disk-space-2-current-db-size'
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def _printable(text: str) -> str:
    """Code and texts keep their lines and tabs; other control characters become visible, so that YAML can hold them."""
    return "".join(c if c in "\n\t" or c.isprintable() else f"‹U+{ord(c):04X}›" for c in text)


def _statements(text: str) -> list[str]:
    """The statements of a script, each whole; a script that cannot be cut stays one."""
    try:
        count = len(skeleton(text))
    except UnfinishedSqlError:
        return [_printable(text.strip())]
    if count <= 1:
        return [_printable(text.strip().rstrip(";").rstrip())] if count else []
    parts: list[str] = []
    rest = ""
    for piece in text.split(";"):
        rest = f"{rest};{piece}" if rest else piece
        try:
            whole = len(skeleton(rest)) <= 1
        except UnfinishedSqlError:
            whole = False
        if whole:
            if skeleton(rest):
                parts.append(_printable(rest.strip()))
                rest = ""
            rest = rest if rest.strip() else ""  # a comment with a semicolon in it belongs to what follows
    return parts if len(parts) == count and not rest.strip() else [_printable(text.strip())]

"""Markdown as a tree of headings with what stands below each: paragraphs, lists, task boxes, code, tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

DEEPEST = 60
"""Levels of nesting that are read; the parser drops what lies deeper, and the count of boxes tells."""

_BOX = re.compile(r"\[([ xX])\](?:\s+|$)")
_BOX_LINE = re.compile(r"^[ \t>]*(?:[-*+]|\d{1,9}[.)])[ \t]+\[[ xX]\](?:[ \t]|$)")
_FENCE_LINE = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(`{3,}|~{3,})(.*)$")


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Text without its markup. ``line`` counts from 1, as everywhere here."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Code:
    """A block of code, fenced or indented, with the first word of its language."""

    language: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; the first one is the heading."""

    rows: tuple[tuple[str, ...], ...]
    line: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list. ``checked`` is None where it has no box; ``text`` is its first paragraph without the box."""

    text: str
    checked: bool | None
    line: int
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """A list."""

    entries: tuple[Entry, ...]
    ordered: bool
    line: int

    @property
    def has_boxes(self) -> bool:
        """Whether an entry, at any depth, is a box."""
        return any(count_boxes([self]))


Block = Paragraph | Code | Table | Listing


@dataclass(slots=True)
class Heading:
    """A heading with what stands directly below it, and the headings within it. The document itself has level 0."""

    title: str
    level: int
    line: int
    blocks: list[Block] = field(default_factory=list)
    within: list[Heading] = field(default_factory=list)

    def walk(self) -> Iterator[Heading]:
        """This heading and all within it."""
        yield self
        for heading in self.within:
            yield from heading.walk()

    @property
    def has_boxes(self) -> bool:
        """Whether a box stands anywhere below it."""
        return any(any(count_boxes(heading.blocks)) for heading in self.walk())


def count_boxes(blocks: list[Block] | tuple[Block, ...]) -> Iterator[Entry]:
    """Every box below these blocks."""
    for block in blocks:
        if isinstance(block, Listing):
            for entry in block.entries:
                if entry.checked is not None:
                    yield entry
                yield from count_boxes(entry.blocks)


def written_boxes(text: str) -> list[int]:
    """The lines that look like a box, code left out: what a tree of the same text is compared with.

    >>> written_boxes("- [ ] one\\n```\\n- [ ] code\\n```\\n1. [x] two\\n")
    [1, 5]
    """
    found = []
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        match = _FENCE_LINE.match(line)
        if fence:
            closing = line.strip().lstrip("> \t")
            if set(closing) == {fence[0]} and len(closing) >= len(fence):
                fence = ""
        elif match is not None and not (match[1][0] == "`" and "`" in match[2]):
            fence = match[1]
        elif _BOX_LINE.match(line):
            found.append(number)
    return found


def parse(text: str) -> Heading:
    """The tree of a text. Never raises for what is in it."""
    parser = MarkdownIt("commonmark", {"maxNesting": DEEPEST}).enable("table")
    root = Heading("", 0, 1)
    open_headings = [root]
    for node in SyntaxTreeNode(parser.parse(text)).children:
        if node.type == "heading":
            level = int(node.tag[1:])
            while open_headings[-1].level >= level:
                open_headings.pop()
            heading = Heading(_plain(node), level, _line(node))
            open_headings[-1].within.append(heading)
            open_headings.append(heading)
        else:
            open_headings[-1].blocks += _blocks(node)
    return root


def _blocks(node: SyntaxTreeNode) -> list[Block]:
    if node.type in ("fence", "code_block"):
        language = (node.info.split() or [""])[0].lower() if node.type == "fence" else ""
        return [Code(language, node.content.rstrip("\n"), _line(node))]
    if node.type in ("bullet_list", "ordered_list"):
        entries = tuple(_entry(child) for child in node.children)
        return [Listing(entries, node.type == "ordered_list", _line(node))]
    if node.type == "table":
        rows = [row for part in node.children for row in part.children]
        return [Table(tuple(tuple(_plain(cell) for cell in row.children) for row in rows), _line(node))]
    if node.type == "blockquote":
        return [block for child in node.children for block in _blocks(child)]
    if node.type == "hr":
        return []
    if node.type == "heading":  # within a quotation or a list it is text
        return [Paragraph(_plain(node), _line(node))]
    text = _plain(node) if node.type == "paragraph" else node.content.strip()
    return [Paragraph(text, _line(node))] if text else []


def _entry(node: SyntaxTreeNode) -> Entry:
    blocks: list[Block] = [block for child in node.children for block in _blocks(child)]
    text = ""
    if blocks and isinstance(blocks[0], Paragraph):
        text = blocks.pop(0).text  # type: ignore[union-attr]
    box = _BOX.match(text)
    checked = None if box is None else box[1] != " "
    return Entry(text[box.end() :] if box else text, checked, _line(node), tuple(blocks))


def _line(node: SyntaxTreeNode) -> int:
    return node.map[0] + 1 if node.map else 1


def _plain(node: SyntaxTreeNode) -> str:
    """The text of a node without its markup; a link keeps its address, a line break is a blank."""
    parts: list[str] = []
    for child in node.children:
        if child.type in ("text", "code_inline", "html_inline"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
        elif child.type == "image":
            parts.append(f"{child.content} ({child.attrs.get('src', '')})")
        elif child.type == "link":
            inner, address = _plain(child), str(child.attrs.get("href", ""))
            parts.append(inner if inner == address else f"{inner} ({address})")
        else:
            parts.append(_plain(child))
    return "".join(parts).strip()

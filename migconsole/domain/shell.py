"""A reader of simple bash: which commands a script consists of. What it cannot read for certain, it refuses."""

from __future__ import annotations

import re
from dataclasses import dataclass


class UnreadableError(ValueError):
    """A construct whose meaning depends on more than the text; the message names it."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word after quotes are removed. ``literal`` is False where the shell would put something in."""

    text: str
    literal: bool


Command = tuple[Word, ...]

_PLAIN = re.compile(r"[^\s'\"\\$`;&|()<>#]+")
_NAME_IN_BRACES = re.compile(r"\$\{[^`$'\"{}()]*\}")
_SIMPLE_VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9?#@*!$-])")
_ARITHMETIC = re.compile(r"\$\(\([^`$()]*\)\)")
_REDIRECTION = re.compile(r"(?:\d+|&)?(?:>>|>\||>&|<&|<<<|<<|<>|>|<)")
_HARMLESS_TARGET = re.compile(r"/dev/(?:null|stdout|stderr)|\d|-")
_DEEPEST = 20


def commands(script: str) -> list[Command]:
    """Every simple command of a script, also those inside ``$(…)`` and subshells, in order.

    Raises UnreadableError for here-documents, functions, ``case``, ``[[``, backticks, process substitution, and
    output that goes to a file.

    >>> [[word.text for word in command] for command in commands('x=$(date) && echo "a b" | wc -l')]
    [['date'], ['x='], ['echo', 'a b'], ['wc', '-l']]
    """
    reader = _Reader(script)
    reader.read(0)
    return reader.found


class _Reader:
    def __init__(self, script: str) -> None:
        self.text = script.replace("\\\n", "")
        self.position = 0
        self.found: list[Command] = []

    def read(self, depth: int) -> None:
        """Read commands until the end, or until the parenthesis that closes this level."""
        if depth > _DEEPEST:
            raise UnreadableError("commands nested too deeply")
        words: list[Word] = []
        while self.position < len(self.text):
            character = self.text[self.position]
            if character in " \t\r":
                self.position += 1
            elif character == "#":
                end = self.text.find("\n", self.position)
                self.position = len(self.text) if end < 0 else end
            elif redirection := _REDIRECTION.match(self.text, self.position):
                self._redirect(redirection, depth)
            elif character == "(":
                self._subshell(words, depth)
            elif character in ");&|\n":
                if self._separator(words, depth):
                    return
            else:
                words.append(self._word(depth))
        if depth:
            raise UnreadableError("a parenthesis that is never closed")
        self._finish(words)

    def _subshell(self, words: list[Word], depth: int) -> None:
        if words:
            raise UnreadableError("a function or an array")
        self.position += 1
        self.read(depth + 1)

    def _separator(self, words: list[Word], depth: int) -> bool:
        """End the command; True when the separator closes this level."""
        self._finish(words)
        closing = self.text[self.position] == ")"
        if closing and not depth:
            raise UnreadableError("a closing parenthesis too many")
        if self.text.startswith(";;", self.position):
            raise UnreadableError("a case statement")
        self.position += 1
        return closing

    def _finish(self, words: list[Word]) -> None:
        if words:
            self.found.append(tuple(words))
            words.clear()

    def _redirect(self, found: re.Match[str], depth: int) -> None:
        if found[0].endswith("<<"):
            raise UnreadableError("a here-document")
        self.position = found.end()
        while self.text.startswith((" ", "\t"), self.position):
            self.position += 1
        if self.text.startswith("(", self.position):
            raise UnreadableError("a process substitution")
        target = self._word(depth)
        if ">" in found[0] and not (target.literal and _HARMLESS_TARGET.fullmatch(target.text)):
            raise UnreadableError(f"output written to {target.text or 'a file'}")

    def _word(self, depth: int) -> Word:
        parts: list[str] = []
        literal = True
        start = self.position
        while self.position < len(self.text):
            character = self.text[self.position]
            if plain := _PLAIN.match(self.text, self.position):
                parts.append(plain[0])
                self.position = plain.end()
            elif character == "#" and self.position > start:
                parts.append("#")
                self.position += 1
            elif character == "\\":
                parts.append(self.text[self.position + 1 : self.position + 2])
                self.position += 2
            elif character == "'":
                end = self.text.find("'", self.position + 1)
                if end < 0:
                    raise UnreadableError("a quote that is never closed")
                parts.append(self.text[self.position + 1 : end])
                self.position = end + 1
            elif character == '"':
                literal = self._double_quoted(parts, depth) and literal
            elif character in "$`":
                self._expansion(depth)
                literal = False
            else:
                break
        if self.position == start:
            raise UnreadableError(f"“{self.text[start : start + 10]}”")
        return Word("".join(parts), literal)

    def _double_quoted(self, parts: list[str], depth: int) -> bool:
        literal = True
        self.position += 1
        while self.position < len(self.text):
            character = self.text[self.position]
            if character == '"':
                self.position += 1
                return literal
            if character in "$`" and not re.match(r"\$[\s\"%|)/.,:]", self.text[self.position :]):
                self._expansion(depth)
                literal = False
                continue
            if character == "\\" and self.text[self.position + 1 : self.position + 2] in ('"', "\\", "$", "`"):
                self.position += 1
                character = self.text[self.position]
            parts.append(character)
            self.position += 1
        raise UnreadableError("a quote that is never closed")

    def _expansion(self, depth: int) -> None:
        for form in (_ARITHMETIC, _NAME_IN_BRACES, _SIMPLE_VARIABLE):
            if match := form.match(self.text, self.position):
                self.position = match.end()
                return
        if self.text.startswith("$(", self.position) and not self.text.startswith("$((", self.position):
            self.position += 2
            self.read(depth + 1)
            return
        raise UnreadableError(f"“{self.text[self.position : self.position + 10]}”")

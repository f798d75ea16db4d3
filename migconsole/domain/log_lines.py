"""A growing log as plain lines for a screen, whatever its format and language."""

from __future__ import annotations

from datetime import tzinfo

from migconsole.domain.server_log import LONGEST, WORDS, Severity, entries, head_of, line_of


class LineMaker:
    """Turns pieces of a growing log into plain lines; what is not yet whole waits for the next piece.

    Plain lines stay as they are, but a severity in another language is written in English, so that one filter fits.
    """

    def __init__(self, destination: str, prefix: str, zone: tzinfo) -> None:
        self._destination = destination
        self._prefix = prefix
        self._zone = zone
        self._kept = b""

    def lines(self, data: bytes) -> str:
        """The whole lines that are known now, each with its newline."""
        data = self._kept + data
        end = self._whole(data)
        self._kept = data[end:]
        return self._made(data[:end])

    def rest(self) -> str:
        """What is left of a log that ends here."""
        kept, self._kept = self._kept, b""
        return self._made(kept + b"\n") if kept.strip() else ""

    def _whole(self, data: bytes) -> int:
        """How many bytes make whole records: a quoted newline of a csv ends none."""
        end = data.rfind(b"\n") + 1
        while self._destination == "csvlog" and end and data.count(b'"', 0, end) % 2:
            end = data.rfind(b"\n", 0, end - 1) + 1
        # A record that never ends is cut rather than kept for ever.
        return end if end or len(data) < 64 * LONGEST else len(data)

    def _made(self, data: bytes) -> str:
        text = data.decode("utf-8", "replace")
        if self._destination == "stderr":
            return "".join(self._english(line) for line in text.splitlines(keepends=True))
        made = []
        for entry in entries(text, self._destination, self._prefix, self._zone):
            made.append("\n\t".join(line_of(entry).splitlines()))
            made.extend("\t" + "\n\t".join(detail.splitlines()) for detail in entry.details)
        return "".join(f"{line}\n" for line in made)

    def _english(self, line: str) -> str:
        head = None if line.startswith("\t") else head_of(line, self._prefix)
        found = Severity.LOG if head is None else WORDS.get(head.word.upper(), Severity.LOG)
        if head is None or found is Severity.LOG or head.word.upper() == found.name:
            return line
        return f"{line[: head.begins - len(head.word) - 3]}{found.name}:  {line[head.begins :]}"

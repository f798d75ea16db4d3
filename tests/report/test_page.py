"""The page of a hostile run, taken apart and opened in a real browser: it executes nothing and loads nothing."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from migconsole.domain.events import Kind
from migconsole.wiring import reporting
from tests.report.browser import browse, need_browser
from tests.report.runs import Recorded, eventful

RUNNING = "PWNED"


class Beacon:
    """Counts whoever asks for anything."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Quietly."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def beacon() -> Iterator[Beacon]:
    beacon = Beacon()
    yield beacon
    beacon.close()


def payloads(url: str) -> list[str]:
    do = f"document.title='{RUNNING}';new Image().src='{url}/script'"
    return [
        f"<script>{do}</script>",
        f'<img src={url}/img onerror="{do}">',
        f'</title></style></pre></textarea><svg onload="{do}">',
        f"' onmouseover='{do}' autofocus onfocus='{do}' x='",
        f'" onmouseover="{do}" autofocus onfocus="{do}" x="',
        f"<link rel=stylesheet href={url}/css><iframe src={url}/frame></iframe>",
        f'<meta http-equiv=refresh content="0;url={url}/refresh"><base href={url}/>',
        f"{{{{ cycler.__init__.__globals__ }}}}{{% for x in ().__class__.__base__ %}}-->]]><!--<script>{do}</script>",
        f"<style>@import '{url}/import';</style><video src={url}/video autoplay>",
        f"[click](javascript:{do}) ![x]({url}/markdown) <{url}/auto>",
    ]


def hostile(state: Path, url: str) -> Recorded:
    """A run in which everything that a person, a file, a command or a server says is an attack."""
    attacks = payloads(url)
    everything = " ".join(attacks)

    def quoted(text: str) -> str:
        return "'" + text.replace("'", "''").replace("{", "{{").replace("}", "}}") + "'"

    # Titles take braces of their own: the template of the test's checklist is filled in by name.
    names = {"title": attacks[0] + attacks[3], "look": attacks[1] + attacks[4], "migrate": attacks[2] + attacks[7]}
    run = eventful(state, **{name: quoted(text).replace("{{", "{").replace("}}", "}") for name, text in names.items()})
    log = run.log
    log.add(Kind.NOTE, {"text": "\n".join(attacks), "item": everything}, actor=everything)
    log.add(
        Kind.ALARM, {"alarm": 1, "change": "raised", "probe": everything, "level": "critical", "message": everything}
    )
    log.add(Kind.NOTIFYING, {"message": "m", "occasion": everything, "to": everything, "text": everything})
    log.add(Kind.NOTIFIED, {"message": "m", "result": everything, "detail": everything})
    lines = "\n".join(f"\x1b[31m{attack}\x1b[0m\x1b]0;{attack}\x07" for attack in attacks)
    run.attempt("disk", "failed", lines.encode(), text=everything, reasons=[everything], actor=everything)
    return run.save()


class Tags(HTMLParser):
    """Every tag and attribute of a page, and the text of its style sheet."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.style = ""
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.style += data


def page_of(run: Recorded) -> str:
    return reporting.render(reporting.read(run.directory), "html")


def test_taken_apart_the_page_holds_nothing_that_could_act_or_load(tmp_path: Path) -> None:
    page = page_of(hostile(tmp_path / "state", "http://127.0.0.1:9"))
    parsed = Tags()
    parsed.feed(page)
    acting = {"script", "img", "iframe", "link", "base", "object", "embed", "video", "audio", "form", "input", "use"}
    assert acting & set(parsed.tags) == set()
    assert (parsed.tags["meta"], parsed.tags["style"], parsed.tags["title"] > 0) == (4, 1, True)
    assert [name for _, name, _ in parsed.attributes if name.startswith("on")] == []
    assert [
        name for _, name, _ in parsed.attributes if name in ("style", "src", "srcset", "action", "xlink:href")
    ] == []
    links = [value for _, name, value in parsed.attributes if name == "href"]
    assert links
    assert all(value.startswith("#") for value in links)
    assert not re.search(r"url\(|@import|expression", parsed.style)
    assert "\x1b" not in page
    assert "cycler.__init__" in page, "what looks like a template is text"
    policy = next(value for tag, name, value in parsed.attributes if tag == "meta" and "default-src" in value)
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize("protected", [True, False], ids=["as it is", "without its own policy"])
def test_in_a_browser_nothing_executes_and_nothing_is_loaded(tmp_path: Path, beacon: Beacon, protected: bool) -> None:
    need_browser()
    page = page_of(hostile(tmp_path / "state", beacon.url))
    if not protected:
        # The escaping has to be enough by itself; the policy is a second lock.
        page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
        assert "Content-Security-Policy" not in page
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    dom = browse(path, tmp_path / "profile", "--dump-dom", "--virtual-time-budget=3000")
    title = re.search(r"<title>(.*?)</title>", dom, re.DOTALL)
    assert title is not None
    assert title[1] != RUNNING
    assert "&lt;script&gt;" in dom
    assert "<script" not in dom
    assert beacon.asked == []


def test_the_browser_would_have_told(tmp_path: Path, beacon: Beacon) -> None:
    need_browser()
    path = tmp_path / "naive.html"
    path.write_text(f"<title>x</title><p>{payloads(beacon.url)[0]}{payloads(beacon.url)[1]}", encoding="utf-8")
    dom = browse(path, tmp_path / "profile", "--dump-dom", "--virtual-time-budget=3000")
    assert f"<title>{RUNNING}</title>" in dom
    assert "/img" in beacon.asked


def test_on_paper_every_page_has_ink(tmp_path: Path) -> None:
    need_browser()
    path, paper = tmp_path / "report.html", tmp_path / "report.pdf"
    path.write_text(page_of(eventful(tmp_path / "state").save()), encoding="utf-8")
    browse(path, tmp_path / "profile", "--no-pdf-header-footer", f"--print-to-pdf={paper}")
    data = paper.read_bytes()
    assert data.startswith(b"%PDF")
    pages = len(re.findall(rb"/Type\s*/Page\b", data))
    assert 1 <= pages <= 6


def test_markdown_of_a_hostile_run_has_no_markup_of_others(tmp_path: Path) -> None:
    text = reporting.render(reporting.read(hostile(tmp_path / "state", "http://127.0.0.1:9").directory), "md")
    for number, line in enumerate(text.splitlines(), 1):
        bare = re.sub(r"\\.", "", line)
        assert "<" not in bare, (number, line)
        assert not re.search(r"!\[|\]\(", bare), (number, line)
        assert "http:" not in bare, (number, line)

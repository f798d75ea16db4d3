"""Masking by value: every form, whatever the chunks, and nothing that is no secret."""

from __future__ import annotations

import base64
import copy
import json
import pickle
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migconsole.domain.secrets import MASK, Secret, Secrets, password_masks

PASSWORD = "S3cr3t/p@ss w0rd%é"


def stream(secrets: Secrets, data: bytes, cuts: list[int]) -> tuple[bytes, int]:
    masker = secrets.masker()
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    parts = [masker.feed(data[a:b]) for a, b in pairwise(edges)]
    return b"".join([*parts, masker.finish()]), masker.hits


def covered(forms: list[bytes], data: bytes) -> bytes:
    """The plainest masking there is: mark each covered byte, one mask per run of overlapping occurrences."""
    spans = sorted((i, i + len(f)) for f in set(forms) for i in range(len(data)) if data.startswith(f, i))
    merged: list[list[int]] = []
    for start, stop in spans:
        if merged and start < merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], stop)
        else:
            merged.append([start, stop])
    out, at = b"", 0
    for start, stop in merged:
        out += data[at:start] + MASK
        at = stop
    return out + data[at:]


@pytest.mark.parametrize(
    "form",
    [
        PASSWORD,
        quote(PASSWORD),
        quote(PASSWORD, safe=""),
        quote_plus(PASSWORD),
        quote(PASSWORD, safe="").replace("%2F", "%2f").replace("%C3%A9", "%c3%a9"),
        json.dumps(PASSWORD)[1:-1],
    ],
)
def test_every_textual_form_is_masked(form: str) -> None:
    assert Secrets([PASSWORD]).redact(f"<{form}>") == "<********>"


@pytest.mark.parametrize("before", ["", "u:", "us:", "user:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_masked_at_every_alignment(before: str, encode) -> None:
    text = encode((before + "hunter2-hunter2>>?" + "@host").encode()).decode()
    redacted = Secrets(["hunter2-hunter2>>?"]).redact(text)
    assert MASK.decode() in redacted
    left = redacted.split(MASK.decode())
    assert all(len(part) < 14 for part in left)
    assert b"unter2-hunte" not in base64.b64decode(redacted.replace("*", "A") + "==", altchars=b"-_")


def test_the_decoded_form_of_an_encoded_secret_is_masked() -> None:
    assert Secrets(["p%40ssw%2Frd"]).redact("FATAL: p@ssw/rd refused") == "FATAL: ******** refused"


def test_a_url_hides_its_passwords_and_shows_its_names() -> None:
    url = "postgresql://deploy:p%40ssphrase@db1.example:5432/fulfillment?sslpassword=keyphrase&passfile=/home/deploy/x"
    secrets = Secrets([url])
    text = f"{url} p@ssphrase p%40ssphrase ssphrase keyphrase deploy db1.example fulfillment /home/deploy/x 5432"
    assert secrets.redact(text) == (
        "******** ******** ******** ******** ******** deploy db1.example fulfillment /home/deploy/x 5432"
    )


@pytest.mark.parametrize(
    ("url", "leak"),
    [
        ("postgres://u:first#second@third@db/app", "second@third"),
        ("postgres://u:first/sec?ond@db/app", "first/sec?ond"),
        ("postgres://db/app?user=u&password=longsecret", "longsecret"),
        ("host=db user=u password=longsecret dbname=app", "longsecret"),
        ("host=db password = 'two words' dbname=app", "two words"),
    ],
)
def test_passwords_are_found_in_every_notation(url: str, leak: str) -> None:
    redacted = Secrets([url]).redact(f"{leak} at db app")
    assert redacted == "******** at db app"


def test_pieces_of_a_password_count_from_six_characters() -> None:
    assert password_masks("abcdef@ghi:jklmno") == (
        "abcdef@ghi:jklmno",
        "abcdef",
        "abcdef@ghi",
        "ghi:jklmno",
        "jklmno",
    )


def test_the_targets_own_names_are_never_masked() -> None:
    secrets = Secrets(names=["db1.example", "fulfillment", "deploy"])
    secrets.add_password("deploy@fulfillment")
    secrets.add_password("deploy")
    assert secrets.redact("deploy fulfillment deploy@fulfillment") == "deploy fulfillment ********"
    assert secrets.unmaskable == 1


def test_too_short_values_are_counted_not_masked() -> None:
    secrets = Secrets(["abc", ""])
    assert secrets.redact("abcabc") == "abcabc"
    assert secrets.unmaskable == 1
    assert not secrets


def test_lines_of_a_key_are_masked_one_by_one() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADAN\nBgkqhkiG9w0B\n-----END KEY-----\n"
    assert Secrets([key]).redact("  MIIEvQIBADAN\n  BgkqhkiG9w0B\n-----END KEY-----") == (
        "  ********\n  ********\n-----END KEY-----"
    )


def test_bytes_that_are_no_utf8_are_masked_in_bytes_and_text() -> None:
    raw = b"p\xffss\xfeword"
    value = raw.decode("utf-8", "surrogateescape")
    secrets = Secrets([value])
    assert secrets.redact_bytes(b"<" + raw + b">") == b"<********>"
    assert secrets.redact(f"<{value}>") == "<********>"
    assert secrets.redact("\ud800 stays") == "\ud800 stays"


def test_live_output_is_not_held_back() -> None:
    masker = Secrets(["hunter22"]).masker()
    assert masker.feed(b"Password for hu") == b"Password for "
    assert masker.feed(b"man: ") == b"human: "
    assert masker.feed(b"hunter2") == b""
    assert masker.holding == 7
    assert masker.feed(b"2!") == MASK + b"!"
    assert (masker.hits, masker.holding) == (1, 0)


def test_a_longer_secret_wins_over_the_shorter_one_it_begins_with() -> None:
    secrets = Secrets(["hunter", "hunter22tail"])
    masker = secrets.masker()
    assert masker.feed(b"hunter") + masker.feed(b"22ta") + masker.feed(b"il.") + masker.finish() == MASK + b"."


def test_an_endless_overlap_needs_no_memory() -> None:
    masker = Secrets(["aaaa"]).masker()
    out = b"".join(masker.feed(b"a" * 1000) for _ in range(100))
    assert masker.holding < 4
    assert out + masker.finish() == MASK


@given(
    st.lists(st.binary(min_size=4, max_size=7).map(lambda b: bytes(97 + x % 3 for x in b)), min_size=1, max_size=4),
    st.binary(max_size=60).map(lambda b: bytes(97 + x % 3 for x in b)),
    st.lists(st.integers(0, 60), max_size=8),
)
def test_the_chunks_do_not_matter_and_every_occurrence_is_covered(
    values: list[bytes], data: bytes, cuts: list[int]
) -> None:
    secrets = Secrets(value.decode() for value in values)
    expected = covered(values, data)
    out, hits = stream(secrets, data, cuts)
    assert out == expected
    assert hits == expected.count(MASK)


@given(st.text(min_size=8, max_size=30), st.text(max_size=20), st.text(max_size=20), st.lists(st.integers(0, 300)))
def test_no_form_of_any_secret_survives_any_cutting(value: str, before: str, after: str, cuts: list[int]) -> None:
    secrets = Secrets([value])
    raw = value.encode("utf-8", "surrogatepass")
    forms = [raw, quote(raw, "").encode(), quote_plus(raw).encode()]
    data = b"\n".join(
        before.encode("utf-8", "surrogatepass") + f + after.encode("utf-8", "surrogatepass") for f in forms
    )
    out, _ = stream(secrets, data, cuts)
    rest = out.replace(MASK, b"\0")
    assert not any(form in rest for form in forms)


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret("hunter22")
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>20}".strip(),
        repr({"a": secret}),
        repr(Secrets([secret])),
    ]
    assert "hunter" not in "".join(shown)
    assert secret.reveal() == "hunter22"
    assert (secret == Secret("hunter22"), secret == "hunter22", bool(Secret(""))) == (True, False, False)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.deepcopy(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)

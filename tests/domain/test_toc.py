"""The contents of an archive: told apart by numbers, whatever names hold."""

from __future__ import annotations

from migconsole.domain.toc import data_entries, filtered, read_toc, relations

LISTING = """;
; Archive created at 2026-11-25 10:00:00 UTC
;     dbname: shop
;
3390; 0 0 ENCODING - ENCODING 
6; 2615 16385 SCHEMA - crm deploy
2; 3079 16400 EXTENSION - hstore 
3391; 0 0 COMMENT - EXTENSION hstore 
3392; 0 0 ACL - EVENT TRIGGER guard deploy
215; 1259 16386 TABLE public TABLE DATA public x deploy
216; 1259 16390 VIEW public a view with spaces deploy
217; 1259 16391 MATERIALIZED VIEW public mv deploy
218; 1259 16392 SEQUENCE public s deploy
3393; 0 0 SEQUENCE SET public s deploy
3394; 0 0 SEQUENCE OWNED BY public s deploy
3385; 0 16386 TABLE DATA public TABLE DATA public x deploy
3386; 0 16391 MATERIALIZED VIEW DATA public mv deploy
3387; 2613 16395 BLOB - 16395 deploy
3388; 0 0 BLOBS - BLOBS 
3240; 1259 16396 INDEX public i deploy
3250; 3466 16397 EVENT TRIGGER - guard deploy
3251; 6100 16398 SUBSCRIPTION - sub deploy
3395; 0 0 COMMENT public TABLE "EXTENSION x" deploy
219; 1259 16399 FOREIGN TABLE public far deploy
"""


def test_relations_are_told_by_catalogue_and_kind() -> None:
    assert relations(read_toc(LISTING)) == {16386, 16390, 16391, 16392, 16399}


def test_data_is_what_has_to_be_read() -> None:
    assert [entry.number for entry in data_entries(read_toc(LISTING))] == [3385, 3388]


def test_what_would_stop_an_owners_restore_is_left_out_and_said() -> None:
    contents = filtered(read_toc(LISTING))
    assert [entry.number for entry in contents.schemas] == [6]
    numbers = {entry.number for entry in contents.rest}
    assert {2, 3391, 3392, 3250, 3251} & numbers == set()
    assert 3395 in numbers, "a comment on a table whose name says EXTENSION"
    assert len(contents.left_out) == 5
    assert any("event trigger: guard" in text for text in contents.left_out)


def test_a_line_is_what_pg_restore_reads() -> None:
    entry = read_toc("215; 1259 16386 TABLE public x deploy")[0]
    assert entry.line == "215; 1259 16386 TABLE public x deploy"


def test_nothing_of_a_name_makes_an_entry() -> None:
    assert read_toc("; 1; 2 3 TABLE x y z\nnonsense\n") == []

"""The built-in lint rules: what is warned of, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migconsole.domain.lint import RULES, lint, transaction_control


def rules(text: str) -> list[str]:
    return [finding.rule for finding in lint("a.sql", text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("DROP TABLE a", ["drop-table"]),
        ("DROP SCHEMA a CASCADE", ["drop-database"]),
        ("ALTER TABLE a DROP COLUMN b", ["drop-column"]),
        ('ALTER TABLE a DROP "b"', ["drop-column"]),
        ("ALTER TABLE a DROP CONSTRAINT b", []),
        ("ALTER TABLE a ALTER b DROP NOT NULL", []),
        ("TRUNCATE a CASCADE", ["truncate"]),
        ("DELETE FROM a", ["delete-without-where"]),
        ("DELETE FROM a WHERE b", []),
        ("UPDATE a SET b = 1", ["update-without-where"]),
        ("UPDATE a SET b = 1 WHERE c", []),
        ("ALTER TABLE a RENAME TO b", ["rename"]),
        ("ALTER TABLE a RENAME COLUMN b TO c", ["rename"]),
        ("ALTER TABLE a ALTER COLUMN b TYPE bigint", ["change-type"]),
        ("ALTER TABLE a ALTER b SET DATA TYPE bigint", ["change-type"]),
        ("ALTER TABLE a ALTER b SET NOT NULL", ["set-not-null"]),
        ("ALTER TABLE a ADD b int NOT NULL", ["add-required-column"]),
        ("ALTER TABLE a ADD COLUMN b int NOT NULL DEFAULT 0", []),
        ("ALTER TABLE a ADD COLUMN b int", []),
        ("ALTER TABLE a ADD COLUMN b uuid DEFAULT gen_random_uuid()", ["volatile-default"]),
        ("ALTER TABLE a ADD COLUMN b bigserial", ["volatile-default"]),
        ("CREATE INDEX i ON a (b)", ["index-blocks-writes"]),
        ("CREATE INDEX CONCURRENTLY i ON a (b)", []),
        ("CREATE INDEX CONCURRENTLY i ON a (b); SELECT 1", ["concurrently-in-transaction"]),
        ("CREATE TABLE a (b int NOT NULL); CREATE INDEX i ON a (b); ALTER TABLE a ADD UNIQUE (b)", []),
        ("DROP INDEX i", ["drop-index"]),
        ("ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES c", ["constraint-not-valid"]),
        ("ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES c NOT VALID", []),
        ("ALTER TABLE a ADD CHECK (b > 0)", ["constraint-not-valid"]),
        ("ALTER TABLE a ADD CONSTRAINT p PRIMARY KEY (b)", ["unique-constraint"]),
        ("ALTER TABLE a ADD CONSTRAINT p PRIMARY KEY USING INDEX i", []),
        ("VACUUM (FULL) a", ["rewrites-table"]),
        ("LOCK TABLE a", ["lock-table"]),
        ("DROP VIEW v", ["drop-object"]),
        ("BEGIN; SELECT 1; COMMIT", ["transaction", "transaction"]),
        ("-- DROP TABLE a\nSELECT 'DROP TABLE a', \"DROP TABLE a\"", []),
        ("DO $$ BEGIN EXECUTE 'DROP TABLE a'; END $$", []),
        ("SELECT 'open", ["unreadable"]),
        ("", []),
    ],
)
def test_rules(text: str, found: list[str]) -> None:
    assert rules(text) == found


def test_lines_are_those_of_the_file() -> None:
    text = "-- a comment\n\n/* and\nanother */ DROP TABLE a;\n\n\nSELECT ';\n'; TRUNCATE b;\n"
    assert [(finding.rule, finding.line) for finding in lint("a.sql", text)] == [("drop-table", 4), ("truncate", 8)]


def test_names_are_unique() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    for finding in lint("a.sql", text):
        assert 1 <= finding.line <= text.count("\n") + 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("DROP TABLE a; -- COMMIT\nDO $$ BEGIN PERFORM 1; END $$;", ()),
        ("SAVEPOINT s; DROP TABLE a; ROLLBACK TO SAVEPOINT s; ROLLBACK WORK TO s;", ()),
        ("\\set x 1\nCOMMIT;", ("line 2: COMMIT",)),
        ("begin;\nselect 1;\nEND\n;", ("line 1: begin", "line 3: END")),
        ("ABORT; PREPARE TRANSACTION 'x'", ("line 1: ABORT", "line 1: PREPARE TRANSACTION ''")),
        ("\\copy a from 'b'\n\\ir part.sql\n\\c other", ("line 2: \\ir part.sql", "line 3: \\c other")),
        ("SELECT 'COMMIT;' \\gexec", ("line 1: SELECT 'COMMIT;' \\gexec",)),
        ("SELECT 'open", ("it cannot be read: ' is opened and never closed",)),
    ],
)
def test_what_leaves_the_transaction_of_a_script_is_found(text: str, found: tuple[str, ...]) -> None:
    assert transaction_control(text) == found

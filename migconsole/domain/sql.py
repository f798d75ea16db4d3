"""Just enough SQL to tell a query from anything else. It never accepts what it does not understand."""

from __future__ import annotations

import re

QUERY_HEADS = ("SELECT", "WITH", "VALUES", "TABLE", "SHOW")
"""How a statement of a ``sql`` item may begin: what returns columns and can be prepared."""

_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*)
      | (?P<block>/\*)
      | (?P<escaped>\bE'(?:[^'\\]|\\.|'')*')
      | (?P<string>'(?:[^']|'')*')
      | (?P<dollar>\$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$)
      | (?P<identifier>"(?:[^"]|"")*")
      | (?P<open>['"]|\$[A-Za-z_]*\$)
      | (?P<end>;)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_BLOCK = re.compile(r"/\*|\*/")
_DESTROYS = re.compile(
    r"\bdrop\s+(?!not\b|default\b|expression\b|identity\b)\w+|\btruncate\b|\bdelete\s+from\b"
    r"|\bpg_drop_replication_slot\b|\bpg_resetwal\b|\blo_unlink\b",
    re.IGNORECASE,
)
_ACTS = re.compile(
    r"\b(?:pg_(?:terminate|cancel)_backend|pg_reload_conf|pg_rotate_logfile|pg_switch_wal|pg_promote|pg_wal_replay_\w+"
    r"|pg_create_\w+|pg_copy_\w+_slot|pg_replication_\w+|pg_logical_(?:slot_get_\w+|emit_message)|pg_stat_reset\w*"
    r"|pg_stat_statements_reset|pg_(?:try_)?advisory_\w+|pg_backup_\w+|pg_start_backup|pg_stop_backup|pg_file_\w+"
    r"|pg_import_system_collations|pg_log_backend_memory_contexts|dblink\w*|lo_\w+|set_config|setval|nextval"
    r"|brin_\w+|gin_clean_pending_list)\s*\(",
    re.IGNORECASE,
)
_WRITES = re.compile(
    r"\b(?:insert|update|delete|merge|into|create|alter|drop|truncate|grant|revoke|copy|call|do|lock|set|reset|vacuum"
    r"|analyze|reindex|cluster|refresh|comment|import|listen|notify|prepare|execute|begin|commit|nowait|share)\b",
    re.IGNORECASE,
)
_CALL = re.compile(r"([A-Za-z_][\w.]*|\"\")\s*\(")
_KEYWORDS = """
    all and any array as between by case cast check distinct else except exists filter from group grouping having in
    intersect interval join lateral like limit materialized not offset on or order over partition row rows select sets
    some then union using values when where with within
"""
_READING_FUNCTIONS = """
    abs age array_agg array_length array_to_string avg bool_and bool_or ceil char_length clock_timestamp coalesce
    concat concat_ws count current_database current_schema current_setting current_user date_part date_trunc extract
    first_value floor format format_type generate_series greatest has_database_privilege has_schema_privilege
    has_table_privilege json_agg json_build_object jsonb_agg jsonb_build_object lag last_value lead least left length
    lower max md5 min mod now nullif obj_description percentile_cont percentile_disc pg_backend_pid pg_blocking_pids
    pg_column_size pg_conf_load_time pg_current_wal_lsn pg_database_size pg_encoding_to_char pg_get_constraintdef
    pg_get_expr pg_get_indexdef pg_get_userbyid pg_get_viewdef pg_indexes_size pg_is_in_recovery
    pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_postmaster_start_time
    pg_relation_filenode pg_relation_size pg_size_bytes pg_size_pretty pg_table_is_visible pg_table_size
    pg_tablespace_size pg_total_relation_size pg_wal_lsn_diff position quote_ident quote_literal rank regexp_match
    regexp_replace replace right round row_number row_to_json split_part statement_timestamp string_agg substr
    substring sum to_char to_date to_jsonb to_number to_regclass to_timestamp trim trunc unnest upper version
"""
_HARMLESS = frozenset(f"{_KEYWORDS} {_READING_FUNCTIONS}".split())


class UnfinishedSqlError(ValueError):
    """A string, comment or quoted name that is never closed."""


def skeleton(text: str) -> list[str]:
    """The statements of a text without comments and without the content of anything quoted; empty ones left out.

    >>> skeleton("SELECT 'a;b'; -- done\\nSHOW work_mem;")
    ["SELECT ''", 'SHOW work_mem']
    """
    return [statement for _, statement in located(text)]


def located(text: str) -> list[tuple[int, str]]:
    """The same with the line, counted from 1, on which each statement begins. Raises UnfinishedSqlError.

    >>> located("-- first\\nSELECT 1;\\n\\nSELECT 2")
    [(2, 'SELECT 1'), (4, 'SELECT 2')]
    """
    parts: list[str] = [""]
    begins: list[int] = [0]
    position = 0

    def take(piece: str, at: int) -> None:
        if piece.strip() and not parts[-1].strip():
            begins[-1] = at + len(piece) - len(piece.lstrip())
        parts[-1] += piece

    while match := _TOKEN.search(text, position):
        take(text[position : match.start()], position)
        position = match.end()
        kind = match.lastgroup
        if kind == "open":
            raise UnfinishedSqlError(f"{match[0]} is opened and never closed")
        if kind == "block":
            position = _block_end(text, position)
        elif kind == "end":
            parts.append("")
            begins.append(0)
        if kind != "end":
            take({"identifier": '""', "comment": " ", "block": " "}.get(kind or "", "''"), match.start())
    take(text[position:], position)
    line, counted = 1, 0
    found = []
    for begin, part in zip(begins, parts, strict=True):
        if part.strip():
            line, counted = line + text.count("\n", counted, begin), begin
            found.append((line, part.strip()))
    return found


def _block_end(text: str, position: int) -> int:
    depth = 1
    while depth:
        match = _BLOCK.search(text, position)
        if match is None:
            raise UnfinishedSqlError("a comment is opened with /* and never closed")
        depth += 1 if match[0] == "/*" else -1
        position = match.end()
    return position


def query_problem(text: str) -> str:
    """Why a text is no entry of a ``sql`` item, or "": exactly one statement that returns columns.

    >>> query_problem("COPY t TO PROGRAM 'sh'")
    'begins with COPY; a sql entry is one SELECT, WITH, VALUES, TABLE or SHOW (use run for anything else)'
    """
    try:
        found = skeleton(text)
    except UnfinishedSqlError as error:
        return str(error)
    if not found:
        return "no statement"
    if len(found) > 1:
        return f"{len(found)} statements in one entry; write a list with one statement each"
    head = re.match(r"[\s(]*(\w*)", found[0])
    word = head[1].upper() if head else ""
    if word not in QUERY_HEADS:
        what = f"begins with {word}" if word else f"begins with “{found[0][:20]}”"
        return f"{what}; a sql entry is one SELECT, WITH, VALUES, TABLE or SHOW (use run for anything else)"
    return ""


def destroys(text: str) -> str:
    """The first words of a text that destroy data, or ""."""
    match = _DESTROYS.search(text)
    return " ".join(match[0].split()) if match else ""


def acts(text: str) -> str:
    """The first function in a text that changes something even inside a read-only transaction, or ""."""
    match = _ACTS.search(text)
    return match[0].rstrip("( \n\t") if match else ""


def only_reads(text: str) -> bool:
    """Whether every statement provably reads only: known words, known functions, nothing else.

    >>> only_reads("SELECT count(*) FROM budgets"), only_reads("SELECT refresh_all()")
    (True, False)
    """
    if "\\" in text:
        return False
    try:
        found = skeleton(text)
    except UnfinishedSqlError:
        return False
    return bool(found) and all(_statement_reads(statement) for statement in found)


def _statement_reads(statement: str) -> bool:
    head = statement.lstrip("( \n\t").split(None, 1)[0].upper()
    if head not in QUERY_HEADS:
        return False
    if head == "SHOW":
        return True
    if _WRITES.search(statement):
        return False
    return all(name.lower().removeprefix("pg_catalog.") in _HARMLESS for name in _CALL.findall(statement))

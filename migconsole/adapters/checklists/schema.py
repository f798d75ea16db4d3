"""The JSON Schema of checklist files, for editors."""

from __future__ import annotations

from typing import Any


def schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12, made from the models that also validate."""
    from migconsole.adapters.checklists.models import ChecklistModel  # noqa: PLC0415 - start-up time of all else

    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ChecklistModel.model_json_schema(),
        "title": "migconsole checklist",
    }

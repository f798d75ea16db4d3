"""An input whose cursor stands still: nothing blinks on a screen that people watch for hours."""

from __future__ import annotations

from typing import Any

from textual.widgets import Input


class LineInput(Input):
    """Everything else is the stock input."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.cursor_blink = False

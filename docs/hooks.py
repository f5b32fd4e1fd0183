"""What MkDocs calls at each build: pages that are made from the code are filled here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # where `mkdocs` itself is called

from docs.calibration import calibration
from docs.command_reference import command_reference
from docs.config_reference import config_reference
from docs.glossary import calibration_counts, glossary

_MADE: Mapping[str, Callable[[], str]] = {
    "<!-- calibration -->": calibration,
    "<!-- commands -->": command_reference,
    "<!-- configuration -->": config_reference,
    "<!-- glossary -->": glossary,
}
"""What stands in a page, and what makes the text in its place."""


def on_page_markdown(markdown: str, **_: object) -> str:
    """The text of a page with its made parts."""
    for mark, make in _MADE.items():
        if mark in markdown:
            markdown = markdown.replace(mark, make())
    for kind, count in calibration_counts().items():
        markdown = markdown.replace(f"<!-- number of {kind} -->", str(count))
    return markdown

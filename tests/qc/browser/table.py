"""The table of a run's page, as a reader sees and uses it."""

from __future__ import annotations

from typing import Any


def heads(page: Any) -> list[str]:
    """The names of all columns."""
    found: list[str] = page.locator("table.cases thead th button span").all_inner_texts()
    return found


def shown_heads(page: Any) -> list[str]:
    """The names of those that are shown."""
    found = page.locator("table.cases thead th:visible button span").all_inner_texts()
    return list(found)


def sort_by(page: Any, label: str) -> None:
    """Click on the name of a column."""
    page.locator("table.cases thead button", has_text=label).first.click()

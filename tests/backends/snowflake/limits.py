"""How much one statement may hold."""

from __future__ import annotations

MOST_EXPRESSIONS = 16_384
"""Snowflake's error 001795 names this limit of a list."""
MOST_BYTES = 1_000_000
"""Of a statement's text, as its documentation advises."""

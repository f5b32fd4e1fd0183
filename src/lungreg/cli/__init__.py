"""The `lungreg` command: parse, one call of the library, print. Imports stay inside commands."""

from __future__ import annotations

from lungreg.cli.app import main

__all__ = ["main"]

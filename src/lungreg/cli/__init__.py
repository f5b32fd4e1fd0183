"""The `lungreg` command line: one file per command or group of commands, named like it.

A command parses its options, makes one call of the library and prints. `setup.py` has `teardown`
too. Imports of the library stay inside the functions, so that `lungreg --help` answers at once.
"""

from __future__ import annotations

from lungreg.cli.app import main

__all__ = ["main"]

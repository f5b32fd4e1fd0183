"""Import a package's public names on first use."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from importlib import import_module


def on_first_use(package: str, homes: Mapping[str, Collection[str]], name: str) -> object:
    """The value of a public name: what the `__getattr__` of a package returns (PEP 562).

    The package keeps it, so that it is asked for once.

    Args:
        package: Full name.
        homes: Names by the module below the package that has them.
        name: What is asked for.

    Raises:
        AttributeError: No module below the package has it.
    """
    for home, names in homes.items():
        if name in names:
            value: object = getattr(import_module(f"{package}.{home}"), name)
            setattr(sys.modules[package], name, value)
            return value
    msg = f"module {package!r} has no attribute {name!r}"
    raise AttributeError(msg)

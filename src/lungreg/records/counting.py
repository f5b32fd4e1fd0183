"""Numbers of things in words."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: "1 case", "2 cases", "0 cases".

    Args:
        number: How many.
        noun: For one.
        plural: For any other number; with an "s" unless given.
    """
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"

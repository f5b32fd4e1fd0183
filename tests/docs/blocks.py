"""The fenced blocks of the README and of the site's pages, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
import yaml

from lungreg.cli.app import build_app

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "pages"
_BLOCK = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: str
    language: str
    """"sh" for what a reader can run anywhere, "bash" for what needs an account, a scheduler, a
    container or an installation."""
    text: str


def pages() -> list[Path]:
    """The README, then the pages in the order of the site."""
    return [ROOT / "README.md", *(PAGES / name for name in _names(_navigation()))]


def blocks(*languages: str) -> list[Block]:
    """The blocks of some languages, in the order that a reader meets them."""
    found = []
    for page in pages():
        name = page.relative_to(ROOT).as_posix()
        for indent, language, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
            plain = "\n".join(line.removeprefix(indent) for line in text.splitlines())
            found.append(Block(name, language, plain))
    return [block for block in found if block.language in languages]


def commands(*languages: str) -> Iterator[tuple[str, list[str]]]:
    """Each command line in such blocks with its page, split into words, without its comment."""
    for block in blocks(*languages):
        for line in block.text.replace("\\\n", " ").splitlines():
            for part in re.split(r" && ", line):
                if words := shlex.split(part, comments=True):
                    yield block.page, words


def parse(words: list[str]) -> str:
    """Parse the arguments as the command line does, and do nothing.

    Returns:
        The name of the command.
    """
    command: Any = typer.main.get_command(build_app())
    name = []
    while hasattr(command, "commands"):
        assert words[0] in command.commands, words
        name.append(words[0])
        command, words = command.commands[words[0]], words[1:]
    command.make_context(" ".join(name), list(words))
    return " ".join(name)


def _navigation() -> list[object]:
    found: list[object] = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    return found


def _names(entries: list[object]) -> Iterator[str]:
    for entry in entries:
        for below in entry.values() if isinstance(entry, dict) else [entry]:
            yield from _names(below) if isinstance(below, list) else [str(below)]

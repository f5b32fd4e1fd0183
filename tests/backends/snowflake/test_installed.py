"""The installed lungreg: its files and its requirements."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import lungreg
from lungreg.backends.snowflake.installed import add_file, package_files, requirements_of


def test_the_files_are_those_of_the_imported_package() -> None:
    """Every module and data file is there, byte by byte, no cache is."""
    root = Path(lungreg.__file__).parent
    there = {
        f"lungreg/{file.relative_to(root).as_posix()}": file.read_bytes()
        for file in root.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert dict(package_files()) == there
    assert "lungreg/backends/snowflake/jobs/start.py" in there


def test_the_same_files_give_the_same_archive() -> None:
    """No time gets into it, and the files are packed."""
    archives = io.BytesIO(), io.BytesIO()
    for written in archives:
        with zipfile.ZipFile(written, "w") as archive:
            add_file(archive, "lungreg/a.txt", b"a" * 1000)
    assert archives[0].getvalue() == archives[1].getvalue()
    assert len(archives[0].getvalue()) < 500


def test_requirements_are_those_of_the_extras() -> None:
    """With an extra come its own requirements, beside those that are needed in any case."""
    plain = {req.name for req in requirements_of("lungreg", [""])}
    whole = {req.name for req in requirements_of("lungreg", ["", "snowflake"])}
    assert "torch" in plain
    assert not {"monai", "ray"} & plain
    assert whole - plain == {"snowflake-ml-python", "snowflake-snowpark-python"}

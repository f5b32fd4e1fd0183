"""lungreg as a wheel again."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import lungreg
from lungreg.backends.snowflake.jobs.wheel import write_wheel


def test_the_same_installation_gives_the_same_wheel(tmp_path: Path) -> None:
    """Neither time nor folder gets into it."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert write_wheel(tmp_path / "a").read_bytes() == write_wheel(tmp_path / "b").read_bytes()


def test_pip_installs_the_wheel(tmp_path: Path) -> None:
    """Its record is right, and what it installs is the version that runs here."""
    wheel = write_wheel(tmp_path)
    target = tmp_path / "target"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-compile", "--disable-pip-version-check", "--target", str(target), str(wheel)]
    subprocess.run(command, check=True, capture_output=True)
    (found,) = importlib.metadata.distributions(name="lungreg", path=[str(target)])
    assert found.version == lungreg.__version__
    assert [point.value for point in found.entry_points] == ["lungreg.cli:main"]
    assert (target / "lungreg" / "cli" / "app.py").is_file()
    inside = [file for file in found.files or () if ".." not in file.parts]
    assert len(inside) > 100
    assert all((target / file).is_file() for file in inside)

"""Every command of the README and the site: run on tiny pairs, or parsed where it cannot run."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from lungreg.distributed.capacity import Capacity
from tests.docs.blocks import ROOT, blocks, commands, pages, parse
from tests.site import CASES, SETTINGS, run

ELSEWHERE = {
    "README.md",
    "docs/pages/quickstart.md",
    *(f"docs/pages/tutorials/{name}.md" for name in ("snowflake", "clusters", "containers")),
    "docs/pages/tutorials/transforms.md",
}
"""Pages that may hold commands which need an account, a scheduler, a container, ANTs or pip."""
LUNGREG = ("lungreg", "--", "lungreg.sif")
"""The words that arguments of lungreg follow: by nox after "--", by a container after its name."""
NOT_OPTIMISED = ("--no-refine", "--device", "cpu")
"""Alignment alone takes a second, with the same command lines and the same files."""
SMALL_CHEST = ("--shape", "40", "34", "40", "--spacing-mm", "7.5", "7.5", "7.2")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("one_thread")
def test_local_commands_run_in_the_order_of_the_pages(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each once, in one folder, with the files that the pages speak of; none fails.

    Ray, which takes seconds to start, is asked for nothing but its size, by `doctor`.
    """
    monkeypatch.chdir(lay_out(cohort, tmp_path))
    there = Capacity(cpus=2, gpus=0, memory_bytes=8 * 2**30)
    monkeypatch.setattr("lungreg.distributed.cluster.cluster", lambda: nullcontext(there))
    failed, ran = [], []
    for page, words in commands("sh"):
        assert words[0] == "lungreg", f"{page}: {words}: only lungreg is run; others are ```bash"
        if words in ran:
            continue
        ran.append(words)
        done = run(*small([last_run(word, words[1]) for word in words[1:]]))
        if done.code:
            failed.append(f"{page}: {' '.join(words)}: {done.err or done.out}")
        settle()
    assert failed == []
    assert len(ran) > 40


def test_other_commands_are_valid() -> None:
    """Snowflake, SLURM, containers, nox: each `lungreg` in them has a command, options, values."""
    parsed = [parse(words) for words in every_call("bash")]
    assert {"submit", "jobs follow", "setup", "infer", "demo"} <= set(parsed)


def test_commands_that_are_not_run_stand_on_pages_about_elsewhere() -> None:
    """Nothing escapes from being run by the name of its block."""
    assert {block.page for block in blocks("bash")} <= ELSEWHERE
    assert blocks("console", "shell", "") == []


EVERYWHERE = {"-h", "--install-completion", "--show-completion"}
"""Options of no single command."""


def test_commands_in_the_text_are_valid() -> None:
    """Options of commands such as `lungreg infer --resume RUN` exist."""
    told = re.compile(r"`lungreg ((?:[a-z]+ )*--?[^`]+)`")
    calls = [call for page in pages() for call in told.findall(page.read_text(encoding="utf-8"))]
    assert calls
    names = {option for _, command in known_commands() for option in options(command)}
    for call in calls:
        assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", call)) <= names | EVERYWHERE, call


def test_sessions_of_nox_are_there() -> None:
    """`nox -s NAME` names a session of the noxfile."""
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    named = [words for _, words in commands("sh", "bash") if words[0] == "nox"]
    assert named
    assert {words[2] for words in named} <= there


def test_configurations_are_valid() -> None:
    """A block of YAML is a configuration of this version, or says `yml` and is something else's."""
    from lungreg.config import parse_config

    shown = blocks("yaml")
    assert shown
    for block in shown:
        parse_config(yaml.safe_load(block.text))


def test_python_is_valid() -> None:
    """Names of `lungreg` in blocks of Python exist; tests/test_example.py runs a whole session."""
    import lungreg

    shown = blocks("python")
    assert shown
    for block in shown:
        for node in ast.walk(ast.parse(block.text)):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "lungreg":
                assert hasattr(lungreg, node.attr), block.page


def lay_out(cohort: Path, folder: Path) -> Path:
    """A folder with the files of the pages: one pair, points, a cohort with names of its own."""
    made = cohort / "training"
    for breath in ("exp", "insp"):
        shutil.copy(made / "scans" / f"{CASES[0]}_{breath}.nii.gz", folder / f"{breath}.nii.gz")
        mask = made / "lungMasks" / f"{CASES[0]}_{breath}.nii.gz"
        shutil.copy(mask, folder / f"{breath}_lungs.nii.gz")
    shutil.copy(folder / "insp_lungs.nii.gz", folder / "lobes.nii.gz")
    shutil.copy(made / "keypoints" / f"{CASES[0]}.csv", folder / "landmarks.csv")
    shutil.copy(folder / "exp.nii.gz", folder / "CT.nii.gz")
    shutil.copy(folder / "exp_lungs.nii.gz", folder / "LUNGS.nii.gz")
    points = np.loadtxt(folder / "landmarks.csv", delimiter=",")[:5, :3]
    np.savetxt(folder / "points.csv", points, delimiter=",")
    rows = [f"p{k},{x},{y},{z},0,0,0,1,1,1,0,p{k},,\n" for k, (x, y, z) in enumerate(points)]
    head = "# Markups fiducial file version = 4.11\n# CoordinateSystem = LPS\n"
    columns = "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
    (folder / "points.fcsv").write_text(head + columns + "".join(rows))
    for case in CASES[:2]:
        (folder / "my-scans" / case).mkdir(parents=True)
        for breath in ("exp", "insp"):
            scan = made / "scans" / f"{case}_{breath}.nii.gz"
            shutil.copy(scan, folder / "my-scans" / case / f"{breath}.nii.gz")
    return folder


def settle() -> None:
    """Give configurations that `init` has just written the small settings of the tests."""
    for file in Path().glob("*.yaml"):
        raw = yaml.safe_load(file.read_text())
        if "seed" not in raw:
            small_ones = {key: SETTINGS[key] for key in ("preprocessing", "network", "loss")}
            raw |= {"seed": 3, **small_ones, "data": {"split": {"train": 0.5, "val": 0.5}}}
            raw["preprocessing"] = {**raw["preprocessing"], "alignment": "world"}
            raw["backend"] = {"root": f"./stage-{file.stem}", "tracking": False}
            raw["train"] = {**SETTINGS["train"], "epochs": 1}
            raw["infer"] = {**SETTINGS["infer"], "model": None}
            raw["refine"] = {"enabled": False}
            file.write_text(yaml.safe_dump(raw))


def small(words: list[str]) -> list[str]:
    """The command with tiny inputs in place of its defaults; all its own options stay."""
    if words[0] == "simulate":
        if "--cases" in words:
            place = words.index("--cases") + 1
            cases = "2" if "training" in words else "1"
            words = [*words[:place], cases, *words[place + 1 :]]
        if "--from" not in words:
            words = [*words, *SMALL_CHEST]
    if words[0] == "register":
        aligned = [] if "--alignment" in words else ["--alignment", "world"]
        words = [*words, *NOT_OPTIMISED, *aligned]
    return words


def last_run(word: str, command: str) -> str:
    """The id of the latest run of the kind that a command takes, in place of RUN."""
    if word != "RUN":
        return word
    kind = "train" if command == "train" else "infer"
    runs = sorted(Path().glob(f"stage-*/runs/{kind}-*"), key=lambda folder: folder.stat().st_mtime)
    return runs[-1].name


def every_call(*languages: str) -> Iterator[list[str]]:
    """The arguments of each call of lungreg, whatever stands before it on its line."""
    for _, words in commands(*languages):
        if words[0] in ("#SBATCH", "[", "if", "fi", "else", "trap"):
            continue
        image = words[0] in ("docker", "apptainer") and words[1] == "run"
        starts = [
            k for k, word in enumerate(words) if word in LUNGREG or (image and "lungreg" in word)
        ]
        if starts and (words[0] in ("lungreg", "nox") or image):
            yield [word for word in words[starts[-1] + 1 :] if word != "&"]


def known_commands() -> Iterator[tuple[str, Any]]:
    from docs.command_reference import commands as listed

    return listed()


def options(command: Any) -> list[str]:
    return [name for found in command.params for name in (*found.opts, *found.secondary_opts)]

"""lungreg models: versions are promoted, exported and imported."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from lungreg.config import MODEL_NAME
from tests.cli.answering import answer_questions
from tests.site import Site, assert_refused


def test_a_model_goes_to_another_site_and_gives_the_same_there(
    finished: tuple[Site, str], tmp_path: Path
) -> None:
    """Export, import, infer: weights, card and results are those of the first site."""
    site, run_id = finished
    file = tmp_path / "model.zip"
    assert site.run("models", "export", MODEL_NAME, "champion", "-o", str(file)).code == 0
    there = ("--set", f"backend.root={tmp_path}/other")
    assert site.run("ingest", *there).code == 0
    imported = site.run("models", "import", str(file), *there, "--json").document
    assert imported == {"model": MODEL_NAME, "version": "1"}
    again = site.run("models", "import", str(file), *there)
    assert again.out == f"imported as {MODEL_NAME} version 2\n"
    (first, second) = site.run("models", "list", *there, "--json").document
    assert (first["aliases"], second["aliases"]) == (["champion"], [])
    assert first["weights_sha256"] == second["weights_sha256"]
    theirs = site.run("infer", *there, "--json").document["cases"]
    ours = site.run("results", "--run", run_id, "--json").document
    for name in ("case_id", "split", "dice_score", "tre_mm"):
        assert [row[name] for row in theirs] == [row[name] for row in ours]


def test_promote_moves_the_champion(finished: tuple[Site, str]) -> None:
    """And only to a version that there is."""
    site, _ = finished
    assert site.run("train", "--set", "train.epochs=1", "-q").code == 0
    assert site.run("models", "show", MODEL_NAME, "--json").document["version"] == "1"
    done = site.run("models", "promote", MODEL_NAME, "latest")
    assert done.out == f"{MODEL_NAME}: champion is version 2\n"
    assert site.run("models", "show", MODEL_NAME, "--json").document["version"] == "2"
    assert site.run("models", "promote", MODEL_NAME, "1", "--alias", "site-a").code == 0
    assert site.run("models", "show", MODEL_NAME, "site-a", "--json").document["version"] == "1"
    for arguments in ((MODEL_NAME, "9"), (MODEL_NAME, "1", "--alias", "latest"), ("other", "1")):
        done = site.run("models", "promote", *arguments)
        assert (done.code, done.err.count("\n")) == (1, 1)


def rewrite(source: Path, target: Path, member: str, old: bytes, new: bytes) -> None:
    """The same zip with other bytes in one member, and a right CRC."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w") as changed:
        for name in archive.namelist():
            data = archive.read(name)
            assert name != member or old in data
            changed.writestr(name, data.replace(old, new, 1) if name == member else data)


@pytest.mark.parametrize(
    ("member", "old", "new"),
    [
        ("weights.safetensors", b"\x00\x00", b"\x00\x01"),
        ("card.json", b"research use only", b"fit for any use !"),
        ("SHA256SUMS", b"0", b"1"),
    ],
)
def test_a_model_file_that_was_tampered_with_is_refused(
    finished: tuple[Site, str], tmp_path: Path, member: str, old: bytes, new: bytes
) -> None:
    """Weights and card have the hashes that the file names; nothing is added."""
    site, _ = finished
    site.run("models", "export", MODEL_NAME, "1", "-o", str(tmp_path / "good.zip"))
    rewrite(tmp_path / "good.zip", tmp_path / "bad.zip", member, old, new)
    done = site.run("models", "import", str(tmp_path / "bad.zip"))
    assert done.code == 1
    assert "have the hashes in its SHA256SUMS" in done.err
    assert len(site.backend().models.list()) == 1


def test_what_is_no_model_file_is_refused(finished: tuple[Site, str], tmp_path: Path) -> None:
    """Missing, another file, cut off, a folder, another zip."""
    site, _ = finished
    site.run("models", "export", MODEL_NAME, "1", "-o", str(tmp_path / "good.zip"))
    (tmp_path / "text.zip").write_text("no model")
    (tmp_path / "cut.zip").write_bytes((tmp_path / "good.zip").read_bytes()[:-100])
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "no model")
    for name in ("missing.zip", "text.zip", "cut.zip", "other.zip", "."):
        done = site.run("models", "import", str(tmp_path / name))
        assert (done.code, done.err.count("\n")) == (1, 1)
        is_there = "an exported model is a file that is there" not in done.err
        assert is_there == ("an exported model is a zip file" in done.err) == (name[0] != "m")


def test_a_file_that_is_there_is_replaced_only_when_asked_for(
    finished: tuple[Site, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a model is looked for: here there is none of this name."""
    site, _ = finished
    out = tmp_path / "model.zip"
    out.write_text("mine")
    asked = answer_questions(monkeypatch, answer=False)
    done = site.run("models", "export", "other", "1", "-o", str(out))
    assert_refused(done, "replaced only when asked for", "another file with -o")
    assert (asked, out.read_text()) == ([f"Replace {out}?"], "mine")
    export = ("models", "export", MODEL_NAME, "1")
    assert site.run(*export, "-o", str(out), "--overwrite").code == 0
    assert zipfile.is_zipfile(out)
    assert_refused(site.run(*export, "-o", str(tmp_path)), "an output is a file, got a folder")
    assert len(asked) == 1

"""Archives from anyone: unpacked inside a private folder, or refused."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lungreg.errors import StoreUnavailableError, UnreadableFileError, UnsafeInputError
from lungreg.sources import open_source
from tests.sources.made_sources import ingest, make_tar, make_zip, member, outcome


@pytest.mark.parametrize("content", [b"", b"text", b"\x1f\x8b", b"PK\x03\x04 and no more"])
def test_what_is_no_archive_is_unreadable(tmp_path: Path, content: bytes) -> None:
    """Damaged or other files."""
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match=r"complete \.zip"):
        outcome(ingest(path), tmp_path / "cache")


def test_a_zip_is_unpacked_privately_and_removed(tmp_path: Path) -> None:
    """Files are there while the source is open, for this user alone, and gone afterwards."""
    path = make_zip(tmp_path / "a.zip", {"training/scans/ä b_exp.nii": b"1", "empty/": b""})
    with open_source(ingest(path), tmp_path / "cache") as folder:
        assert (folder / "training/scans/ä b_exp.nii").read_bytes() == b"1"
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tar.gz", "w:gz"), ("a.tgz", "w:gz"), ("a.tar", "w")]
)
def test_a_tar_is_unpacked(tmp_path: Path, name: str, mode: str) -> None:
    """Packed and plain, with folders and long names."""
    long = "x" * 180
    members = [member("d", tarfile.DIRTYPE), member("./d/a", size=5), member(f"d/{long}", size=3)]
    path = make_tar(tmp_path / name, *members, mode=mode)
    assert outcome(ingest(path), tmp_path / "cache") == ["d/a", f"d/{long}"]


def test_archives_are_recognised_by_content(tmp_path: Path) -> None:
    """A name without suffix, as downloads have it, does not matter."""
    path = make_zip(tmp_path / "download", {"a": b"1"})
    assert outcome(ingest(path), tmp_path / "cache") == ["a"]


BAD_NAMES = ["../evil", "a/../../evil", "/tmp/evil", "a\\..\\evil", "C:/evil", "a//../../evil"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_zip_does_not_leave_its_folder(tmp_path: Path, name: str) -> None:
    """Nothing is written outside, and what was unpacked before is removed."""
    path = make_zip(tmp_path / "a.zip", {"good": b"1", name: b"evil"})
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UnsafeInputError, match="inside its folder"):
        outcome(ingest(path), tmp_path / "cache")
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "cache"}
    assert not Path("/tmp/evil").exists()


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_tar_does_not_leave_its_folder(tmp_path: Path, name: str) -> None:
    """The same for tar."""
    path = make_tar(tmp_path / "a.tar.gz", member("good", size=1), member(name, size=1))
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UnsafeInputError, match="inside its folder"):
        outcome(ingest(path), tmp_path / "cache")
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "cache"}


KINDS = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]


@pytest.mark.parametrize("kind", KINDS)
def test_links_and_devices_of_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    """A link out of the folder, followed by a file through it, is the classic way out."""
    link = member("out", kind, to=str(tmp_path))
    path = make_tar(tmp_path / "a.tar.gz", link, member("out/evil", size=1))
    with pytest.raises(UnsafeInputError, match="a link or device"):
        outcome(ingest(path), tmp_path / "cache")
    assert not (tmp_path / "evil").exists()


def test_links_of_a_zip_are_refused(tmp_path: Path) -> None:
    """A zip holds links as files with a mode."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, str(tmp_path))
    with pytest.raises(UnsafeInputError, match="a link or device"):
        outcome(ingest(tmp_path / "a.zip"), tmp_path / "cache")


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    """The second would hide the first; a file cannot be a folder either."""
    for second in ("a", "a/b"):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("a", b"1")
            archive.writestr(second, b"2")
        with pytest.raises(UnsafeInputError, match="every name once"):
            outcome(ingest(tmp_path / "a.zip"), tmp_path / "cache")


def test_a_zip_bomb_is_refused_by_its_headers(tmp_path: Path) -> None:
    """Before a byte is written."""
    path = make_zip(tmp_path / "a.zip", {"zeros": bytes(3_000_000)})
    assert path.stat().st_size < 10_000
    with pytest.raises(UnsafeInputError, match=r"at most 0\.002 GB"):
        outcome(ingest(path, max_unpacked_gb=0.002), tmp_path / "cache")


def test_a_zip_that_lies_about_its_size_is_no_way_round(tmp_path: Path) -> None:
    """A size that the headers understate unpacks to no more than it says, and is refused."""
    raw = bytearray(make_zip(tmp_path / "a.zip", {"zeros": bytes(3_000_000)}).read_bytes())
    size = (3_000_000).to_bytes(4, "little")
    assert raw.count(size) == 2
    (tmp_path / "a.zip").write_bytes(raw.replace(size, (10).to_bytes(4, "little")))
    with pytest.raises(UnreadableFileError):
        outcome(ingest(tmp_path / "a.zip"), tmp_path / "cache")


def test_a_tar_bomb_is_refused(tmp_path: Path) -> None:
    """Counted while unpacking; what was written is removed."""
    header = member("zeros", size=50_000_000).tobuf()
    packed = gzip.compress(header + bytes(50_000_000), compresslevel=1)
    (tmp_path / "a.tar.gz").write_bytes(packed)
    settings = ingest(tmp_path / "a.tar.gz", max_unpacked_gb=0.001, max_members=10)
    with pytest.raises(UnsafeInputError, match="unpacks to"):
        outcome(settings, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_bomb_in_the_headers_of_a_tar_takes_no_memory(tmp_path: Path, kind: bytes) -> None:
    """Tarfile reads such headers at once; ours are refused above 64 MB."""
    header = member("long", kind, size=200_000_000).tobuf()
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(header + bytes(1_000_000)))
    tracemalloc.start()
    with pytest.raises(UnsafeInputError, match="headers of an archive are small"):
        outcome(ingest(tmp_path / "a.tar.gz"), tmp_path / "cache")
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_too_many_members_are_refused(tmp_path: Path, kind: str) -> None:
    """A million empty files fill a file system as well."""
    if kind == "zip":
        path = make_zip(tmp_path / "a", {str(i): b"" for i in range(20)})
    else:
        path = make_tar(tmp_path / "a", *[member(str(i)) for i in range(20)])
    with pytest.raises(UnsafeInputError, match="at most 19 members"):
        outcome(ingest(path, max_members=19), tmp_path / "cache")
    assert len(outcome(ingest(path, max_members=20), tmp_path / "cache")) == 20


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_truncated_archive_is_unreadable_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    """What was unpacked before the end was missed is removed."""
    noise = np.random.default_rng(0).bytes(50_000)
    if kind == "zip":
        path = make_zip(tmp_path / "a", {"a": noise, "b": noise})
    else:
        path = tmp_path / "a"
        with tarfile.open(path, "w:gz") as archive:
            for name in "ab":
                info = tarfile.TarInfo(name)
                info.size = len(noise)
                archive.addfile(info, io.BytesIO(noise))
    path.write_bytes(path.read_bytes()[:70_000])
    with pytest.raises(UnreadableFileError):
        outcome(ingest(path), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_member_is_unreadable(tmp_path: Path) -> None:
    """The checksum inside a zip is compared."""
    path = make_zip(tmp_path / "a.zip", {"a": np.random.default_rng(0).bytes(5000)})
    raw = bytearray(path.read_bytes())
    raw[2000] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(UnreadableFileError):
        outcome(ingest(path), tmp_path / "cache")


def test_a_name_longer_than_the_file_system_allows_is_reported(tmp_path: Path) -> None:
    """Such an archive cannot be unpacked here."""
    path = make_zip(tmp_path / "a.zip", {"x" * 300: b"1"})
    with pytest.raises(UnreadableFileError, match="names in an archive fit"):
        outcome(ingest(path), tmp_path / "cache")


def test_a_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux has a device that is always full."""
    path = make_zip(tmp_path / "a.zip", {"a": b"1"})
    real = Path.open

    def full_for_writing(self: Path, mode: str = "r") -> object:
        return real(Path("/dev/full"), "wb") if "x" in mode else real(self, mode)

    monkeypatch.setattr(Path, "open", full_for_writing)
    with pytest.raises(StoreUnavailableError, match="a full disk; free some space"):
        outcome(ingest(path), tmp_path / "cache")

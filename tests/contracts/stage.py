"""What every `lungreg.stores.Stage` must do."""

from __future__ import annotations

import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lungreg.errors import DataError, LungregError, NotFoundError, UnreadableFileError
from lungreg.stores import FileInfo, Stage
from tests.contracts.names import BAD_NAMES, ODD_NAMES
from tests.contracts.processes import start_python

_ON_A_FULL_DISK = """
import resource
from pathlib import Path
from lungreg.errors import StoreUnavailableError
stage, source = given
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for call in ({calls}):
    try: call()
    except StoreUnavailableError as error: print(error.anonymous)
"""


def errors_on_a_full_disk(stage: Stage, calls: str, source: str = "") -> list[str]:
    """What StoreUnavailableErrors say in a process whose files may have 100,000 bytes.

    Args:
        stage: As `stage` in the calls.
        calls: Lambdas, separated by commas.
        source: Name of a local file, as `source` in the calls.
    """
    with start_python(_ON_A_FULL_DISK.format(calls=calls), (stage, source)) as process:
        return process.stdout.read().decode().splitlines()


class StageContract:
    """Subclasses give the stage and, around it, a look at what is really there."""

    shared_between_processes = True
    """Whether another process sees the same files."""
    on_this_disk = True
    """Whether the files lie in a file system of this machine, whose limits can be felt."""
    rounds = 50
    """How often what may go wrong is tried: fewer where each call travels over a network."""

    @pytest.fixture
    def stage(self, tmp_path: Path) -> Stage:
        """An empty stage."""
        raise NotImplementedError

    def raw_names(self, stage: Stage, tmp_path: Path) -> set[str]:
        """Names of all files that lie in the store, hidden ones too."""
        raise NotImplementedError

    def test_is_a_stage(self, stage: Stage) -> None:
        """The implementation has every method of the Protocol."""
        assert isinstance(stage, Stage)

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_a_name_is_kept(self, stage: Stage, name: str, tmp_path: Path) -> None:
        """Spaces, quotes, wildcards and unicode in a name mean themselves in every method."""
        stage.write(name, b"written")
        assert stage.read(name) == b"written"
        assert stage.size(name) == 7
        assert stage.exists(name)
        assert stage.list() == [FileInfo(name=name, size=7)]
        stage.download(name, tmp_path / "down" / "file")
        assert (tmp_path / "down" / "file").read_bytes() == b"written"
        (tmp_path / "source").write_bytes(b"uploaded")
        stage.upload(tmp_path / "source", name)
        assert stage.read(name) == b"uploaded"
        stage.delete(name)
        assert not stage.exists(name)

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_a_bad_name_is_refused(self, stage: Stage, name: str, tmp_path: Path) -> None:
        """A name that leaves the stage or that some store cannot hold is a DataError everywhere."""
        source = tmp_path / "source"
        source.write_bytes(b"x")
        before = self.raw_names(stage, tmp_path)
        for call in (
            lambda: stage.read(name),
            lambda: stage.write(name, b"x"),
            lambda: stage.download(name, tmp_path / "down"),
            lambda: stage.upload(source, name),
            lambda: stage.delete(name),
            lambda: stage.exists(name),
            lambda: stage.size(name),
            lambda: stage.uri(name),
        ):
            with pytest.raises(DataError):
                call()
        assert self.raw_names(stage, tmp_path) == before

    def test_write_replaces(self, stage: Stage) -> None:
        """The second write of a name counts, and shortens the file."""
        stage.write("a/b", b"a long first text")
        stage.write("a/b", b"short")
        assert stage.read("a/b") == b"short"
        assert stage.size("a/b") == 5

    def test_an_empty_file_is_a_file(self, stage: Stage) -> None:
        """Zero bytes are kept, listed and read."""
        stage.write("empty", b"")
        assert stage.read("empty") == b""
        assert stage.exists("empty")
        assert stage.list() == [FileInfo(name="empty", size=0)]

    def test_a_missing_file_is_not_found(self, stage: Stage, tmp_path: Path) -> None:
        """Reading what is not there raises NotFoundError and makes nothing."""
        stage.write("folder/file", b"x")
        for name in ("missing", "folder", "folder/file/deeper", "no/such/folder"):
            for call in (
                lambda name=name: stage.read(name),
                lambda name=name: stage.size(name),
                lambda name=name: stage.download(name, tmp_path / "down"),
            ):
                with pytest.raises(NotFoundError):
                    call()
            assert not stage.exists(name)
        assert not (tmp_path / "down").exists()

    def test_delete_is_idempotent(self, stage: Stage) -> None:
        """Deleting what is not there, or a folder, does nothing."""
        stage.write("folder/file", b"x")
        for name in ("missing", "folder", "folder/file/deeper", "no/such/folder"):
            stage.delete(name)
        assert stage.read("folder/file") == b"x"
        stage.delete("folder/file")
        stage.delete("folder/file")
        assert stage.list() == []

    def test_list_takes_a_folder_not_a_prefix(self, stage: Stage) -> None:
        """Of "case_1", what is below it is listed and nothing of "case_10"."""
        for name in ("case_1/b", "case_1/a/deep", "case_10/b", "case_1.txt", "other"):
            stage.write(name, name.encode())
        assert [info.name for info in stage.list("case_1")] == ["case_1/a/deep", "case_1/b"]
        assert [info.name for info in stage.list("case_1/a")] == ["case_1/a/deep"]
        everything = ["case_1.txt", "case_1/a/deep", "case_1/b", "case_10/b", "other"]
        assert [info.name for info in stage.list()] == everything
        assert [info.size for info in stage.list()] == [len(name) for name in everything]

    def test_folders_are_those_directly_in_a_folder(self, stage: Stage) -> None:
        """Not files, not what is below, and not those beside it with a longer name."""
        for name in ("case_1/b", "case_1/z/deep/er", "case_1/a/deep", "case_10/b", "case_1.txt"):
            stage.write(name, b"x")
        assert [*stage.folders()] == ["case_1", "case_10"]
        assert [*stage.folders("case_1")] == ["case_1/a", "case_1/z"]
        for name in ("case_1/a", "missing", "case_1.txt", "case_1.txt/deeper"):
            assert [*stage.folders(name)] == []
        with pytest.raises(DataError):
            stage.folders("../outside")

    def test_list_of_a_missing_folder_is_empty(self, stage: Stage) -> None:
        """A folder that does not exist, or is a file, lists nothing."""
        assert stage.list() == []
        stage.write("file", b"x")
        assert stage.list("missing") == stage.list("file") == stage.list("file/deeper") == []
        with pytest.raises(DataError):
            stage.list("../outside")

    def test_a_failed_upload_leaves_nothing(self, stage: Stage, tmp_path: Path) -> None:
        """A source that cannot be read changes nothing on the stage."""
        stage.write("file", b"old")
        before = self.raw_names(stage, tmp_path)
        (tmp_path / "a folder").mkdir()
        for source in ("missing", "a folder"):
            with pytest.raises(UnreadableFileError, match="must exist and be readable"):
                stage.upload(tmp_path / source, "file")
        assert stage.read("file") == b"old"
        assert self.raw_names(stage, tmp_path) == before

    def test_writes_leave_no_other_files(self, stage: Stage, tmp_path: Path) -> None:
        """After every way of writing, only the files themselves lie in the store."""
        (tmp_path / "source").write_bytes(b"x")
        stage.write("a/written", b"x")
        stage.upload(tmp_path / "source", "a/uploaded")
        assert self.raw_names(stage, tmp_path) == {"a/written", "a/uploaded"}

    def test_readers_see_old_or_new(self, stage: Stage, tmp_path: Path) -> None:
        """While a file is replaced again and again, a reader never meets a part of it."""
        versions = [bytes([value]) * 300_000 for value in (1, 2)]
        (tmp_path / "source").write_bytes(versions[1])
        stage.write("file", versions[0])
        stop = threading.Event()

        def replace() -> None:
            while not stop.is_set():
                stage.write("file", versions[0])
                stage.upload(tmp_path / "source", "file")

        with ThreadPoolExecutor() as pool:
            writer = pool.submit(replace)
            try:
                for _ in range(self.rounds):
                    assert stage.read("file") in versions
                    assert stage.list() == [FileInfo(name="file", size=300_000)]
            finally:
                stop.set()
            writer.result()

    def test_a_killed_writer_leaves_old_or_new(self, stage: Stage) -> None:
        """SIGKILL in the middle of a write leaves a whole file, and no part is ever listed."""
        self._needs_processes()
        versions = [bytes([value]) * 2_000_000 for value in (1, 2)]
        stage.write("file", versions[0])
        code = (
            "stage, versions = given\n"
            "print('ready', flush=True)\n"
            "while True:\n"
            "    for version in versions: stage.write('file', version)\n"
        )
        for delay_s in (0.005, 0.011, 0.023):
            with start_python(code, (stage, versions)) as process:
                process.stdout.readline()
                time.sleep(delay_s)
                process.kill()
            assert stage.read("file") in versions
            assert stage.list() == [FileInfo(name="file", size=2_000_000)]

    def test_a_full_disk_changes_nothing(self, stage: Stage, tmp_path: Path) -> None:
        """A write that the system cuts off is StoreUnavailableError and leaves the old file."""
        if not self.on_this_disk:
            pytest.skip("the store is on no disk of this machine")
        stage.write("file", b"old")
        before = self.raw_names(stage, tmp_path)
        source = tmp_path / "source"
        source.write_bytes(bytes(200_000))
        calls = """lambda: stage.write('file', bytes(200_000)),
                   lambda: stage.upload(Path(source), 'file')"""
        lines = errors_on_a_full_disk(stage, calls, str(source))
        assert len(lines) == 2, lines
        assert all("have space" in line and "raise the limit" in line for line in lines)
        assert stage.read("file") == b"old"
        assert self.raw_names(stage, tmp_path) == before

    def test_pickle_round_trip(self, stage: Stage) -> None:
        """A copy sent to another process finds what was written before."""
        stage.write("file", b"x")
        copy = pickle.loads(pickle.dumps(stage))
        assert copy.read("file") == b"x"
        copy.write("other", b"y")
        assert copy.list() == [FileInfo(name="file", size=1), FileInfo(name="other", size=1)]

    def test_uri_is_for_people(self, stage: Stage) -> None:
        """The URI names the file, whether it exists or not."""
        assert stage.uri("folder/file.html").endswith("folder/file.html")

    def test_errors_keep_names_out_of_logs(self, stage: Stage) -> None:
        """A name may hold a patient's: only `where`, which is never logged, repeats it."""
        for call in (
            lambda: stage.read("Doe^John/missing"),
            lambda: stage.read("Doe^John//x"),
            lambda: stage.write("Doe^John" * 50, b""),
        ):
            with pytest.raises(LungregError) as caught:
                call()
            assert "Doe^John" in str(caught.value)
            assert "Doe^John" not in caught.value.anonymous

    def _needs_processes(self) -> None:
        if not self.shared_between_processes:
            pytest.skip("the store lives in one process")

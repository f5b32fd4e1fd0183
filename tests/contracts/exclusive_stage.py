"""What every `lungreg.backends.local.exclusive_stage.ExclusiveStage` must do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lungreg.backends.local.exclusive_stage import ExclusiveStage
from lungreg.errors import AlreadyExistsError, DataError
from lungreg.stores import FileInfo
from tests.contracts.names import BAD_NAMES, ODD_NAMES
from tests.contracts.processes import create_all, race
from tests.contracts.stage import StageContract, errors_on_a_full_disk


class ExclusiveStageContract(StageContract):
    """The contract of a stage, and that of `create`."""

    def test_is_an_exclusive_stage(self, stage: ExclusiveStage) -> None:
        """The implementation has every method of the Protocol."""
        assert isinstance(stage, ExclusiveStage)

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_create_keeps_a_name(self, stage: ExclusiveStage, name: str) -> None:
        """Spaces, quotes, wildcards and unicode mean themselves in `create` too."""
        stage.create(name, b"created")
        assert stage.read(name) == b"created"
        assert stage.list() == [FileInfo(name=name, size=7)]

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_create_refuses_a_bad_name(
        self, stage: ExclusiveStage, name: str, tmp_path: Path
    ) -> None:
        """A name that no stage takes is a DataError, and nothing is made."""
        with pytest.raises(DataError):
            stage.create(name, b"x")
        assert self.raw_names(stage, tmp_path) == set()

    def test_create_never_replaces(self, stage: ExclusiveStage, tmp_path: Path) -> None:
        """What is there stays as it is when `create` is refused, and nothing lies beside it."""
        stage.create("created", b"first")
        stage.write("written", b"first")
        for name in ("created", "written"):
            with pytest.raises(AlreadyExistsError):
                stage.create(name, b"second")
            assert stage.read(name) == b"first"
        assert self.raw_names(stage, tmp_path) == {"created", "written"}

    def test_an_empty_file_is_created(self, stage: ExclusiveStage) -> None:
        """Zero bytes are a file, and taken."""
        stage.create("empty", b"")
        assert stage.list() == [FileInfo(name="empty", size=0)]
        with pytest.raises(AlreadyExistsError):
            stage.create("empty", b"x")

    def test_one_thread_creates_a_file(self, stage: ExclusiveStage) -> None:
        """Of many threads creating a name, exactly one succeeds, and its bytes are there."""

        def attempt(number: int) -> int | None:
            try:
                stage.create("file", str(number).encode())
            except AlreadyExistsError:
                return None
            return number

        with ThreadPoolExecutor(16) as pool:
            found = [*pool.map(attempt, range(32))]
        winners = [number for number in found if number is not None]
        assert [str(number).encode() for number in winners] == [stage.read("file")]

    def test_one_process_creates_a_file(self, stage: ExclusiveStage) -> None:
        """Of many processes creating a name, exactly one succeeds."""
        self._needs_processes()
        names = [f"files/{number}" for number in range(self.rounds // 2 + 1)]
        won = race(create_all, stage, names)
        assert sorted(name for names in won for name in names) == sorted(names)

    def test_create_on_a_full_disk_leaves_nothing(
        self, stage: ExclusiveStage, tmp_path: Path
    ) -> None:
        """A `create` that the system cuts off is StoreUnavailableError; the name stays free."""
        if not self.on_this_disk:
            pytest.skip("the store is on no disk of this machine")
        (line,) = errors_on_a_full_disk(stage, "lambda: stage.create('new', bytes(200_000)),")
        assert "have space" in line
        assert "raise the limit" in line
        assert self.raw_names(stage, tmp_path) == set()

    def test_errors_of_create_keep_names_out_of_logs(self, stage: ExclusiveStage) -> None:
        """A name may hold a patient's: only `where`, which is never logged, repeats it."""
        stage.create("Doe^John/file", b"")
        with pytest.raises(AlreadyExistsError) as caught:
            stage.create("Doe^John/file", b"")
        assert "Doe^John" in str(caught.value)
        assert "Doe^John" not in caught.value.anonymous

"""Tables in parts: latest row wins, parts come and go, and nothing is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lungreg.backends.local.stage import LocalStage
from lungreg.errors import StoreError, StoreUnavailableError
from lungreg.stores import FileInfo
from lungreg.stores.part_table import PartTable
from lungreg.testing import FaultyStage, MemoryStage

SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("value", pa.int64()),
        ("shape", pa.list_(pa.int64())),
        ("time", pa.timestamp("us", "UTC")),
    ]
)


def make(stage: Any, schema: pa.Schema = SCHEMA) -> PartTable:
    return PartTable(stage, "manifest", schema, key=("name",), order=("time",))


def row(name: str, value: int, minute: int = 0) -> dict[str, Any]:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    return {"name": name, "value": value, "shape": [value, 2, 3], "time": moment}


def parts(stage: Any) -> list[str]:
    return [info.name for info in stage.list()]


@dataclass
class CompactedMeanwhile(MemoryStage):
    """A stage on which another process compacts at a chosen moment of a reader's work."""

    moment: str

    def __post_init__(self) -> None:
        super().__init__()
        self.armed = False

    def compact_elsewhere(self) -> None:
        self.armed = False
        make(self).compact()

    def list(self, folder: str = "") -> list[FileInfo]:
        if not self.armed:
            return super().list(folder)
        before = super().list(folder)
        self.compact_elsewhere()
        if self.moment == "listing":  # passed the new part's place early, the old ones' late
            return [info for info in super().list(folder) if info in before]
        return before


def test_rows_come_back_in_the_schema() -> None:
    """Rows of several parts are one table, ordered by key, with the schema's exact types."""
    table = make(MemoryStage())
    table.append([row("b", 2), row("c", 3)])
    table.append([row("a", 1)])
    found = table.read()
    assert found.schema == SCHEMA
    assert found.to_pylist() == [row("a", 1), row("b", 2), row("c", 3)]


def test_rows_come_one_by_one_in_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are unpacked at once."""
    monkeypatch.setattr("lungreg.stores.part_table._ROWS_AT_ONCE", 2)
    table = make(MemoryStage())
    table.append([row("b", 2), row("c", 3), row("d", 4)])
    table.append([row("a", 1), row("b", 5, 1)])
    assert list(table.rows()) == table.read().to_pylist()
    assert [each["value"] for each in table.rows()] == [1, 5, 3, 4]


def test_no_rows_no_part() -> None:
    """An empty append writes nothing, and an empty table has its columns."""
    stage = MemoryStage()
    make(stage).append([])
    assert parts(stage) == []
    assert make(stage).read().schema == SCHEMA
    assert make(stage).read().num_rows == 0


def test_columns_left_out_are_null() -> None:
    """A row may lack what is not in the key."""
    table = make(MemoryStage())
    table.append([{"name": "a", "time": row("a", 1)["time"]}])
    assert table.read().to_pylist() == [{**row("a", 1), "value": None, "shape": None}]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({**row("a", 1), "extra": 1}, "columns of its schema"),
        ({**row("a", 1), "value": "text"}, "types of its schema"),
        ({**row("a", 1), "value": 2**70}, "types of its schema"),
        ({**row("a", 1), "name": None}, "key and the order"),
        ({"name": "a"}, "key and the order"),
    ],
)
def test_a_row_that_does_not_fit_is_refused(bad: dict[str, Any], words: str) -> None:
    """Nothing of an append is written when one of its rows is wrong."""
    stage = MemoryStage()
    with pytest.raises(StoreError, match=words):
        make(stage).append([row("good", 1), bad])
    assert parts(stage) == []


@settings(max_examples=12)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.integers(0, 9))))
def test_the_latest_row_of_a_key_counts(entries: list[tuple[str, int, int]]) -> None:
    """Whatever the parts and their order, compacted or not: the latest row, of ties the larger."""
    table = make(MemoryStage())
    expected: dict[str, tuple[int, int]] = {}
    for name, minute, value in entries:
        table.append([row(name, value, minute)])
        expected[name] = max(expected.get(name, (-1, -1)), (minute, value))
    wanted = [row(name, expected[name][1], expected[name][0]) for name in sorted(expected)]
    assert table.read().to_pylist() == wanted
    table.compact()
    assert table.read().to_pylist() == wanted


def test_a_folder_narrows_the_table() -> None:
    """Reading and compacting a folder leaves the others alone; other files are no parts."""
    stage = MemoryStage()
    table = make(stage)
    table.append([row("a", 1)], "manifest/one")
    table.append([row("b", 2)], "manifest/one")
    table.append([row("c", 3)], "manifest/ones")
    stage.write("manifest/one/part-list.txt", b"no part")
    stage.write("manifest/one/other.parquet", b"no part")
    assert table.read("manifest/one").column("name").to_pylist() == ["a", "b"]
    table.compact("manifest/one")
    assert table.read().column("name").to_pylist() == ["a", "b", "c"]
    assert len([name for name in parts(stage) if "/part-" in name]) == 3


def test_compact_leaves_one_part() -> None:
    """Many parts become one; one part stays what it is."""
    stage = MemoryStage()
    table = make(stage)
    for number in range(5):
        table.append([row(f"{number % 2}", number, number)])
    before = table.read()
    table.compact()
    (only,) = parts(stage)
    table.compact()
    assert parts(stage) == [only]
    assert table.read().equals(before)


def test_compact_leaves_large_parts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it takes does not grow with the table; a row replaced since is the later one still."""
    stage = MemoryStage()
    table = make(stage)
    table.append([row(f"{number}", number) for number in range(200)])
    (large,) = stage.list()
    monkeypatch.setattr("lungreg.stores.part_table._LARGE_PART_BYTES", large.size)
    for number in range(3):
        table.append([row("7", 700 + number, 1 + number)])
    before = table.read()
    table.compact()
    assert [info for info in stage.list() if info.name == large.name] == [large]
    assert len(stage.list()) == 2
    assert table.read().equals(before)
    assert row("7", 702, 3) in before.to_pylist()


def test_compact_stopped_in_between_loses_nothing(tmp_path: Path) -> None:
    """With the new part written and the old ones still there, the view is the same."""

    @dataclass
    class NoDelete(FaultyStage):
        def delete(self, name: str) -> None:
            raise KeyboardInterrupt

    stage = LocalStage(tmp_path)
    table = make(stage)
    for number in range(3):
        table.append([row("a", number, number), row(f"{number}", number)])
    before = table.read()
    with pytest.raises(KeyboardInterrupt):
        make(NoDelete(stage)).compact()
    assert len(parts(stage)) == 4
    assert table.read().equals(before)
    table.compact()
    assert len(parts(stage)) == 1
    assert table.read().equals(before)


@pytest.mark.parametrize("moment", ["listing", "reading"])
def test_parts_compacted_meanwhile_are_found_again(moment: str) -> None:
    """A reader whose parts vanish, or whose listing saw neither old nor new, lists again."""
    stage = CompactedMeanwhile(moment)
    table = make(stage)
    for number in range(4):
        table.append([row(f"{number}", number)])
    stage.armed = True
    assert table.read().num_rows == 4
    assert not stage.armed


def test_readers_and_compactors_at_once(tmp_path: Path) -> None:
    """While some append and others compact, no reader ever misses a row that was there."""
    table = make(LocalStage(tmp_path, fsync=False))

    def append(writer: int) -> None:
        for number in range(20):
            table.append([row(f"{writer}-{number}", number)])

    def compact(_: int) -> None:
        for _ in range(15):
            table.compact()

    def count(_: int) -> list[int]:
        return [table.read().num_rows for _ in range(15)]

    with ThreadPoolExecutor(6) as pool:
        writers = [pool.submit(append, number) for number in range(2)]
        others = [pool.submit(compact, number) for number in range(2)]
        readers = [pool.submit(count, number) for number in range(2)]
        for task in (*writers, *others):
            task.result()
        for reader in readers:
            assert reader.result() == sorted(reader.result())
    assert table.read().num_rows == 40


@pytest.mark.parametrize("damage", [b"", b"no parquet at all", None])
def test_a_damaged_part_is_named(tmp_path: Path, damage: bytes | None) -> None:
    """A truncated or foreign part is an error that says how to mend it; nothing is dropped."""
    stage = LocalStage(tmp_path)
    table = make(stage)
    table.append([row("a", 1)])
    table.append([row("b", 2)])
    victim = parts(stage)[0]
    stage.write(victim, stage.read(victim)[:-20] if damage is None else damage)
    for call in (table.read, table.compact):
        with pytest.raises(StoreError, match="delete the file and repeat") as caught:
            call()
        assert victim in str(caught.value)
        assert victim not in caught.value.anonymous
    assert len(parts(stage)) == 2
    stage.delete(victim)
    assert table.read().num_rows == 1


def test_a_part_of_another_type_is_named() -> None:
    """A Parquet file whose columns cannot be read as the schema's is a damaged part."""
    stage = MemoryStage()
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"name": ["a"], "value": ["text"]}), sink)
    stage.write("manifest/part-1.parquet", sink.getvalue().to_pybytes())
    with pytest.raises(StoreError, match="columns of its schema"):
        make(stage).read()


def test_other_versions_had_other_columns() -> None:
    """Columns that a part lacks are null; columns that this version does not know are left out."""
    stage = MemoryStage()
    old = pa.schema([SCHEMA.field("name"), SCHEMA.field("time"), ("gone", pa.string())])
    make(stage, old).append([{"name": "a", "time": row("a", 1)["time"], "gone": "x"}])
    assert make(stage).read().to_pylist() == [{**row("a", 1), "value": None, "shape": None}]


def test_a_full_disk_stops_compact_unharmed() -> None:
    """No part is deleted before the new one is written."""
    stage = FaultyStage(MemoryStage(), full_on={3})
    table = make(stage)
    table.append([row("a", 1)])
    table.append([row("b", 2)])
    with pytest.raises(StoreUnavailableError):
        table.compact()
    assert len(parts(stage)) == 2

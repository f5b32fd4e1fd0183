"""What the tables and pages of a stage of 100,000 cases take: no scan is read, none registered.

    python -m tests.benchmarks.large --cases 100000

Rows of the manifest and of a run as `ingest` and `infer` write them, ten at a time and compacted
on the way; then what is asked of them: the cases, the rows, SQL, the report, `infer --resume` of a
finished run. Prints seconds, CPU seconds, megabytes of this process and calls of the stage, and
keeps them in `tests/benchmarks/results/`. The files of cases are there by name alone.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from lungreg.config import Config, parse_config
from lungreg.records import Split, Status, Verdict
from lungreg.stores import Backend
from lungreg.stores.manifest import (
    ManifestFile,
    ManifestRow,
    ScanFacts,
    manifest_table,
    read_cases,
    write_manifest,
)
from lungreg.stores.names import CASE_INPUTS, RunNames
from lungreg.stores.results import COMPACT_EVERY, Compaction
from lungreg.stores.run_files import write_config
from lungreg.workflows.infer import infer
from lungreg.workflows.report import report
from lungreg.workflows.results import query_results
from tests.benchmarks.kept import keep, machine
from tests.benchmarks.many import counting
from tests.contracts.results import FULL

RUN = "infer-20260101-000000-abcdef"
BATCH = 10
SQL = "SELECT verdict, count(*), median(tre_mm) FROM results GROUP BY verdict"
_MB = 1e6


def main() -> None:
    """Make the rows, ask for them, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--dry", action="store_true", help="do not keep the numbers")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        steps = measure(Path(name), asked.cases)
    record = {"machine": machine(), "cases": asked.cases, **steps}
    Console().print_json(data=record)
    if not asked.dry:
        keep(record, "-large")


def measure(folder: Path, cases: int) -> dict[str, Any]:
    """Every step in turn."""
    config = parse_config(
        {
            "backend": {"root": str(folder / "stage"), "tracking": False},
            "infer": {"workers": 0, "device": "cpu"},
        }
    )
    backend = counting(config)
    found: dict[str, Any] = {"process before, MB": round(psutil.Process().memory_info().rss / _MB)}
    with watched(found, "rows of the manifest, as ingest writes them", backend):
        write_cases(backend, cases)
    with watched(found, "the manifest read", backend):
        read_cases(backend.stage)
    with watched(found, "rows of a run, as infer writes them", backend):
        write_rows(backend, config, cases)
    name_files(folder / "stage", cases)
    with watched(found, "compaction at the end", backend):
        backend.results.compact(RUN)
    with watched(found, "rows of a run read", backend):
        backend.results.rows(RUN)
    with watched(found, "a query", backend):
        query_results(config, SQL, backend=backend)
    with watched(found, "infer --resume of a finished run", backend):
        infer(config, resume=RUN, backend=backend)
    with watched(found, "report", backend):
        report(config, RUN, backend=backend)
    found["report"] |= pages(folder / "stage" / "runs" / RUN)
    return found


def write_cases(backend: Backend, cases: int) -> None:
    """The manifest of cases with masks."""
    parts = Compaction(manifest_table(backend.stage).compact, COMPACT_EVERY)
    for begin in range(0, cases, BATCH):
        numbers = range(begin, min(begin + BATCH, cases))
        write_manifest(backend.stage, [_manifest_row(number) for number in numbers])
        parts.added(len(numbers))


def write_rows(backend: Backend, config: Config, cases: int) -> None:
    """The run's rows: nine of ten pass, one of a hundred fails, all were registered."""
    write_config(backend.stage, RUN, config)
    parts = Compaction(partial(backend.results.compact, RUN), COMPACT_EVERY)
    made = random.Random(1)
    verdicts = [*[Verdict.PASS] * 90, *[Verdict.WARN] * 9, Verdict.FAIL]
    for begin in range(0, cases, BATCH):
        rows = [
            replace(
                FULL,
                run_id=RUN,
                case_id=_case_id(number),
                status=Status.SUCCESS,
                split=Split.UNSEEN,
                verdict=verdicts[number % len(verdicts)],
                error_code=None,
                error_message=None,
                tre_mm=made.uniform(0.5, 4.0),
                dice_score=made.uniform(0.9, 1.0),
            )
            for number in range(begin, min(begin + BATCH, cases))
        ]
        backend.results.write(rows)
        parts.added(len(rows))


def name_files(stage: Path, cases: int) -> None:
    """Empty files where those of the registered cases are, five for each."""
    for number in range(cases):
        names = RunNames(RUN).case(_case_id(number))
        for name in (names.image, names.label, names.displacement, names.metrics, names.page):
            file = stage / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()


def pages(folder: Path) -> dict[str, Any]:
    """How many pages the report has, and the size of the largest."""
    sizes = [file.stat().st_size for file in folder.glob("report*.html")]
    return {"pages": len(sizes), "largest page, MB": round(max(sizes) / _MB, 2)}


@contextmanager
def watched(found: dict[str, Any], step: str, backend: Backend) -> Iterator[None]:
    """Note what a step takes; memory is the most that this process had during it."""
    process, asked = psutil.Process(), backend.stage.asked  # type: ignore[attr-defined]
    before, memory, done = Counter(asked), [process.memory_info().rss], threading.Event()

    def look() -> None:
        while not done.wait(0.1):
            memory.append(process.memory_info().rss)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    began, cpu = time.perf_counter(), time.process_time()
    yield
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    done.set()
    thread.join()
    found[step] = {
        "seconds": round(seconds, 2),
        "CPU seconds": round(cpu_s, 2),
        "process, MB": round(max(memory) / _MB),
        "stage": dict(Counter(asked) - before),
    }
    Console(stderr=True).print(step, found[step])


def _case_id(number: int) -> str:
    return f"case_{number:07d}"


def _manifest_row(number: int) -> ManifestRow:
    case_id = _case_id(number)
    files = [
        ManifestFile(
            role=role, name=name.format(case_id), size=9_000_000, sha256=_digest(name, case_id)
        )
        for role, name in CASE_INPUTS.items()
        if role in ("fixed", "moving", "fixed_mask", "moving_mask")
    ]
    facts = ScanFacts(
        shape=(192, 192, 208), spacing_mm=(1.75, 1.25, 1.75), orientation="LAS", hu_offset=0.0
    )
    return ManifestRow(
        case_id=case_id,
        verdict=Verdict.PASS,
        files=tuple(files),
        fixed=facts,
        moving=facts,
        scans_sha256=(_digest("fixed", case_id), _digest("moving", case_id)),
        source_sha256=_digest("source", case_id),
        checked_at=datetime.now(UTC),
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("".join(parts).encode()).hexdigest()


if __name__ == "__main__":
    main()

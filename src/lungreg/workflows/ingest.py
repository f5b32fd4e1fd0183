"""Ingest: from files in a known layout to checked pairs on the stage."""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue

import pooch

from lungreg.backends import open_backend
from lungreg.config import INCOMING, Config, Ingest
from lungreg.errors import ConfigError, RunError
from lungreg.records import Verdict
from lungreg.records.summary import Facts, Summary
from lungreg.sources import (
    PairUpload,
    SourceCase,
    cases_by_scan,
    list_cases,
    match_groups,
    open_source,
    pseudonymise,
    read_groups,
    stage_sizes,
    unmatched_patterns,
    upload_pair,
)
from lungreg.sources.downloads import OnBytes
from lungreg.sources.simulation import simulate_cohort
from lungreg.stores import Backend, Stage
from lungreg.stores.manifest import ManifestRow, manifest_table, read_manifest, write_manifest
from lungreg.stores.results import COMPACT_EVERY, Compaction
from lungreg.workflows.incoming import new_cases
from lungreg.workflows.progress import OnProgress, Progress, ignore_progress

_MEGABYTE = 1_000_000
_AHEAD = 200
"""Cases handed to the threads at a time: more than end while a slow stage writes their rows."""


@dataclass(frozen=True, kw_only=True, repr=False)
class IngestReport(Summary):
    """The result of ingesting a source."""

    rows: list[ManifestRow]
    """One per case of the source, by case id."""
    uploaded: int
    """Files written to the stage."""
    unchanged: int
    """Cases that were there already."""
    key_file: Path | None = None
    """The key to the pseudonyms, where cases got some."""
    notes: tuple[str, ...] = ()
    """Warnings about the cohort, for people: they name cases."""

    def facts(self) -> Facts:
        """The main facts, by name; they are what is shown of it."""
        return {
            "cases": len(self.rows),
            "rejected": len(self.rejected),
            "unchanged": self.unchanged,
            "uploaded": self.uploaded,
            "notes": "; ".join(self.notes) or None,
        }

    def parts(self) -> Sequence[Facts]:
        """The rejected cases."""
        return [
            {"case_id": row.case_id, "verdict": row.verdict, "why": "; ".join(row.reasons)}
            for row in self.rejected
        ]

    @property
    def rejected(self) -> list[ManifestRow]:
        """Cases that stay off the stage."""
        return [row for row in self.rows if row.verdict is Verdict.REJECT]


def ingest(
    config: Config,
    *,
    backend: Backend | None = None,
    on_progress: OnProgress = ignore_progress,
) -> IngestReport:
    """Bring the cases of `ingest.source` to the stage, each checked.

    A second run uploads nothing; a run that was stopped is started again and loses and doubles
    nothing, since a case counts only once its row is in the manifest.

    Args:
        config: The run.
        backend: Stores to use instead of those that the config names.
        on_progress: Called after every case.

    Raises:
        LungregError: No source, nothing found in it, an unsafe archive, or a stage that fails.
    """
    backend = (backend or open_backend(config.backend)).for_run(None, "ingest")
    known = {row.case_id: row for row in read_manifest(backend.stage)}
    with _source(config, backend, known, on_progress) as folder:
        if folder is None:
            return IngestReport(rows=[], uploaded=0, unchanged=0)
        wanted = _wanted(folder, config.ingest, known)
        try:
            taken = _take_all(backend.stage, wanted, known, config.ingest, on_progress)
        except KeyboardInterrupt as error:
            msg = "ingest was stopped; the cases reported so far are on the stage"
            raise RunError(msg, mend="run the same command again to go on") from error
    manifest_table(backend.stage).compact()
    backend.note_files()
    rows = {upload.row.case_id: upload.row for upload in taken}
    return IngestReport(
        rows=sorted((intake.row for intake in taken), key=lambda row: row.case_id),
        uploaded=sum(intake.uploaded for intake in taken),
        unchanged=sum(1 for x in taken if not x.uploaded and x.row.verdict is not Verdict.REJECT),
        key_file=wanted.key_file,
        notes=(*wanted.notes, *_same_scans({**known, **rows}, rows)),
    )


def _same_scans(rows: Mapping[str, ManifestRow], ids: Collection[str]) -> list[str]:
    """A warning for each scan that several cases hold, one of them of this source."""
    shared = cases_by_scan({case_id: row.scans for case_id, row in rows.items()})
    return [
        f"{', '.join(cases)} hold the same scan: they count as one patient and stay on one side of "
        "every split"
        for cases in shared
        if any(case_id in ids for case_id in cases)
    ]


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    cases: Sequence[SourceCase]
    groups: Mapping[str, str]
    """By case id."""
    key_file: Path | None = None
    notes: tuple[str, ...] = ()


def _wanted(folder: Path, settings: Ingest, known: Collection[str]) -> _Wanted:
    found = list_cases(folder, settings)
    notes = unmatched_patterns(folder, settings, found, show_names=not settings.pseudonymise)
    if settings.groups is None:
        read = {source.case_id: source.group for source in found if source.group is not None}
    else:
        read = read_groups(Path(settings.groups))
    matched = match_groups(
        read, [source.case_id for source in found], show_ids=not settings.pseudonymise
    )
    if not settings.pseudonymise:
        return _Wanted(cases=found, groups=matched.groups, notes=(*notes, *matched.notes))
    renamed = pseudonymise(found, matched.groups, settings, on_stage=known)
    return _Wanted(
        cases=renamed.cases,
        groups=renamed.groups,
        key_file=renamed.key_file,
        notes=(*notes, *matched.notes),
    )


@contextmanager
def _source(
    config: Config, backend: Backend, known: Mapping[str, ManifestRow], on_progress: OnProgress
) -> Iterator[Path | None]:
    """The folder of the source; None where nothing new has come in."""
    settings = config.ingest
    if settings.source is None:
        msg = "ingest needs a source"
        mend = "set ingest.source to a folder, archive, URL or dataset"
        raise ConfigError(msg, got="none", mend=mend)
    if settings.source == "simulate":
        with tempfile.TemporaryDirectory(prefix="lungreg-simulated-") as folder:
            simulate_cohort(Path(folder), cases=settings.simulated_cases, seed=config.seed)
            yield Path(folder)
        return
    if settings.source == INCOMING:
        # One that was rejected may have got its other scan since.
        kept = {row.case_id for row in known.values() if row.verdict is not Verdict.REJECT}
        with new_cases(backend, config, kept) as incoming:
            yield incoming
        return
    cache = Path(pooch.os_cache("lungreg"))
    with open_source(settings, cache, on_bytes=_megabytes(on_progress)) as folder:
        yield folder


def _megabytes(on_progress: OnProgress) -> OnBytes:
    """A callback for a download that reports every further megabyte."""
    reported: Progress | None = None

    def report(done: int, total: int | None) -> None:
        nonlocal reported
        whole = None if total is None else math.ceil(total / _MEGABYTE)
        event = Progress(step="download", done=math.ceil(done / _MEGABYTE), total=whole, unit="MB")
        if event != reported:
            reported = event
            on_progress(event)

    return report


def _take_all(
    stage: Stage,
    wanted: _Wanted,
    known: Mapping[str, ManifestRow],
    settings: Ingest,
    on_progress: OnProgress,
) -> list[PairUpload]:
    taken: list[PairUpload] = []
    there = stage_sizes(stage)
    finished: SimpleQueue[Future[PairUpload]] = SimpleQueue()
    parts = Compaction(manifest_table(stage).compact, COMPACT_EVERY)
    left = iter(wanted.cases)
    with ThreadPoolExecutor(settings.threads) as pool:

        def submit(count: int) -> None:
            for source in itertools.islice(left, count):
                pool.submit(
                    upload_pair,
                    stage,
                    source,
                    known.get(source.case_id),
                    there=there,
                    group=wanted.groups.get(source.case_id),
                    max_voxels=settings.max_voxels,
                ).add_done_callback(finished.put)

        try:
            submit(_AHEAD)
            while len(taken) < len(wanted.cases):
                # All rows that are there are one part: a slow stage does not make many of them.
                done = [finished.get(), *_drain(finished)]
                submit(len(done))
                intakes = [_numbered(future.result(), known) for future in done]
                rows = [each.row for each in intakes if each.row is not known.get(each.row.case_id)]
                write_manifest(stage, rows)
                parts.added(len(rows))
                for intake in intakes:
                    taken.append(intake)
                    on_progress(_event(intake, len(taken), len(wanted.cases)))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return taken


def _drain(finished: SimpleQueue[Future[PairUpload]]) -> Iterator[Future[PairUpload]]:
    """All that is in the queue now. `futures.wait` would look at every case for each that ends."""
    with suppress(Empty):
        while True:
            yield finished.get_nowait()


def _numbered(intake: PairUpload, known: Mapping[str, ManifestRow]) -> PairUpload:
    """The upload, its new row numbered after the one that it replaces."""
    before = known.get(intake.row.case_id)
    if before is None or intake.row is before:
        return intake
    return replace(intake, row=replace(intake.row, sequence=before.sequence + 1))


def _event(intake: PairUpload, done: int, total: int) -> Progress:
    row = intake.row
    state = "unchanged" if not intake.uploaded and row.files else row.verdict.value
    note = f"{row.case_id}: {state}" + "".join(f"; {reason}" for reason in row.reasons)
    return Progress(step="ingest", done=done, total=total, note=note)

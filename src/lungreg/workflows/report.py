"""Report: from the rows and pages of a run to one page that a person reads.

The table of a large cohort goes on in further pages beside it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from lungreg.backends import open_backend
from lungreg.config import Config
from lungreg.errors import DataError, NotFoundError
from lungreg.formats.local_files import write_file
from lungreg.qc.case_page import extract_panel
from lungreg.qc.cohort_page import choose_panels, render_pages
from lungreg.records import CaseResult, counted
from lungreg.stores import Backend, Stage
from lungreg.stores.names import PAGE_FILE, REPORT_FILE, RunNames, report_file
from lungreg.workflows.progress import provenance
from lungreg.workflows.results import run_results

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ReportPage:
    """The cohort page of a run, which a notebook shows in a frame."""

    html: str
    """The page, complete in itself; without links to the cases' own pages."""
    height_px: int

    def _repr_html_(self) -> str:
        style = f"width: 100%; height: {self.height_px}px; border: 1px solid #ccc"
        return f'<iframe srcdoc="{escape(self.html)}" style="{style}"></iframe>'

    def __repr__(self) -> str:
        return f"ReportPage({len(self.html)} characters)"


def report(config: Config, run_id: str, *, backend: Backend | None = None) -> str:
    """Write the cohort page of a run to the stage, beside its cases' own pages.

    Beyond 2,000 cases there are further pages, report-2.html and so on, which the first one links.

    Args:
        config: The run; its thresholds and number of panels count.
        run_id: A run of `infer`, finished or not.
        backend: Stores to use instead of those that the config names.

    Returns:
        Name of the page on the stage, of several the first.

    Raises:
        RunError: The run has no results.
    """
    backend = (backend or open_backend(config.backend)).for_run(run_id, "report")
    names = RunNames(run_id)
    pages = _pages(config, run_id, backend, _links(backend.stage, run_id))
    for number, page in enumerate(pages, start=1):
        backend.stage.write(names.report_page(number), page.encode())
    backend.note_files()
    return names.report


def report_here(config: Config, run_id: str, out: Path, *, backend: Backend | None = None) -> Path:
    """Write the cohort page of a run and its cases' own pages to a folder of this machine.

    Nothing on the stage changes, so that read access to the run is enough.

    Args:
        config: The run; its thresholds and number of panels count.
        run_id: A run of `infer`, finished or not.
        out: The folder; files of the same names are replaced.
        backend: Stores to use instead of those that the config names.

    Returns:
        The cohort page, whose links lead to the others.

    Raises:
        RunError: The run has no results, or the folder cannot be written.
    """
    backend = (backend or open_backend(config.backend)).for_run(run_id, "report")
    links = _links(backend.stage, run_id)
    for number, page in enumerate(_pages(config, run_id, backend, links), start=1):
        write_file(out / report_file(number), page.encode())
    for name in links.values():
        write_file(out / name, backend.stage.read(f"{RunNames(run_id).folder}/{name}"))
    return out / REPORT_FILE


def show_report(
    config: Config, run_id: str, *, height_px: int = 900, backend: Backend | None = None
) -> ReportPage:
    """The cohort page of a run, of several the first, inside a notebook; nothing is written.

    Args:
        config: The run; its thresholds and number of panels count.
        run_id: A run of `infer`, finished or not.
        height_px: Of the frame; what is longer scrolls.
        backend: Stores to use instead of those that the config names.

    Raises:
        RunError: The run has no results.
    """
    backend = (backend or open_backend(config.backend)).for_run(run_id, "report")
    first = next(_pages(config, run_id, backend, {}, page_name=None))
    return ReportPage(html=first, height_px=height_px)


def _pages(
    config: Config,
    run_id: str,
    backend: Backend,
    links: Mapping[str, str],
    page_name: Callable[[int], str] | None = report_file,
) -> Iterator[str]:
    results = run_results(backend, run_id)
    return render_pages(
        run_id,
        results,
        _panels(backend.stage, run_id, choose_panels(results, config.report.panels)),
        thresholds=config.quality,
        provenance=provenance(_facts(results)),
        case_links=links,
        page_name=page_name,
    )


def _panels(stage: Stage, run_id: str, case_ids: Sequence[str]) -> dict[str, str]:
    panels: dict[str, str] = {}
    damaged = 0
    for case_id in case_ids:
        try:
            page = stage.read(RunNames(run_id).case(case_id).page).decode(errors="replace")
            panels[case_id] = extract_panel(page)
        except NotFoundError:
            continue
        except DataError:
            damaged += 1
    if damaged:
        pages = counted(damaged, "damaged page")
        _log.warning("left out: %s of cases, whose files are not whole", pages)
    return panels


def _links(stage: Stage, run_id: str) -> dict[str, str]:
    """By case id, the path of the case's own page relative to the cohort page."""
    run = RunNames(run_id)
    files = [file.name for file in stage.list(run.cases) if file.name.endswith(f"/{PAGE_FILE}")]
    return {name.split("/")[-2]: name.removeprefix(f"{run.folder}/") for name in files}


def _facts(results: Sequence[CaseResult]) -> Mapping[str, str]:
    models = sorted({_model(row) for row in results})
    return {"model": ", ".join(models), "cases": str(len(results))}


def _model(row: CaseResult) -> str:
    if row.model_name is None:
        return "none: each pair was registered by itself"
    return f"{row.model_name} version {row.model_version}"

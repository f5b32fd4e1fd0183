"""Pages of two results that must not be trusted, for the documentation's pictures.

One has an error in a part of the lungs alone, the other a moving scan whose header is mirrored.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import torch

from lungreg.config import Config, Refine
from lungreg.qc.case_page import render_case
from lungreg.records import CaseResult
from lungreg.registration.model_free import model_free_estimate
from lungreg.registration.outputs import remarks_of
from lungreg.registration.pair import Estimate, Estimated, Pair
from lungreg.registration.register import register_pair
from tests.varied.errors import make_error
from tests.varied.pairs import make_varied
from tests.varied.wrong import make_wrong

_CPU, _SEED = torch.device("cpu"), 4


def doubtful_pages(folder: Path) -> dict[str, Path]:
    """Write both pages.

    Returns:
        The pages' files, by the name of their picture.
    """
    case = make_varied("analytic", "none", _SEED)
    wrong = make_error("local12", case, _SEED)
    mirrored = make_wrong("mirrored_lr", "analytic", _SEED).pair
    pages = {
        "case-local": _page(case.pair, lambda _pair, _affine: Estimated(transform=wrong)),
        "case-mirrored": _page(mirrored, model_free_estimate(Refine(), _CPU, seed=0)),
    }
    files = {name: folder / f"{name}.html" for name in pages}
    for name, file in files.items():
        file.write_text(pages[name])
    return files


def _page(pair: Pair, estimate: Estimate) -> str:
    config, now = Config(), datetime.now(UTC)
    done = register_pair(
        pair,
        estimate,
        hu_window=config.preprocessing.hu_window,
        alignment="auto",
        thresholds=config.quality,
        device=_CPU,
    )
    result = CaseResult(
        **asdict(done.measured.metrics),
        run_id="register",
        case_id="patient",
        verdict=done.judgement.verdict,
        evidence=done.judgement.evidence,
        compute_s=done.field_s,
        worker="cpu",
        started_at=now,
        finished_at=now,
    )
    return render_case(
        result,
        done.images,
        provenance={},
        remarks=remarks_of(done),
        places=done.measured.places,
        landmarks=done.measured.landmarks,
    )

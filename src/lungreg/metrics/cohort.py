"""The 30 % tail of a measure over a cohort."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lungreg.errors import DataError

_TAIL = 0.3


def tail_30(values: Sequence[float], *, higher_is_better: bool) -> float:
    """The 30 % tail of Learn2Reg: the best value among the worst 30 % of the cases.

    The 0.7 quantile of the cases' own means where lower is better (landmark error, SD(log J)),
    the 0.3 quantile where higher is (Dice), linear between cases; TRE30 and DSC30 of the
    challenge (Hering et al. 2022, doi:10.1109/TMI.2022.3213983; evaluation.py of
    github.com/MDL-UzL/L2R, version 2.0). The official script takes the 0.3 quantile of HD95 as
    well, which is that measure's good side; here it is the bad one.

    Args:
        values: One per case.
        higher_is_better: Whether a higher value of the measure is better.

    Raises:
        DataError: There is no case.
    """
    if not values:
        msg = "a cohort's tail needs at least one case"
        raise DataError(msg, got="none")
    return float(np.quantile(np.asarray(values), _TAIL if higher_is_better else 1 - _TAIL))

"""Split cases into train, val and test; all cases of a patient go to the same part.

Cases are of one patient where they have the same group, or share a scan.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lungreg.config import SplitSpec
from lungreg.errors import ConfigError
from lungreg.records import Case, Split, same_form


def split_cases(cases: Sequence[Case], spec: SplitSpec, *, seed: int) -> dict[Split, list[str]]:
    """Case ids under train, val and test; a patient is never split.

    The order of patients is drawn from the seed and each patient's name, so that it does not
    depend on the order of the cases.

    Raises:
        ConfigError: Lists that overlap, name unknown cases or split a patient; more folds than
            patients; nothing left to train on.
    """
    if isinstance(spec.train, list):
        split = _listed(cases, spec)
    elif spec.folds is not None:
        split = _folded(_shuffled_groups(cases, seed), spec.folds, spec.fold)
    else:
        split = _shared(_shuffled_groups(cases, seed), spec, total=len(cases))
    if not split[Split.TRAIN]:
        msg = "a split leaves at least one case to train on"
        raise ConfigError(msg, got=f"none of {len(cases)}", mend="ingest more cases")
    return split


def _shuffled_groups(cases: Sequence[Case], seed: int) -> list[list[str]]:
    groups = _patients(cases)
    order = sorted(groups, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    return [groups[name] for name in order]


def _patients(cases: Sequence[Case]) -> dict[str, list[str]]:
    """Case ids by patient: a group, a case without one, or several of them that share scans."""
    ordered = sorted(cases, key=lambda case: case.case_id)
    joined: dict[int, list[Case]] = {}
    for case, number in zip(ordered, _connected(ordered), strict=True):
        joined.setdefault(number, []).append(case)
    return {
        min(_patient(case) for case in members): [case.case_id for case in members]
        for members in joined.values()
    }


def _connected(cases: Sequence[Case]) -> list[int]:
    """A number for each case, the same for those that a patient's name or a scan connects."""
    links = [{_patient(case), *(f"scan:{scan}" for scan in case.scans)} for case in cases]
    places = {name: len(cases) + at for at, name in enumerate(sorted(set().union(*links)))}
    pairs = [(row, places[name]) for row, names in enumerate(links) for name in names]
    size = len(cases) + len(places)
    graph = coo_array((np.ones(len(pairs)), np.array(pairs).reshape(-1, 2).T), shape=(size, size))
    numbers: list[int] = connected_components(graph, directed=False)[1].tolist()
    return numbers[: len(cases)]


def _patient(case: Case) -> str:
    return f"case:{case.case_id}" if case.group is None else f"group:{case.group}"


def _shared(groups: list[list[str]], spec: SplitSpec, *, total: int) -> dict[Split, list[str]]:
    left = list(groups)
    result: dict[Split, list[str]] = {}
    for split, share in ((Split.TEST, spec.test), (Split.VAL, spec.val)):
        wanted = _count(float(share), total)  # type: ignore[arg-type]  # shares, not lists
        taken: list[str] = []
        while left and len(left) > 1 and len(taken) < wanted:
            taken += left.pop(0)
        result[split] = sorted(taken)
    result[Split.TRAIN] = sorted(case_id for group in left for case_id in group)
    return result


def _count(share: float, total: int) -> int:
    return 0 if share == 0 else max(1, math.floor(share * total + 0.5))


def _folded(groups: list[list[str]], folds: int, fold: int) -> dict[Split, list[str]]:
    if folds > len(groups):
        msg = "there are at least as many cases (patients) as folds"
        raise ConfigError(msg, got=f"{len(groups)} for {folds} folds")
    parts = [[case_id for group in groups[i::folds] for case_id in group] for i in range(folds)]
    rest = [case_id for i, part in enumerate(parts) if i != fold for case_id in part]
    return {Split.TRAIN: sorted(rest), Split.VAL: sorted(parts[fold]), Split.TEST: []}


def _listed(cases: Sequence[Case], spec: SplitSpec) -> dict[Split, list[str]]:
    by_form = {same_form(case.case_id): case.case_id for case in cases}
    lists = {Split.TRAIN: spec.train, Split.VAL: spec.val, Split.TEST: spec.test}
    split = {
        part: sorted({by_form.get(same_form(name), name) for name in names})
        for part, names in lists.items()
        if isinstance(names, list)
    }
    named = [case_id for ids in split.values() for case_id in ids]
    known = {case.case_id for case in cases}
    unknown = [case_id for case_id in named if case_id not in known]
    twice = [case_id for case_id in set(named) if named.count(case_id) > 1]
    if unknown or twice:
        msg = "data.split names each case once and only cases on the stage"
        got = f"{len(unknown)} unknown, {len(twice)} twice"
        raise ConfigError(msg, got=got, where=", ".join(sorted([*unknown, *twice])[:5]))
    home = {case_id: part for part, ids in split.items() for case_id in ids}
    for ids in _patients(cases).values():
        if len({home[case_id] for case_id in ids if case_id in home}) > 1:
            msg = (
                "cases of one patient, by group or by the same scan, are in one part of data.split"
            )
            raise ConfigError(msg, got="a patient in two", where=", ".join(ids[:5]))
    return split

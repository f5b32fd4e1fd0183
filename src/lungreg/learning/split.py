"""Split cases into train, val and test; all cases of a patient go to the same part."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from lungreg.config import SplitSpec
from lungreg.errors import ConfigError
from lungreg.records import Case, Split


def split_cases(cases: Sequence[Case], spec: SplitSpec, *, seed: int) -> dict[Split, list[str]]:
    """Case ids under train, val and test; a group (patient) is never split.

    The order of groups is drawn from the seed and each group's name, so that it does not depend
    on the order of the cases.

    Raises:
        ConfigError: Lists that overlap, name unknown cases or split a group; more folds than
            groups; nothing left to train on.
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
    groups: dict[str, list[str]] = {}
    for case in sorted(cases, key=lambda case: case.case_id):
        name = f"case:{case.case_id}" if case.group is None else f"group:{case.group}"
        groups.setdefault(name, []).append(case.case_id)
    order = sorted(groups, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    return [groups[name] for name in order]


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
    lists = {Split.TRAIN: spec.train, Split.VAL: spec.val, Split.TEST: spec.test}
    split = {name: sorted(set(ids)) for name, ids in lists.items() if isinstance(ids, list)}
    known = {case.case_id: case for case in cases}
    named = [case_id for ids in split.values() for case_id in ids]
    unknown = [case_id for case_id in named if case_id not in known]
    twice = [case_id for case_id in set(named) if named.count(case_id) > 1]
    if unknown or twice:
        msg = "data.split names each case once and only cases on the stage"
        got = f"{len(unknown)} unknown, {len(twice)} twice"
        raise ConfigError(msg, got=got, where=", ".join(sorted([*unknown, *twice])[:5]))
    home = {known[case_id].group: name for name, ids in split.items() for case_id in ids}
    for name, ids in split.items():
        groups = {known[case_id].group for case_id in ids} - {None}
        if any(home[group] != name for group in groups):
            msg = "cases of one group (patient) are in one part of data.split"
            raise ConfigError(msg, got="a group in two")
    return split

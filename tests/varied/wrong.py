"""Wrong inputs: pairs that must not pass without a word, and one that must."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from lungreg.formats.volumes import Volume
from lungreg.spatial.geometry import FloatArray, Grid, apply_affine
from tests.varied.inverse import Inverse
from tests.varied.pairs import make_varied
from tests.varied.phantom import abdomen
from tests.varied.record import Truth, VariedCase
from tests.varied.source import available_bases


@dataclass(frozen=True, kw_only=True, eq=False)
class Readdressed:
    """A truth whose moving header was changed after the scan."""

    truth: Truth
    change: FloatArray
    """(4, 4) from the right header's world to the wrong one's."""

    def __call__(self, points_ras: FloatArray) -> NDArray[np.float64]:
        return np.asarray(apply_affine(self.change, self.truth(points_ras)))


def unmoved(points_ras: FloatArray) -> NDArray[np.float64]:
    """The truth of a scan with itself."""
    return np.asarray(points_ras, dtype=np.float64)


def _exchanged(case: VariedCase) -> VariedCase:
    pair, old = case.pair, case.pair.case
    swapped = replace(
        old, fixed_hu_offset=old.moving_hu_offset, moving_hu_offset=old.fixed_hu_offset
    )
    truth = _truth(case)
    return replace(
        case,
        pair=replace(pair, case=swapped, fixed=pair.moving, moving=pair.fixed),
        fixed_mask=case.moving_mask,
        moving_mask=case.fixed_mask,
        truth=Inverse.of(truth, pair.fixed.grid),
        landmarks_ras=truth(case.landmarks_ras),
    )


def _other_patient(case: VariedCase) -> VariedCase:
    """A seed that is held back gets another that is held back as well."""
    others = [base for base in available_bases() if base not in ("analytic", case.base)]
    real = case.base != "analytic" and others and case.seed % 2
    other = make_varied(others[0] if real else "analytic", "none", case.seed + 3)
    pair = replace(case.pair, moving=other.pair.moving)
    return replace(case, pair=pair, moving_mask=other.moving_mask, truth=None)


def _mirrored(case: VariedCase, *, along: int) -> VariedCase:
    """The moving array reversed along the axis nearest to a world axis, its header kept."""
    moving = case.pair.moving
    axis = int(np.abs(moving.grid.directions[along]).argmax())
    index = np.eye(4)
    index[axis, axis], index[axis, 3] = -1, moving.grid.shape[axis] - 1
    change = moving.grid.affine @ index @ np.linalg.inv(moving.grid.affine)
    turned = replace(moving, data=np.ascontiguousarray(np.flip(moving.data, axis)))
    return replace(
        case,
        pair=replace(case.pair, moving=turned),
        moving_mask=np.ascontiguousarray(np.flip(case.moving_mask, axis)),
        truth=Readdressed(truth=_truth(case), change=change),
    )


def _spaced(case: VariedCase, *, factor: float, everywhere: bool = False) -> VariedCase:
    """The moving header says another distance between slices, or voxels; its middle stays."""
    moving = case.pair.moving
    slices = int(np.abs(moving.grid.directions[2]).argmax())
    index = np.eye(4)
    for axis in range(3) if everywhere else (slices,):
        index[axis, axis] = factor
        index[axis, 3] = (1 - factor) * (moving.grid.shape[axis] - 1) / 2
    grid = Grid(shape=moving.grid.shape, affine=moving.grid.affine @ index)
    change = grid.affine @ np.linalg.inv(moving.grid.affine)
    return replace(
        case,
        pair=replace(case.pair, moving=replace(moving, grid=grid)),
        truth=Readdressed(truth=_truth(case), change=change),
    )


def _turned(case: VariedCase, *, degrees: float) -> VariedCase:
    """The moving header turned about an axis of the world, drawn by the seed; its middle stays.

    Then the array's first two axes are reversed, and the header says so: where voxels lie does not
    change, but the boxes of both arrays no longer say how the patient lay.
    """
    moving = case.pair.moving
    axis = np.eye(3)[np.random.default_rng([case.seed, 98]).integers(3)]
    change = np.eye(4)
    change[:3, :3] = np.rint(Rotation.from_rotvec(degrees * axis, degrees=True).as_matrix())
    middle = moving.grid.centre_ras
    change[:3, 3] = middle - change[:3, :3] @ middle
    index = np.diag([-1.0, -1.0, 1.0, 1.0])
    index[:2, 3] = np.array(moving.grid.shape[:2]) - 1
    grid = Grid(shape=moving.grid.shape, affine=change @ moving.grid.affine @ index)
    reversed_ = np.ascontiguousarray(moving.data[::-1, ::-1])
    return replace(
        case,
        pair=replace(case.pair, moving=replace(moving, data=reversed_, grid=grid)),
        moving_mask=np.ascontiguousarray(case.moving_mask[::-1, ::-1]),
        truth=Readdressed(truth=_truth(case), change=change),
    )


def _no_lungs(case: VariedCase) -> VariedCase:
    """One scan, drawn by the seed, is of an abdomen; its mask is empty."""
    rng = np.random.default_rng([case.seed, 99])
    role = str(rng.choice(["fixed", "moving"]))
    scan: Volume = getattr(case.pair, role)
    data = abdomen(rng, scan.grid)
    pair = replace(case.pair, **{role: replace(scan, data=data)})  # type: ignore[arg-type]
    empty = np.zeros(scan.grid.shape, dtype=np.uint8)
    return replace(case, pair=pair, truth=None, **{f"{role}_mask": empty})  # type: ignore[arg-type]


def _same_scan(case: VariedCase) -> VariedCase:
    return replace(
        case,
        pair=replace(case.pair, fixed=case.pair.moving),
        fixed_mask=case.moving_mask,
        truth=unmoved,
        landmarks_ras=_truth(case)(case.landmarks_ras),
    )


_KINDS: Mapping[str, tuple[str, Callable[[VariedCase], VariedCase]]] = MappingProxyType(
    {
        "exchanged": ("fixed is inspiration, moving expiration; the truth is inverted", _exchanged),
        "other_patient": ("the inspiration is another patient's; no truth", _other_patient),
        "mirrored_lr": (
            "moving array reversed from side to side, header kept; the truth mirrors",
            partial(_mirrored, along=0),
        ),
        "mirrored_ap": (
            "moving array reversed from front to back, header kept; the truth mirrors",
            partial(_mirrored, along=1),
        ),
        "mirrored_si": (
            "moving array reversed from head to foot, header kept; the truth mirrors",
            partial(_mirrored, along=2),
        ),
        "spacing_z_double": (
            "the moving header says twice the slice distance; the truth stretches",
            partial(_spaced, factor=2.0),
        ),
        "spacing_z_half": (
            "the moving header says half the slice distance; the truth shrinks",
            partial(_spaced, factor=0.5),
        ),
        "spacing_z_120": (
            "the moving header says 1.2 times the slice distance; the truth stretches",
            partial(_spaced, factor=1.2),
        ),
        "spacing_z_80": (
            "the moving header says 0.8 times the slice distance; the truth shrinks",
            partial(_spaced, factor=0.8),
        ),
        "spacing_115": (
            "the moving header says voxels of 1.15 times the size; the truth stretches",
            partial(_spaced, factor=1.15, everywhere=True),
        ),
        "spacing_85": (
            "the moving header says voxels of 0.85 times the size; the truth shrinks",
            partial(_spaced, factor=0.85, everywhere=True),
        ),
        "half_turn": (
            "the moving header says that the patient lay half a turn otherwise; the truth turns",
            partial(_turned, degrees=180.0),
        ),
        "quarter_turn": (
            "the moving header says that the patient lay a quarter turn otherwise; the truth turns",
            partial(_turned, degrees=90.0),
        ),
        "no_lungs": ("one scan is of an abdomen; no truth", _no_lungs),
        "same_scan": ("a scan with itself: a good case, which must pass", _same_scan),
    }
)
WRONG: Mapping[str, str] = MappingProxyType({name: about for name, (about, _) in _KINDS.items()})
"""Name -> what is wrong, in one line."""


def make_wrong(kind: str, base: str, seed: int) -> VariedCase:
    """Make a wrong input of the pair without trouble; the same arguments make the same pair.

    Args:
        kind: A key of `WRONG`.
        base: One of `BASES`.
        seed: Not negative. See `is_held_back`.

    Raises:
        ValueError: A base that is not available.
        KeyError: An unknown kind.
    """
    change = _KINDS[kind][1]
    return replace(change(_plain(base, seed)), trouble=kind)


@lru_cache(maxsize=1)
def _plain(base: str, seed: int) -> VariedCase:
    return make_varied(base, "none", seed)


def _truth(case: VariedCase) -> Truth:
    if case.truth is None:
        msg = f"{case.name} has no truth"
        raise ValueError(msg)
    return case.truth

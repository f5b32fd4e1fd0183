"""Make one varied pair: the same patient at both breaths, in a trouble or in none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungreg.sources.simulation.breathing import Breathing
from lungreg.sources.simulation.chest import bottom_face
from lungreg.sources.simulation.landmarks import draw_landmarks
from lungreg.sources.simulation.spline import world_axes
from lungreg.spatial.displacement import jacobian_determinant
from lungreg.spatial.geometry import FloatArray, Grid, apply_affine
from tests.varied.along_wall import draw_sliding
from tests.varied.appearance import Look, developed, draw_density, draw_look, exhaled, small_vessels
from tests.varied.motion import Breath, Motion, draw_motion
from tests.varied.moving import analytic_grid, inspired, pose_of
from tests.varied.patterns import mixed
from tests.varied.plan import Plan, unchanged
from tests.varied.record import VariedCase, make_pair
from tests.varied.scans import Sampler, Scan, cropped, with_header
from tests.varied.source import REAL_FILES, load_source
from tests.varied.troubles import PLANS

BASES = ("analytic", "cip_ct64", "lung_fcp")
_ALL_BASES = (*BASES, "small")
_LANDMARKS = 200
_SLIDE_MM = 12.0
"""More than anything slides by."""
_MOST_MM = {
    "analytic": (8.0, 40.0),
    "small": (8.0, 40.0),
    "cip_ct64": (8.0, 40.0),
    "lung_fcp": (15.0, 45.0),
}
_MUSCLE_HU = np.float32(60.0)
"""At most, where lung has left the wall."""
_DEEP_MM = (48.0, 60.0)
"""Motion of the diaphragm in a deep breath."""
_DISTINCT_QUANTILE, _DISTINCT_POINTS = 0.9, 3000
_STREAMS = 7


_USUAL = Breath()


@dataclass(frozen=True, kw_only=True, eq=False)
class Carried:
    """The truth between the worlds of two headers."""

    motion: Motion
    to_source: FloatArray
    """(4, 4) from the fixed header's world to the inspiration's."""
    pose: FloatArray
    """(4, 4) from the inspiration's world to the moving header's."""

    def __call__(self, points_ras: FloatArray) -> NDArray[np.float64]:
        points = apply_affine(self.to_source, np.asarray(points_ras, dtype=np.float64))
        return np.asarray(apply_affine(self.pose, self.motion.at(points)))

    def to_moving(self, points_ras: FloatArray) -> NDArray[np.float64]:
        """As `Breathing` calls it."""
        return self(points_ras)


def make_varied(base: str, trouble: str, seed: int) -> VariedCase:
    """Make a pair with a known transform; the same arguments make the same pair.

    The same base and seed have the same patient, motion and looks in every trouble.

    Args:
        base: One of `BASES`; those on real CT need `LUNGREG_REAL_DATA`. Or "small": analytic, on
            voxels of 5 mm, for quick tests.
        trouble: A key of `TROUBLES`.
        seed: Not negative. See `is_held_back`.

    Raises:
        ValueError: A base that is not available.
        KeyError: An unknown trouble.
    """
    plan, real = PLANS[trouble], base in REAL_FILES
    breath = Breath(slides=plan.slides, deep=plan.deep)
    rngs = [np.random.default_rng([seed, _ALL_BASES.index(base), part]) for part in range(_STREAMS)]
    if plan.source is unchanged:
        sampler, fixed = both_breaths(base, seed, breath)
    else:
        source = plan.source(rngs[1], load_source(base, seed))
        sampler, fixed = _breathe(base, seed, source, breath)
    pose = pose_of(rngs[3], sampler.scan, plan, real=real)
    moving = inspired(rngs[3], sampler, pose, plan, real=real)
    bright = _bright_places(rngs[4], fixed)
    scans = {"fixed": fixed, "moving": moving}
    looks = {role: draw_look(rngs[5]) for role in scans}
    scans = _troubled(rngs[6], scans, looks, plan)
    headers = _headers(rngs[6], scans, plan)
    scans = {role: with_header(scan, headers[role]) for role, scan in scans.items()}
    truth = Carried(
        motion=motion_of(base, seed, breath),
        to_source=np.linalg.inv(headers["fixed"]),
        pose=headers["moving"] @ pose,
    )
    landmarks = draw_landmarks(
        rngs[4],
        cast("Breathing", truth),
        (scans["fixed"].shown, scans["fixed"].grid),
        (scans["moving"].shown, scans["moving"].grid),
        distinct_ras=apply_affine(headers["fixed"], bright),
        count=_LANDMARKS,
    )
    name = f"varied-{base}-{trouble}-{seed}"
    return VariedCase(
        base=base,
        trouble=trouble,
        seed=seed,
        pair=make_pair(name, scans["fixed"], scans["moving"], _offsets(rngs[6], plan)),
        fixed_mask=scans["fixed"].mask,
        moving_mask=scans["moving"].mask,
        truth=truth,
        landmarks_ras=scans["fixed"].grid.to_world(landmarks[:, :3]).astype(np.float64),
        node_mm=5.0 if base == "small" else 2.5,
    )


@lru_cache(maxsize=3)
def motion_of(base: str, seed: int, breath: Breath = _USUAL) -> Motion:
    """The motion of a base's patient, whatever the trouble beside the breath itself."""
    rng = np.random.default_rng([seed, _ALL_BASES.index(base), 0])
    draw = draw_sliding if breath.slides else draw_motion
    return draw(rng, load_source(base, seed), _DEEP_MM if breath.deep else _MOST_MM[base])


# Kept: most troubles begin with the same two scans, which cost more than all that follows.
@lru_cache(maxsize=2)
def both_breaths(base: str, seed: int, breath: Breath = _USUAL) -> tuple[Sampler, Scan]:
    """The inspiration of a base, and its expiration before kernel, noise and troubles."""
    return _breathe(base, seed, load_source(base, seed), breath)


def _breathe(base: str, seed: int, source: Scan, breath: Breath) -> tuple[Sampler, Scan]:
    """An inspiration that can be looked up anywhere, and the expiration made of it."""
    rng, sampler = np.random.default_rng([seed, _ALL_BASES.index(base), 2]), Sampler(source)
    scale = float(rng.uniform(0.92, 1.03))
    grid = source.grid if base in REAL_FILES else analytic_grid(source.grid, scale)
    return sampler, expired(rng, sampler, motion_of(base, seed, breath), grid)


def expired(rng: np.random.Generator, sampler: Sampler, motion: Motion, grid: Grid) -> Scan:
    """The inspiration at `T` of every voxel, as dense as at expiration.

    Planes whose lungs come from beyond the inspiration's field of view are left out.
    """
    density = draw_density(rng)
    source = sampler.scan
    smooth = motion.smooth_mm(grid)
    places = source_voxels(source, motion, grid, smooth)
    hu, mask = sampler.at_voxels(places)
    if motion.slides_far:
        hu = _without_bone_in_gaps(
            hu, mask, _shows(source.mask > 0, _voxels(source, _smoothly(grid, smooth)))
        )
    thin = None
    if density.fading > 0:
        thin = ndimage.map_coordinates(small_vessels(source), places, order=1, mode="nearest")
    scan = Scan(hu=hu, mask=mask, grid=grid)
    scan = exhaled(scan, _expansion(motion, smooth, scan), thin, density)
    return _seen(scan, places, source.grid)


def source_voxels(
    source: Scan, motion: Motion, grid: Grid, smooth_mm: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(3, X, Y, Z) voxel coordinates of the inspiration that every voxel of a grid shows.

    Lung shows what is at `T` of it. The wall stays, also where lung slides away from it.
    """
    middle, matrix = _smoothly(grid, smooth_mm), np.linalg.inv(source.grid.affine)
    places = _voxels(source, middle)
    around = np.ones_like(source.mask, dtype=bool)
    if not motion.slides_far:
        rounds = np.ceil(_SLIDE_MM / source.grid.spacing_mm.min()).astype(int)
        around = ndimage.binary_dilation(source.mask > 0, iterations=int(rounds))
    near = _shows(around, places)
    stays = places[:, near]
    slid = motion.slide.at(middle[:, near].T).T
    slides = stays + (matrix[:3, :3] @ slid).astype(np.float32)
    lung = _shows(source.mask > 0, slides) | _shows(source.mask > 0, stays)
    places[:, near] = np.where(lung, slides, stays)
    return places


def _smoothly(grid: Grid, smooth_mm: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3, X, Y, Z) RAS mm where the smooth parts alone carry the voxels of a grid."""
    return np.asarray(np.stack(world_axes(grid, slice(0, None))) + smooth_mm)


def _voxels(source: Scan, middle: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3, X, Y, Z) voxel coordinates of the inspiration at places (3, X, Y, Z) in RAS mm."""
    matrix = np.linalg.inv(source.grid.affine)
    places: NDArray[np.float32] = np.einsum(
        "kl,lxyz->kxyz", matrix[:3, :3].astype(np.float32), middle
    )
    places += matrix[:3, 3].astype(np.float32)[:, None, None, None]
    return places


def _expansion(motion: Motion, smooth_mm: NDArray[np.float32], scan: Scan) -> NDArray[np.float32]:
    """(X, Y, Z) by what factor lung at expiration grows; a small slide changes it by little."""
    whole = smooth_mm
    if motion.slides_far:
        near = ndimage.binary_dilation(scan.mask > 0, iterations=2)
        middle = _smoothly(scan.grid, smooth_mm)
        whole = smooth_mm.copy()
        whole[:, near] += motion.slide.at(middle[:, near].T).T.astype(np.float32)
    return jacobian_determinant(np.eye(4), whole, scan.grid)


def _without_bone_in_gaps(
    hu: NDArray[np.float32], mask: NDArray[np.uint8], uncovered: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Where the lung has left its place beside the wall, what comes after it is muscle."""
    return np.where(uncovered & (mask == 0), np.minimum(hu, _MUSCLE_HU), hu)


def _shows(mask: NDArray[np.bool_], places_vox: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether a mask holds the nearest voxels to coordinates (3, ...)."""
    found = ndimage.map_coordinates(mask.astype(np.uint8), places_vox, order=0, mode="nearest")
    return np.asarray(found > 0)


def _seen(scan: Scan, places: NDArray[np.float32], source: Grid) -> Scan:
    """Without the lowest and highest planes whose lungs the inspiration does not show."""
    axis, _ = bottom_face(scan.grid)
    other = tuple(a for a in range(3) if a != axis)
    beyond = (places[axis] < -0.5) | (places[axis] > source.shape[axis] - 0.5)
    gone = np.flatnonzero((beyond & (scan.mask > 0)).any(axis=other))
    middle = scan.grid.shape[axis] / 2
    first = int(gone[gone < middle].max(initial=-1)) + 1
    last = int(gone[gone >= middle].min(initial=scan.grid.shape[axis]))
    if (first, last) == (0, scan.grid.shape[axis]):
        return scan
    return cropped(scan, axis, slice(first, last))


def _troubled(
    rng: np.random.Generator, scans: dict[str, Scan], looks: dict[str, Look], plan: Plan
) -> dict[str, Scan]:
    """Both scans after the trouble, their kernels and their noise."""
    drawn = str(rng.choice(["fixed", "moving"]))
    done = {}
    for role, scan in scans.items():
        changed = plan.scans.get(role, plan.scans.get("both"))
        shown = changed(rng, scan) if changed else scan
        if plan.either and role == drawn:
            shown = plan.either(rng, shown)
        wanted = role in plan.look_of or ("either" in plan.look_of and role == drawn)
        look = plan.looks(rng, looks[role]) if wanted else looks[role]
        shown = developed(rng, shown, look)
        finish = plan.finished.get(role)
        done[role] = finish(rng, shown) if finish else shown
    if plan.mixed:
        done["moving"] = mixed(done["moving"], done["fixed"], plan.mixed)
    return done


def _headers(rng: np.random.Generator, scans: dict[str, Scan], plan: Plan) -> dict[str, FloatArray]:
    """By role, (4, 4) from the world of a scan to that of the header it is left with."""
    changes: dict[str, FloatArray] = {role: np.eye(4) for role in scans}
    direction = rng.normal(0, 1, 3)
    changes["moving"][:3, 3] = plan.shift_mm * direction / np.linalg.norm(direction)
    if plan.bare_header:
        role = str(rng.choice(["fixed", "moving"]))
        grid = scans[role].grid
        bare = np.diag([*grid.spacing_mm, 1.0])
        changes[role] = bare @ np.linalg.inv(grid.affine)
    return changes


def _offsets(rng: np.random.Generator, plan: Plan) -> tuple[float, float]:
    if not plan.offset:
        return 0.0, 0.0
    which = int(rng.integers(3))
    return (plan.offset if which != 1 else 0.0), (plan.offset if which != 0 else 0.0)


def _bright_places(rng: np.random.Generator, scan: Scan) -> FloatArray:
    """(F, 3) RAS mm of voxels deep in the lungs that are brighter than most: vessels."""
    deep = np.argwhere(ndimage.binary_erosion(scan.mask > 0, iterations=2))
    values = scan.hu[tuple(deep.T)]
    bright = deep[values >= np.quantile(values, _DISTINCT_QUANTILE)]
    chosen = rng.choice(bright, size=min(len(bright), _DISTINCT_POINTS), replace=False)
    return scan.grid.to_world(chosen.astype(np.float64))

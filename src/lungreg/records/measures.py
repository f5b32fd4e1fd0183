"""What is measured of a registered case."""

from __future__ import annotations

from dataclasses import dataclass

from lungreg.records.summary import Facts, Summary

MAIN_METRICS = ("dice_score", "tre_mm", "etre_mm", "fold_pct", "ncc")
"""The metrics that a record shows in a line."""


@dataclass(frozen=True, kw_only=True, repr=False)
class CaseMetrics(Summary):
    """The metrics of one registered case; None where the case lacks the masks or landmarks for it.

    "Initial" is by the headers alone, "aligned" after the initial alignment `A`.
    """

    dice_score: float | None = None
    """Dice of the lung masks on the fixed grid, nearest neighbour, 0 to 1."""
    dice_initial: float | None = None
    dice_aligned: float | None = None
    ssim_score: float | None = None
    """Structural similarity inside the fixed lungs after the intensity window."""
    ssim_aligned: float | None = None
    ncc: float | None = None
    """Normalised cross-correlation inside the fixed lungs, -1 to 1."""
    ncc_aligned: float | None = None
    hd95_mm: float | None = None
    """95th percentile of the symmetric distance between the lung surfaces, mm."""
    tre_mm: float | None = None
    """Mean distance of landmarks after registration (target registration error), mm."""
    tre_median_mm: float | None = None
    tre_p95_mm: float | None = None
    """95th percentile of the landmarks' errors, mm."""
    tre_initial_mm: float | None = None
    tre_aligned_mm: float | None = None
    etre_mm: float | None = None
    """Mean estimated landmark error, mm: at distinctive places of the fixed lungs, the distance of
    the partner that a search in the moving scan found from where `T` leads, with the partner's own
    uncertainty. None where fewer than 12 % of the places find one: those few say nothing."""
    etre_median_mm: float | None = None
    etre_p95_mm: float | None = None
    etre_aligned_mm: float | None = None
    etre_found_pct: float | None = None
    """Share of the distinctive places deep in the lungs for which a partner was found, %."""
    fold_pct: float | None = None
    """Share of voxels inside the fixed lungs where the Jacobian of `T` is not positive, %."""
    jacobian_min: float | None = None
    jacobian_max: float | None = None
    sdlogj: float | None = None
    """Standard deviation of the logarithm of the Jacobian inside the fixed lungs."""
    outside_fov_pct: float | None = None
    """Share of fixed voxels that `T` carries to where the moving scan shows nothing, %."""

    def facts(self) -> Facts:
        """The main facts, by name; they are what is shown of it."""
        return {name: getattr(self, name) for name in MAIN_METRICS}


LUNG_PARTS = ("right upper", "right lower", "left upper", "left lower")
"""The parts of the lungs that estimated errors are summed up in."""


@dataclass(frozen=True, kw_only=True)
class RegionError:
    """Estimated landmark errors in one part of the lungs, such as "left lower"."""

    region: str
    places: int
    """Number of distinctive places."""
    partners: int
    """Number of those for which a partner was found."""
    found_pct: float
    """Share of those deep in this part for which a partner was found, %."""
    mean_mm: float
    median_mm: float
    p95_mm: float
    beyond_3mm_pct: float
    """Share of the partners that lie further than 3 mm from where `T` leads, %."""
    beyond_5mm_pct: float

    def __str__(self) -> str:
        """Such as "left lower: 1.2 mm (95 % below 3.4 mm), 81 % found"."""
        errors = f"{self.mean_mm:.1f} mm (95 % below {self.p95_mm:.1f} mm)"
        return f"{self.region}: {errors}, {self.found_pct:.0f} % found"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What speaks for or against a registration beside its metrics; masks are not needed."""

    landmarks: int | None = None
    """Number of landmark pairs; None without any."""
    tre_max_mm: float | None = None
    """Largest distance of a landmark after registration, mm."""
    etre_places: int | None = None
    """Number of distinctive places of the fixed lungs for which a partner was found."""
    etre_beyond_3mm_pct: float | None = None
    """Share of the places with a partner whose estimated error is above 3 mm, %."""
    etre_beyond_5mm_pct: float | None = None
    """The same above 5 mm, %."""
    etre_regions: tuple[RegionError, ...] = ()
    """The estimated error by part of the lungs; parts with few partners are left out."""

    unmatched: str | None = None
    """The parts of the lungs, such as "right lower", where next to no distinctive place found a
    partner: nothing is known of the error there."""
    lungs_outside_pct: float | None = None
    """Share of the fixed lungs that `T` carries to where the moving scan shows nothing, %."""
    residual: float | None = None
    """Residual image difference inside the lungs without local density, 0 to 1.41; see
    `metrics.residual_difference`."""
    inverse_mean_mm: float | None = None
    """Mean distance inside the lungs between a point and its image under `T`, then the inverse."""
    inverse_max_mm: float | None = None
    """Largest such distance, mm."""
    volume_ratio_jacobian: float | None = None
    """Mean Jacobian determinant of `T` over the fixed lungs: by what factor `T` enlarges them."""
    dice_segmented: float | None = None
    """Dice of the lungs where at least one of the two masks was segmented here, by threshold."""
    hd95_segmented_mm: float | None = None
    """HD95 of the lungs in mm, where at least one mask was segmented here, by threshold."""
    fixed_lungs_ml: float | None = None
    """Volume of the fixed lungs, ml."""
    moving_lungs_ml: float | None = None
    volume_ratio_lungs: float | None = None
    """Volume of the moving lungs divided by that of the fixed lungs."""
    density_change_hu: float | None = None
    """Mean density inside the fixed lungs of the warped scan less that of the fixed scan, HU:
    negative where the moving scan holds more air; None where the units of a scan are a guess."""
    mass_ratio: float | None = None
    """By what factor the lungs, where both scans show them, are heavier in the moving scan: density
    above that of air times volume. About 1, whatever the breath; None where the units of a scan are
    a guess."""
    stretch: float | None = None
    """By how much `T` lengthens the lungs along the direction that differs most from the two
    others, relative to these; 1 where all are lengthened alike."""
    bone_stretch: float | None = None
    """The factor furthest from 1, in any direction, by which `T` lengthens the bones near the
    lungs. Bones keep their size: about 1, whatever the breath."""
    bone_volume_ratio: float | None = None
    """By what factor `T` enlarges them."""
    bone_misfit_mm: float | None = None
    """Median distance at the bones between `T` and the nearest affine transform, which both
    factors are those of, mm."""
    bone_lengths: str | None = None
    """The factors of their lengths, such as "left to right 1.02, front to back 1.01, head to foot
    1.25": which voxel size is wrong."""
    mask_cover_pct: float | None = None
    """Share of the lungs that a scan shows which its mask holds, in the part of both scans where
    that is least (thirds of each lung by height), %; None without masks."""
    correlation_in_place: float | None = None
    """Correlation of the scans' fine structure at one place of the scanner, where `T` moves tissue
    away from there, less that of the fixed scan with itself as far away: about 0, unless both show
    rings, streaks or a part of each other."""
    unlike_pct: float | None = None
    """Share of the lungs, in blocks of 20 mm, where the fine structure of both scans correlates far
    less than in the others, %."""
    lower_edge_mm: float | None = None
    """By how much the lower edge of the lungs is wider than a slice is thick, in the scan where it
    is wider, mm: soft where the patient breathed during the scan; None where neither shows it."""
    without_lungs: str | None = None
    """"fixed" or "moving": the scan in which no lungs were found."""
    doubts: str | None = None
    """What makes the lungs of a scan, or the values in them, doubtful, in words."""
    unset_voxels: str | None = None
    """"fixed", "moving" or "fixed and moving": scans whose voxel size nobody seems to have set."""
    mirrored: str | None = None
    """The sides, such as "left and right", that seem exchanged in the headers."""
    turned: str | None = None
    """By how much `T` turns the lungs, such as "180 degrees about the axis from head to foot", if
    by more than a patient lies turned."""

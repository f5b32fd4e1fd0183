"""Thresholds of the verdict: the section `quality`."""

from __future__ import annotations

from pydantic import Field

from lungreg.config.section import Section


class Quality(Section):
    """Thresholds of the verdict of a registered case: pass, warn or fail.

    Those of estimated errors were set by `nox -s calibrate`.
    """

    tre_warn_mm: float = Field(default=2.0, ge=0)
    """Mean landmark error in mm above which the verdict is warn."""
    tre_fail_mm: float = Field(default=4.0, ge=0)
    """Mean landmark error in mm above which the verdict is fail."""
    tre_p95_warn_mm: float = Field(default=6.0, ge=0)
    """Percentile (the 95th) of the landmark errors of a case in mm, above which the verdict is
    warn."""
    tre_max_warn_mm: float = Field(default=10.0, ge=0)
    """Error of any landmark in mm, above which the verdict is warn: one place is far off, or that
    landmark was marked wrongly."""
    landmarks_enough: int = Field(default=20, ge=1)
    """Number of landmarks from which on a verdict rests on them alone. A case with fewer is judged
    as one without landmarks too: the mean of few errors is not exact, and nothing is known of the
    other parts of the lungs."""
    etre_warn_mm: float = Field(default=2.0, ge=0)
    """Mean estimated landmark error in mm above which the verdict of a case without enough
    landmarks is warn; places that find no partner are counted with 1.35 times that of the
    others."""
    etre_fail_mm: float = Field(default=4.0, ge=0)
    """Mean estimated landmark error in mm above which the verdict of a case without enough
    landmarks is fail."""
    etre_found_warn_pct: float = Field(default=25.0, ge=0, le=100)
    """Percentage of the distinctive places of the lungs that find a partner in the moving scan,
    below which the verdict of a case without enough landmarks is warn: an error that few places
    tell is often twice as large."""
    etre_found_fail_pct: float = Field(default=12.0, ge=0, le=100)
    """Percentage of the distinctive places of the lungs that find a partner in the moving scan,
    below which the verdict is fail: the scans may not be of one patient."""
    etre_places_warn: int = Field(default=40, ge=0)
    """Number of places with a partner below which the estimated error is not used, and the verdict
    of a case without enough landmarks is warn."""
    region_warn_mm: float = Field(default=6.0, ge=0)
    """Percentile (the 95th) of the estimated landmark errors in mm of any part of the lungs, above
    which the verdict is warn."""
    region_mean_warn_mm: float = Field(default=3.0, ge=0)
    """Mean estimated landmark error in mm of any part of the lungs, above which the verdict is
    warn. What it is more than that of the whole lungs counts by the factor by which fewer places
    find a partner there."""
    gain_warn_pct: float = Field(default=5.0, ge=0, le=100)
    """Percentage of the error before registration (after the initial alignment) that registration
    takes away at least; with less the verdict is warn, unless the state before registration would
    pass."""
    dice_warn: float = Field(default=0.93, ge=0, le=1)
    """Dice overlap of the lung masks (0 to 1) below which the verdict is warn."""
    dice_fail: float = Field(default=0.88, ge=0, le=1)
    """Dice overlap of the lung masks (0 to 1) below which the verdict is fail."""
    dice_segmented_warn: float = Field(default=0.88, ge=0, le=1)
    """Dice overlap (0 to 1) of lungs segmented by threshold, below which the verdict of a case
    without masks is warn."""
    mask_cover_warn_pct: float = Field(default=75.0, ge=0, le=100)
    """Percentage of the lungs that a scan shows which its mask holds, in the third of a lung where
    that is least, below which the verdict is warn: nothing is known of the rest."""
    fold_warn_pct: float = Field(default=0.1, ge=0)
    """Percentage of voxels inside the lungs where the transform folds, above which the verdict is
    warn."""
    fold_fail_pct: float = Field(default=1.0, ge=0)
    """Percentage of voxels inside the lungs where the transform folds, above which the verdict is
    fail."""
    residual_warn: float = Field(default=0.6, ge=0, le=2)
    """Residual image difference inside the lungs (0 none, 1 all) above which the verdict is warn
    where neither landmarks nor estimated errors are known."""
    residual_fail: float = Field(default=0.75, ge=0, le=2)
    """Residual image difference inside the lungs (0 none, 1 all) above which the verdict is fail
    where neither landmarks nor estimated errors are known."""
    in_place_warn: float = Field(default=0.15, ge=-1, le=1)
    """Correlation of fine structure at one place of the scanner from which tissue has moved away,
    beyond that of the fixed scan with itself as far away (0 for tissue, up to 1), above which the
    verdict is warn: rings, streaks or a part of the other scan."""
    unlike_warn_pct: float = Field(default=2.5, ge=0, le=100)
    """Percentage of the lungs where the fine structure of both scans does not go together while it
    does elsewhere, above which the verdict is warn: tissue may lie far from where it was put."""
    soft_edge_warn_mm: float = Field(default=6.0, ge=0)
    """Width of the lower edge of the lungs in mm, beyond the thickness of a slice, above which the
    verdict is warn where fewer distinctive places find a partner in the lower lungs than in the
    upper ones: the patient breathed while one of the scans was taken."""
    ncc_warn: float = Field(default=0.3, ge=-1, le=1)
    """Normalised cross-correlation inside the lungs (-1 to 1) below which the verdict is warn where
    landmarks or estimated errors are known: dense tissue in one scan alone lowers it."""
    ncc_fail: float = Field(default=0.3, ge=-1, le=1)
    """Normalised cross-correlation inside the lungs (-1 to 1) below which the verdict is fail where
    neither landmarks nor estimated errors are known."""
    outside_fov_warn_pct: float = Field(default=30.0, ge=0)
    """Percentage of the fixed lungs that the transform carries to where the moving scan shows
    nothing, above which the verdict is warn."""
    inverse_warn_mm: float = Field(default=0.5, ge=0)
    """Mean inverse consistency error inside the lungs, in mm, above which the verdict is warn."""
    inverse_fail_mm: float = Field(default=2.0, ge=0)
    """Mean inverse consistency error inside the lungs, in mm, above which the verdict is fail."""
    volume_ratio_low: float = Field(default=0.5, ge=0)
    """Factor by which the transform changes the volume of the fixed lungs, below which the verdict
    is warn."""
    volume_ratio_high: float = Field(default=4.0, ge=0)
    """Factor by which the transform changes the volume of the fixed lungs, above which the verdict
    is warn; a deep breath triples the volume at most."""
    stretch_warn: float = Field(default=1.5, ge=1)
    """Factor by which the transform lengthens the lungs along one direction more than across it,
    above which (or below its inverse) the verdict is warn: a slice distance may be wrong."""
    time_points: bool = False
    """Whether the two scans are several time points of one breathing state: then no order of their
    lung volumes is expected. Otherwise the moving scan must hold more air, or the verdict is
    warn."""

"""Measures of the lungs as a whole: their overlap, surfaces and volumes."""

from __future__ import annotations

from lungreg.metrics.measures.measure import Measure

_DICE_SOURCE = "Dice 1945"
_HD_SOURCE = "Huttenlocher et al. 1993, with the 95th percentile for the largest distance"
_VOLUME_SOURCE = "Reinhardt et al. 2008, for the Jacobian as ventilation"

DICE = Measure(
    name="dice_score",
    label="Lung overlap (Dice)",
    short="Dice",
    decimals=3,
    higher_is_better=True,
    initial="dice_initial",
    aligned="dice_aligned",
    says=(
        "How well the lung mask of the moving scan, carried by the transform, covers that of the "
        "fixed scan: 1 where they are the same, 0 where they have nothing in common. It sees the "
        "lungs' outline and nothing of their inside. Measured where both masks were given."
    ),
    formula="2 |F and M| / (|F| + |M|)",
    source=_DICE_SOURCE,
    typical="0.95 to 0.99; 0.80 to 0.95 before registration",
    bad="The lungs' outlines do not meet, most often at the diaphragm, or a mask is wrong.",
)
HD95 = Measure(
    name="hd95_mm",
    label="Lung surface distance, 95th percentile",
    short="HD95",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    says=(
        "19 of 20 points of the surface of either lung mask are closer than this to the surface of "
        "the other, after the transform. Measured where both masks were given."
    ),
    formula="95th percentile of the distances between the surfaces of F and M, both ways",
    source=_HD_SOURCE,
    typical="1 to 5 mm",
    bad="A part of the outline is off, though the overlap as a whole may look well.",
)
DICE_SEGMENTED = Measure(
    name="dice_segmented",
    label="Overlap of lungs found by threshold (Dice)",
    short="Dice found",
    decimals=3,
    higher_is_better=True,
    says=(
        "The overlap of the lungs where at least one of the two masks was not given but found by "
        "threshold."
    ),
    formula="2 |F and M| / (|F| + |M|)",
    source=_DICE_SOURCE,
    typical="0.95 to 0.99",
    bad="The outlines do not meet, or the threshold took something else for lung in one scan.",
)
HD95_SEGMENTED = Measure(
    name="hd95_segmented_mm",
    label="Surface distance of lungs found by threshold, 95th percentile",
    short="HD95 found",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    says=(
        "The distance of the lungs' surfaces where at least one of the two masks was not given but "
        "found by threshold."
    ),
    formula="95th percentile of the distances between the surfaces of F and M, both ways",
    source=_HD_SOURCE,
    typical="1 to 5 mm",
    bad="A part of the outline is off, or the threshold took something else for lung.",
)
FIXED_ML = Measure(
    name="fixed_lungs_ml",
    label="Volume of the fixed lungs",
    short="Fixed lungs",
    unit="ml",
    decimals=0,
    says="Volume of the lungs in the fixed scan (expiration), by its mask or found by threshold.",
    formula="voxels of the lungs * volume of a voxel",
    source=_VOLUME_SOURCE,
    typical="1,500 to 4,000 ml in adults",
    bad="Half of that or less: a lung was missed, or the scan is cut off or not in mm.",
)
MOVING_ML = Measure(
    name="moving_lungs_ml",
    label="Volume of the moving lungs",
    short="Moving lungs",
    unit="ml",
    decimals=0,
    says="Volume of the lungs in the moving scan (inspiration), by its mask or found by threshold.",
    formula="voxels of the lungs * volume of a voxel",
    source=_VOLUME_SOURCE,
    typical="3,000 to 7,000 ml in adults",
    bad="Half of that or less: a lung was missed, or the scan is cut off or not in mm.",
)
LUNG_RATIO = Measure(
    name="volume_ratio_lungs",
    label="Volume of the moving lungs by that of the fixed ones",
    short="Volumes",
    decimals=2,
    says="By what factor the lungs of the moving scan are larger than those of the fixed scan.",
    formula="moving_lungs_ml / fixed_lungs_ml",
    source=_VOLUME_SOURCE,
    typical="1.2 to 2.5 from expiration to inspiration, about 1 at one breathing state",
    bad="Below 1 the scans may be exchanged; above 4 one of the two lungs may be wrong.",
)
JACOBIAN_RATIO = Measure(
    name="volume_ratio_jacobian",
    label="Volume change of the lungs by the transform",
    short="Mean J",
    decimals=2,
    says="By what factor the transform enlarges the fixed lungs: it should be that of the masks.",
    formula="mean of J over the fixed lungs",
    source=_VOLUME_SOURCE,
    typical="1.2 to 2.5 from expiration to inspiration, within some percent of the masks' factor",
    bad="Far from the masks' factor: the deformation does not reach the lungs' outline.",
)
DENSITY = Measure(
    name="density_change_hu",
    label="Change of density in the lungs",
    short="Density",
    unit="HU",
    decimals=0,
    says="Mean density of the warped scan less that of the fixed scan, in the lungs.",
    formula="mean of w - f in HU",
    source="Conservation of mass: lung that takes in air gets thinner (Gorbunova et al. 2012)",
    typical="-150 to -50 HU, since the moving scan holds more air",
    bad="Above 0 the scans may be exchanged, or are of one breathing state.",
)
LUNGS = (
    *(DICE, HD95, DICE_SEGMENTED, HD95_SEGMENTED),
    *(FIXED_ML, MOVING_ML, LUNG_RATIO, JACOBIAN_RATIO, DENSITY),
)

"""Measures of the lungs as a whole: their overlap, surfaces and volumes."""

from __future__ import annotations

from lungreg.metrics.measures.measure import Measure

_DICE = ("2 |F ∩ M| / (|F| + |M|)", "Dice 1945, doi:10.2307/1932409")
_HD95 = (
    "larger of the two directed 95th percentiles of the distance between surface voxels",
    "Huttenlocher et al. 1993, doi:10.1109/34.232073 (the 95th percentile in place of the maximum, "
    "as in MONAI)",
)
_THRESHOLD = "; threshold and shape: Hu, Hoffman and Reinhardt 2001, doi:10.1109/42.929615"
_REINHARDT = "Reinhardt et al. 2008, doi:10.1016/j.media.2008.03.007"
_ONE_PAIR = "for one simulated pair (lungreg simulate --seed 21, preset default)"
_FOUND_BAD = (
    "The lungs do not meet, or one of them was found wrongly; look at the outlines on the page."
)
_VOLUME_BAD = "Half of that or less: a lung was missed, or the scan is cut off or not in mm."

DICE = Measure(
    name="dice_score",
    label="Lung overlap (Dice)",
    short="Dice",
    decimals=3,
    higher_is_better=True,
    initial="dice_initial",
    aligned="dice_aligned",
    brief="overlap of the lung masks, 1 is perfect",
    says=(
        "How well the lung mask of the moving scan, carried by the transform, covers that of the "
        "fixed scan: 1 where they are the same, 0 where they have nothing in common. It sees the "
        "lungs' outline and nothing of their inside. Measured where both masks were given."
    ),
    formula=_DICE[0],
    source=_DICE[1],
    typical="0.97 to 0.99; before registration 0.91 to 0.96",
    bad=(
        "The outlines of the lungs do not meet, or a mask is wrong. A good value says nothing "
        "about the inside: vessels may be centimetres off in lungs whose outlines fit. Never judge "
        "by it alone."
    ),
)
HD95 = Measure(
    name="hd95_mm",
    label="Lung surface distance, 95th percentile",
    short="HD95",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    brief="95 % of the lungs' surface is nearer to the other's",
    says=(
        "19 of 20 points of the surface of either lung mask are closer than this to the surface of "
        "the other, after the transform. Measured where both masks were given."
    ),
    formula=_HD95[0],
    source=_HD95[1],
    typical="1.5 to 4.0 mm",
    bad="Part of a lung's outline is off, often the base; or one of the masks leaves out a part.",
)
DICE_SEGMENTED = Measure(
    name="dice_segmented",
    label="Overlap of lungs found by threshold (Dice)",
    short="Dice found",
    decimals=3,
    higher_is_better=True,
    brief="overlap of lungs that were found by threshold",
    says=(
        "The overlap of the lungs where at least one of the two masks was not given but found by "
        "threshold."
    ),
    formula=_DICE[0],
    source=_DICE[1] + _THRESHOLD,
    typical=f"0.97 {_ONE_PAIR}",
    bad=_FOUND_BAD,
)
HD95_SEGMENTED = Measure(
    name="hd95_segmented_mm",
    label="Surface distance of lungs found by threshold, 95th percentile",
    short="HD95 found",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    brief="surface distance of lungs that were found by threshold",
    says=(
        "The distance of the lungs' surfaces where at least one of the two masks was not given but "
        "found by threshold."
    ),
    formula=_HD95[0],
    source=_HD95[1] + _THRESHOLD,
    typical=f"3.2 mm {_ONE_PAIR}",
    bad=_FOUND_BAD,
)
FIXED_ML = Measure(
    name="fixed_lungs_ml",
    label="Volume of the fixed lungs",
    short="Fixed lungs",
    unit="ml",
    decimals=0,
    brief="volume of the lungs in the fixed scan",
    says="Volume of the lungs in the fixed scan (expiration), by its mask or found by threshold.",
    formula="voxels of the lungs · volume of a voxel",
    source="lungreg",
    typical="764 to 4022 ml",
    bad=_VOLUME_BAD,
)
MOVING_ML = Measure(
    name="moving_lungs_ml",
    label="Volume of the moving lungs",
    short="Moving lungs",
    unit="ml",
    decimals=0,
    brief="volume of the lungs in the moving scan",
    says="Volume of the lungs in the moving scan (inspiration), by its mask or found by threshold.",
    formula="voxels of the lungs · volume of a voxel",
    source="lungreg",
    typical="1190 to 4720 ml",
    bad=_VOLUME_BAD,
)
LUNG_RATIO = Measure(
    name="volume_ratio_lungs",
    label="Volume of the moving lungs by that of the fixed ones",
    short="Volumes",
    decimals=2,
    brief="moving volume by fixed volume",
    says="By what factor the lungs of the moving scan are larger than those of the fixed scan.",
    formula="V(moving) / V(fixed)",
    source="lungreg",
    typical="1.07 to 1.54; a deep breath reaches 3 at most",
    bad=(
        "A ratio below 1 suggests exchanged scans. One that differs from the volume change by the "
        "transform: a scan is cut off, a mask leaves out a part, or the registration failed."
    ),
)
JACOBIAN_RATIO = Measure(
    name="volume_ratio_jacobian",
    label="Volume change of the lungs by the transform",
    short="Mean J",
    decimals=2,
    brief="volume change by the transform: should agree with the lungs'",
    says="By what factor the transform enlarges the fixed lungs: it should be that of the masks.",
    formula="mean over the lungs of det ∇T(x)",
    source=_REINHARDT,
    typical="1.1 to 1.3; a deep breath reaches 3 at most",
    bad="More than a breath can do, or less than none. Compare it with the ratio by the masks.",
)
DENSITY = Measure(
    name="density_change_hu",
    label="Change of density in the lungs",
    short="Density",
    unit="HU",
    decimals=0,
    brief="mean density of the warped lungs less the fixed ones'",
    says=(
        "Mean density of the warped scan less that of the fixed scan, in the lungs: negative where "
        "the moving scan holds more air."
    ),
    formula="mean(w) − mean(f)",
    source="lungreg",
    typical="−49 to 13 HU; the lower the deeper the breath",
    bad="Far above zero, the scans may have been exchanged.",
)
MASS = Measure(
    name="mass_ratio",
    label="Mass of the moving lungs by that of the fixed ones",
    short="Mass",
    decimals=2,
    brief="mass of the lungs in the moving scan by that in the fixed one",
    says=(
        "By what factor the lungs, where both scans show them, are heavier in the moving scan: a "
        "breath moves air, which weighs next to nothing."
    ),
    formula="Σ (w(x) + 1000 HU) det ∇T(x) / Σ (f(x) + 1000 HU)",
    source="lungreg",
    typical="0.95 to 1.25",
    bad="Voxel sizes are wrong in one scan, one has fluid or dense tissue, or registration failed.",
)
COVER = Measure(
    name="mask_cover_pct",
    label="Lungs shown that the masks hold",
    short="Masked",
    unit="%",
    decimals=0,
    higher_is_better=True,
    brief="share of the lungs shown that the masks hold, where least",
    says=(
        "What share of the lungs that a scan shows, by threshold, lies in its mask: of the thirds "
        "of each lung by height, in both scans, the lowest. Known where masks were given."
    ),
    formula="min over parts S of |M ∩ S| / |S|, S segmented by threshold on blocks of 2.5 mm",
    source="lungreg" + _THRESHOLD,
    typical="94 to 99 %",
    bad=(
        "A part of the lungs lies outside of its mask, of which nothing is measured; or masks are "
        "mirrored, shifted, or of other scans."
    ),
)
LOWER_EDGE = Measure(
    name="lower_edge_mm",
    label="Width of the lower edge of the lungs",
    short="Edge",
    unit="mm",
    decimals=1,
    brief="width of the lungs' lower edge: wide if the patient breathed",
    says=(
        "By how much the edge between the lungs and the diaphragm is wider than a slice is thick, "
        "in the scan where it is wider: in a scan of a held breath as sharp as a slice, in one "
        "taken while the patient breathed as wide as the breath."
    ),
    formula="median over lines along the body that end in a flat part of the diaphragm: way from "
    "20 to 80 % of the step from lung to soft tissue (0 HU), less the slice's thickness",
    source="lungreg, registration.lower_edge",
    typical="1.6 to 5.7 mm",
    bad=(
        "The patient breathed while one of the scans was taken: its lower lungs are an average, in "
        "which places lie nowhere. Dense lung above the diaphragm has a soft edge too. Judged only "
        "where fewer places find a partner in the lower lungs than in the upper ones."
    ),
)
LUNGS = (
    *(DICE, HD95, COVER, DICE_SEGMENTED, HD95_SEGMENTED),
    *(FIXED_ML, MOVING_ML, LUNG_RATIO, JACOBIAN_RATIO, DENSITY, MASS, LOWER_EDGE),
)

"""Measures of the deformation itself: whether tissue could move so."""

from __future__ import annotations

from lungreg.metrics.measures.measure import Measure

_JACOBIAN = "Determinant of the Jacobian matrix of T, by central differences"
_INVERSE = "Christensen and Johnson 2001"

FOLDS = Measure(
    name="fold_pct",
    label="Folded voxels in the lungs",
    short="Folded",
    unit="%",
    decimals=3,
    higher_is_better=False,
    says=(
        "Share of the voxels in the lungs where the deformation folds over itself, turning tissue "
        "inside out, which no tissue does."
    ),
    formula="100 * voxels with J <= 0 / voxels of the lungs",
    source=_JACOBIAN,
    typical="0 to 0.01 %",
    bad="The deformation tears or turns over, often where lungs slide along the ribs.",
)
J_MIN = Measure(
    name="jacobian_min",
    label="Jacobian, smallest",
    short="J min",
    decimals=2,
    says=(
        "The strongest shrinking in the lungs: 0.5 means that a piece of tissue is half as large "
        "in the moving scan as in the fixed one."
    ),
    formula="smallest J",
    source=_JACOBIAN,
    typical="0.2 to 0.8",
    bad="0 or below is a fold.",
)
J_MAX = Measure(
    name="jacobian_max",
    label="Jacobian, largest",
    short="J max",
    decimals=2,
    says=(
        "The strongest growth in the lungs: 3 means that a piece of tissue is three times as large "
        "in the moving scan as in the fixed one."
    ),
    formula="largest J",
    source=_JACOBIAN,
    typical="1.5 to 5",
    bad="Above 10 a few voxels are stretched as no tissue is.",
)
SDLOGJ = Measure(
    name="sdlogj",
    label="Standard deviation of log Jacobian",
    short="SD log J",
    decimals=3,
    higher_is_better=False,
    says=(
        "How unevenly the lungs grow and shrink from place to place: 0 where all grow alike. Lower "
        "is smoother, not more exact."
    ),
    formula="standard deviation of log J over the voxels of the lungs where J > 0",
    source="Leow et al. 2007",
    typical="0.1 to 0.3",
    bad="The deformation is rough: it may follow noise.",
)
SDLOGJ_LEARN2REG = Measure(
    name="sdlogj_learn2reg",
    label="Standard deviation of log Jacobian, as in Learn2Reg",
    short="SD log J L2R",
    decimals=3,
    higher_is_better=False,
    says=(
        "The variant that the script of the Learn2Reg challenge computes. Compare it with that "
        "challenge's tables only."
    ),
    formula="standard deviation of log(J + 3)",
    source="Hering et al. 2023 (Learn2Reg)",
    typical="0.03 to 0.1",
    bad="The deformation is rough: it may follow noise.",
)
OUTSIDE = Measure(
    name="outside_fov_pct",
    label="Outside the moving scan",
    short="Outside",
    unit="%",
    decimals=1,
    higher_is_better=False,
    says=(
        "Share of all voxels of the fixed scan that the transform carries to where the moving scan "
        "shows nothing. They are filled with air in the warped image."
    ),
    formula="100 * fixed voxels x with T(x) outside the moving scan / fixed voxels",
    source="lungreg",
    typical="0 to 25 %",
    bad="The scans show different parts of the body, or the alignment is far off.",
)
INVERSE_MEAN = Measure(
    name="inverse_mean_mm",
    label="Inverse consistency inside the lungs, mean",
    short="Inverse",
    unit="mm",
    decimals=3,
    higher_is_better=False,
    says=(
        "Mean distance of a point of the lungs from itself, once it went to the moving scan by the "
        "transform and back by its inverse."
    ),
    formula="mean of |inverse(T(x)) - x|",
    source=_INVERSE,
    typical="below 0.1 mm",
    bad="The transform has no inverse at some places: it folds, or is very steep.",
)
INVERSE_MAX = Measure(
    name="inverse_max_mm",
    label="Inverse consistency inside the lungs, largest",
    short="Inverse max",
    unit="mm",
    decimals=3,
    higher_is_better=False,
    says="The largest such distance.",
    formula="largest |inverse(T(x)) - x|",
    source=_INVERSE,
    typical="below 1 mm",
    bad="The transform has no inverse at one place at least: it folds there.",
)
STRETCH = Measure(
    name="stretch",
    label="Stretch of the lungs along one direction",
    short="Stretch",
    decimals=2,
    says=(
        "How much more the transform lengthens the lungs along one direction than along the two "
        "others: 1 where all are lengthened alike."
    ),
    formula="of the factors of the affine nearest to T, the odd one by the mean of the others",
    source="lungreg",
    typical="0.8 to 1.2",
    bad="A slice distance in a header is wrong, so that one scan is too long.",
)
SECONDS = Measure(
    name="compute_s",
    label="Time",
    short="Time",
    unit="s",
    decimals=1,
    says="Seconds from the arrays in memory to the final deformation, without reading and writing.",
    formula="seconds",
    source="lungreg",
    typical="some seconds on a GPU, up to minutes on a CPU",
    bad="The machine was shared or short of memory.",
)
DEFORMATION = (
    *(FOLDS, J_MIN, J_MAX, SDLOGJ, SDLOGJ_LEARN2REG, OUTSIDE),
    *(INVERSE_MEAN, INVERSE_MAX, STRETCH, SECONDS),
)

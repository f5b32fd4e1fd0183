"""Measures of the deformation itself: whether tissue could move so."""

from __future__ import annotations

from lungreg.metrics.measures.measure import Measure

_LEOW = "Leow et al. 2007, doi:10.1109/TMI.2007.892646"
_LEARN2REG = "Hering et al. 2023, doi:10.1109/TMI.2022.3213983"
_REINHARDT = "for lungs Reinhardt et al. 2008, doi:10.1016/j.media.2008.03.007"
_INVERSE = (
    "Christensen and Johnson 2001, doi:10.1109/42.932742; here the inverse is computed from T, by "
    "Newton's method"
)
_ONE_PAIR = "for one simulated pair (lungreg simulate --seed 21, preset default)"
_NO_INVERSE = (
    "The written inverse is not that of the transform there, as where it folds. Use the forward "
    "transform alone."
)

FOLDS = Measure(
    name="fold_pct",
    label="Folded voxels in the lungs",
    short="Folded",
    unit="%",
    decimals=3,
    higher_is_better=False,
    brief="of the lungs where the transform folds: should be 0",
    says=(
        "Share of the voxels in the lungs where the deformation folds over itself, turning tissue "
        "inside out, which no tissue does."
    ),
    formula="100 · |{x ∈ lungs : det ∇T(x) ≤ 0}| / |lungs|",
    source=_LEOW,
    typical="0 %",
    bad=(
        "There the transform has no inverse, and volumes measured with it are wrong. It is often "
        "where lungs slide along the ribs."
    ),
)
J_MIN = Measure(
    name="jacobian_min",
    label="Jacobian, smallest",
    short="J min",
    decimals=2,
    brief="smallest change of volume; 0 or less is a fold",
    says=(
        "The strongest shrinking in the lungs: 0.5 means that a piece of tissue is half as large "
        "in the moving scan as in the fixed one."
    ),
    formula="minimum over the lungs of det ∇T(x)",
    source=_REINHARDT,
    typical="0.285 to 0.8",
    bad="Zero or below is a fold.",
)
J_MAX = Measure(
    name="jacobian_max",
    label="Jacobian, largest",
    short="J max",
    decimals=2,
    brief="largest change of volume",
    says=(
        "The strongest growth in the lungs: 3 means that a piece of tissue is three times as large "
        "in the moving scan as in the fixed one."
    ),
    formula="maximum over the lungs of det ∇T(x)",
    source=_REINHARDT,
    typical="1.6 to 2.9",
    bad="Values far above those of the rest of the lungs are rarely breathing.",
)
SDLOGJ = Measure(
    name="sdlogj",
    label="Standard deviation of log Jacobian",
    short="SD log J",
    decimals=3,
    higher_is_better=False,
    brief="spread of local volume change (log Jacobian); smooth is small",
    says=(
        "How unevenly the lungs grow and shrink from place to place: 0 where all grow alike. Lower "
        "is smoother, not more exact."
    ),
    formula="standard deviation over the lungs of ln(det ∇T(x)), where that is above zero",
    source=f"{_LEOW}; as a measure of registration {_LEARN2REG}",
    typical="0.1 to 0.26",
    bad=(
        "A rough, implausible field, which may follow noise. Diseased lungs breathe unevenly too, "
        "so compare it among like cases."
    ),
)
SDLOGJ_LEARN2REG = Measure(
    name="sdlogj_learn2reg",
    label="Standard deviation of log Jacobian, as in Learn2Reg",
    short="SD log J L2R",
    decimals=3,
    higher_is_better=False,
    brief="sdlogj as Learn2Reg computes it, for its tables only",
    says=(
        "The variant that the script of the Learn2Reg challenge computes. It adds 3 to the "
        "determinant first, and so comes to about a quarter of the true figure where the field is "
        "smooth."
    ),
    formula="standard deviation over the lungs, without the two outer voxels, of ln(det ∇T(x) + 3)",
    source=f"{_LEARN2REG}, and its evaluation script",
    typical=f"0.019 {_ONE_PAIR} whose SD log J is 0.065",
    bad="Compare it with that challenge's tables only; it hides folds.",
)
OUTSIDE = Measure(
    name="outside_fov_pct",
    label="Outside the moving scan",
    short="Outside",
    unit="%",
    decimals=1,
    higher_is_better=False,
    brief="share of the fixed scan that lands outside the moving one",
    says=(
        "Share of all voxels of the fixed scan that the transform carries to where the moving scan "
        "shows nothing: beyond its ends or into padding. They are filled with air in the warped "
        "image."
    ),
    formula="100 · |{x : T(x) outside the moving scan}| / voxels of the fixed scan",
    source="lungreg",
    typical="5.1 to 36 %",
    bad="It says how far the boxes of both scans overlap; of the lungs it says little.",
)
LUNGS_OUTSIDE = Measure(
    name="lungs_outside_pct",
    label="Lungs outside the moving scan",
    short="Lungs outside",
    unit="%",
    decimals=1,
    higher_is_better=False,
    brief="of the fixed lungs that leads outside of the moving scan",
    says=(
        "Share of the fixed lungs, or of the fixed scan where they are not known, that the "
        "transform carries to where the moving scan shows nothing: beyond its ends or into "
        "padding, such as that around a reconstructed circle."
    ),
    formula="100 · |{x in the lungs : T(x) outside the moving scan}| / |lungs|",
    source="lungreg",
    typical="0 to 10.4 %",
    bad=(
        "One scan shows what the other does not, or the alignment is wrong. Nothing is known of "
        "what lies outside."
    ),
)
INVERSE_MEAN = Measure(
    name="inverse_mean_mm",
    label="Inverse consistency in the lungs, mean",
    short="Inverse",
    unit="mm",
    decimals=3,
    higher_is_better=False,
    brief="mean error of going there and back with the inverse",
    says=(
        "Mean distance of a point of the lungs from itself, once it went to the moving scan by the "
        "transform and back by the inverse that is written."
    ),
    formula="mean over the lungs of ‖T⁻¹(T(x)) − x‖",
    source=_INVERSE,
    typical=f"below 0.001 mm {_ONE_PAIR}",
    bad=_NO_INVERSE,
)
INVERSE_MAX = Measure(
    name="inverse_max_mm",
    label="Inverse consistency in the lungs, largest",
    short="Inverse max",
    unit="mm",
    decimals=3,
    higher_is_better=False,
    brief="largest error of going there and back",
    says="The largest distance of a point of the lungs from itself, once it went there and back.",
    formula="maximum over the lungs of ‖T⁻¹(T(x)) − x‖",
    source=_INVERSE,
    typical=f"below 0.001 mm {_ONE_PAIR}",
    bad=_NO_INVERSE,
)
STRETCH = Measure(
    name="stretch",
    label="Stretch of the lungs along one direction",
    short="Stretch",
    decimals=2,
    brief="lengthening along one direction more than the others, 1 is even",
    says=(
        "How much more the transform lengthens the lungs along one direction, the one that differs "
        "most, than along the two others: 1 where all are lengthened alike."
    ),
    formula="ratio of the mean lengthening along that direction to that across it",
    source="lungreg",
    typical="0.94 to 1.2",
    bad="A slice distance in a header may be wrong, so that one scan is too long.",
)
BONE_STRETCH = Measure(
    name="bone_stretch",
    label="Stretch of the bones",
    short="Bones",
    decimals=2,
    brief="lengthening of the bones near the lungs, about 1 in any breath",
    says=(
        "The factor by which the transform lengthens the bones near the lungs, in the direction in "
        "which it is furthest from 1: ribs turn with the breath, but keep their size."
    ),
    formula="singular value of the affine transform nearest to T at the bones",
    source="lungreg",
    typical="1.04 to 1.15",
    bad="The voxel sizes in one header are wrong, or the registration missed the bones.",
)
BONE_VOLUME = Measure(
    name="bone_volume_ratio",
    label="Change of volume of the bones",
    short="Bone volume",
    decimals=2,
    brief="change of volume of the bones, about 1 in any breath",
    says="By what factor the transform enlarges the bones near the lungs, in all directions.",
    formula="determinant of the affine transform nearest to T at the bones",
    source="lungreg",
    typical="1.04 to 1.24",
    bad="The voxel sizes in one header are wrong, or the registration missed the bones.",
)
BONE_MISFIT = Measure(
    name="bone_misfit_mm",
    label="Misfit of the bones",
    short="Bone misfit",
    unit="mm",
    decimals=1,
    brief="how far the bones near the lungs are from one affine motion",
    says="Median distance at the bones between the transform and the affine one nearest to it.",
    formula="median over the bones of ‖T(x) − B(x)‖, B the affine transform nearest to T there",
    source="lungreg",
    typical="1.84 to 4.2 mm",
    bad="Ribs were mistaken for their neighbours: the stretch of the bones then says nothing.",
)
SECONDS = Measure(
    name="compute_s",
    label="Time",
    short="Time",
    unit="s",
    decimals=1,
    brief="seconds from arrays to the deformation",
    says="Seconds from the arrays in memory to the final deformation, without reading and writing.",
    formula="seconds",
    source="lungreg",
    typical="some seconds on a GPU, up to minutes on a CPU",
    bad="The machine was shared or short of memory.",
)
DEFORMATION = (
    *(FOLDS, J_MIN, J_MAX, SDLOGJ, SDLOGJ_LEARN2REG, OUTSIDE, LUNGS_OUTSIDE),
    *(INVERSE_MEAN, INVERSE_MAX, STRETCH),
    *(BONE_STRETCH, BONE_VOLUME, BONE_MISFIT, SECONDS),
)

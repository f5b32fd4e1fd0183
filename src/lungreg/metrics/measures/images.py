"""Measures of how alike the two images are in the lungs."""

from __future__ import annotations

from lungreg.metrics.measures.measure import Measure

NCC = Measure(
    name="ncc",
    label="Correlation in the lungs (NCC)",
    short="NCC",
    decimals=3,
    higher_is_better=True,
    aligned="ncc_aligned",
    brief="correlation of the images in the lungs, 1 is perfect",
    says=(
        "How well light and dark of the two images go together in the lungs: 1 where one is the "
        "other but for brightness and contrast, 0 where they have nothing to do with each other. "
        "Of lungs that the moving scan cuts off, what it shows counts."
    ),
    formula="Σ (f − f̄)(w − w̄) / √(Σ (f − f̄)² Σ (w − w̄)²)",
    source="Pearson correlation",
    typical="0.68 to 0.93",
    bad=(
        "The scans do not look alike after registration: vessels do not lie on vessels, or the "
        "scans are of two patients. Noise lowers it as well, and large values need not mean that "
        "vessels meet."
    ),
)
SSIM = Measure(
    name="ssim_score",
    label="Structural similarity in the lungs (SSIM)",
    short="SSIM",
    decimals=3,
    higher_is_better=True,
    aligned="ssim_aligned",
    brief="structural similarity in the lungs, 1 is perfect",
    says=(
        "How alike the two images are in the lungs in brightness, contrast and structure, within "
        "some voxels around each voxel: 1 where they are the same. It falls with noise, and since "
        "air that is breathed in darkens the lungs."
    ),
    formula=(
        "mean of (2μfμw + C₁)(2σfw + C₂) / ((μf² + μw² + C₁)(σf² + σw² + C₂)) after the intensity "
        "window, C₁ = 0.01², C₂ = 0.03², Gaussian window of 1.5 voxels"
    ),
    source="Wang et al. 2004, doi:10.1109/TIP.2003.819861",
    typical="0.60 to 0.89",
    bad=(
        "No better than before registration: the deformation did not bring structures together. "
        "It falls with noise and with different reconstruction kernels."
    ),
)
RESIDUAL = Measure(
    name="residual",
    label="Residual image difference in the lungs",
    short="Residual",
    decimals=3,
    higher_is_better=False,
    brief="image difference that is left in the lungs, 0 to 1.41",
    says=(
        "What is left of the difference of the images in the lungs once their local density, which "
        "breathing changes, is taken away: 0 where vessels and fissures lie on each other, about 1 "
        "where they have nothing to do with each other, 1.41 where they are opposite."
    ),
    formula=(
        "√(Σ (f − w)² / (Σ f² + Σ w²)), f and w smoothed by 1.5 mm and without their mean over "
        "25 mm"
    ),
    source="lungreg, metrics.residual_difference",
    typical="0.14 to 0.4",
    bad=(
        "Structures do not meet. In scans with much noise it is high everywhere. Judged only where "
        "neither landmarks nor estimated errors are known."
    ),
)
IN_PLACE = Measure(
    name="correlation_in_place",
    label="Correlation in place",
    short="In place",
    decimals=3,
    higher_is_better=False,
    brief="fine structure alike at one place of the scanner: about 0",
    says=(
        "How well the fine structure of both scans goes together at one and the same place of the "
        "scanner, where the transform moves tissue away: about 0, since other tissue lies there. "
        "What the fixed scan correlates with itself at that distance is taken off."
    ),
    formula="correlation of c_f(x) and c_m(x) where ‖T(x) − x‖ is above 4 mm and 2.5 voxels, "
    "c = (I − mean) / SD of 9 voxels around; x and its place in the moving scan deep in the lungs; "
    "less that of c_f(x) and c_f(x + s e), if above 0: s is the median of ‖T(x) − x‖, and of the "
    "three axes e the one with the middle correlation counts",
    source="lungreg, registration.fixed_pattern",
    typical="−0.02 to 0.083",
    bad=(
        "Both scans show something that does not move with the lungs: rings, streaks, or a part of "
        "the other scan (view sharing, an average of phases). Registration and estimated errors "
        "follow it; landmarks alone tell the true error then."
    ),
)
UNLIKE = Measure(
    name="unlike_pct",
    label="Lungs whose fine structure does not go together",
    short="Unlike",
    unit="%",
    decimals=1,
    higher_is_better=False,
    brief="share of the lungs whose fine structure is unlike",
    says=(
        "What share of the lungs lies in blocks of 20 mm where the fine structure of the warped "
        "scan correlates with the fixed one less than 0.4 times as much as in the middle block. "
        "It needs no partners, and sees parts where no place finds one."
    ),
    formula="100 Σ |B| [ρ_B < 0.4 median ρ] / Σ |B|, ρ_B the correlation of c_f and c_w in a "
    "block B, c = I − mean of 9 voxels around",
    source="lungreg, registration.likeness",
    typical="0 to 7.9 %",
    bad=(
        "In a part of the lungs the transform is far off (air or fluid beside the lung, slices in "
        "another order, a patient who moved between two parts of a scan), or the scans do not show "
        "the same there."
    ),
)
IMAGES = (NCC, SSIM, RESIDUAL, IN_PLACE, UNLIKE)

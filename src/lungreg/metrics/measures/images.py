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
    says=(
        "How well light and dark of the two images go together in the lungs: 1 where one is the "
        "other but for brightness and contrast, 0 where they have nothing to do with each other."
    ),
    formula="sum (f - mean f)(w - mean w) / sqrt(sum (f - mean f)^2 * sum (w - mean w)^2)",
    source="Pearson's correlation",
    typical="0.5 to 0.95",
    bad="Below 0.3 vessels do not lie on vessels, or the scans are of two patients.",
)
SSIM = Measure(
    name="ssim_score",
    label="Structural similarity in the lungs (SSIM)",
    short="SSIM",
    decimals=3,
    higher_is_better=True,
    aligned="ssim_aligned",
    says=(
        "How alike the two images are in the lungs in brightness, contrast and structure, within "
        "some voxels around each voxel: 1 where they are the same. It falls with noise, and since "
        "air that is breathed in darkens the lungs."
    ),
    formula="mean of the SSIM map: Gaussian window of sigma 1.5 voxels, K1 0.01, K2 0.03",
    source="Wang et al. 2004",
    typical="0.45 to 0.95, above its value before registration",
    bad="No better than before registration: the deformation did not bring structures together.",
)
RESIDUAL = Measure(
    name="residual",
    label="Residual image difference inside the lungs",
    short="Residual",
    decimals=3,
    higher_is_better=False,
    says=(
        "What is left of the difference of the images in the lungs once their local density is "
        "taken away: 0 where vessels and fissures lie on each other, about 1 where they have "
        "nothing to do with each other, 1.41 where they are opposite."
    ),
    formula="sqrt(sum (f' - w')^2 / sum (f'^2 + w'^2)), f' and w' less their mean over 25 mm",
    source="lungreg",
    typical="0.1 to 0.4",
    bad="Vessels do not lie on vessels. In scans with much noise it is high everywhere.",
)
IMAGES = (NCC, SSIM, RESIDUAL)

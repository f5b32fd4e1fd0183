"""Measures of how far off the transform is at known, or found, places of the lungs."""

from __future__ import annotations

from dataclasses import replace

from lungreg.metrics.measures.measure import Measure, Reported

_TRE_SOURCE = (
    "Fitzpatrick and West 2001, doi:10.1109/42.952729; for lungs Castillo et al. 2009, "
    "doi:10.1088/0031-9155/54/7/001"
)
_ETRE_SOURCE = (
    "places: Förstner and Gülch 1987 in three dimensions, as corrField uses it (Heinrich, Handels "
    "and Simpson 2015, doi:10.1007/978-3-319-24574-4_41); search by MIND-SSC (Heinrich et al. "
    "2013, doi:10.1007/978-3-642-40811-3_24) and correlation, forth and back"
)
_MOST = "Most of the lungs are misregistered, not a part of them only."

TRE = Measure(
    name="tre_mm",
    label="Landmark error (TRE), mean",
    short="TRE",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    initial="tre_initial_mm",
    aligned="tre_aligned_mm",
    brief="mean distance of landmarks after registration (TRE)",
    says=(
        "Mean distance between where the transform carries the landmarks of the fixed scan and "
        "where they were marked in the moving scan. The landmarks take no part in the registration."
    ),
    formula="mean over landmarks of ‖T(xᵢ) − yᵢ‖",
    source=_TRE_SOURCE,
    typical="0.54 to 1.6 mm",
    bad=(
        "Tissue ends beside its partner: structures smaller than the error cannot be compared "
        "voxel by voxel. A mean far above the median is one part of the lungs, or a few landmarks, "
        "that failed; look at the regions. Errors of the landmarks themselves count in full."
    ),
)
TRE_MEDIAN = Measure(
    name="tre_median_mm",
    label="Landmark error, median",
    short="TRE median",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    brief="half of the landmarks are nearer",
    says=(
        "Half of the landmarks are closer than this to where they were marked. A few gross errors, "
        "or wrongly set landmarks, leave it alone."
    ),
    formula="median over landmarks of ‖T(xᵢ) − yᵢ‖",
    source=_TRE_SOURCE,
    typical="0.262 to 1.2 mm",
    bad=_MOST,
)
TRE_P95 = Measure(
    name="tre_p95_mm",
    label="Landmark error, 95th percentile",
    short="TRE 95 %",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    brief="95 % of the landmarks are nearer",
    says="19 of 20 landmarks are closer than this to where they were marked.",
    formula="95th percentile of ‖T(xᵢ) − yᵢ‖, linear between the two nearest errors",
    source=_TRE_SOURCE,
    typical="1.4 to 5.2 mm",
    bad="Some place is far off, often at the base or behind the heart, even if the mean is small.",
)
TRE_MAX = Measure(
    name="tre_max_mm",
    label="Landmark error, largest",
    short="TRE max",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    brief="distance of the worst landmark",
    says="The distance at the landmark that is furthest from where it was marked.",
    formula="maximum over landmarks of ‖T(xᵢ) − yᵢ‖",
    source=_TRE_SOURCE,
    typical="2.3 to 10.7 mm; of 200 landmarks, less of fewer",
    bad="One place is far off, or one landmark was marked wrongly: look at it.",
)
LANDMARK_COUNT = Measure(
    name="landmarks",
    label="Landmark pairs",
    short="Landmarks",
    decimals=0,
    brief="number of pairs of landmarks",
    says="Number of landmark pairs that the landmark errors were measured at.",
    formula="N",
    source="the landmark file",
    typical="150 in a pair of lungreg simulate",
    bad="Of a handful the mean says little, and most of the lungs are then unmeasured: with fewer "
    "than quality.landmarks_enough a case is judged as one without landmarks too.",
)
ETRE = Measure(
    name="etre_mm",
    label="Estimated landmark error, mean",
    short="Estimated",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    aligned="etre_aligned_mm",
    brief="estimated mean landmark error: no landmarks needed",
    says=(
        "The landmark error without landmarks: distinctive places of the fixed lungs are searched "
        "for in the moving scan, and this is the mean distance of what was found from where the "
        "transform leads, with the partner's own uncertainty: the less its surroundings are alike "
        "in both scans, the less exact it is. Places without a partner do not count; where fewer "
        "than 12 % find one it is not given: those few lie near by the way they are looked for."
    ),
    formula=(
        "mean over places with a partner of √(‖T(xᵢ) − pᵢ‖² + σᵢ²), pᵢ the partner in the moving "
        "scan, σᵢ = 2.5 mm √(1 − correlation of the patches)"
    ),
    source=_ETRE_SOURCE,
    typical="0.7 to 1.5 mm; before registration 3.4 to 9.1 mm",
    bad=(
        "As for the landmark error. How often it has the class of the true one (below 2, 2 to 4, "
        "above 4 mm) stands on the page of the calibration. Places without a partner say nothing."
    ),
)
ETRE_MEDIAN = Measure(
    name="etre_median_mm",
    label="Estimated landmark error, median",
    short="Estimated median",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    brief="half of the estimated errors are smaller",
    says="Half of the estimated errors are smaller than this.",
    formula="median over places with a partner of √(‖T(xᵢ) − pᵢ‖² + σᵢ²)",
    source=_ETRE_SOURCE,
    typical="0.62 to 1.2 mm",
    bad=_MOST,
)
ETRE_P95 = Measure(
    name="etre_p95_mm",
    label="Estimated landmark error, 95th percentile",
    short="Estimated 95 %",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    brief="95 % of the estimated errors are smaller",
    says="19 of 20 estimated errors are smaller than this.",
    formula="95th percentile over places with a partner of √(‖T(xᵢ) − pᵢ‖² + σᵢ²)",
    source=_ETRE_SOURCE,
    typical="1.3 to 4.2 mm",
    bad="Some part of the lungs is far off; the list of regions on the page of the case names it.",
)
REGIONS = Reported(
    name="etre_regions",
    label="Estimated error by part of the lungs",
    unit="mm",
    brief="estimated error by part of the lungs, the worst first",
    says=(
        "The estimated error in the right and left, upper and lower half of the lungs, the worst "
        'first: "left lower: 6.2 mm (95 % below 9.1 mm), 81 % found". A part with fewer than 15 '
        "partners is left out."
    ),
    formula="as the estimated landmark error, over the places of one part",
    source=_ETRE_SOURCE,
    typical=(
        "1.1 to 1.2 mm in the four parts of one simulated pair (lungreg simulate --seed 21, preset "
        "default), 95 % below 2.6 to 3.7 mm"
    ),
    bad="The registration failed there, whatever the mean over both lungs says.",
)
ETRE_FOUND = Measure(
    name="etre_found_pct",
    label="Deep distinctive places with a partner",
    short="Found",
    unit="%",
    decimals=1,
    higher_is_better=True,
    brief="deep places that found a partner; few make it doubtful",
    says=(
        "Share of the distinctive places at least 10 mm below the surface of the lungs for which "
        "the search in the moving scan found a partner, and found back from it. Nearer to the "
        "surface the walls of any two chests match: those places do not count in this share, "
        "unless fewer than 20 lie deep."
    ),
    formula="100 · deep places with a partner / deep places that T carries into the moving scan",
    source=_ETRE_SOURCE,
    typical="42 to 89 %",
    bad=(
        "Few partners mean that the scans hardly show the same tissue there: another patient, "
        "exchanged sides, a failed registration, or very different image quality."
    ),
)
ETRE_PLACES = Measure(
    name="etre_places",
    label="Distinctive places with a partner",
    short="Places",
    decimals=0,
    higher_is_better=True,
    brief="number of places with a partner",
    says="Number of distinctive places that the estimated landmark errors were measured at.",
    formula="N",
    source=_ETRE_SOURCE,
    typical="148 to 627",
    bad="With too few the estimate is not used, and a case without landmarks does not pass.",
)
ETRE_BEYOND_3 = Measure(
    name="etre_beyond_3mm_pct",
    label="Estimated landmark error above 3 mm",
    short="Above 3",
    unit="%",
    decimals=1,
    higher_is_better=False,
    brief="places whose estimated error is above 3 mm",
    says="Share of the distinctive places with a partner whose estimated error is above 3 mm.",
    formula="100 · places with an error above 3 mm / places with a partner",
    source=_ETRE_SOURCE,
    typical="0.51 to 9.7 %",
    bad="A part of the lungs is off; the list of regions says which.",
)
ETRE_BEYOND_5 = replace(
    ETRE_BEYOND_3,
    name="etre_beyond_5mm_pct",
    label="Estimated landmark error above 5 mm",
    short="Above 5",
    brief="places whose estimated error is above 5 mm",
    says="Share of the distinctive places with a partner whose estimated error is above 5 mm.",
    formula="100 · places with an error above 5 mm / places with a partner",
    typical="0 to 2.5 %",
)
LANDMARKS = (
    *(TRE, TRE_MEDIAN, TRE_P95, TRE_MAX, LANDMARK_COUNT),
    *(ETRE, ETRE_MEDIAN, ETRE_P95, ETRE_BEYOND_3, ETRE_BEYOND_5, ETRE_FOUND, ETRE_PLACES),
)

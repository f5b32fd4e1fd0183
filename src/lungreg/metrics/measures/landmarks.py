"""Measures of how far off the transform is at known, or found, places of the lungs."""

from __future__ import annotations

from lungreg.metrics.measures.measure import Measure

_TRE_SOURCE = "Fitzpatrick and West 2001; for lungs Castillo et al. 2009, 2013 (DIR-Lab)"
_ETRE_SOURCE = "Searches as in Heinrich et al. 2015 and Ruehaak et al. 2017, here as a measure"
_FAR_OFF = (
    "The deformation misses tissue by about that much. See on the slices whether one part of the "
    "lungs or the whole is off."
)

TRE = Measure(
    name="tre_mm",
    label="Landmark error (TRE), mean",
    short="TRE",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    initial="tre_initial_mm",
    aligned="tre_aligned_mm",
    says=(
        "Mean distance between where the transform carries the landmarks of the fixed scan and "
        "where they were marked in the moving scan. The landmarks take no part in the registration."
    ),
    formula="mean of |T(x) - y| over landmark pairs (x, y)",
    source=_TRE_SOURCE,
    typical="1 to 2 mm; before registration 5 to 30 mm between two breathing states",
    bad=_FAR_OFF,
)
TRE_MEDIAN = Measure(
    name="tre_median_mm",
    label="Landmark error, median",
    short="TRE median",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    says="Half of the landmarks are closer than this to where they were marked.",
    formula="median of |T(x) - y|",
    source=_TRE_SOURCE,
    typical="0.8 to 1.5 mm, about as exact as landmarks are marked",
    bad="Most of the lungs are off, not a part of them only.",
)
TRE_P95 = Measure(
    name="tre_p95_mm",
    label="Landmark error, 95th percentile",
    short="TRE 95 %",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    says="19 of 20 landmarks are closer than this to where they were marked.",
    formula="95th percentile of |T(x) - y|",
    source=_TRE_SOURCE,
    typical="2 to 5 mm",
    bad="A part of the lungs is off, often near the diaphragm, though the mean may look well.",
)
TRE_MAX = Measure(
    name="tre_max_mm",
    label="Landmark error, largest",
    short="TRE max",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    says="The distance at the landmark that is furthest from where it was marked.",
    formula="largest |T(x) - y|",
    source=_TRE_SOURCE,
    typical="5 to 15 mm among some hundred landmarks",
    bad="One place is far off, or one landmark was marked wrongly: look at it.",
)
LANDMARK_COUNT = Measure(
    name="landmarks",
    label="Landmark pairs",
    short="Landmarks",
    decimals=0,
    says="Number of landmark pairs that the landmark errors were measured at.",
    formula="count",
    source=_TRE_SOURCE,
    typical="50 to 300",
    bad="With fewer than about 20, mean and percentiles rest on little.",
)
ETRE = Measure(
    name="etre_mm",
    label="Estimated landmark error, mean",
    short="Estimated",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    aligned="etre_aligned_mm",
    says=(
        "The landmark error without landmarks: distinctive places of the fixed lungs are searched "
        "for in the moving scan, and this is the mean distance of what was found from where the "
        "transform leads. It is rather too low, since places without a partner do not count."
    ),
    formula="mean of |T(x) - y| over distinctive places x whose partner y was found",
    source=_ETRE_SOURCE,
    typical="0.2 to 1.5 mm; before registration 3 to 10 mm",
    bad=_FAR_OFF,
)
ETRE_MEDIAN = Measure(
    name="etre_median_mm",
    label="Estimated landmark error, median",
    short="Estimated median",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    says="Half of the partners that were found lie closer than this to where the transform leads.",
    formula="median of |T(x) - y|",
    source=_ETRE_SOURCE,
    typical="0.1 to 1 mm",
    bad="Most of the lungs are off, not a part of them only.",
)
ETRE_P95 = Measure(
    name="etre_p95_mm",
    label="Estimated landmark error, 95th percentile",
    short="Estimated 95 %",
    unit="mm",
    decimals=2,
    higher_is_better=False,
    says="19 of 20 partners that were found lie closer than this to where the transform leads.",
    formula="95th percentile of |T(x) - y|",
    source=_ETRE_SOURCE,
    typical="0.5 to 4 mm",
    bad="A part of the lungs is off: the page names the parts, worst first.",
)
ETRE_FOUND = Measure(
    name="etre_found_pct",
    label="Distinctive places that found a partner",
    short="Found",
    unit="%",
    decimals=1,
    higher_is_better=True,
    says=(
        "Share of the distinctive places deep in the lungs for which the search in the moving scan "
        "found a partner, and found back from it."
    ),
    formula="100 * places with a partner / distinctive places",
    source=_ETRE_SOURCE,
    typical="20 to 100 %",
    bad=(
        "The scans do not show the same tissue where the transform puts it: it is far off, or they "
        "are of two patients or mirrored."
    ),
)
ETRE_PLACES = Measure(
    name="etre_places",
    label="Distinctive places with a partner",
    short="Places",
    decimals=0,
    higher_is_better=True,
    says="Number of distinctive places that the estimated landmark errors were measured at.",
    formula="count",
    source=_ETRE_SOURCE,
    typical="100 to 1,000",
    bad="With few places the estimate rests on little, and a verdict does not rest on it.",
)
LANDMARKS = (
    *(TRE, TRE_MEDIAN, TRE_P95, TRE_MAX, LANDMARK_COUNT),
    *(ETRE, ETRE_MEDIAN, ETRE_P95, ETRE_FOUND, ETRE_PLACES),
)

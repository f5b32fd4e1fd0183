"""Sentences for the words around the measures: when they were taken, and what pictures show."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

MOMENTS: Mapping[str, str] = MappingProxyType(
    {
        "By headers": (
            "Nothing is done yet: the two scans lie over each other as their headers say."
        ),
        "Aligned": (
            "After the initial alignment alone, which shifts, scales or turns the scan as a whole. "
            "This is the value before registration."
        ),
        "Registered": (
            "After registration: alignment and deformation together, the transform that was "
            "written."
        ),
    }
)
"""The columns of a case's measures."""

TERMS: Mapping[str, str] = MappingProxyType(
    {
        "Why": (
            "What decided the verdict, what is wrong with the scans first; or why the case could "
            "not be registered."
        ),
        "Estimated error": (
            "Distance between where the transform leads from a distinctive place and where a "
            "search in the moving scan found it, by part of the lungs, worst first."
        ),
        "Lungs of the fixed scan": (
            "Where the lungs that measures are taken in come from: a mask that was given, or a "
            "search for air inside the chest."
        ),
        "Notes": "What was unusual in the files, or in how the transform was found.",
        "Difference before": (
            "Absolute difference of the fixed scan and the moving one after the alignment alone, "
            "in HU."
        ),
        "Difference after": (
            "Absolute difference of the fixed scan and the warped one, in HU. Lungs that hold more "
            "air are darker, so that some of it stays where everything is right."
        ),
        "Displacement": (
            "Length of the deformation without the alignment, in mm. Its scale reaches to the "
            "largest lengths in the lungs."
        ),
        "Deformed grid": (
            "Lines that were straight in the moving scan, as the transform bends them, over the "
            "length of the displacement."
        ),
        "Jacobian": (
            "By what factor tissue is larger in the moving scan than in the fixed one: blue "
            "shrinks, orange grows, and where it is not positive the map folds."
        ),
        "Landmark error": (
            "Distance between where the transform carries a landmark and where it was marked in "
            "the moving scan."
        ),
        "case": "The pair of scans.",
        "run": "The call of lungreg that registered the case.",
        "split": (
            "Whether the model learned from the case: train and val are cases of its training, "
            "test was held back, unseen is none of them."
        ),
        "model": "Name and version of the network that the registration started from, if any.",
        "weights": "Start of the SHA-256 of the model's weights.",
        "trained in run": "The run that trained the model.",
        "refinement": "Preset of the optimisation of this pair.",
        "alignment": (
            "The initial alignment: world trusts the headers, grid lays the boxes of the scans "
            "over each other, centre their middles, masks fits the lung masks that were given, "
            "lungs fits lungs that were found by threshold, fitted is a short registration."
        ),
        "seed": "Start of the random numbers of the optimisation.",
        "cases": "Number of cases of the run.",
        "made with": "Versions of the software.",
        "finished": "When the case was registered.",
        "Split": (
            "Whether the model learned from the cases: train and val are cases of its training, "
            "test was held back, unseen is none of them."
        ),
        "Cases": "Cases of the split.",
        "Registered": "Cases of the split that were registered, whatever their verdict.",
        "Case": "The pair of scans.",
        "Verdict": (
            "Whether the result can be trusted: pass, warn or fail, with what it rests on. "
            "Not registered are cases that stopped with an error."
        ),
    }
)
"""What pages name beside the measures."""

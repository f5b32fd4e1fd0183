"""The troubles that a varied pair may be in, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import numpy as np
from scipy import ndimage

from tests.varied.anatomy import consolidation, emphysema, motion_artefact
from tests.varied.appearance import Look
from tests.varied.breathing import averaged, dense_bases
from tests.varied.patterns import ringed, streaked
from tests.varied.plan import Change, Plan
from tests.varied.scans import Scan, circled, cut_off, reshaped, thick_slices

_BLUR_MM, _COARSE = 2.0, (32, 32, 32)
_HIDDEN = 0.12
_PADDING_HU = (-3024.0, -2000.0, -1024.0)


def _sliced(rng: np.random.Generator, scan: Scan) -> Scan:
    return thick_slices(scan, 5.0)


def _blurred(rng: np.random.Generator, scan: Scan) -> Scan:
    hu = ndimage.gaussian_filter(scan.hu, _BLUR_MM / scan.grid.spacing_mm)
    return replace(scan, hu=hu)


def _coarse(rng: np.random.Generator, scan: Scan) -> Scan:
    return reshaped(scan, _COARSE)


def _clipped(rng: np.random.Generator, scan: Scan) -> Scan:
    """Stored in a narrow range: nothing below -1000 HU and nothing above 1000 HU is told."""
    return replace(scan, hu=scan.hu.clip(-1000, 1000))


def _cut(rng: np.random.Generator, scan: Scan, *, length_mm: float, apices: bool) -> Scan:
    return cut_off(scan, length_mm, apices=apices)


def _half(rng: np.random.Generator, scan: Scan) -> Scan:
    return cut_off(scan, np.inf, apices=False, most=0.5)


def _circled(rng: np.random.Generator, scan: Scan) -> Scan:
    return circled(scan, _HIDDEN, float(rng.choice(_PADDING_HU)))


def _noisy(rng: np.random.Generator, look: Look) -> Look:
    return replace(look, noise_hu=100.0)


def _averaged(about: str, role: str, ways_mm: tuple[float, float]) -> Plan:
    change: Change = partial(averaged, ways_mm=ways_mm)
    return Plan(about=f"{role} taken while the patient breathed, {about}", scans={role: change})


def _sharp(rng: np.random.Generator, look: Look) -> Look:
    return replace(look, blur_mm=0.0, sharpen=1.5, noise_hu=80.0, grain_vox=0.9, ringing=True)


def _lacks(role: str, length_mm: float, *, apices: bool) -> Plan:
    where = "apices" if apices else "bases"
    change: Change = partial(_cut, length_mm=length_mm, apices=apices)
    about = f"{role} scan without the {length_mm:g} mm of the lungs at their {where}, at most 60 %"
    return Plan(about=about, finished={role: change})


def _turned(about: str, degrees: tuple[float, float, float]) -> Plan:
    return Plan(
        about=f"patient turned by {max(degrees):g} degrees about the {about} axis in moving",
        turn_degrees=degrees,
    )


PLANS: Mapping[str, Plan] = MappingProxyType(
    {
        "none": Plan(about="no trouble beyond the variety of every pair"),
        "slides": Plan(about="the whole breath slides along ribs and spine that stay", slides=True),
        "deep": Plan(
            about="a breath of 48 to 60 mm at the diaphragm, along a wall that stays",
            slides=True,
            deep=True,
        ),
        "noise100": Plan(about="noise of 100 HU in both scans", looks=_noisy),
        "slices5mm": Plan(
            about="slices of 5 mm in both scans, each the mean over its thickness",
            scans={"fixed": _sliced, "moving": _sliced},
        ),
        "slices5mm_moving": Plan(about="slices of 5 mm in moving", scans={"moving": _sliced}),
        "kernels": Plan(
            about="one scan by a sharp kernel, with noise of 80 HU",
            looks=_sharp,
            look_of=("either",),
        ),
        "blurred2mm": Plan(about="moving blurred by 2 mm", scans={"moving": _blurred}),
        "coarse_moving": Plan(about="moving on 32 x 32 x 32 voxels", scans={"moving": _coarse}),
        "offset1000": Plan(about="stored values 1000 above HU in one scan or both", offset=1000.0),
        "clip12bit": Plan(
            about="values between -1000 and 1000 HU alone",
            finished={"fixed": _clipped, "moving": _clipped},
        ),
        "emphysema": Plan(about="holes of air in both scans", source=emphysema),
        "consolidation": Plan(about="patches of dense tissue in one scan", either=consolidation),
        "motion_artefact": Plan(
            about="slabs of one scan doubled or shifted by a few mm", either=motion_artefact
        ),
        "moving_breathed": _averaged("26 to 34 mm at the diaphragm", "moving", (26, 34)),
        "fixed_breathed": _averaged("26 to 34 mm at the diaphragm", "fixed", (26, 34)),
        "breathed_little": _averaged("8 to 16 mm at the diaphragm", "moving", (8, 16)),
        "dense_bases": Plan(
            about="lung of one scan denser towards the diaphragm", either=dense_bases
        ),
        "fixed_cut20_bases": _lacks("fixed", 20, apices=False),
        "fixed_cut40_bases": _lacks("fixed", 40, apices=False),
        "fixed_cut80_bases": _lacks("fixed", 80, apices=False),
        "moving_cut20_bases": _lacks("moving", 20, apices=False),
        "moving_cut40_bases": _lacks("moving", 40, apices=False),
        "moving_cut80_bases": _lacks("moving", 80, apices=False),
        "fixed_cut40_apices": _lacks("fixed", 40, apices=True),
        "moving_cut40_apices": _lacks("moving", 40, apices=True),
        "moving_upper_half": Plan(
            about="moving shows the upper half of the lungs", finished={"moving": _half}
        ),
        "fixed_upper_half": Plan(
            about="fixed shows the upper half of the lungs", finished={"fixed": _half}
        ),
        "fixed_circle": Plan(
            about="fixed reconstructed in a circle that cuts off 12 % of its lungs",
            finished={"fixed": _circled},
        ),
        "moving_circle": Plan(
            about="moving reconstructed in a circle that cuts off 12 % of its lungs",
            finished={"moving": _circled},
        ),
        "rings": Plan(
            about="rings of 80 HU around the scanner's axis in both scans",
            finished={"fixed": ringed, "moving": ringed},
        ),
        "streaks": Plan(
            about="streaks of 90 HU at one place of the scanner in both scans",
            finished={"fixed": streaked, "moving": streaked},
        ),
        "mixed": Plan(about="35 % of the fixed scan mixed into the moving one", mixed=0.35),
        "turned10_long": _turned("long", (0, 0, 10)),
        "turned20_long": _turned("long", (0, 0, 20)),
        "turned30_long": _turned("long", (0, 0, 30)),
        "turned20_lr": _turned("left-right", (20, 0, 0)),
        "turned30_lr": _turned("left-right", (30, 0, 0)),
        "turned20_ap": _turned("front-back", (0, 20, 0)),
        "origin1000": Plan(about="headers 1000 mm apart", shift_mm=1000.0),
        "header_missing": Plan(about="one header knows voxel sizes alone", bare_header=True),
        "anisotropic": Plan(
            about="moving as sagittal slices of 5 mm, axes in another order", sagittal=True
        ),
    }
)
TROUBLES: Mapping[str, str] = MappingProxyType({name: plan.about for name, plan in PLANS.items()})
"""Name -> what it is, in one line; the first is none."""

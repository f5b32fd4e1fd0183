"""The formats of an export: what its files are called, and what is in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.formats.transforms import (
    FIXED_TO_MOVING,
    MOVING_TO_FIXED,
    describe_transform,
    encode_displacement,
    encode_learn2reg,
)
from lungreg.formats.transforms.itk_files import (
    DESCRIPTION_FILE,
    FORWARD_FILE,
    INVERSE_FILE,
    describe_inverse,
    encode_transform_files,
)
from lungreg.registration.outputs import StoredRegistration
from lungreg.spatial.displacement import dense_displacement
from lungreg.spatial.inversion import invert
from lungreg.spatial.total_displacement import total_displacement_mm, voxel_displacement

MAPPING_FILE = "cases.csv"
"""Of Learn2Reg: the case of each number."""
_MAX_NUMBER = 9999


@dataclass(frozen=True, kw_only=True, eq=False)
class Exported:
    """One registered case, read back, and how it is called."""

    case_id: str
    number: int
    """A number that no other case of the run has; see `case_numbers`."""
    stored: StoredRegistration
    """Its transform and the grids of both scans."""
    moving_lungs: NDArray[Any] | None
    """(X, Y, Z) on the moving grid, above 0 in the lungs."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """How the transforms of a run are written for another tool."""

    names: Callable[[str, int], tuple[str, ...]]
    """The files of a case within the folder, from its id and number."""
    encode: Callable[[Exported], tuple[bytes, ...]]
    """What is in them, in this order."""
    mapping: str | None = None
    """File that says which case has which number; None for a format without numbers."""

    def files(self, case: Exported) -> dict[str, bytes]:
        """The files of a case by name."""
        return dict(zip(self.names(case.case_id, case.number), self.encode(case), strict=True))


def learn2reg_name(number: int) -> str:
    """Learn2Reg's name of the displacement of a pair of two scans of this number."""
    return f"disp_{number:04d}_{number:04d}.nii.gz"


def _itk(case: Exported) -> tuple[bytes, ...]:
    files = encode_transform_files(
        case.stored.transform,
        fixed=case.stored.description.fixed,
        moving=case.stored.description.moving,
        moving_lungs=case.moving_lungs,
        made=_made(case),
    )
    return tuple(files[name] for name in _ITK_FILES)


def _ants_names(case_id: str) -> tuple[str, ...]:
    return tuple(f"{case_id}_{end}" for end in ("Warp.nii.gz", "InverseWarp.nii.gz", "Warp.json"))


def _ants(case: Exported) -> tuple[bytes, ...]:
    fixed, moving = case.stored.description.fixed, case.stored.description.moving
    warp, inverse_warp, _ = _ants_names(case.case_id)
    inverse = invert(case.stored.transform, moving, lungs=case.moving_lungs)
    description = {
        **describe_transform(case.stored.transform, fixed=fixed, moving=moving, made=_made(case)),
        "file": "total displacements T(x) - x and T^-1(y) - y, the affine included",
        "files": {warp: FIXED_TO_MOVING, inverse_warp: MOVING_TO_FIXED},
        "inverse": describe_inverse(inverse, in_lungs=case.moving_lungs is not None),
    }
    fields = (
        encode_displacement(
            total_displacement_mm(one.affine, dense_displacement(one, grid), grid), grid
        )
        for one, grid in ((case.stored.transform, fixed), (inverse.transform, moving))
    )
    return (*fields, json.dumps(description, indent=2).encode())


def _learn2reg(case: Exported) -> tuple[bytes, ...]:
    if case.number > _MAX_NUMBER:
        msg = f"Learn2Reg's names number at most {_MAX_NUMBER} cases"
        raise DataError(msg, got=case.number)
    fixed, moving = case.stored.description.fixed, case.stored.description.moving
    dense = dense_displacement(case.stored.transform, fixed)
    displacement = voxel_displacement(case.stored.transform.affine, dense, fixed, moving)
    return (encode_learn2reg(displacement, fixed),)


def _made(case: Exported) -> dict[str, Any]:
    return {
        k: v for k, v in case.stored.description.made.items() if k not in ("file", "resolution")
    }


_ITK_FILES = (FORWARD_FILE, INVERSE_FILE, DESCRIPTION_FILE)
FORMATS: Mapping[str, Format] = {
    "itk": Format(
        names=lambda case_id, _: tuple(f"{case_id}/{name}" for name in _ITK_FILES), encode=_itk
    ),
    "ants": Format(names=lambda case_id, _: _ants_names(case_id), encode=_ants),
    "learn2reg": Format(
        names=lambda _, number: (learn2reg_name(number),), encode=_learn2reg, mapping=MAPPING_FILE
    ),
}
"""By the name that the user gives."""

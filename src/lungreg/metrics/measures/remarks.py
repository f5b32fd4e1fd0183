"""What is reported of the lungs in words, and judged as it stands."""

from __future__ import annotations

from lungreg.metrics.measures.measure import Reported


def _words(name: str, label: str, *, brief: str, says: str, bad: str) -> Reported:
    return Reported(
        name=name,
        label=label,
        brief=brief,
        says=says,
        formula="",
        source="lungreg",
        typical="",
        bad=bad,
    )


_FROM = (
    "A mask that was given, lungs found by threshold, or the whole scan where nothing looks like "
    "a lung."
)
_FROM_BAD = "The whole scan: no lungs were found, and measures are of everything in the scan."
FIXED_FROM = _words(
    "fixed_lungs_from",
    "Lungs of the fixed scan",
    brief="where the lungs of the fixed scan come from",
    says=_FROM,
    bad=_FROM_BAD,
)
MOVING_FROM = _words(
    "moving_lungs_from",
    "Lungs of the moving scan",
    brief="where the lungs of the moving scan come from",
    says=_FROM,
    bad=_FROM_BAD,
)
WITHOUT_LUNGS = _words(
    "without_lungs",
    "Scan without lungs",
    brief="the scan in which no lungs were found",
    says="The scan in which no lungs were found: fixed or moving.",
    bad="The verdict is fail: the scan is not of a chest, or not in Hounsfield units.",
)
DOUBTS = _words(
    "doubts",
    "Doubts about the lungs",
    brief="what makes the lungs of a scan doubtful",
    says="What makes the lungs of a scan, or the values in them, doubtful.",
    bad="The verdict is warn: look at the outlines of the lungs, and at the scan's values.",
)
UNSET_VOXELS = _words(
    "unset_voxels",
    "Scans without voxel size",
    brief="the scans whose voxel size nobody seems to have set",
    says=(
        "The scans, fixed or moving, whose voxels are 1 x 1 x 1 mm, as where a header gives no "
        "size, and which are not as large as a chest by it."
    ),
    bad="The verdict is warn: no figure in mm holds until the header gives the voxel size.",
)
MIRRORED = _words(
    "mirrored",
    "Mirrored sides",
    brief="the sides that seem exchanged in the headers",
    says="The sides, such as left and right, that seem exchanged in the headers.",
    bad="The verdict is fail: a header is wrong.",
)
TURNED = _words(
    "turned",
    "Turned over",
    brief="by how much the transform turns the lungs",
    says="By how much the transform turns the lungs, if by more than a patient lies turned.",
    bad="The verdict is warn: a header is wrong, such as prone for supine, or its axes are.",
)
UNMATCHED = _words(
    "unmatched",
    "Parts without partners",
    brief="the parts of the lungs where next to no place found a partner",
    says="The parts of the lungs where next to no distinctive place found a partner.",
    bad="The verdict is warn: nothing is known of the error there. Look there on the page.",
)
BONE_LENGTHS = _words(
    "bone_lengths",
    "Stretch of the bones by direction",
    brief="lengthening of the bones near the lungs in three directions",
    says=(
        "The factors by which the transform lengthens the bones near the lungs from left to right, "
        "from front to back and from head to foot."
    ),
    bad="The direction that is far from 1 is the one whose voxel size is wrong in one header.",
)
LUNGS_FROM = (FIXED_FROM, MOVING_FROM)
REMARKS = (
    *LUNGS_FROM,
    WITHOUT_LUNGS,
    DOUBTS,
    UNSET_VOXELS,
    MIRRORED,
    TURNED,
    UNMATCHED,
    BONE_LENGTHS,
)

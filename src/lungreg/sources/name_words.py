"""Words in the names of files and folders that say what a scan is, and when it was taken."""

from __future__ import annotations

import re

EXPIRATION = "exp expi expiration expiratory exhale exhalation ee ebhct fixed t50 frc rv"
EXPIRATION += " exspi exspiration exspiratorisch ausatmung"
INSPIRATION = "insp inspi inspiration inspiratory inhale inhalation ei ibhct moving t00 tlc"
INSPIRATION += " inspiratorisch einatmung"
MASK = "mask masks lungmask lungmasks seg segmentation segmentations label labels lobe lobes"
MASK += " maske masken"
POINTS = "landmark landmarks keypoint keypoints points"
BREATHS = {*EXPIRATION.split(), *INSPIRATION.split()}
ROLE_WORDS = set(f"{EXPIRATION} {INSPIRATION} {MASK} {POINTS}".split())
PLAIN_WORDS = {"scan", "scans", "lung", "lungs", "ct"}
"""Words beside them that are no id."""

_MONTH, _DAY, _YEAR = r"(0[1-9]|1[0-2])", r"(0[1-9]|[12]\d|3[01])", r"(19|20)\d\d"
_VISIT = re.compile(
    rf"{_YEAR}([-_.]{_MONTH}([-_.]{_DAY})?)?|{_YEAR}{_MONTH}{_DAY}|{_DAY}[-_.]{_MONTH}[-_.]{_YEAR}"
    r"|(v|t|m|tp|fu|ses)[-_ ]?\d{1,3}"
    r"|(visit|session|timepoint|baseline|follow[-_ ]?up|day|week|month|year|termin)[-_ ]?\d*"
)


def is_visit(name: str) -> bool:
    """Whether a name is that of a visit, as many patients have: a date, "v2", "baseline"."""
    return _VISIT.fullmatch(name.lower()) is not None

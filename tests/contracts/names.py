"""Names that every stage keeps, and names that every stage refuses."""

from __future__ import annotations

from lungreg.stores import MAX_NAME_BYTES

ODD_NAMES = [
    "plain.txt",
    "with space/and 'quotes' \"double\".txt",
    "ünïcödé/肺/файл.nii.gz",
    "wild*card/[1]/what?.txt",
    "tilde~/~home",
    "percent%20/#hash&amp;=+;$x",
    "semi:colon::two",
    "-dash/--force",
    ".hidden/.file",
    "trailing space /dot.",
    "n" * MAX_NAME_BYTES,
]
BAD_NAMES = [
    "",
    "/absolute",
    "a//b",
    "a/",
    "./a",
    "a/../b",
    "..",
    "back\\slash",
    "line\nbreak",
    "nul\0",
    "lone\udc80surrogate",
    "n" * (MAX_NAME_BYTES + 1),
    "肺" * MAX_NAME_BYTES,
]

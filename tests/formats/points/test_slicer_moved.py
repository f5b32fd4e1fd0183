"""Slicer's files with other coordinates: ids, labels, descriptions and order stay as they were."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from lungreg.errors import DataError
from lungreg.formats.points.files import decode_points, encode_points
from lungreg.formats.points.point_list import PointList
from lungreg.spatial.geometry import Frame

FCSV = """\
# Markups fiducial file version = 4.10
# CoordinateSystem = {system}
# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID
vtkMRMLMarkupsFiducialNode_7,1.29,-40.18,60.15,0,0,0,1,1,0,1,carina,"branch, main",vtkMRMLNode3
vtkMRMLMarkupsFiducialNode_2,4,5,6,0.5,0,0,1,0,1,0,apex left,,
"""
MOVED = np.array([[10.0, -20.5, 30.0000004], [-7.0, 8.0, 9.0]])


def moved(data: bytes, name: str, *, frame: Frame | None = None, out: str = "") -> bytes:
    """The file with other coordinates, as `apply` writes it."""
    listed = decode_points(data, name)
    points = MOVED[: len(listed.points)]
    return encode_points(replace(listed, points=points, frame=frame or listed.frame), out or name)


def as_moved(text: str) -> str:
    """The text of a .fcsv with the new coordinates and without what told of the old places."""
    for old, new in (
        ("1.29,-40.18,60.15", "10.000000,-20.500000,30.000000"),
        (",4,5,6,0.5,0,0,1,", ",-7.000000,8.000000,9.000000,0,0,0,1,"),
        ("vtkMRMLNode3", ""),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("system", ["RAS", "LPS", "0", "1"])
def test_a_fcsv_keeps_all_but_what_told_of_the_old_places(system: str) -> None:
    """Also the number by which old versions name the coordinate system."""
    text = FCSV.format(system=system)
    assert moved(text.encode(), "a.fcsv").decode() == as_moved(text)


def test_a_point_of_which_less_is_said_gets_no_more_columns() -> None:
    """As files by hand have it."""
    text = "# columns = id,x,y,z,ow,ox,oy,oz,vis\nb,1,2,3,0.5,0.5\n"
    found = moved(text.encode(), "a.fcsv").decode().splitlines()
    assert found[1] == "b,10.000000,-20.500000,30.000000,0,0"


def test_columns_of_another_order_and_of_other_tools_stay() -> None:
    """By the titles that the file gives."""
    text = "# columns = label,z,y,x,score\nfar,3,2,1,0.75\n"
    found = moved(text.encode(), "a.fcsv").decode().splitlines()
    assert found[1] == "far,30.000000,-20.500000,10.000000,0.75"


@pytest.mark.parametrize("line", ["# CoordinateSystem = IJK", "# CoordinateSystem = 2"])
def test_voxels_that_became_lps_are_called_so(line: str) -> None:
    """One line names the coordinate system."""
    text = FCSV.replace("# CoordinateSystem = {system}", line)
    found = moved(text.encode(), "a.fcsv", frame=Frame.LPS).decode()
    assert found.count("CoordinateSystem") == 1
    back = decode_points(found.encode(), "a.fcsv")
    assert (back.frame, back.labels) == (Frame.LPS, ("carina", "apex left"))
    with pytest.raises(DataError, match="RAS or LPS"):
        moved(text.encode(), "a.fcsv")


def test_a_file_without_a_coordinate_system_gets_one_where_it_is_needed() -> None:
    """It was RAS, as Slicer takes it."""
    text = FCSV.replace("# CoordinateSystem = {system}\n", "")
    assert "CoordinateSystem" not in moved(text.encode(), "a.fcsv").decode()
    as_lps = moved(text.encode(), "a.fcsv", frame=Frame.LPS)
    assert decode_points(as_lps, "a.fcsv").frame is Frame.LPS


KEPT = [
    FCSV.format(system="RAS").replace("\n", "\r\n"),
    "\ufeff" + FCSV.format(system="LPS"),
    FCSV.format(system="LPS").replace("apex left,", '"#2 apex\n# left","x\r\ny"'),
    FCSV.format(system="LPS").replace("carina", "a\u2028b\x85c\x0bd"),
    FCSV.format(system="LPS").replace("vtkMRMLMarkupsFiducialNode_7", '"#7"'),
    FCSV.format(system="LPS").replace("vtkMRMLMarkupsFiducialNode_2", "# between\n\n2").strip(),
]


@pytest.mark.parametrize("text", KEPT)
def test_a_fcsv_keeps_comments_breaks_and_ends_of_lines(text: str) -> None:
    """And a byte order mark, # in fields, and letters that other formats take for line breaks."""
    assert moved(text.encode(), "a.fcsv") == as_moved(text).encode()


def test_another_coordinate_system_is_named_where_the_old_one_was() -> None:
    """All other lines stay, with the ends that they have."""
    text = FCSV.format(system="RAS").replace("\n", "\r\n")
    before = text.splitlines(keepends=True)
    after = moved(text.encode(), "a.fcsv", frame=Frame.LPS).decode().splitlines(keepends=True)
    assert after[:3] == [before[0], "# CoordinateSystem = LPS\r\n", before[2]]


def markup(system: str, *points: tuple[str, list[float]]) -> dict[str, object]:
    """A list as Slicer writes it, with more than places."""
    return {
        "type": "Line",
        "coordinateSystem": system,
        "coordinateUnits": "mm",
        "controlPoints": [
            {"id": f"{name}7", "label": name, "description": "d ü", "position": at, "locked": True}
            for name, at in points
        ],
        "measurements": [{"name": "length", "value": 3.0}],
        "display": {"color": [0.4, 1.0, 1.0]},
    }


def test_markups_keep_all_but_coordinates() -> None:
    """Each list in its own system; measurements of the old places are left out."""
    first, second = markup("LPS", ("a", [1, 2, 3])), markup("RAS", ("b", [4, 5, 6]))
    document = {"@schema": "s", "markups": [first, second]}
    found = json.loads(moved(json.dumps(document).encode(), "a.mrk.json"))
    places = [point["position"] for one in found["markups"] for point in one["controlPoints"]]
    assert places == [[10.0, -20.5, 30.0], [7.0, -8.0, 9.0]]
    for one, before in zip(found["markups"], (first, second), strict=True):
        assert "measurements" not in one
        for point, old in zip(one["controlPoints"], before["controlPoints"], strict=True):  # type: ignore[call-overload]
            assert {**point, "position": None} == {**old, "position": None}
        assert {**one, "controlPoints": 0} == {
            key: 0 if key == "controlPoints" else value
            for key, value in before.items()
            if key != "measurements"
        }
    assert found["@schema"] == "s"


@pytest.mark.parametrize("kind", ["ROI", "Plane", "of a later Slicer", None])
def test_what_points_do_not_define_becomes_a_list_of_fiducials(kind: str | None) -> None:
    """Slicer would show a box or a plane by what it was given beside its points."""
    box = {
        "type": kind,
        "center": [1, 2, 3],
        "orientation": [1, 0, 0, 0, 1, 0, 0, 0, 1],
        "size": [9, 9, 9],
        "roiType": "Box",
        "insideOut": False,
        "normal": [0, 0, 1],
        "planeType": "pointNormal",
        "sizeMode": "auto",
        "autoScalingFactor": 1.0,
        "planeBounds": [-5, 5, -5, 5],
        "objectToBase": [1.0] * 16,
        "baseToNode": [1.0] * 16,
    }
    before = {**markup("LPS", ("a", [1, 2, 3])), **box}
    found = json.loads(moved(json.dumps({"markups": [before]}).encode(), "a.mrk.json"))
    (after,) = found["markups"]
    assert after["type"] == "Fiducial"
    assert set(after) == set(before) - set(box) - {"measurements"} | {"type"}


@pytest.mark.parametrize("kind", ["Fiducial", "Line", "Angle", "Curve", "ClosedCurve"])
def test_kinds_that_their_points_define_stay(kind: str) -> None:
    """Their points have no axes and no scan of the old places any more."""
    before = {**markup("LPS", ("a", [1, 2, 3])), "type": kind}
    (point,) = before["controlPoints"]  # type: ignore[misc]
    more = {"orientation": [-1.0, 0, 0, 0, -1, 0, 0, 0, 1], "associatedNodeID": "vtkMRMLNode1"}
    asked = {**before, "controlPoints": [{**point, **more}]}  # type: ignore[dict-item]
    found = json.loads(moved(json.dumps({"markups": [asked]}).encode(), "a.mrk.json"))
    (after,) = found["markups"]
    assert after["type"] == kind
    assert after["controlPoints"] == [{**point, "position": [10.0, -20.5, 30.0]}]  # type: ignore[dict-item]


@pytest.mark.parametrize("out", ["a.mrk.json", "a.fcsv", "a.csv"])
def test_half_a_character_is_written_as_its_escape(out: str) -> None:
    """JSON may hold one, UTF-8 cannot."""
    half = b'{"markups": [{"controlPoints": [{"label": "\\ud83dx", "position": [1, 2, 3]}]}]}'
    assert b"\\ud83dx" in moved(half, "a.mrk.json", out=out)


def test_another_format_gets_labels_alone() -> None:
    """And points of our own are numbered from 1."""
    text = moved(FCSV.format(system="LPS").encode(), "a.fcsv", out="a.mrk.json")
    (one,) = json.loads(text)["markups"]
    assert [point["label"] for point in one["controlPoints"]] == ["carina", "apex left"]
    fresh = encode_points(PointList(points=MOVED, frame=Frame.LPS), "a.fcsv").decode()
    assert fresh.splitlines()[3].startswith("1,10.000000")

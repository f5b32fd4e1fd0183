"""Points as 3D Slicer writes them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lungreg.errors import DataError
from lungreg.formats.points.files import decode_points, encode_points
from lungreg.formats.points.point_list import PointList
from lungreg.spatial.geometry import Frame, flip_lps

POINTS = np.array([[1.5, -2.25, 300.0], [-0.000001, 4.0, 5.123456]])
LABELS = ('apex, "left"', "Zwerchfell ü")


def listed(frame: Frame | None = Frame.LPS, labels: tuple[str, ...] = LABELS) -> PointList:
    return PointList(points=POINTS, frame=frame, labels=labels)


@pytest.mark.parametrize("frame", [Frame.RAS, Frame.LPS])
@pytest.mark.parametrize("name", ["a.fcsv", "A.FCSV", "a.mrk.json"])
def test_slicers_files_round_trip(name: str, frame: Frame) -> None:
    """Places, frame and labels, with commas, quotes and umlauts in them."""
    back = decode_points(encode_points(listed(frame), name), name)
    np.testing.assert_allclose(back.points, POINTS, atol=1e-6)
    assert back.frame is frame
    assert back.labels == LABELS


@pytest.mark.parametrize(
    ("system", "frame"),
    [
        ("LPS", Frame.LPS),
        ("1", Frame.LPS),
        ("RAS", Frame.RAS),
        ("0", Frame.RAS),
        ("IJK", Frame.VOXEL),
        ("2", Frame.VOXEL),
        (None, Frame.RAS),
    ],
)
def test_fcsv_of_all_versions(system: str | None, frame: Frame) -> None:
    """Named coordinate systems, the old numbers, and none at all."""
    lines = ["# Markups fiducial file version = 4.6"]
    lines += [] if system is None else [f"# CoordinateSystem = {system}"]
    lines += ["# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"]
    lines += ["vtkMRMLMarkupsFiducialNode_0,1.29,-40.18,60.15,0,0,0,1,1,1,0,F-1,,"]
    found = decode_points("\n".join(lines).encode(), "a.fcsv")
    np.testing.assert_array_equal(found.points, [[1.29, -40.18, 60.15]])
    assert (found.frame, found.labels) == (frame, ("F-1",))


def markup(**changes: object) -> dict[str, object]:
    points = [{"label": "F-1", "position": [1.0, 2.0, 3.0]}]
    return {"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": points, **changes}


def in_json(*markups: object) -> bytes:
    return json.dumps({"markups": markups}).encode()


def test_markups_take_lps_where_nothing_is_said() -> None:
    """As Slicer reads them."""
    plain = markup()
    del plain["coordinateSystem"]
    assert decode_points(in_json(plain), "a.mrk.json").frame is Frame.LPS


def test_lists_of_one_file_come_in_one_frame() -> None:
    """That of the first."""
    found = decode_points(in_json(markup(), markup(coordinateSystem="RAS")), "a.mrk.json")
    first = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(found.points, np.concatenate([first, flip_lps(first)]))
    assert found.labels == ("F-1", "F-1")


@pytest.mark.parametrize("name", ["a.fcsv", "a.mrk.json"])
@pytest.mark.parametrize("frame", [None, Frame.VOXEL])
def test_slicers_files_hold_world_coordinates(name: str, frame: Frame | None) -> None:
    """Voxels of which scan they cannot say."""
    with pytest.raises(DataError, match="RAS or LPS"):
        encode_points(listed(frame), name)


@pytest.mark.parametrize(
    ("name", "data", "match"),
    [
        ("a.fcsv", b"", r"shape \(N, 3\)"),
        ("a.fcsv", b"# CoordinateSystem = XYZ\n1,2,3,4\n", "RAS, LPS or IJK.*'XYZ'"),
        ("a.fcsv", b"# CoordinateSystem = LPS\n1,2,3\n", "holds x, y and z"),
        ("a.fcsv", b"# columns = id,label\n1,2\n", "columns x, y and z"),
        ("a.fcsv", b"\xff\xfe", "is text"),
        ("a.mrk.json", b"{", "Slicer's markups"),
        ("a.mrk.json", b"[]", "Slicer's markups"),
        ("a.mrk.json", b'{"markups": []}', "at least one list"),
        ("a.mrk.json", b'{"markups": [3]}', "Slicer's markups"),
        ("a.mrk.json", in_json(markup(controlPoints=[{"label": "F"}])), "Slicer's markups"),
        ("a.mrk.json", in_json(markup(controlPoints=[])), "shape"),
        ("a.mrk.json", in_json(markup(controlPoints=[{"position": [1, 2]}])), "Slicer's markups"),
        ("a.mrk.json", in_json(markup(coordinateSystem="IJK")), "is LPS or RAS"),
        ("a.mrk.json", in_json(markup(coordinateUnits="cm")), "in mm"),
        (
            "a.mrk.json",
            in_json(markup(controlPoints=[{"position": [], "positionStatus": "undefined"}])),
            "has been placed",
        ),
    ],
)
def test_what_is_no_list_of_points_is_refused(name: str, data: bytes, match: str) -> None:
    """Each fault in its own words."""
    with pytest.raises(DataError, match=match):
        decode_points(data, name)

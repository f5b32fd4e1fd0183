"""DICOM series as volumes, against SimpleITK and arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from lungreg.errors import DataError, UnreadableFileError, UnsafeInputError
from lungreg.formats.volumes import Volume, read_volume
from lungreg.spatial.geometry import Grid
from tests.formats.volumes.dicom.made_files import (
    chest,
    expected_grid,
    itk_series,
    write_enhanced,
    write_slices,
)
from tests.formats.volumes.dicom.series_files import write_dicom
from tests.formats.volumes.small_volumes import SHAPE, oblique, values


def codes(volume: Volume) -> list[str]:
    """What is remarked of a volume."""
    return [remark.code for remark in volume.remarks]


def test_dicom_series_is_read_in_order_of_position(tmp_path: Path) -> None:
    """File names in reverse order do not matter: slices lie where their positions say."""
    write_dicom(tmp_path / "series", oblique(), values())
    volume = read_volume(tmp_path / "series")
    order = 1 if volume.grid.same_as(oblique(), tolerance_mm=1e-3) else -1
    np.testing.assert_array_equal(volume.data[:, :, ::order], values())
    first = volume.grid.to_world(np.array([[0, 0, 0]]))
    expected = oblique().to_world(np.array([[0, 0, 0 if order == 1 else SHAPE[2] - 1]]))
    np.testing.assert_allclose(first, expected, atol=1e-3)
    assert volume.stored.dtype == "int16"


def test_two_series_in_one_folder_are_refused(tmp_path: Path) -> None:
    """With their number and what to do about it."""
    for series in ("1.2.3", "1.2.4"):
        write_dicom(tmp_path, oblique(), values(), series=series)
    with pytest.raises(DataError, match="one DICOM series, got 2; put each series in a folder"):
        read_volume(tmp_path)


def test_a_missing_slice_is_refused(tmp_path: Path) -> None:
    """Unevenly spaced slices would be stretched silently."""
    write_dicom(tmp_path, oblique(), values())[2].unlink()
    with pytest.raises(DataError, match="evenly spaced"):
        read_volume(tmp_path)


def test_a_part_in_a_folder_below_is_refused(tmp_path: Path) -> None:
    """Half a chest would be read without a word."""
    write_dicom(tmp_path, oblique(), values())
    below = tmp_path / "rest"
    below.mkdir()
    for path in sorted(tmp_path.glob("*.dcm"))[:2]:
        path.rename(below / path.name)
    with pytest.raises(DataError, match="one folder, got more of them in a folder below; put"):
        read_volume(tmp_path)


def test_a_tilted_gantry_is_refused(tmp_path: Path) -> None:
    """Slices that are shifted sideways do not fill a box."""
    straight = oblique()
    for k in range(SHAPE[2]):
        affine = straight.affine.copy()
        affine[:3, 3] += 0.4 * k * straight.directions[:, 1] + k * straight.affine[:3, 2]
        piece = Grid(shape=(SHAPE[0], SHAPE[1], 1), affine=affine)
        path = write_dicom(tmp_path / str(k), piece, values()[:, :, k : k + 1])[0]
        image = sitk.ReadImage(str(path))
        image.SetMetaData("0008|0018", f"1.2.3.{k + 1}")
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(tmp_path / f"{k}.dcm"))
        writer.Execute(image)
        path.unlink()
    with pytest.raises(DataError, match="right angles"):
        read_volume(tmp_path)


def test_a_folder_without_dicom_is_unreadable(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A folder in the place of a scan is not a traceback, and ITK adds no words of its own."""
    with pytest.raises(UnreadableFileError, match="one DICOM series, got none"):
        read_volume(tmp_path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("bits", "signed"), [(16, True), (12, True), (12, False), (16, False)])
def test_single_slices_are_what_simpleitk_reads(tmp_path: Path, bits: int, signed: bool) -> None:
    """Values, places and order, also of 12 bits in 16 whose upper bits say nothing of the sign."""

    def shift(data: Any, k: int) -> None:
        data.RescaleIntercept = 0 if signed else -1024
        data.PixelData = (np.frombuffer(data.PixelData, "<u2") | unused).tobytes()

    unused = 0 if bits == 16 else 0x4000
    stored = chest() if signed else chest() + 1024
    write_slices(tmp_path, stored, bits=bits, signed=signed, edit=shift)
    volume = read_volume(tmp_path)
    found, affine = itk_series(tmp_path)
    np.testing.assert_array_equal(volume.data, found)
    np.testing.assert_array_equal(volume.data, chest().transpose())
    np.testing.assert_allclose(volume.grid.affine, affine, atol=1e-5)
    assert codes(volume) == []


def test_each_slice_has_its_own_scale(tmp_path: Path) -> None:
    """Its fractions too, where the first has none."""

    def scale(data: Any, k: int) -> None:
        data.RescaleSlope, data.RescaleIntercept = 1 - 0.1 * k, -10 * k

    write_slices(tmp_path, chest(), edit=scale)
    expected = np.stack([part * (1 - 0.1 * k) - 10 * k for k, part in enumerate(chest())])
    np.testing.assert_allclose(read_volume(tmp_path).data, expected.transpose(), rtol=1e-6)


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("upside_down", [True, False])
def test_monochrome1_shows_the_chest_either_way(
    tmp_path: Path, bits: int, signed: bool, upside_down: bool
) -> None:
    """HU stay HU, as by DICOM; values that a tool has turned are turned back; both told."""

    def mark(data: Any, k: int) -> None:
        data.PhotometricInterpretation = "MONOCHROME1"
        data.RescaleIntercept = 0 if signed else -1024

    stored = chest() if signed else chest() + 1024
    ends = -1 if signed else 2**bits - 1
    turned = ends - stored if upside_down else stored
    write_slices(tmp_path, turned, bits=bits, signed=signed, edit=mark)
    volume = read_volume(tmp_path)
    np.testing.assert_array_equal(volume.data, chest().transpose())
    assert codes(volume) == ["monochrome1"]
    if upside_down and bits == 16:  # ITK fails for 12 bits
        np.testing.assert_array_equal(volume.data, itk_series(tmp_path)[0])


@pytest.mark.parametrize(
    ("image_type", "told"),
    [
        (["ORIGINAL", "PRIMARY", "AXIAL"], []),
        (["DERIVED", "SECONDARY", "AXIAL", "CT_SOM7 SPI"], []),
        (["DERIVED", "SECONDARY", "MPR"], []),
        (["DERIVED", "SECONDARY", "MIP"], ["projection"]),
        (["DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MIP"], ["projection"]),
        (["DERIVED", "SECONDARY", "PROJECTION IMAGE"], ["projection"]),
        (["DERIVED", "SECONDARY", "REFORMATTED", "MIN IP"], ["projection"]),
        (["DERIVED", "SECONDARY", "REFORMATTED", "MNIP"], ["projection"]),
        ("DERIVED\\SECONDARY\\OTHER\\MINIP", ["projection"]),
        (None, []),
    ],
)
def test_projections_are_no_slices(
    tmp_path: Path, image_type: list[str] | str | None, told: list[str]
) -> None:
    """A maximum over a centimetre looks like a scan, and says so in its type alone."""

    def mark(data: Any, k: int) -> None:
        if image_type is not None:
            data.ImageType = image_type

    write_slices(tmp_path, chest(), edit=mark)
    assert codes(read_volume(tmp_path)) == told


@pytest.mark.parametrize("technique", ["NONE", "MAX_IP"])
def test_projections_in_enhanced_files(tmp_path: Path, technique: str) -> None:
    """Each frame says it of itself."""

    def mark(frame: Any, k: int) -> None:
        item = pydicom.Dataset()
        item.FrameType = ["DERIVED", "PRIMARY", "VOLUME", technique]
        item.VolumeBasedCalculationTechnique = technique
        frame.CTImageFrameTypeSequence = pydicom.Sequence([item])

    write_enhanced(tmp_path / "a.dcm", chest(), order=list(range(6)), edit=mark)
    volume = read_volume(tmp_path)
    assert codes(volume) == ([] if technique == "NONE" else ["projection"])
    if technique != "NONE":
        assert "6 of 6 slices were made by projection (MAX_IP)" in volume.remarks[0].text


def test_monochrome1_without_a_chest_is_refused(tmp_path: Path) -> None:
    """Nothing says which way up it is."""

    def mark(data: Any, k: int) -> None:
        data.PhotometricInterpretation = "MONOCHROME1"

    write_slices(tmp_path, chest() * 0 + 7000, edit=mark)
    with pytest.raises(DataError, match="MONOCHROME1 series holds a chest"):
        read_volume(tmp_path)


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [0, 2, 4, 1, 3, 5]])
def test_multi_frame_is_read_with_the_geometry_of_its_groups(
    tmp_path: Path, order: list[int]
) -> None:
    """In whatever order its frames are; SimpleITK agrees where it reads that order."""
    write_enhanced(tmp_path / "a.dcm", chest(), order=order)
    volume = read_volume(tmp_path)
    np.testing.assert_array_equal(volume.data, chest().transpose())
    assert volume.grid.same_as(expected_grid(6), tolerance_mm=1e-4)
    if order == sorted(order):
        found, affine = itk_series(tmp_path)
        np.testing.assert_array_equal(volume.data, found)
        np.testing.assert_allclose(volume.grid.affine, affine, atol=1e-4)


def test_frames_may_have_a_scale_each(tmp_path: Path) -> None:
    """That of ITK is one for all."""

    def scale(frame: Any, k: int) -> None:
        item = pydicom.Dataset()
        item.RescaleSlope, item.RescaleIntercept = 1 + k, -1024 * (1 + k)
        frame.PixelValueTransformationSequence = [item]

    write_enhanced(tmp_path / "a.dcm", chest(), order=list(range(6)), edit=scale)
    expected = np.stack([part * (1 + k) for k, part in enumerate(chest())])
    np.testing.assert_array_equal(read_volume(tmp_path).data, expected.transpose())


def test_other_multi_frame_classes_keep_their_scale(tmp_path: Path) -> None:
    """Legacy converted CT, whose scale ITK does not look for."""
    write_enhanced(tmp_path / "a.dcm", chest(), order=list(range(6)))
    data = pydicom.dcmread(tmp_path / "a.dcm")
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2.2"
    data.save_as(tmp_path / "a.dcm")
    np.testing.assert_array_equal(read_volume(tmp_path).data, chest().transpose())


def test_frames_of_two_phases_are_refused(tmp_path: Path) -> None:
    """As slices of two phases are."""

    def phase(frame: Any, k: int) -> None:
        frame.FrameContentSequence[0].TemporalPositionIndex = 1 + k % 2

    write_enhanced(tmp_path / "a.dcm", chest(), order=list(range(6)), edit=phase)
    with pytest.raises(DataError, match="2 values of TemporalPositionIndex"):
        read_volume(tmp_path)


@pytest.mark.parametrize("cut", [0.5, 0.9])
@pytest.mark.parametrize("enhanced", [True, False])
def test_a_damaged_file_is_unreadable(tmp_path: Path, enhanced: bool, cut: float) -> None:
    """Nor is a slice left out that GDCM cannot read."""
    if enhanced:
        write_enhanced(tmp_path / "0.dcm", chest(), order=list(range(6)))
    else:
        write_slices(tmp_path, chest())
    whole = (tmp_path / "0.dcm").read_bytes()
    (tmp_path / "0.dcm").write_bytes(whole[: int(len(whole) * cut)])
    with pytest.raises(UnreadableFileError):
        read_volume(tmp_path)


@pytest.mark.parametrize("kept", [0, 140, 300])
def test_a_slice_at_the_end_is_not_left_out(tmp_path: Path, kept: int) -> None:
    """Though nothing in what is left of its file says which series it is of."""
    write_slices(tmp_path, chest())
    whole = (tmp_path / "5.dcm").read_bytes()
    (tmp_path / "5.dcm").write_bytes(whole[:kept])
    with pytest.raises(UnreadableFileError, match=r"5\.dcm.*complete.*copy it again"):
        read_volume(tmp_path)


@pytest.mark.parametrize("name", ["DICOMDIR", "Thumbs.db", "VERSION", "note.txt"])
def test_other_files_beside_a_series_are_passed_over(tmp_path: Path, name: str) -> None:
    """A disc holds more than slices."""
    write_slices(tmp_path, chest())
    (tmp_path / name).write_bytes(b"other")
    assert read_volume(tmp_path).grid.same_as(expected_grid(6), tolerance_mm=1e-4)


def test_the_table_of_contents_of_a_disc_is_passed_over(tmp_path: Path) -> None:
    """It is a DICOM file of no series."""
    write_slices(tmp_path, chest())
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.1.3.10", "1.9"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    contents = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    contents.FileSetID = "DISC"
    contents.save_as(tmp_path / "DICOMDIR", enforce_file_format=True)
    assert read_volume(tmp_path).grid.same_as(expected_grid(6), tolerance_mm=1e-4)


def test_a_series_obeys_the_cap(tmp_path: Path) -> None:
    """Before pixels are read."""
    write_slices(tmp_path, chest())
    with pytest.raises(UnsafeInputError, match="at most 100 voxels"):
        read_volume(tmp_path, max_voxels=100)


def test_a_slice_without_its_scale_is_refused(tmp_path: Path) -> None:
    """It would be 1024 HU too bright."""

    def without(data: Any, k: int) -> None:
        data.RescaleIntercept = -1024
        if k == 2:
            del data.RescaleIntercept, data.RescaleSlope

    write_slices(tmp_path, chest() + 1024, edit=without)
    with pytest.raises(DataError, match="or none does, got 1 of 6 without RescaleIntercept"):
        read_volume(tmp_path)


def test_a_slice_of_another_scale_is_told(tmp_path: Path) -> None:
    """Scanners store all slices of a CT alike."""

    def other(data: Any, k: int) -> None:
        data.RescaleIntercept = -1000 if k == 2 else 0

    write_slices(tmp_path, chest(), edit=other)
    volume = read_volume(tmp_path)
    assert codes(volume) == ["scales"]
    assert volume.remarks[0].text.startswith("1 of 6 slices have another rescale slope")


def test_fewer_pixels_than_declared_are_refused(tmp_path: Path) -> None:
    """The element is whole, and too short for its rows and columns."""

    def halved(data: Any, k: int) -> None:
        if k == 2:
            data.PixelData = data.PixelData[: len(data.PixelData) // 2]

    write_slices(tmp_path, chest(), edit=halved)
    with pytest.raises(UnreadableFileError, match="fewer pixels than rows and columns"):
        read_volume(tmp_path)


@pytest.mark.parametrize("text", ["4,17", "4.17"])
def test_an_attribute_of_another_kind_is_no_failure(tmp_path: Path, text: str) -> None:
    """GDCM raises where a spacing is text, whatever the text."""

    def as_text(data: Any, k: int) -> None:
        if k == 2:
            del data.PixelSpacing
            data.add_new("PixelSpacing", "LO", [text, text])

    write_slices(tmp_path, chest(), edit=as_text)
    with pytest.raises(DataError, match=r"the headers of a DICOM|where it lies|are numbers"):
        read_volume(tmp_path)

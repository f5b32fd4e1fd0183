"""DICOM series as scanners leave them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from lungreg.spatial.geometry import Grid
from tests.grids import to_sitk


def write_dicom(folder: Path, grid: Grid, data: NDArray, *, series: str = "1.2.3") -> list[Path]:
    """A DICOM series as a scanner would leave it, one file a slice."""
    image = to_sitk(data, grid)
    folder.mkdir(parents=True, exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    direction = np.array(image.GetDirection()).reshape(3, 3)
    paths = []
    for k in range(image.GetDepth()):
        part = image[:, :, k]
        position = image.TransformIndexToPhysicalPoint((0, 0, k))
        part.SetMetaData("0008|0060", "CT")
        part.SetMetaData("0020|000e", series)
        part.SetMetaData("0008|0018", f"{series}.{k + 1}")
        part.SetMetaData("0020|0032", "\\".join(f"{x:.6f}" for x in position))
        turned = [*direction[:, 0], *direction[:, 1]]
        part.SetMetaData("0020|0037", "\\".join(f"{x:.9f}" for x in turned))
        part.SetMetaData("0020|0013", str(k))
        paths.append(folder / f"{series}_{99 - k}.dcm")
        writer.SetFileName(str(paths[-1]))
        writer.Execute(part)
    return paths

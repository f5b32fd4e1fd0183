"""The case that the steps are measured on: simulated, on a stage, and as plain files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from lungreg.backends import open_backend
from lungreg.config import Config, parse_config
from lungreg.formats.transforms import decode_transform
from lungreg.learning.preprocessing import PreparedPair, prepare_pair
from lungreg.records import Case
from lungreg.registration.alignment import align
from lungreg.registration.pair import Pair, read_pair
from lungreg.spatial.geometry import FloatArray, Shape, Transform
from lungreg.stores import Stage
from lungreg.stores.manifest import read_cases
from tests.benchmarks import recipe
from tests.benchmarks.one_case import known_transform, make_case, settings


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """One case on a stage and as the recipe's files."""

    config: Config
    stage: Stage
    case: Case
    files: Mapping[str, Path]
    folder: Path

    @cached_property
    def pair(self) -> Pair:
        """The case as lungreg reads it, its lungs found."""
        pair = read_pair(self.stage, self.case)
        _ = pair.fixed_lungs, pair.moving_lungs
        return pair

    @cached_property
    def read(self) -> recipe.Read:
        """The case as the recipe reads it."""
        return recipe.read(self.files)

    @cached_property
    def affine(self) -> FloatArray:
        """(4, 4) the alignment that lungreg finds."""
        preprocessing = self.config.preprocessing
        return align(self.pair, preprocessing.hu_window, preprocessing.alignment).affine

    @cached_property
    def prepared(self) -> PreparedPair:
        """The network's input."""
        return prepare_pair(self.pair, self.affine, self.config.preprocessing, images_alone=True)

    @property
    def size(self) -> Shape:
        """Of the network's grid."""
        return self.config.preprocessing.spatial_size

    def transform(self, affine: FloatArray) -> Transform:
        """The true transform on the network's grid beside an alignment."""
        truth = decode_transform(self.stage.read(str(self.case.displacement)), np.eye(4))
        return known_transform(truth, affine, self.pair.fixed.grid.resized(self.size))

    @cached_property
    def on_index_boxes(self) -> Transform:
        """The true transform beside the recipe's alignment: index box on index box."""
        boxes = self.pair.moving.grid.affine @ np.linalg.inv(self.pair.fixed.grid.affine)
        return self.transform(boxes)

    @cached_property
    def displacement_vox(self) -> torch.Tensor:
        """(1, 3, X, Y, Z) the same in voxels of the network's grid, as the recipe has it."""
        found = self.on_index_boxes
        to_vox = np.linalg.inv(found.grid.affine[:3, :3]).astype(np.float32)
        return torch.from_numpy(np.einsum("kl,lxyz->kxyz", to_vox, found.displacement_mm)[None])


def given_case(folder: Path, shape: Shape) -> Given:
    """Simulate a case; the network's grid has half of its voxels along each side.

    Raises:
        ValueError: A side that 16 does not divide.
    """
    if any(side % 16 for side in shape):
        msg = f"16 divides each side: halved once, and three times by the network, got {shape}"
        raise ValueError(msg)
    plain = settings(folder).model_dump(mode="json")
    plain["preprocessing"]["spatial_size"] = [side // 2 for side in shape]
    config = parse_config(plain)
    make_case(config, shape)
    stage = open_backend(config.backend).stage
    (case,) = read_cases(stage, None)
    files = {key: folder / f"{key}.nii.gz" for key in (*recipe.SCANS, *recipe.MASKS)}
    for key, file in files.items():
        stage.download(str(getattr(case, key)), file)
    return Given(config=config, stage=stage, case=case, files=files, folder=folder)

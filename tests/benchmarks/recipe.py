"""The reference recipe in MONAI's own parts; nothing of lungreg is in it.

Reading, preprocessing, network and warps are those of MONAI's tutorial
`3d_registration/paired_lung_ct.ipynb`; window, loss and optimiser those of the published demo that
was made from it: global mutual information and bending energy, Adam. Where MONAI has renamed a
transform since, its present name stands. The tutorial writes no files; `write` does so as MONAI
writes them elsewhere.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.losses import BendingEnergyLoss, GlobalMutualInformationLoss
from monai.networks.blocks import Warp
from monai.networks.nets import LocalNet
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    LoadImaged,
    Resize,
    Resized,
    SaveImage,
    ScaleIntensityRanged,
)
from torch import Tensor, nn

from lungreg.spatial.geometry import Shape

SCANS, MASKS = ("fixed", "moving"), ("fixed_mask", "moving_mask")
BENDING_WEIGHT, LEARNING_RATE = 1.0, 1e-4
Read = Mapping[str, MetaTensor]


@cache
def _reading() -> Compose:
    keys = [*SCANS, *MASKS]
    with _silence():
        return Compose([LoadImaged(keys), EnsureChannelFirstd(keys)])


@cache
def _preprocessing(size: Shape, *, masks: bool) -> Compose:
    chain = [
        ScaleIntensityRanged(SCANS, a_min=-1000, a_max=500, b_min=0.0, b_max=1.0, clip=True),
        Resized(SCANS, spatial_size=size, mode="trilinear", align_corners=True),
    ]
    return Compose([*chain, Resized(MASKS, spatial_size=size, mode="nearest")] if masks else chain)


def _silence() -> AbstractContextManager[object]:
    """MONAI warns of what it does without: compiled operations, a decoder on a GPU."""
    return warnings.catch_warnings(action="ignore")


def read(files: Mapping[str, Path]) -> Read:
    """Two scans and two masks, (1, X, Y, Z) float32 each."""
    result: Read = _reading()(dict(files))
    return result


def network_input(found: Read, size: Shape, *, masks: bool) -> Read:
    """Scans in [0, 1], and masks if wanted, (1, X, Y, Z) on the network's grid."""
    keys = (*SCANS, *MASKS) if masks else SCANS
    made: Read = _preprocessing(size, masks=masks)({key: found[key] for key in keys})
    return made


def plain(made: Read) -> dict[str, Tensor]:
    """Batches of one without MONAI's metadata, which would slow each operation that follows."""
    return {key: volume.as_tensor()[None] for key, volume in made.items()}


def network(levels: Sequence[int]) -> LocalNet:
    """LocalNet; the recipe's levels are [3]."""
    return LocalNet(
        spatial_dims=3,
        in_channels=2,
        out_channels=3,
        num_channel_initial=32,
        extract_levels=list(levels),  # type: ignore[arg-type]  # any sequence in fact
        out_activation=None,
        out_kernel_initializer="zeros",
    )


def forward(model: nn.Module, given: Mapping[str, Tensor]) -> Tensor:
    """Displacement (1, 3, X, Y, Z) in network voxels."""
    found: Tensor = model(torch.cat((given["moving"], given["fixed"]), dim=1))
    return found


def warp_layer(mode: str = "bilinear") -> Warp:
    """MONAI's layer."""
    with _silence():
        return Warp(mode=mode)


def warp_on(found: Read, displacement_vox: Tensor, layers: Sequence[Warp]) -> tuple[Tensor, Tensor]:
    """Scan and mask on the scan's own grid: the field enlarged to it, then the same layers.

    The recipe ends on the network's grid; this is what its user would add.
    """
    shape = found["moving"].shape[1:]
    before = torch.tensor(displacement_vox.shape[2:])
    enlarged = Resize(shape, mode="trilinear")(displacement_vox[0])
    ratio = (torch.tensor(shape) / before).view(3, 1, 1, 1)
    field = (torch.as_tensor(enlarged) * ratio)[None]
    scan, mask = (found[key].as_tensor()[None] for key in ("moving", "moving_mask"))
    return layers[0](scan, field), layers[1](mask, field)


def write(volumes: Mapping[str, MetaTensor], types: Mapping[str, Any], folder: Path) -> None:
    """Volumes (1, X, Y, Z) as NIfTI by MONAI's writer, each in its type."""
    for name, volume in volumes.items():
        save = SaveImage(
            folder,
            output_postfix=name,
            output_dtype=types[name],
            separate_folder=False,
            print_log=False,
        )
        save(volume)


def on_grid(values: Any, affine: np.ndarray) -> MetaTensor:
    """An array (X, Y, Z) as MONAI's writer takes it."""
    named = {"filename_or_obj": "case.nii.gz"}
    return MetaTensor(torch.as_tensor(values)[None], affine=torch.tensor(affine), meta=named)


@dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """What one step of training needs."""

    model: nn.Module
    similarity: nn.Module
    smoothness: nn.Module
    warp: Warp
    optimizer: torch.optim.Optimizer

    def step(self, given: Mapping[str, Tensor]) -> float:
        """Forward pass, loss, backward pass and optimiser on one pair; the loss."""
        self.optimizer.zero_grad()
        field = forward(self.model, given)
        warped = self.warp(given["moving"], field)
        loss = self.similarity(warped, given["fixed"]) + BENDING_WEIGHT * self.smoothness(field)
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())


def training(levels: Sequence[int]) -> Training:
    """A new network and its optimiser."""
    model = network(levels).train()
    return Training(
        model=model,
        similarity=GlobalMutualInformationLoss(),
        smoothness=BendingEnergyLoss(),
        warp=warp_layer(),
        optimizer=torch.optim.Adam(model.parameters(), LEARNING_RATE),
    )


def whole_case(files: Mapping[str, Path], size: Shape, folder: Path) -> Callable[[], None]:
    """A pair from files to files on the network's grid: read, register, warp, write."""
    model, layer = network((3,)).eval(), warp_layer()

    def run() -> None:
        found = read(files)
        made = network_input(found, size, masks=True)
        given = plain(made)
        with torch.no_grad():
            field = forward(model, given)
            warped = {key: layer(given[key], field)[0] for key in ("moving", "moving_mask")}
        affine = np.asarray(made["fixed"].affine)
        volumes = {key: on_grid(value[0], affine) for key, value in warped.items()}
        write(volumes, {"moving": np.float32, "moving_mask": np.uint8}, folder)

    return run

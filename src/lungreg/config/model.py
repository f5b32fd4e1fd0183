"""What a model is and how it learns."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from lungreg.config.section import DEVICE, MODEL_NAME, MODEL_NAME_FORM, Alignment, Section, Workers


class Augmentation(Section):
    """Random changes of training pairs; null switches one off. Drawn from (seed, epoch, case)."""

    rotation_deg: float | None = Field(default=6.0, ge=0, le=180)
    """About each axis, uniform in plus or minus this."""
    translation_vox: float | None = Field(default=10.0, ge=0)
    """Along each axis, in network voxels."""
    scale: float | None = Field(default=0.1, ge=0, lt=1)
    """Of each axis, 1 plus or minus this."""
    noise_std: float | None = Field(default=0.05, ge=0)
    """Gaussian noise, after the intensity window."""
    blur_sigma: tuple[float, float] | None = (0.5, 1.5)
    """Gaussian blur, in network voxels, uniform between the two."""


class Preprocessing(Section):
    """From a case to network input."""

    hu_window: tuple[float, float] = (-1000.0, 500.0)
    """Hounsfield units carried to 0 and 1, clipped beyond."""
    spatial_size: tuple[int, int, int] = (96, 96, 104)
    """Grid of the network, over the fixed scan's box."""
    alignment: Alignment = "auto"
    """Choice of the affine `A` before the network."""
    augmentation: Augmentation = Augmentation()
    """Random changes of training pairs."""

    @field_validator("hu_window")
    @classmethod
    def _ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] >= value[1]:
            msg = f"hu_window goes from low to high, got {value}"
            raise ValueError(msg)
        return value


class Network(Section):
    """LocalNet (Hu et al. 2018, MONAI)."""

    num_channel_initial: int = Field(default=32, ge=1)
    """Channels at the full resolution; each level down has twice as many."""
    extract_levels: tuple[int, ...] = (0, 1, 2, 3)
    """Decoder levels whose fields are averaged; the deepest sets the depth. (3,) alone, the
    published setting, has no decoder."""
    mode: Literal["trilinear", "nearest"] = "trilinear"
    """How levels are enlarged; nearest makes a field constant in blocks."""
    norm: Literal["instance", "batch"] = "instance"
    """batch for the published settings only: workers cannot agree on its statistics."""
    out_kernel_initializer: Literal["zeros", "kaiming_uniform"] = "zeros"
    """zeros starts from the identity."""

    @field_validator("extract_levels")
    @classmethod
    def _levels(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or min(value) < 0 or max(value) > 6 or len(set(value)) != len(value):
            msg = f"extract_levels are different numbers from 0 to 6, got {value}"
            raise ValueError(msg)
        if max(value) == 0:
            msg = "the deepest of extract_levels is at least 1, got 0"
            raise ValueError(msg)
        return value


class Loss(Section):
    """Weights of the terms of the training loss; a weight of 0 leaves a term out."""

    mutual_information: float = Field(default=1.0, ge=0)
    """Global mutual information of the windowed scans."""
    bending_energy: float = Field(default=1.0, ge=0)
    """Mean squared second derivatives of the displacement."""
    bending_unit: Literal["mm", "voxel"] = "mm"
    """mm is independent of the grid; voxel is MONAI's and the published one."""
    dice: float = Field(default=0.0, ge=0)
    """Soft Dice of the lung masks."""
    lncc: float = Field(default=0.0, ge=0)
    """Local normalised cross-correlation."""
    landmarks: float = Field(default=0.0, ge=0)
    """Mean landmark distance in mm."""

    @model_validator(mode="after")
    def _learns_something(self) -> Self:
        similarity = self.model_dump(exclude={"bending_energy", "bending_unit"})
        if not any(similarity.values()):
            *names, last = similarity
            msg = f"{', '.join(names)} or {last} has a weight above 0"
            raise ValueError(msg)
        return self


class Train(Section):
    """One training run."""

    name: str = Field(default=MODEL_NAME, pattern=f"^{MODEL_NAME_FORM}$")
    """Under which the registry keeps the model."""
    workers: Workers = "auto"
    """0: in this process, without Ray. auto: one per GPU of the cluster, or one on CPU."""
    epochs: int = Field(default=25, ge=1)
    """How often training sees every case."""
    batch_size: int = Field(default=2, ge=1)
    """Global, shared by the workers."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """Of Adam, at the start."""
    plateau_patience: int = Field(default=5, ge=0)
    """Epochs without gain of the validation loss before the rate falls."""
    plateau_factor: float = Field(default=0.5, gt=0, lt=1)
    """What the rate is multiplied by when it falls."""
    save_every: int = Field(default=5, ge=1)
    """Epochs between kept checkpoints, beside best and last."""
    device: str = Field(default="auto", pattern=DEVICE)
    """auto (CUDA where there is one), cpu, cuda, cuda:N or mps."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads per worker; null shares all cores."""
    mixed_precision: bool = True
    """On CUDA only."""
    init: str | None = None
    """NAME:VERSION of a registered model to fine-tune."""
    promote: Literal["manual", "if_better"] = "manual"
    """if_better: the new version becomes champion where its validation error on the same cases
    is lower."""
    max_failures: int = Field(default=3, ge=0)
    """How often a killed worker is replaced; training goes on from the last checkpoint."""

"""Sections preprocessing, network, loss and train: a model and its training."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from lungreg.config.section import (
    MODEL_NAME,
    MODEL_NAME_FORM,
    Alignment,
    Device,
    Section,
    WorkerRange,
    Workers,
)


class Augmentation(Section):
    """Random changes of the training pairs, drawn from seed, epoch and case id.

    One affine map moves both scans of a pair, their masks, landmarks and true displacement; blur
    and noise are drawn for each scan on its own.
    """

    rotation_deg: float | None = Field(default=6.0, ge=0, le=180)
    """Largest rotation about each axis, in degrees, drawn uniformly from minus to plus the value;
    null for no rotation."""
    translation_vox: float | None = Field(default=10.0, ge=0)
    """Largest shift along each axis, in voxels of the network's grid, drawn uniformly from minus to
    plus the value; null for no shift."""
    scale: float | None = Field(default=0.1, ge=0, lt=1)
    """Largest relative change of size along each axis: 0.1 draws the factor uniformly from 0.9 to
    1.1; null for no scaling."""
    noise_std: float | None = Field(default=0.05, ge=0)
    """Standard deviation of the Gaussian noise, on the scale after the intensity window (0 to 1);
    null for no noise."""
    blur_sigma: tuple[float, float] | None = (0.5, 1.5)
    """Smallest and largest standard deviation of the Gaussian blur, in voxels of the network's
    grid, drawn uniformly between the two; null for no blur."""


class Preprocessing(Section):
    """How the scans of a case become the input of the network."""

    hu_window: tuple[float, float] = (-1000.0, 500.0)
    """Intensity window in Hounsfield units: the low end becomes 0, the high end 1, and values
    outside are clipped."""
    spatial_size: tuple[int, int, int] = (96, 96, 104)
    """Voxels of the network's grid along x, y, z, which covers the box of the fixed scan. Every
    side divides by 2 to the deepest of `network.extract_levels`."""
    alignment: Alignment = "auto"
    """Initial alignment `A` before the network: "world" trusts the headers, "grid" lays the index
    boxes over each other, "centre" shifts one box's centre onto the other's, "masks" fits the boxes
    of the lungs. "auto" also fits an affine by short coarse registrations from all four and other
    starts, and takes it where the scans agree clearly better under it, such as with a turned
    patient, a scan that is cut off, or a header that says wrong how the patient lay or in which
    order its axes are; else the one of the four that makes them agree best."""
    augmentation: Augmentation = Augmentation()
    """Random changes of the training pairs."""

    @field_validator("hu_window")
    @classmethod
    def _ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] >= value[1]:
            msg = f"hu_window goes from low to high, got {value}"
            raise ValueError(msg)
        return value


class Network(Section):
    """Shape of the network: LocalNet (Hu et al. 2018) as in MONAI."""

    num_channel_initial: int = Field(default=32, ge=1)
    """Number of channels at full resolution; each level down has twice as many."""
    extract_levels: tuple[int, ...] = (1, 2, 3)
    """Decoder levels, 0 (full resolution) to 6, whose displacement fields are averaged. The deepest
    sets the depth of the network. Level 0 takes a third more time and finds no more of smooth
    motion; [3] alone, the setting of the published demo, has no decoder."""
    mode: Literal["trilinear", "nearest"] = "trilinear"
    """Interpolation that enlarges each level: "trilinear", or "nearest", which makes the field
    constant in blocks."""
    norm: Literal["instance", "batch"] = "instance"
    """Normalisation layers: "instance", or "batch" for the settings of the published demo; several
    workers cannot share the statistics of a batch."""
    out_kernel_initializer: Literal["zeros", "kaiming_uniform"] = "zeros"
    """First weights of the output layers: "zeros" makes the untrained network the identity,
    "kaiming_uniform" is random."""

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


_NO_SIMILARITY = {"bending_energy", "bending_unit", "mutual_information_window"}


class Loss(Section):
    """Weights of the terms whose sum training minimises."""

    mutual_information: float = Field(default=1.0, ge=0)
    """Weight of the negative global mutual information of the two scans after the intensity window;
    0 leaves the term out."""
    mutual_information_window: Literal["gaussian", "b-spline"] = "gaussian"
    """Parzen window of the mutual information: "gaussian" as in MONAI and the published demo, or
    "b-spline" (Mattes et al. 2003), which takes about an eighth of the time on a CPU."""
    bending_energy: float = Field(default=1.0, ge=0)
    """Weight of the bending energy, the mean squared second derivative of the displacement, which
    keeps it smooth; 0 leaves the term out."""
    bending_unit: Literal["mm", "voxel"] = "mm"
    """Unit of the bending energy: "mm" does not depend on the grid, "voxel" is the unit of MONAI
    and of the published demo."""
    dice: float = Field(default=0.0, ge=0)
    """Weight of 1 minus the Dice of the lung masks, for cases with both masks; 0 leaves the term
    out."""
    lncc: float = Field(default=0.0, ge=0)
    """Weight of the negative squared local normalised cross-correlation over 7 voxels; 0 leaves the
    term out."""
    mind: float = Field(default=0.0, ge=0)
    """Weight of the mean squared difference between the self-similarity (MIND-SSC, 0 to 1) of the
    fixed and of the warped scan, which does not depend on brightness; 0 leaves the term out."""
    landmarks: float = Field(default=0.0, ge=0)
    """Weight of the mean landmark distance in mm, for cases with landmarks; 0 leaves the term
    out."""
    displacement: float = Field(default=0.0, ge=0)
    """Weight of the mean distance in mm, inside the fixed lungs, between where the network and
    where the true displacement carries each point, for cases with a displacement file, as simulated
    pairs have; 0 leaves the term out and the files unread."""

    @model_validator(mode="after")
    def _learns_something(self) -> Self:
        similarity = self.model_dump(exclude=_NO_SIMILARITY)
        if not any(similarity.values()):
            *names, last = similarity
            msg = f"{', '.join(names)} or {last} has a weight above 0"
            raise ValueError(msg)
        return self


class Train(Section):
    """How a model is trained and registered."""

    name: str = Field(default=MODEL_NAME, pattern=f"^{MODEL_NAME_FORM}$")
    """Name of the model in the registry: up to 100 letters, digits, "_", "." and "-"."""
    workers: Workers | WorkerRange = "auto"
    """Number of Ray workers that train together. "auto" is one per GPU of the cluster, or one on
    the CPU where there is none, or the calling process where Ray is not installed; 0 trains in the
    calling process, without Ray; {min, max} takes as many as the cluster has room for, fewer where
    a node is lost and more where one joins, each time from the last epoch on."""
    epochs: int = Field(default=25, ge=1)
    """Number of epochs; in each, training reads every training case once."""
    batch_size: int = Field(default=2, ge=1)
    """Number of cases per optimisation step, divided among the workers."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """Learning rate of the Adam optimiser at the start."""
    plateau_patience: int = Field(default=5, ge=0)
    """Number of epochs without a lower validation loss that pass before the learning rate falls."""
    plateau_factor: float = Field(default=0.5, gt=0, lt=1)
    """Factor (0 to 1) that the learning rate is multiplied by when it falls."""
    save_every: int = Field(default=5, ge=1)
    """Number of epochs between checkpoints that are kept in addition to the best and the last."""
    device: Device = "auto"
    """Device of training: "auto" (CUDA where there is a GPU, else the CPU), "cpu", "cuda", "cuda:N"
    or "mps"."""
    threads: int | None = Field(default=None, ge=1)
    """Number of CPU threads per worker. Null divides the cores of the machine among workers on the
    CPU, and leaves PyTorch's own number to workers on a GPU."""
    mixed_precision: bool = True
    """Compute partly in 16 bits, which is faster. Has an effect on CUDA only."""
    init: str | None = None
    """Registered model whose weights training starts from, as "NAME:VERSION", with the network
    settings of the run; null starts from new weights."""
    promote: Literal["manual", "if_better"] = "manual"
    """When the new version becomes champion: "manual" only by `lungreg models promote`, "if_better"
    where its error on the validation cases is lower than the champion's. A model's first version is
    always champion."""
    max_failures: int = Field(default=3, ge=0)
    """Number of times that a killed worker is replaced; training then resumes from the last
    checkpoint. A loss that is no number, or a broken file, ends training at once."""

"""What must be right on a GPU, on a tiny grid; skipped where torch sees none."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from lungreg.backends import open_backend
from lungreg.config import Config, parse_config
from lungreg.learning.network import build_network
from lungreg.learning.prediction import network_estimate
from lungreg.registration.alignment import align
from lungreg.registration.evaluation import Measured, measure
from lungreg.registration.images import carry_moving, pair_images
from lungreg.registration.pair import Pair, read_pair
from lungreg.registration.refinement import plan_for, refine
from lungreg.spatial.displacement import jacobian_determinant, resample
from lungreg.spatial.geometry import Grid, Transform, affine_transform
from lungreg.stores.manifest import read_cases
from lungreg.workflows.infer import infer
from lungreg.workflows.ingest import ingest
from lungreg.workflows.simulate import simulate
from lungreg.workflows.train import train

pytestmark = pytest.mark.gpu

CUDA = torch.device("cuda")
CPU = torch.device("cpu")
WINDOW = (-1000.0, 500.0)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four small pairs on a stage."""
    folder = tmp_path_factory.mktemp("gpu")
    shape, spacing = (48, 40, 48), (6.4, 6.4, 6.0)
    simulate(folder / "training", cases=4, seed=3, shape=shape, spacing_mm=spacing)
    ingest(settings(folder))
    return folder


def settings(folder: Path, *, workers: int = 0, device: str = "auto", epochs: int = 2) -> Config:
    """A tiny run."""
    return parse_config(
        {
            "backend": {"root": str(folder / "stage"), "tracking": False},
            "ingest": {"source": str(folder / "training")},
            "data": {"split": {"train": 0.5, "val": 0.25, "test": 0.25}},
            "preprocessing": {"spatial_size": [32, 32, 32]},
            "network": {"num_channel_initial": 4},
            "loss": {"dice": 1.0, "landmarks": 0.3},
            "train": {"workers": workers, "epochs": epochs, "device": device},
            "infer": {
                "model": "lung_ct_registration",
                "version": "latest",
                "workers": workers,
                "device": device,
            },
        }
    )


def test_resampling_equals_the_cpu() -> None:
    """Warped values and Jacobians agree with the CPU's."""
    rng = np.random.default_rng(0)
    grid = Grid(shape=(20, 22, 24), affine=np.diag([2.0, 1.5, 3.0, 1.0]))
    image = rng.normal(size=grid.shape).astype(np.float32)
    dense = rng.normal(size=(3, *grid.shape)).astype(np.float32)
    here, there = (
        resample(image, grid, grid, np.eye(4), dense, device=device) for device in (CPU, CUDA)
    )
    np.testing.assert_allclose(here.values, there.values, atol=1e-3)
    jacobians = [jacobian_determinant(np.eye(4), dense, grid, device=d) for d in (CPU, CUDA)]
    np.testing.assert_allclose(*jacobians, atol=1e-3)


def test_inference_equals_the_cpu(cohort: Path) -> None:
    """One model registers a case on the GPU as on the CPU, within the network's precision."""
    train(settings(cohort))
    on_gpu = infer(settings(cohort, device="cuda")).results
    on_cpu = infer(settings(cohort, device="cpu")).results
    for gpu, cpu in zip(on_gpu, on_cpu, strict=True):
        assert re.fullmatch(r"cuda-1 on [0-9a-f]{8}", gpu.worker)
        assert gpu.tre_mm == pytest.approx(cpu.tre_mm, abs=0.05)
        assert gpu.dice_score == pytest.approx(cpu.dice_score, abs=0.01)
        assert gpu.verdict == cpu.verdict


def test_measures_equal_the_cpu(cohort: Path) -> None:
    """Of one transform, each figure: images, surfaces, residual, estimated landmark errors."""
    stage = open_backend(settings(cohort).backend).stage
    pair = read_pair(stage, read_cases(stage)[0])
    transform = affine_transform(align(pair, WINDOW, "auto").affine, pair.fixed.grid)
    here, there = (measured_on(device, pair, transform) for device in (CPU, CUDA))
    for name, expected in vars(here.metrics).items():
        assert getattr(there.metrics, name) == pytest.approx(expected, rel=1e-3, abs=1e-4), name
    assert there.evidence.residual == pytest.approx(here.evidence.residual, abs=1e-3)


def measured_on(device: torch.device, pair: Pair, transform: Transform) -> Measured:
    """All that is measured, computed on a device."""
    carried = carry_moving(pair, transform, device)
    images = pair_images(pair, transform, carried, hu_window=WINDOW, device=device)
    return measure(pair, transform, images, device=device)


def test_16_bits_give_the_displacement_of_32(cohort: Path) -> None:
    """In mixed precision no voxel of the network moves by 0.05 of its length."""
    config = settings(cohort)
    stage = open_backend(config.backend).stage
    pair = read_pair(stage, read_cases(stage)[0])
    affine = align(pair, WINDOW, "auto").affine
    shape = config.network.model_copy(update={"out_kernel_initializer": "kaiming_uniform"})
    network = build_network(shape).eval().to(CUDA)
    exact, found = (
        network_estimate(network, config.preprocessing, CUDA, mixed_precision=mixed)(pair, affine)
        for mixed in (False, True)
    )
    fields = [estimated.transform.displacement_mm for estimated in (exact, found)]
    apart_mm = np.linalg.norm(fields[0] - fields[1], axis=0)
    assert apart_mm.max() <= 0.05 * exact.transform.grid.spacing_mm.max()


def test_ray_workers_get_a_gpu(cohort: Path) -> None:
    """Ray Train and the actor pool run on the GPU."""
    done = train(settings(cohort, workers=1))
    assert len(done.history) == 2
    report = infer(settings(cohort, workers=1))
    assert not report.failed
    assert report.gpus == 1
    assert report.gpu_seconds_per_case is not None


def test_same_run_twice_gives_the_same_losses(cohort: Path) -> None:
    """Losses of two runs from one seed differ by less than 1e-3."""
    losses = [[epoch["loss"] for epoch in train(settings(cohort)).history] for _ in range(2)]
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-3)


def test_refinement_is_the_same_on_both_devices(cohort: Path) -> None:
    """The same pair, refined on CPU and GPU: displacements a fraction of a millimetre apart."""
    stage = open_backend(settings(cohort).backend).stage
    pair = read_pair(stage, read_cases(stage)[0])
    affine = align(pair, WINDOW, "auto").affine
    here, there, again = (
        refine(pair, affine, plan_for("fast"), device=device).transform.displacement_mm
        for device in (CPU, CUDA, CUDA)
    )
    np.testing.assert_array_equal(there, again)
    assert np.abs(here - there).mean() < 0.1

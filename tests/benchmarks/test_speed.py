"""Speed against what it replaces: `nox -s bench` measures, the test suite runs each once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.networks.blocks import Warp
from pytest_benchmark.fixture import BenchmarkFixture

from lungreg.backends.local.results import ParquetResultTable
from lungreg.backends.local.stage import LocalStage
from lungreg.formats.volumes import Stored, decode_scan, encode_volume
from lungreg.metrics import ssim
from lungreg.spatial.displacement import jacobian_determinant, resample, warp
from lungreg.spatial.geometry import Grid
from tests.contracts.results import result

SHAPE = (96, 96, 104)


@pytest.fixture(scope="module")
def grid() -> Grid:
    """The network's published grid."""
    return Grid(shape=SHAPE, affine=np.diag([3.5, 2.5, 3.5, 1.0]))


@pytest.fixture(scope="module")
def field() -> torch.Tensor:
    """A random displacement in voxels."""
    return torch.randn(1, 3, *SHAPE)


@pytest.mark.benchmark(group="warp")
def test_warp(benchmark: BenchmarkFixture, field: torch.Tensor) -> None:
    """Ours."""
    benchmark(warp, torch.rand(1, 1, *SHAPE), field)


@pytest.mark.filterwarnings("ignore")  # MONAI speaks of its compiled extension
@pytest.mark.benchmark(group="warp")
def test_warp_monai(benchmark: BenchmarkFixture, field: torch.Tensor) -> None:
    """MONAI's."""
    layer = Warp(mode="bilinear", padding_mode="border")
    benchmark(layer, torch.rand(1, 1, *SHAPE), field)


@pytest.mark.benchmark(group="one case")
def test_resample(benchmark: BenchmarkFixture, grid: Grid, field: torch.Tensor) -> None:
    """Warping a scan onto its fixed grid."""
    image = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    benchmark(resample, image, grid, grid, np.eye(4), field[0].numpy())


@pytest.mark.benchmark(group="one case")
def test_jacobian(benchmark: BenchmarkFixture, grid: Grid, field: torch.Tensor) -> None:
    """The Jacobian of a dense field."""
    benchmark(jacobian_determinant, np.eye(4), field[0].numpy(), grid)


@pytest.mark.benchmark(group="one case")
def test_ssim(benchmark: BenchmarkFixture) -> None:
    """Structural similarity over the whole scan."""
    image = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    benchmark(ssim, image, image[::-1].copy(), np.ones(SHAPE, dtype=bool))


@pytest.mark.benchmark(group="files")
def test_scan_round_trip(benchmark: BenchmarkFixture, grid: Grid) -> None:
    """Writing and reading a scan."""
    image = np.random.default_rng(0).normal(-600, 200, size=SHAPE).round().astype(np.float32)
    stored = Stored(dtype="int16")
    benchmark(lambda: decode_scan(encode_volume(image, grid, stored)))


@pytest.mark.benchmark(group="files")
def test_five_hundred_rows(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """Reading a cohort's rows, one part each, while a person waits."""
    table = ParquetResultTable(LocalStage(tmp_path, fsync=False))
    rows = [result(f"case_{number:04d}") for number in range(500)]
    for row in rows:
        table.write([row])
    assert benchmark(table.rows, "run") == rows

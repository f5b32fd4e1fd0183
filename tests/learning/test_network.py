"""LocalNet as it is built here: identity, shapes, normalisation, smooth fields, weights."""

from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from lungreg.config import Network
from lungreg.errors import ModelError
from lungreg.learning.network import build_network, load_weights, predict, weights_to_bytes

pytestmark = pytest.mark.usefixtures("one_thread")

PUBLISHED = Network(
    extract_levels=(3,), mode="nearest", norm="batch", out_kernel_initializer="kaiming_uniform"
)


def small(**changes: object) -> Network:
    """Settings of a network that runs in milliseconds."""
    return Network(**{"num_channel_initial": 2, **changes})  # type: ignore[arg-type]


def scans(size: tuple[int, int, int], *, batch: int = 1) -> tuple[Tensor, Tensor]:
    """Two random scans."""
    torch.manual_seed(1)
    return torch.rand(batch, 1, *size), torch.rand(batch, 1, *size)


def perturbed(settings: Network) -> nn.Module:
    """A network whose output layers are as after some training: no longer zero."""
    torch.manual_seed(2)
    network = build_network(settings)
    with torch.no_grad():
        for parameter in network.output_block.parameters():  # type: ignore[union-attr]
            parameter.normal_()
    return network.eval()


def constant_blocks(field: Tensor) -> Tensor:
    """(B, X / 2, Y / 2, Z / 2) whether all vectors of a block of 2 x 2 x 2 voxels are the same."""
    blocks = field.unfold(2, 2, 2).unfold(3, 2, 2).unfold(4, 2, 2).flatten(5)
    return ((blocks.amax(-1) - blocks.amin(-1)) == 0).all(dim=1)


class TestStart:
    @pytest.mark.parametrize("levels", [(3,), (0, 1, 2, 3), (1, 2)])
    @pytest.mark.parametrize("norm", ["instance", "batch"])
    def test_untrained_is_the_identity(self, levels: tuple[int, ...], norm: str) -> None:
        """Started with zeros, kernels and biases, nothing moves at all."""
        network = build_network(small(extract_levels=levels, norm=norm))
        for training in (True, False):
            field = predict(network.train(training), *scans((16, 16, 24), batch=2))
            assert not field.any()

    def test_kaiming_start_moves(self) -> None:
        """The published start is no identity."""
        torch.manual_seed(0)
        network = build_network(small(out_kernel_initializer="kaiming_uniform"))
        assert predict(network, *scans((16, 16, 16))).abs().max() > 1e-3

    def test_first_step_leaves_the_identity(self) -> None:
        """Zeros do not stop learning: the output layers get a gradient."""
        network = build_network(small())
        predict(network, *scans((16, 16, 16))).sum().backward()
        gradients = [p.grad for p in network.output_block.parameters()]  # type: ignore[union-attr]
        assert all(gradient is not None and gradient.any() for gradient in gradients)


class TestShape:
    @pytest.mark.parametrize("size", [(16, 16, 16), (24, 16, 32), (8, 8, 16)])
    @pytest.mark.parametrize("levels", [(3,), (0, 1, 2, 3), (3, 0), (2, 3)])
    def test_field_is_on_the_grid_of_the_scans(
        self, size: tuple[int, int, int], levels: tuple[int, ...]
    ) -> None:
        """Three components for each voxel, in training too, down to two voxels at the bottom."""
        network = build_network(small(extract_levels=levels)).train()
        assert predict(network, *scans(size, batch=2)).shape == (2, 3, *size)

    @pytest.mark.parametrize("levels", [(1,), (0, 4)])
    def test_depth_is_the_deepest_level(self, levels: tuple[int, ...]) -> None:
        """Shallow and deep networks take sizes that divide by their own steps."""
        side = 2 ** (max(levels) + 1)
        network = build_network(small(extract_levels=levels))
        assert predict(network, *scans((side, side, side))).shape[2:] == (side, side, side)

    def test_published_network_has_its_size(self) -> None:
        """The published settings give 3.01 million parameters."""
        count = sum(p.numel() for p in build_network(PUBLISHED).parameters())
        assert count == pytest.approx(3.01e6, rel=2e-3)


class TestNormalisation:
    def test_instance_leaves_no_batch_norm(self) -> None:
        """Workers that see other cases compute the same: nothing is normalised over a batch."""
        kinds = [type(module) for module in build_network(small()).modules()]
        assert nn.BatchNorm3d not in kinds
        assert kinds.count(nn.InstanceNorm3d) > 10

    def test_batch_keeps_monais(self) -> None:
        """The published settings keep their normalisation."""
        kinds = [type(module) for module in build_network(small(norm="batch")).modules()]
        assert nn.InstanceNorm3d not in kinds
        assert kinds.count(nn.BatchNorm3d) > 10

    def test_a_case_does_not_depend_on_its_batch(self) -> None:
        """Two cases at once give what each gives alone, in training."""
        network = perturbed(small()).train()
        fixed, moving = scans((16, 16, 16), batch=2)
        both = predict(network, fixed, moving)
        alone = [predict(network, fixed[i, None], moving[i, None]) for i in range(2)]
        torch.testing.assert_close(both, torch.cat(alone), atol=1e-5, rtol=1e-4)


class TestSmoothness:
    def test_all_levels_vary_from_voxel_to_voxel(self) -> None:
        """A field of all levels is nowhere constant in a block."""
        network = perturbed(small(extract_levels=(0, 1, 2, 3)))
        field = predict(network, *scans((16, 24, 16)))
        assert not constant_blocks(field).any()

    def test_deepest_level_is_enlarged_smoothly(self) -> None:
        """The published [3], enlarged linearly, varies wherever it is between two of its nodes."""
        network = perturbed(small(extract_levels=(3,)))
        field = predict(network, *scans((32, 32, 32)))
        # Beyond the outer nodes, half of 8 voxels from the border, there is nothing to vary with.
        assert not constant_blocks(field[..., 4:-4, 4:-4, 4:-4]).any()

    def test_nearest_is_constant_in_blocks(self) -> None:
        """What MONAI does by itself: blocks of 8 voxels move as one."""
        network = perturbed(small(extract_levels=(3,), mode="nearest"))
        field = predict(network, *scans((32, 32, 32)))
        assert constant_blocks(field).all()
        assert field.std() > 1e-3


class TestWeights:
    def test_round_trip(self) -> None:
        """Weights put into another network of the shape make it the same network."""
        first, second = perturbed(small()), build_network(small()).eval()
        again = load_weights(second, weights_to_bytes(first))
        pair = scans((16, 16, 16))
        assert torch.equal(predict(first, *pair), predict(again, *pair))
        assert weights_to_bytes(again) == weights_to_bytes(first)

    @pytest.mark.parametrize(
        "data", [b"", b"no safetensors at all", save({"other": torch.zeros(3)})]
    )
    def test_damaged_ones_are_refused(self, data: bytes) -> None:
        """What is no file of weights, or of something else, never gets in."""
        with pytest.raises(ModelError, match="safetensors of the network that the card describes"):
            load_weights(build_network(small()), data)

    @pytest.mark.parametrize("odd", [math.nan, math.inf])
    def test_those_that_are_no_numbers_are_refused(self, odd: float) -> None:
        """Neither written nor read: a model of NaN would register every case to nowhere."""
        network = build_network(small())
        data = weights_to_bytes(network)
        with torch.no_grad():
            next(network.parameters()).view(-1)[0] = odd
        with pytest.raises(ModelError, match="weights of a model are numbers, got NaN or infinity"):
            weights_to_bytes(network)
        spoilt = save({name: torch.full_like(value, odd) for name, value in load(data).items()})
        with pytest.raises(ModelError, match="weights of a model are numbers"):
            load_weights(build_network(small()), spoilt)

    @pytest.mark.parametrize(
        "other", [{"num_channel_initial": 3}, {"norm": "batch"}, {"extract_levels": (3,)}]
    )
    def test_those_of_another_network_are_refused(self, other: dict[str, object]) -> None:
        """Other channels, another normalisation and other levels do not fit."""
        data = weights_to_bytes(build_network(small(**other)))
        with pytest.raises(ModelError, match="safetensors of the network that the card describes"):
            load_weights(build_network(small()), data)

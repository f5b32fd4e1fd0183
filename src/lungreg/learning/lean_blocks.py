"""LocalNet's blocks with fewer passes over memory: the same weights under the same names.

Summing up and enlarging are both linear, so that they may be done in either order: channels are
added up where they are an eighth as large, and no stack of volumes is made for a sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as nnf
from torch import Tensor, nn

from lungreg.extras import of_extra

with of_extra("train"):
    from monai.networks.blocks.regunet_block import RegistrationExtractionBlock
    from monai.networks.nets.regunet import AdditiveUpSampleBlock, LocalNet


class AdditiveUpSampling(nn.Module):
    """MONAI's `AdditiveUpSampleBlock`: a transposed convolution and the enlarged input, added."""

    def __init__(self, block: AdditiveUpSampleBlock) -> None:
        super().__init__()
        self.deconv = block.deconv
        self._mode = block.mode

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, X, Y, Z) to (B, C / 2, 2 X, 2 Y, 2 Z)."""
        size = [2 * n for n in x.shape[2:]]
        first, second = x.chunk(2, dim=1)
        enlarged = nnf.interpolate(first + second, size, mode=self._mode)
        return enlarged.add_(self.deconv(x))


class Extraction(nn.Module):
    """MONAI's `RegistrationExtractionBlock`: the mean of what each level predicts, enlarged."""

    def __init__(self, block: RegistrationExtractionBlock, mode: str) -> None:
        super().__init__()
        self.layers = block.layers
        self._levels = block.extract_levels
        self._deepest = block.max_level
        self._mode = mode

    def forward(self, x: Sequence[Tensor], image_size: Sequence[int]) -> Tensor:
        """(B, 3, X, Y, Z) from the features of each level, the deepest first."""
        size, total = list(image_size), None
        for layer, level in zip(self.layers, self._levels, strict=True):
            found = layer(x[self._deepest - level])
            if list(found.shape[2:]) != size:
                found = nnf.interpolate(found, size, mode=self._mode)
            total = found if total is None else total.add_(found)
        if total is None:  # a network extracts at least one level
            raise AssertionError
        mean: Tensor = total.div_(len(self.layers))
        return mean


def with_lean_blocks(network: LocalNet, mode: str) -> LocalNet:
    """Put these blocks in place of MONAI's, and let ReLU write where it reads.

    Args:
        network: Changed.
        mode: How the last enlargement of each level interpolates, which MONAI leaves at "nearest".
    """
    for number, block in enumerate(network.decode_deconvs):
        if isinstance(block, AdditiveUpSampleBlock):
            network.decode_deconvs[number] = AdditiveUpSampling(block)
    if isinstance(network.output_block, RegistrationExtractionBlock):
        network.output_block = Extraction(network.output_block, mode)
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = True
    return network

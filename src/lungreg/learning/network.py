"""Build LocalNet from its configuration; write and read its weights as safetensors bytes."""

from __future__ import annotations

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from lungreg.config import Network
from lungreg.errors import ModelError
from lungreg.extras import of_extra
from lungreg.learning.lean_blocks import with_lean_blocks
from lungreg.records import ModelCard

with of_extra("train"):
    from monai.networks.nets.regunet import LocalNet
    from safetensors import SafetensorError
    from safetensors.torch import load, save


def network_settings(card: ModelCard) -> Network:
    """The network that a card describes.

    Raises:
        ModelError: None that this version knows.
    """
    try:
        return Network.model_validate(card.config.get("network", {}))
    except ValidationError as error:
        msg = "a model's card describes a network that this version knows"
        got = "; ".join(item["msg"] for item in error.errors())
        mend = "install the version of lungreg that trained it, or a later one"
        raise ModelError(msg, got=got, mend=mend) from error


def build_network(settings: Network) -> nn.Module:
    """MONAI's LocalNet over a fixed and a moving scan.

    The network takes (B, 2, X, Y, Z), fixed then moving in [0, 1], and returns (B, 3, X, Y, Z),
    the displacement in network voxels. With `out_kernel_initializer: zeros` it starts as the
    identity.

    MONAI passes `mode` to the upsampling blocks only and leaves the last enlargement of each level
    at "nearest", and its normalisation is always over the batch. Both are set right here.
    """
    network = LocalNet(
        spatial_dims=3,
        in_channels=2,
        num_channel_initial=settings.num_channel_initial,
        extract_levels=settings.extract_levels,  # type: ignore[arg-type]  # any length in fact
        out_kernel_initializer=settings.out_kernel_initializer,
        out_activation=None,
        out_channels=3,
        mode=settings.mode,
    )
    network = with_lean_blocks(network, settings.mode)
    if settings.norm == "instance":
        _replace_batch_norm(network)
    return network


def predict(network: nn.Module, fixed: Tensor, moving: Tensor) -> Tensor:
    """Displacement (B, 3, X, Y, Z) in network voxels of pairs (B, 1, X, Y, Z)."""
    result: Tensor = network(torch.cat([fixed, moving], dim=1))
    return result


def weights_to_bytes(network: nn.Module) -> bytes:
    """The weights as safetensors, on whatever device they are.

    Raises:
        ModelError: One is not finite.
    """
    _require_finite(network)
    return save({name: value.cpu().contiguous() for name, value in network.state_dict().items()})


def load_weights(network: nn.Module, data: bytes) -> nn.Module:
    """Put safetensors bytes into a network of the same shape.

    Raises:
        ModelError: They are no safetensors, of another network, or not finite.
    """
    try:
        network.load_state_dict(load(data))
    except (SafetensorError, RuntimeError) as error:
        msg = "weights must be safetensors of the network that the card describes"
        reason = " ".join(str(error).split())[:200]
        raise ModelError(msg, got=reason, mend="export the model again") from error
    _require_finite(network)
    return network


def _require_finite(network: nn.Module) -> None:
    odd = [name for name, value in network.state_dict().items() if not torch.isfinite(value).all()]
    if odd:
        msg = "the weights of a model are numbers"
        got = f"NaN or infinity in {len(odd)} tensors, such as {odd[0]}"
        raise ModelError(msg, got=got, mend="train with a lower train.learning_rate")


def _replace_batch_norm(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm3d):
            setattr(module, name, nn.InstanceNorm3d(child.num_features, affine=True))
        else:
            _replace_batch_norm(child)

"""What storing a model needs, tried beforehand."""

from __future__ import annotations

import pytest

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.models.storing import (
    CUDA_OF_TORCH,
    refuse_cuda_without_torch,
    refuse_unknown_options,
    save_options,
    try_storing,
)
from lungreg.errors import RunError
from tests.backends.snowflake.peer import Peer


def test_a_stage_is_made_where_the_client_will_make_its_own(
    source: SessionSource, peer: Peer
) -> None:
    """In the schema of the models, for this session alone."""
    try_storing(source)
    (made,) = peer.said("^CREATE")
    utils = source.settings.utils
    assert made.text.startswith(f"CREATE SCOPED TEMPORARY STAGE {utils}.LUNGREG_TRIAL_")


def test_the_index_of_the_cuda_version_has_the_pytorch(
    source: SessionSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default has every PyTorch that lungreg runs on; 12.4, of old, is refused."""
    old = source.settings.model_copy(update={"model_cuda_version": "12.4"})
    for torch in CUDA_OF_TORCH:
        monkeypatch.setattr("importlib.metadata.version", lambda _, torch=torch: f"{torch}.1+cpu")
        refuse_cuda_without_torch(source.settings)
        with pytest.raises(RunError, match=f"none of PyTorch {torch} for CUDA 12.4"):
            try_storing(SessionSource(old))


def test_an_option_that_the_client_lacks_is_refused(source: SessionSource) -> None:
    """A client that would refuse it after the last epoch is found before the first."""
    refuse_unknown_options(save_options(source.settings))
    with pytest.raises(RunError, match="one without cuda_build"):
        refuse_unknown_options(["cuda_version", "cuda_build"])

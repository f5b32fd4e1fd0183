"""What storing a model needs, tried beforehand."""

from __future__ import annotations

import pytest

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.models.storing import (
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


def test_an_option_that_the_client_lacks_is_refused(source: SessionSource) -> None:
    """A client that would refuse it after the last epoch is found before the first."""
    refuse_unknown_options(save_options(source.settings))
    with pytest.raises(RunError, match="one without cuda_build"):
        refuse_unknown_options(["cuda_version", "cuda_build"])

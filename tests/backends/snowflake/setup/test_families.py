"""GPU nodes are those of the account's cloud."""

from __future__ import annotations

import pytest

from lungreg.errors import ConfigError
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.setup.account import Account, of_database


@pytest.mark.parametrize(
    ("region", "offered"),
    [("AZURE_WESTEUROPE", r"GPU_NV_SM \(1 A10\)"), ("GCP_US_CENTRAL1", "GPU_GCP_NV_L4_1_24G")],
)
def test_a_family_of_another_cloud_is_refused_with_what_there_is(
    account: Account, peer: Peer, region: str, offered: str
) -> None:
    """The default is of AWS: elsewhere nothing is made, and the error lists the cloud's own."""
    account.region = f"PUBLIC.{region}"
    with pytest.raises(ConfigError, match=f"GPU_NV_S on .*{offered}"):
        of_database("FAMILIES").make()
    assert not peer.said("^CREATE")


def test_a_family_of_the_cloud_is_made(account: Account) -> None:
    """What the error lists can be set."""
    account.region = "PUBLIC.AZURE_WESTEUROPE"
    of_database("FAMILIES", compute_pool={"family": "GPU_NV_SM"}).make()
    assert ("COMPUTE POOL", "LUNGREG_GPU") in account.objects

"""What each role is granted."""

from __future__ import annotations

import re

from lungreg.backends.snowflake.setup.grants import stages_of_roles
from lungreg.backends.snowflake.setup.objects import stages
from lungreg.config import SnowflakeBackend
from tests.backends.snowflake.setup.test_script import statements


def granted(role: str) -> set[str]:
    """What a role may do, as "PRIVILEGE ON OBJECT"."""
    found = [re.fullmatch(r"GRANT (.*) TO ROLE (\w+)", sql) for sql in statements()]
    return {match[1] for match in found if match and match[2] == role}


def test_each_role_may_do_its_step_and_no_more() -> None:
    """Who ingests starts nothing, who trains writes no result, who reads changes nothing."""
    ingest, train, infer, read = (
        granted(f"LUNGREG_{name}") for name in ("INGEST", "TRAIN", "INFER", "READ")
    )
    assert "READ, WRITE ON STAGE LUNGREG.UTILS.IMAGES" in ingest
    assert not any("CREATE" in item or "POOL" in item or "RUNS" in item for item in ingest)
    assert "CREATE MODEL ON SCHEMA LUNGREG.UTILS" in train
    assert "CREATE STAGE ON SCHEMA LUNGREG.UTILS" in train
    assert "READ ON STAGE LUNGREG.UTILS.IMAGES" in train & infer
    assert not any("REGISTRATION_RESULTS" in item for item in train)
    assert "CREATE MODEL ON SCHEMA LUNGREG.UTILS" not in infer
    for when in ("ALL", "FUTURE"):  # each privilege in a statement of its own
        assert f"READ ON {when} MODELS IN SCHEMA LUNGREG.UTILS" in infer
        assert f"USAGE ON {when} MODELS IN SCHEMA LUNGREG.UTILS" in infer
    assert not any(re.search("WRITE|INSERT|UPDATE|DELETE|CREATE|IMAGES", item) for item in read)
    assert all(read for read in (ingest, train, infer, read))


def test_stages_of_a_role_are_those_that_it_is_granted() -> None:
    """In capitals, under full names; the role of setup owns all of them."""
    settings = SnowflakeBackend.model_validate({"kind": "snowflake", "roles": {"read": "viewer"}})
    images, jobs, runs = stages(settings)
    assert stages_of_roles(settings) == {
        "LUNGREG_SETUP": {images, jobs, runs},
        "LUNGREG_INGEST": {images},
        "LUNGREG_TRAIN": {images, jobs, runs},
        "LUNGREG_INFER": {images, jobs, runs},
        "VIEWER": {runs},
    }

"""Records of time: written however a block ends, and refused where they are damaged."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lungreg.errors import StoreError, StoreUnavailableError
from lungreg.stores.usage import read_usage, timed
from lungreg.testing import FaultyStage, MemoryStage


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, None])
def test_time_is_kept_however_the_block_ends(error: type[BaseException] | None) -> None:
    """Stopped and failed runs use nodes as well; their own error is raised."""
    stage, before = MemoryStage(), datetime.now(UTC)

    def run() -> None:
        with timed(stage, "r"):
            if error is not None:
                raise error

    if error is None:
        run()
    else:
        with pytest.raises(error):
            run()
    (usage,) = read_usage(stage, "r")
    assert before <= usage.started_at <= usage.ended_at <= datetime.now(UTC)


def test_a_stage_that_fails_costs_the_figure_only(caplog: pytest.LogCaptureFixture) -> None:
    """The run's own error, or its success, is not hidden."""
    stage = FaultyStage(MemoryStage(), full_on={1, 2})
    with timed(stage, "r"):
        pass
    assert "the time that the run took is not kept" in caplog.text
    own = StoreUnavailableError("of the run")
    with pytest.raises(StoreUnavailableError, match="of the run"), timed(stage, "r"):
        raise own


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"started_at": 1, "seconds": 2}'])
def test_a_record_that_is_none_is_refused(data: bytes) -> None:
    """Rather than counted as nothing."""
    stage = MemoryStage()
    stage.write("runs/r/usage/a.json", data)
    with pytest.raises(StoreError, match="a record of usage"):
        read_usage(stage, "r")

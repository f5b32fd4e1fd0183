"""The message of a configuration that is refused."""

from __future__ import annotations

from typing import Any

import pytest

from lungreg.config import parse_config
from lungreg.errors import ConfigError


def breaches(raw: dict[str, Any]) -> str:
    """The breaches that the error lists; the test fails where the configuration is accepted."""
    with pytest.raises(ConfigError, match="known keys with legal values") as caught:
        parse_config(raw)
    assert str(caught.value.mend).endswith("see 'lungreg config schema'")
    return str(caught.value.got)

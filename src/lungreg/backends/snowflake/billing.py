"""Where Snowflake says what a compute pool was billed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lungreg.config import SnowflakeBackend
from lungreg.stores import BillQuery

_SQL = """\
SELECT compute_pool_name, DATE_TRUNC('hour', start_time) AS hour, SUM(credits_used) AS credits
FROM SNOWFLAKE.ACCOUNT_USAGE.SNOWPARK_CONTAINER_SERVICES_HISTORY
WHERE compute_pool_name = ?
  AND end_time > CAST(? AS TIMESTAMP_TZ)
  AND start_time < CAST(? AS TIMESTAMP_TZ)
GROUP BY 1, 2
ORDER BY 2;"""


@dataclass(frozen=True)
class PoolBilling:
    """The bill of the compute pool. Implements `lungreg.stores.Billing`."""

    settings: SnowflakeBackend

    def query(self, begin: datetime, end: datetime) -> BillQuery:
        """What asks for the pool's credits in the hours that a run touched."""
        pool = self.settings.compute_pool
        return BillQuery(
            sql=_SQL,
            binds=(pool.name.upper(), begin.isoformat(), end.isoformat()),
            note=(
                "the pool's credits in whole hours, up to 3 hours late; with all that ran on it, "
                f"and up to {pool.auto_suspend_secs} s of idling after each job"
            ),
        )

"""The nodes that a run uses, and the query for the credits of their compute pool."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lungreg.backends.snowflake.connection.runtime import nodes_of_job
from lungreg.config import SnowflakeBackend
from lungreg.stores import BillQuery, Held

_SQL = """\
SELECT compute_pool_name, DATE_TRUNC('hour', start_time) AS hour, SUM(credits_used) AS credits
FROM SNOWFLAKE.ACCOUNT_USAGE.SNOWPARK_CONTAINER_SERVICES_HISTORY
WHERE compute_pool_name = '{pool}'
  AND end_time > '{begin}'::TIMESTAMP_TZ
  AND start_time < '{end}'::TIMESTAMP_TZ
GROUP BY 1, 2
ORDER BY 2;"""


@dataclass(frozen=True)
class PoolBilling:
    """The bill of a compute pool. Implements `lungreg.stores.Billing`."""

    settings: SnowflakeBackend

    def held(self, *, in_batch: bool = False) -> Held | None:
        """The nodes of this job, or of the batch jobs that it starts; None outside Snowflake."""
        pool = self.settings.compute_pool
        if in_batch:
            return Held(nodes=self.settings.batch.replicas or pool.max_nodes, pool=pool.name)
        nodes = nodes_of_job()
        return None if nodes is None else Held(nodes=nodes, pool=pool.name)

    def query(self, begin: datetime, end: datetime, pool: str | None = None) -> BillQuery:
        """The query for the pool's credits in all hours of a run.

        It has no bound values, so that it runs in a worksheet: the name is an identifier of the
        configuration, and the times are lungreg's own.
        """
        name = (pool or self.settings.compute_pool.name).upper()
        return BillQuery(
            sql=_SQL.format(pool=name, begin=begin.isoformat(), end=end.isoformat()),
            note=(
                "ask with a role that reads SNOWFLAKE.ACCOUNT_USAGE; the pool's credits in whole "
                "hours, up to 3 hours late, with all that ran on it, and up to "
                f"{self.settings.compute_pool.auto_suspend_secs} s of idling after each job"
            ),
        )

"""Tags on what holds case ids, a mask over them, a budget, and the query that audits who read.

As Snowflake's pages on CREATE TAG, CREATE MASKING POLICY, POLICY_REFERENCES, ACCESS_HISTORY and
budgets have it: tags, masking policies and ACCESS_HISTORY need the Enterprise edition. What an
account refuses is printed for whoever may, or for an edition that has it. A policy lies in the
schema of its table: else neither schema could be dropped without the other.
"""

from __future__ import annotations

from lungreg.backends.snowflake.setup.statement import Statement, mark_of
from lungreg.backends.snowflake.tables.result_sql import (
    ratings_table,
    result_table,
    result_view,
)
from lungreg.config import SnowflakeBackend

TAG, POLICY, BUDGET = "LUNGREG_HOLDS", "LUNGREG_CASE_ID", "LUNGREG_POOL_BUDGET"
SCANS, CASE_IDS = "scans", "case ids"
"""What an object holds: also scans are named by their case."""
_EDITION = "needs the Enterprise edition"
_BUDGET = "needs the database role SNOWFLAKE.BUDGET_CREATOR, which an administrator grants"


def governance(settings: SnowflakeBackend) -> list[Statement]:
    """All statements, in the role of `roles.setup`; run again they change nothing."""
    return [*_tags(settings), *_mask(settings), *_budget(settings)]


def _tags(settings: SnowflakeBackend) -> list[Statement]:
    tag, comment = f"{settings.results}.{TAG}", f"COMMENT = '{mark_of(settings)}'"
    made = f"CREATE TAG IF NOT EXISTS {tag} ALLOWED_VALUES '{SCANS}', '{CASE_IDS}' {comment}"
    held = {
        f"STAGE {settings.images}": SCANS,
        f"STAGE IF EXISTS {settings.incoming}": SCANS,
        f"STAGE {settings.runs}": SCANS,
        f"TABLE {result_table(settings)}": CASE_IDS,
        f"TABLE IF EXISTS {ratings_table(settings)}": CASE_IDS,
        f"VIEW {result_view(settings)}": CASE_IDS,
        f"TABLE {result_table(settings)} MODIFY COLUMN case_id": CASE_IDS,
    }
    tagged = [f"ALTER {name} SET TAG {tag} = '{value}'" for name, value in held.items()]
    return [Statement(sql=sql, note=_EDITION, may_be_left=True) for sql in (made, *tagged)]


def _mask(settings: SnowflakeBackend) -> list[Statement]:
    """A hash in place of each id, the same each time, for roles that need not know whose it is.

    It hides an id from who reads a table, not from who guesses it: random ids do both.
    The body is set each time, since the roles of the configuration may have changed; a policy of
    the customer's own stays on its column.
    """
    policy, table = f"{settings.results}.{POLICY}", result_table(settings)
    body, comment = mask_body(settings), f"COMMENT = '{mark_of(settings)}'"
    made = (
        f"CREATE MASKING POLICY IF NOT EXISTS {policy} AS (val VARCHAR) RETURNS VARCHAR -> "
        f"{body} {comment}"
    )
    masked = f"ALTER TABLE {table} MODIFY COLUMN case_id SET MASKING POLICY {policy}"
    return [
        Statement(sql=made, note=_EDITION, may_be_left=True),
        Statement(
            sql=f"ALTER MASKING POLICY {policy} SET BODY -> {body}",
            note=_EDITION,
            may_be_left=True,
        ),
        Statement(
            sql=masked,
            note=f"{_EDITION}; leave it out where the column has a policy already",
            may_be_left=True,
            unless=policies_of_case_id(settings),
        ),
    ]


def mask_body(settings: SnowflakeBackend) -> str:
    """The expression of the policy, for a value `val`.

    A session has one role where secondary roles are put aside, as lungreg's own are: the role that
    is written is the one that counts.
    """
    roles = settings.roles
    seeing = (roles.setup, roles.infer, roles.read, roles.app, *settings.case_id_roles)
    names = ", ".join(f"'{role.upper()}'" for role in dict.fromkeys(seeing))
    return f"CASE WHEN CURRENT_ROLE() IN ({names}) THEN val ELSE LEFT(SHA2(val, 256), 12) END"


def policies_of_case_id(settings: SnowflakeBackend) -> str:
    """The query for the policies that mask the column, by whomever."""
    # No input of a user's: names of the configuration, which has checked them.
    return (
        "SELECT policy_name FROM TABLE("  # noqa: S608
        f"{settings.database}.INFORMATION_SCHEMA.POLICY_REFERENCES(REF_ENTITY_NAME => "
        f"'{result_table(settings)}', REF_ENTITY_DOMAIN => 'TABLE')) "
        "WHERE policy_kind = 'MASKING_POLICY' AND UPPER(ref_column_name) = 'CASE_ID'"
    )


def _budget(settings: SnowflakeBackend) -> list[Statement]:
    limit = settings.compute_pool.monthly_credits
    if limit is None:
        return []
    budget, pool = f"{settings.utils}.{BUDGET}", settings.compute_pool.name
    reference = f"SYSTEM$REFERENCE('COMPUTE_POOL', '{pool}', 'SESSION', 'APPLYBUDGET')"
    return [
        Statement(sql=sql, note=_BUDGET, may_be_left=True)
        for sql in (
            f"CREATE SNOWFLAKE.CORE.BUDGET IF NOT EXISTS {budget}()",
            f"CALL {budget}!SET_SPENDING_LIMIT({limit})",
            f"CALL {budget}!ADD_RESOURCE({reference})",
        )
    ]


def audit_queries(settings: SnowflakeBackend) -> list[str]:
    """The queries on who read what in the last 30 days, for a role that may see the account's use.

    ACCESS_HISTORY has the table, also where it was read through a view, and what queries read of
    stages, some hours late; files that were fetched with GET are in QUERY_HISTORY.
    """
    objects = (result_table(settings), settings.images, settings.runs)
    names = ", ".join(f"'{name.upper()}'" for name in objects)
    since = "DATEADD('day', -30, CURRENT_TIMESTAMP())"
    stages = " OR ".join(
        f"CONTAINS(UPPER(query_text), '{name.upper()}')"
        for name in (settings.images, settings.runs)
    )
    usage = "SNOWFLAKE.ACCOUNT_USAGE"
    return [
        "SELECT h.query_start_time, h.user_name, q.role_name, "  # noqa: S608
        "o.value:objectName::VARCHAR AS object "
        f"FROM {usage}.ACCESS_HISTORY AS h "
        f"INNER JOIN {usage}.QUERY_HISTORY AS q ON h.query_id = q.query_id, "
        "LATERAL FLATTEN(input => h.base_objects_accessed) AS o "
        f"WHERE o.value:objectName::VARCHAR IN ({names}) AND h.query_start_time >= {since} "
        "ORDER BY h.query_start_time DESC",
        f"SELECT start_time, user_name, role_name, query_type FROM {usage}.QUERY_HISTORY "  # noqa: S608
        f"WHERE query_type = 'GET_FILES' AND start_time >= {since} AND ({stages}) "
        "ORDER BY start_time DESC",
    ]

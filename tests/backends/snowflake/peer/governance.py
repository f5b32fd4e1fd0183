"""Tags, masking policies and budgets of the peer, in an edition that has them or not.

By Snowflake's pages on CREATE TAG, CREATE MASKING POLICY and budgets; the error of an edition
without a feature is that of users' reports.
"""

from __future__ import annotations

import re
from typing import Any

from tests.backends.snowflake.peer.app import Answer, Peer
from tests.backends.snowflake.peer.statement import SqlError, missing

_DONE: Answer = (["status"], [["Statement executed successfully."]])
_NAME = r"\w+\.\w+\.\w+"


class Governance:
    """What the account has beside its objects."""

    def __init__(self, peer: Peer) -> None:
        self.is_enterprise = True
        self.may_budget = True
        """Whether the role of setup has SNOWFLAKE.BUDGET_CREATOR."""
        self.tags: dict[str, set[str]] = {}
        """By full name, the allowed values."""
        self.tagged: dict[str, str] = {}
        self.policies: dict[str, str] = {}
        """By full name, the body."""
        self.masked: dict[str, str] = {}
        """By table, the policy of its case_id."""
        self.budgets: dict[str, list[str]] = {}
        peer.on(r"^(CREATE TAG |ALTER .* SET TAG )", self._tag)
        peer.on(r"MASKING POLICY", self._mask)
        peer.on(r"POLICY_REFERENCES", self._references)
        peer.on(r"(CORE\.BUDGET|BUDGET!)", self._budget)

    def drop_in(self, name: str) -> None:
        """Forget what lies in a database or schema that is dropped."""
        for kept in (self.tags, self.policies, self.masked, self.budgets):
            for each in [each for each in kept if each.startswith(f"{name}.")]:
                del kept[each]  # type: ignore[attr-defined]

    def _require_edition(self, feature: str) -> None:
        if not self.is_enterprise:
            raise SqlError(2, "0A000", f"Unsupported feature '{feature}'.")

    def _tag(self, sql: str, *_: Any) -> Answer:
        self._require_edition("TAG")
        if made := re.match(
            rf"CREATE TAG IF NOT EXISTS ({_NAME}) ALLOWED_VALUES (.*) COMMENT", sql
        ):
            self.tags.setdefault(made[1], set(re.findall(r"'([^']*)'", made[2])))
            return _DONE
        match = re.match(rf"ALTER (.*) SET TAG ({_NAME}) = '([^']*)'$", sql)
        if match is None or match[2] not in self.tags:
            raise missing(sql, "Tag")
        if match[3] not in self.tags[match[2]]:
            raise SqlError(391801, "22023", f"Tag value '{match[3]}' is not allowed.")
        self.tagged[match[1]] = match[3]
        return _DONE

    def _mask(self, sql: str, *_: Any) -> Answer:
        self._require_edition("MASKING POLICY")
        body = re.search(r"-> (.*?)(?: COMMENT = .*)?$", sql)
        if made := re.match(rf"CREATE MASKING POLICY IF NOT EXISTS ({_NAME}) AS", sql):
            self.policies.setdefault(made[1], body[1] if body else "")
            return _DONE
        match = re.match(
            rf"ALTER (?:MASKING POLICY|TABLE) ({_NAME}) (?:SET BODY|MODIFY COLUMN case_id SET "
            rf"MASKING POLICY ({_NAME})$)",
            sql,
        )
        if match is None or (match[2] or match[1]) not in self.policies:
            raise missing(sql, "Policy")
        if match[2] is None:
            self.policies[match[1]] = body[1] if body else ""
            return _DONE
        if match[1] in self.masked:
            text = "Specified column already attached to another masking policy."
            raise SqlError(3528, "23001", text)
        self.masked[match[1]] = match[2]
        return _DONE

    def _references(self, sql: str, *_: Any) -> Answer:
        match = re.search(r"REF_ENTITY_NAME => '([^']*)'", sql)
        policy = self.masked.get(match[1]) if match else None
        return ["POLICY_NAME"], [] if policy is None else [[policy]]

    def _budget(self, sql: str, *_: Any) -> Answer:
        if not self.may_budget:
            text = (
                "SQL access control error:\nInsufficient privileges: CREATE SNOWFLAKE.CORE.BUDGET."
            )
            raise SqlError(3001, "42501", text)
        if made := re.match(rf"CREATE SNOWFLAKE\.CORE\.BUDGET IF NOT EXISTS ({_NAME})\(\)$", sql):
            self.budgets.setdefault(made[1], [])
            return _DONE
        match = re.match(rf"CALL ({_NAME})!(SET_SPENDING_LIMIT|ADD_RESOURCE)\((.*)\)$", sql)
        if match is None or match[1] not in self.budgets:
            raise missing(sql, "Budget")
        self.budgets[match[1]].append(match[3])
        return _DONE

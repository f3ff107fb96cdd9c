"""The policy in force for a key: what the rules come to on its path, remembered.

What cannot be read admits nothing. Not here: how a change is seen (`rules`), or writing policies
(`policies`).
"""

from gateway.adapters.rules import Rules, RulesCache
from gateway.core.errors import GatewayError
from gateway.core.inheritance import Effective, Level, effective
from gateway.core.tenant import Tenant, ancestry

KEPT_MAX = 10_000


class PolicyCache:
    """Policies by tenant and key, for one event loop."""

    def __init__(self, rules: RulesCache) -> None:
        self._rules = rules
        self._kept: dict[Tenant, Effective] = {}
        self._kept_of: Rules | None = None

    async def find(self, tenant: Tenant) -> Effective:
        """The policy in force. Raises LedgerUnavailable when none has been read for too long."""
        rules = await self._rules.current()
        if rules is not self._kept_of:
            self._kept, self._kept_of = {}, rules
        kept = self._kept.get(tenant)
        return self._combined(tenant, rules) if kept is None else kept

    def _combined(self, tenant: Tenant, rules: Rules) -> Effective:
        levels = []
        for subject in (*ancestry(tenant.path), tenant.key_id):
            if subject not in rules.policies:
                continue
            policy = rules.policies[subject]
            if policy is None:
                raise GatewayError(f"The policy of {subject} cannot be read by this gateway.")
            levels.append(Level(subject=subject, policy=policy))
        if len(self._kept) >= KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[tenant] = found = effective(levels)
        return found

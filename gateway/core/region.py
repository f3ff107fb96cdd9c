"""Which region of the API an upstream's address is in: there some models cost more.

Not here: which models, and how much more (`gateway/prices`).
"""

HOME = "api.openai.com"
REGIONS = frozenset({"us", "eu", "au", "in", "jp"})


def region_of(host: str) -> str | None:
    """The region of a regional endpoint of the API; None for any other host.

    Raises ValueError for a region whose prices are not known.
    """
    region, dot, _ = host.lower().rstrip(".").rpartition(f".{HOME}")
    if not dot:
        return None
    if region not in REGIONS:
        known = ", ".join(sorted(REGIONS))
        raise ValueError(f"is an endpoint of a region that is not known; there are {known}")
    return region

"""A regional endpoint is known by its host, and one that is not known is refused."""

import pytest

from gateway.core.region import REGIONS, region_of


@pytest.mark.parametrize("region", sorted(REGIONS))
def test_a_regional_endpoint_is_known_by_its_host(region: str) -> None:
    assert region_of(f"{region}.api.openai.com") == region
    assert region_of(f"{region.upper()}.API.openai.com.") == region


@pytest.mark.parametrize(
    "host", ["api.openai.com", "eu.example.test", "acme.openai.azure.com", "127.0.0.1", ""]
)
def test_other_hosts_are_in_no_region(host: str) -> None:
    assert region_of(host) is None


@pytest.mark.parametrize("host", ["mars.api.openai.com", "eu.x.api.openai.com", ".api.openai.com"])
def test_a_region_that_is_not_known_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="not known"):
        region_of(host)

"""Which paths an operator can pass, and that none of them can be read in two ways."""

import pytest

from gateway.core.endpoints import ENDPOINTS, find
from gateway.core.errors import NotFound
from gateway.core.prefixes import METHODS, find_any, prefixes_from

PASSED = ("/v1/audio", "/v1/files", "/v1/vector_stores")


def test_a_list_of_prefixes() -> None:
    assert prefixes_from("") == ()
    assert prefixes_from(" /v1/audio/, /v1/fine_tuning/jobs,") == (
        "/v1/audio",
        "/v1/fine_tuning/jobs",
    )


@pytest.mark.parametrize(
    "prefix",
    ["/v1", "/v1/", "audio", "/v2/audio", "/v1/Audio", "/v1/a%2f", "/v1/../x", "/v1//a", "/v1/a?b"]
    + [one.template for one in ENDPOINTS]
    + ["/v1/chat", "/v1/responses/x", "/v1/gateway", "/v1/gateway/usage"],
)
def test_what_cannot_be_passed(prefix: str) -> None:
    with pytest.raises(ValueError, match="/v1"):
        prefixes_from(prefix)


@pytest.mark.parametrize(
    ("method", "path", "name", "ids"),
    [
        ("POST", "/v1/audio/speech", "passed", {}),
        ("POST", "/v1/files", "files.create", {}),
        ("GET", "/v1/files", "files.list", {}),
        ("GET", "/v1/files/file-1", "files.passed", {"file_id": "file-1"}),
        ("DELETE", "/v1/files/file-1", "files.delete", {"file_id": "file-1"}),
        ("GET", "/v1/files/file-1/content", "files.passed", {"file_id": "file-1"}),
        (
            "DELETE",
            "/v1/vector_stores/vs_1/files/file-1",
            "vector_stores.passed",
            {"vector_store_id": "vs_1"},
        ),
    ],
)
def test_what_is_below_a_prefix(method: str, path: str, name: str, ids: dict[str, str]) -> None:
    found = find_any(method, path.encode(), PASSED)
    assert (found.endpoint.name, dict(found.ids)) == (name, ids)
    assert (found.path, found.endpoint.is_unmetered) == (path.removeprefix("/v1"), True)
    assert found.endpoint.template in {f"{prefix}/*" for prefix in PASSED}
    assert not found.endpoint.is_metered


@pytest.mark.parametrize(
    "path",
    [
        "/v1/audiobooks", "/v1/images", "/v1/files/", "/v1/files//x", "/v1/files/../models",
        "/v1/files/%2e%2e/x", "/v1/files/a%2fb", "/v1/%66iles", "/v1/Files", "/v1/files/a;b",
        "/v1/audio/..%2f..%2fadmin", "/v1/files%2ffile-1",
    ],
)  # fmt: skip
def test_what_is_not(path: str) -> None:
    for method in METHODS:
        with pytest.raises(NotFound):
            find_any(method, path.encode(), PASSED)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/audio/voices"),
        ("DELETE", "/v1/audio/voices"),
        ("POST", "/v1/audio/voices/voice_1"),
        ("POST", "/v1/audio/Voices"),
    ],
)
def test_what_nobody_here_owns_cannot_be_asked_for(method: str, path: str) -> None:
    with pytest.raises(NotFound):
        find_any(method, path.encode(), PASSED)


def test_other_methods_and_what_is_served_are_as_ever() -> None:
    with pytest.raises(NotFound):
        find_any("PUT", b"/v1/files/file-1", PASSED)
    assert find_any("POST", b"/v1/responses", PASSED) == find("POST", b"/v1/responses")

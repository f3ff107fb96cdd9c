"""The gate over sockets: fixation, forged forms, wrong tokens, the end of a session."""

from pathlib import Path

import httpx
import pytest

from gateway.app.console.gate import LOGIN_COOKIE, SESSION_COOKIE, first_values, safe_next
from tests.fakes.consoled import KEYS_ONLY, ROOT, SCOPED, consoled

HOUR_US = 3_600_000_000


def form_token(page: httpx.Response) -> str:
    return page.text.split('name="form_token" value="')[1].split('"')[0]


async def log_in(client: httpx.AsyncClient, token: str = ROOT, **fields: str) -> httpx.Response:
    page = await client.get("/console/login")
    return await client.post(
        "/console/login", data={"form_token": form_token(page), "token": token, **fields}
    )


async def test_a_token_begins_a_session_and_logging_out_ends_it(tmp_path: Path) -> None:
    async with consoled(tmp_path) as on, on.client() as client:
        assert (await client.get("/console")).status_code == 401
        entered = await log_in(client, next="/console/budgets?tenant=acme")
        assert (entered.status_code, entered.headers["location"]) == (
            303, "/console/budgets?tenant=acme",
        )  # fmt: skip
        page = await client.get("/console")
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
        secret = client.cookies[SESSION_COOKIE]
        left = await client.post("/console/logout", data={"form_token": form_token(page)})
        assert (left.status_code, SESSION_COOKIE in client.cookies) == (303, False)
        client.cookies.set(SESSION_COOKIE, secret, path="/console")
        assert (await client.get("/console")).status_code == 401, "the old cookie still opens"


async def test_a_session_never_has_an_id_that_was_there_before(tmp_path: Path) -> None:
    """Whoever plants a cookie in a browser does not share its session."""
    planted = {"cookie": f"{SESSION_COOKIE}=planted-by-somebody-else"}
    async with consoled(tmp_path) as on, on.client() as client, on.client() as other:
        page = await client.get("/console/login", headers=planted)
        secret = client.cookies[LOGIN_COOKIE]
        both = {"cookie": f"{planted['cookie']}; {LOGIN_COOKIE}={secret}"}
        fields = {"form_token": form_token(page), "token": ROOT}
        given = set()
        for _ in range(2):
            entered = await other.post("/console/login", data=fields, headers=both)
            assert entered.status_code == 303
            given.add(other.cookies[SESSION_COOKIE])
        assert (len(given), "planted-by-somebody-else" in given) == (2, False)
        other.cookies.clear()
        assert (await other.get("/console", headers=planted)).status_code == 401


async def test_cookies_are_seen_by_no_script_and_sent_by_no_other_site(tmp_path: Path) -> None:
    async with consoled(tmp_path) as on, on.client() as client:
        page = await client.get("/console/login")
        entered = await log_in(client)
        https = await client.get("/console/login", headers={"x-forwarded-proto": "https"})
    cookies = [*page.headers.get_list("set-cookie"), *entered.headers.get_list("set-cookie")]
    kept = [cookie for cookie in cookies if "Max-Age=0" not in cookie]
    assert [cookie.split("=")[0] for cookie in kept] == [LOGIN_COOKIE, SESSION_COOKIE]
    for cookie in kept:
        assert {"HttpOnly", "SameSite=strict", "Path=/console", "Max-Age=3600"} <= {
            part.strip() for part in cookie.split(";")
        }
    assert "Secure" in https.headers["set-cookie"]


@pytest.mark.parametrize("path", ["/console/login", "/console/logout"])
async def test_a_form_of_another_site_does_nothing(tmp_path: Path, path: str) -> None:
    async with consoled(tmp_path) as on, on.client() as client, on.client() as other:
        await log_in(client)
        stolen = form_token(await other.get("/console/login"))
        for token in ("", "forged", stolen):
            refused = await client.post(path, data={"form_token": token, "token": ROOT})
            assert refused.status_code == 400, token
        assert (await client.get("/console")).status_code == 200
        bare = await other.post("/console/logout", data={"form_token": stolen})
        assert bare.status_code == 400


async def test_failed_logins_of_an_address_are_limited(tmp_path: Path) -> None:
    async with consoled(tmp_path, attempts_max=3) as on, on.client() as client:
        statuses = [(await log_in(client, f"guess-{n}")).status_code for n in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        assert (await log_in(client)).status_code == 429, "the right one waits too"


async def test_a_wrong_token_is_told_and_not_repeated(tmp_path: Path) -> None:
    async with consoled(tmp_path) as on, on.client() as client:
        refused = await log_in(client, '<script>alert("x")</script>', next="//evil.test/")
        assert refused.status_code == 401
        assert "unknown, expired or revoked" in refused.text
        assert "<script>alert" not in refused.text
        assert 'name="next" value="/console"' in refused.text
        assert (await log_in(client, KEYS_ONLY)).status_code == 401, "it may not read"


async def test_a_session_ends_in_time_with_its_token_and_when_that_is_replaced(
    tmp_path: Path,
) -> None:
    async with consoled(tmp_path) as on, on.client() as client:
        await log_in(client, SCOPED)
        assert (await client.get("/console")).status_code == 200
        known = on.tokens.known.pop(SCOPED)
        assert (await client.get("/console")).status_code == 401
        on.tokens.known[SCOPED] = known
        assert (await client.get("/console")).status_code == 200
        on.now[0] = HOUR_US
        assert (await client.get("/console")).status_code == 401
        on.now[0] = 0
        on.tokens.known[SCOPED] = type(known)(
            credential=known.credential, proof="another", viewer=known.viewer
        )
        assert (await client.get("/console")).status_code == 401


async def test_a_program_may_show_its_token(tmp_path: Path) -> None:
    async with consoled(tmp_path) as on:
        assert (await on.get("/console/prices?csv=prices")).status_code == 200
        for wrong in ("x", "root-toke", "root-token2", KEYS_ONLY):
            assert (await on.get("/console", wrong)).status_code == 401


async def test_without_a_token_only_this_machine_s_own_name_is_answered(tmp_path: Path) -> None:
    """A name that somebody points at this machine would let their site read what ours shows."""
    async with consoled(tmp_path, is_open=True) as on, on.client() as client:
        for host, status in (
            ("localhost:8080", 200), ("127.0.0.1", 200), ("[::1]:8080", 200), ("localhost", 200),
            ("evil.test", 404), ("127.0.0.1.evil.test", 404), ("evil.test:8080", 404), ("", 404),
        ):  # fmt: skip
            page = await client.get("/console", headers={"host": host})
            assert page.status_code == status, host


async def test_a_form_is_bounded(tmp_path: Path) -> None:
    async with consoled(tmp_path) as on, on.client() as client:
        page = await client.post("/console/login", content=b"token=" + b"a" * 9_000)
        assert page.status_code == 413


def test_only_pages_of_the_console_come_next() -> None:
    for path in ("/console", "/console/requests?tenant=a%2Fb", "/console?by=model"):
        assert safe_next(path) == path
    for path in (
        "", "//evil.test", "/consoles", "https://evil.test", "/console/\\evil", "/metrics",
        "/console/\r\nx: y", "/console/ü",
    ):  # fmt: skip
        assert safe_next(path) == "/console"


def test_of_fields_given_twice_the_first_counts() -> None:
    assert first_values([("a", "1"), ("a", "2"), ("b", "3")]) == {"a": "1", "b": "3"}

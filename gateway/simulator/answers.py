"""Makes answers with the headers and the error shapes of the API. Pure, but for the date.

The headers include those that a proxy must not pass on, so that tests can prove it.
"""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime

from gateway.simulator.directive import JsonObject
from gateway.simulator.faults import NO_FAULTS, Faults
from gateway.simulator.framing import (
    Segment,
    body_length,
    body_segments,
    chunk_segments,
    gzipped,
    json_bytes,
    stream_segments,
)
from gateway.simulator.http import Headers
from gateway.simulator.wire import Answer

JSON_TYPE = "application/json"
STREAM_TYPE = "text/event-stream; charset=utf-8"
MODEL_MISSING = "missing-model"
RETRIED = frozenset({429, 503})

_CODES = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", None),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    500: ("server_error", "server_error"),
    503: ("service_unavailable_error", "server_is_overloaded"),
}
_QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
    }
)


class ApiError(Exception):
    """The API refuses the request; nothing is generated and nothing costs."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        kind, usual_code = _CODES.get(status, ("api_error", None))
        self.status = status
        self.code = code or usual_code
        self.kind = "insufficient_quota" if code in _QUOTA_CODES else kind
        self.param = param


def json_answer(
    value: object, *, status: int = 200, faults: Faults = NO_FAULTS, extra: Headers | None = None
) -> Answer:
    body = json_bytes(value, indent=2)
    headers = [*api_headers(JSON_TYPE), *(extra or [])]
    return Answer(
        status=status,
        headers=headers,
        segments=body_segments(body),
        length=len(body),
        faults=faults,
    )


def whole_answer(response: JsonObject, faults: Faults, filler_mib: int, index: int) -> Answer:
    """Return a whole response; `gzip`, `chunked` and `close_delimited` hide its length."""
    body = json_bytes(response, indent=2)
    is_counted = not (faults.is_chunked or faults.is_close_delimited or faults.is_gzipped)
    segments: Iterable[Segment] = body_segments(body, filler_mib)
    return Answer(
        status=200,
        headers=[*api_headers(JSON_TYPE), *_encoding(faults)],
        segments=gzipped(segments) if faults.is_gzipped else segments,
        length=body_length(body, filler_mib) if is_counted else None,
        faults=faults,
        served_index=index,
    )


def stream_answer(
    events: Iterable[JsonObject], faults: Faults, filler_mib: int, index: int | None
) -> Answer:
    return live_answer(stream_segments(events, faults, filler_mib), faults, index)


def chunked_answer(chunks: Iterable[JsonObject], faults: Faults, index: int) -> Answer:
    """Return a chat completion in its chunks."""
    return live_answer(chunk_segments(chunks, faults), faults, index)


def live_answer(segments: Iterable[Segment], faults: Faults, index: int | None) -> Answer:
    """Return a stream whose segments may have times of their own."""
    return Answer(
        status=200,
        headers=[*api_headers(STREAM_TYPE), *_encoding(faults)],
        segments=gzipped(segments) if faults.is_gzipped else segments,
        faults=faults,
        served_index=index,
    )


def error_answer(error: ApiError, faults: Faults = NO_FAULTS) -> Answer:
    told = {
        "message": str(error),
        "type": error.kind,
        "param": error.param,
        "code": error.code,
    }
    return json_answer(
        {"error": told}, status=error.status, faults=faults, extra=_error_headers(error, faults)
    )


def api_headers(content_type: str) -> Headers:
    return [
        ("date", format_datetime(datetime.now(UTC), usegmt=True)),
        ("content-type", content_type),
        ("openai-version", "2020-10-01"),
        ("openai-organization", "simulated-organization"),
        ("openai-project", "proj_simulated"),
        ("x-request-id", f"req_{secrets.token_hex(16)}"),
        ("openai-processing-ms", "42"),
        ("x-envoy-upstream-service-time", "44"),
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-limit-tokens", "2000000"),
        ("x-ratelimit-remaining-requests", "9999"),
        ("x-ratelimit-remaining-tokens", "1999000"),
        ("x-ratelimit-reset-requests", "6ms"),
        ("x-ratelimit-reset-tokens", "30ms"),
        ("cf-cache-status", "DYNAMIC"),
        ("cf-ray", f"{secrets.token_hex(8)}-SIM"),
        ("set-cookie", f"__cf_bm={secrets.token_hex(16)}; path=/; HttpOnly; Secure"),
        ("set-cookie", f"_cfuvid={secrets.token_hex(16)}; path=/; HttpOnly; Secure"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
        ("x-content-type-options", "nosniff"),
        ("alt-svc", 'h3=":443"; ma=86400'),
        ("nel", '{"success_fraction":0,"report_to":"simulated","max_age":1}'),
        ("report-to", '{"group":"simulated","max_age":1,"endpoints":[]}'),
        ("server", "cloudflare"),
    ]


def _encoding(faults: Faults) -> Headers:
    return [("content-encoding", "gzip")] if faults.is_gzipped else []


def _error_headers(error: ApiError, faults: Faults) -> Headers:
    if error.status == 401:  # noqa: PLR2004 - the status is its own name
        return [("www-authenticate", 'Bearer realm="OpenAI API"')]
    retried = [("x-should-retry", faults.should_retry)] if faults.should_retry else []
    if error.status in RETRIED:
        seconds = faults.retry_after_seconds
        return [
            ("retry-after", str(seconds)),
            ("retry-after-ms", str(seconds * 1000)),
            *retried,
        ]
    if 300 <= error.status < 400:  # noqa: PLR2004 - redirections
        return [("location", "/v1/elsewhere")]
    return retried

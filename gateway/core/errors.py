"""Every way a request can fail at our hands, as one tree. The class docstring is the message.

GatewayError
├── InvalidRequest              400  the body or a field cannot be read
│   ├── PolicyDenied            400  the policy does not admit it
│   ├── Unmetered               400  a hard budget, and a path whose cost nobody knows
│   ├── Unbounded               400  a hard budget, and no worst case that it could hold
│   └── Unpriced                400  no price is known, so no cost could be
├── Unauthorized                401
├── ScopeMissing                403  an administrator's token that may not do this
├── NotFound                    404  a path or object that we do not serve
│   └── ModelNotFound           404  a model that no policy of the key shows
├── RequestTooSlow              408  the body stopped coming
├── BodyTooLarge                413
├── UnsupportedMediaType        415  a body that is not plain JSON
├── UpgradeRequired             426  WebSocket is not served; clients fall back to POST at once
├── BudgetExhausted             429  spent: repeating it before the period ends is in vain
├── BudgetHeld                  429  only the holds of other requests are in the way
├── ConcurrencyExceeded         429  as many requests are open as may be
├── RateExceeded                429  as much was asked for in the minute as may be
├── TooManyFailedAttempts       429  an address that shows no valid key
├── HeadersTooLarge             431
├── VersionNotServed            505  HTTP/1.0 has no way to send a stream
├── UpstreamUnavailable         502  no connection, or it broke before an answer
├── Overloaded                  503  a queue of ours is full
├── LedgerUnavailable           503
└── UpstreamTimeout             504

What belongs here: status, code and words. Rendering lives in `app.errors`.
"""

from typing import ClassVar


class GatewayError(Exception):
    """The gateway could not serve this request."""

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "server_error"
    default_code: ClassVar[str] = "gateway_error"
    should_retry: ClassVar[bool | None] = None
    retry_after_seconds: int | None = None
    retry_after_ms: int | None = None

    def __init__(
        self, message: str | None = None, *, code: str | None = None, param: str | None = None
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.code = code or self.default_code
        self.param = param
        super().__init__(self.message)


class InvalidRequest(GatewayError):
    """The request could not be understood."""

    status = 400
    kind = "invalid_request_error"
    default_code = "invalid_request"


class PolicyDenied(InvalidRequest):
    """The policy of this key does not allow the request."""

    default_code = "policy_denied"


class Unmetered(InvalidRequest):
    """This path is passed without being metered, which a hard budget does not allow."""

    default_code = "unmetered_path"


class Unbounded(InvalidRequest):
    """The cost of this request has no upper bound, and its budget is a hard one."""

    default_code = "unbounded_cost"


class Unpriced(InvalidRequest):
    """No price is known for this model, so its cost could not be accounted for."""

    default_code = "model_not_priced"


class Unauthorized(GatewayError):
    """The key is missing, malformed, unknown, expired or revoked."""

    status = 401
    kind = "invalid_request_error"
    default_code = "invalid_api_key"


class ScopeMissing(GatewayError):
    """This token may not do that."""

    status = 403
    kind = "invalid_request_error"
    default_code = "scope_missing"


class NotFound(GatewayError):
    """The gateway does not serve this path."""

    status = 404
    kind = "invalid_request_error"
    default_code = "not_found"


class ModelNotFound(NotFound):
    """The model does not exist."""

    default_code = "model_not_found"


class RequestTooSlow(GatewayError):
    """The request body stopped coming, or came too slowly; send it again."""

    status = 408
    kind = "invalid_request_error"
    default_code = "request_too_slow"
    should_retry = True


class BodyTooLarge(GatewayError):
    """The request body is larger than the gateway accepts."""

    status = 413
    kind = "invalid_request_error"
    default_code = "request_too_large"


class UnsupportedMediaType(GatewayError):
    """The request body must be JSON in UTF-8, sent without a content encoding."""

    status = 415
    kind = "invalid_request_error"
    default_code = "unsupported_media_type"


class UpgradeRequired(GatewayError):
    """WebSocket is not served here; send the request as POST /v1/responses."""

    status = 426
    kind = "invalid_request_error"
    default_code = "websocket_not_served"


class BudgetExhausted(GatewayError):
    """The budget is spent. `left_pusd` could still be held; a period without end never resets."""

    status = 429
    kind = "insufficient_quota"
    default_code = "insufficient_quota"
    should_retry = False

    def __init__(self, message: str, *, left_pusd: int, resets_in_seconds: int | None) -> None:
        super().__init__(message)
        self.left_pusd = left_pusd
        self.retry_after_seconds = resets_in_seconds


class BudgetHeld(GatewayError):
    """What is left of the budget is held for requests under way. `left_pusd` could be held now."""

    status = 429
    kind = "rate_limit_error"
    default_code = "budget_held"
    should_retry = True
    retry_after_ms = 1000

    def __init__(self, message: str, *, left_pusd: int) -> None:
        super().__init__(message)
        self.left_pusd = left_pusd


class ConcurrencyExceeded(GatewayError):
    """As many requests are open as may be at once; try again when one has ended."""

    status = 429
    kind = "rate_limit_error"
    default_code = "concurrency_exceeded"
    should_retry = True
    retry_after_ms = 1000


class RateExceeded(GatewayError):
    """As much was asked for in this minute as may be; try again when it has ended."""

    status = 429
    kind = "rate_limit_error"
    default_code = "rate_limit_exceeded"
    should_retry = True

    def __init__(self, message: str, *, retry_after_ms: int) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class TooManyFailedAttempts(GatewayError):
    """Too many requests without a valid key came from this address; try again later."""

    status = 429
    kind = "rate_limit_error"
    default_code = "too_many_failed_attempts"

    def __init__(self, *, retry_after_seconds: int) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds


class HeadersTooLarge(GatewayError):
    """The request headers are larger than the gateway accepts."""

    status = 431
    kind = "invalid_request_error"
    default_code = "headers_too_large"


class VersionNotServed(GatewayError):
    """HTTP/1.0 is not served; a proxy in front must speak HTTP/1.1 (nginx: proxy_http_version)."""

    status = 505
    kind = "invalid_request_error"
    default_code = "http_version_not_served"


class UpstreamUnavailable(GatewayError):
    """The upstream could not be reached, or the connection broke before it answered.

    `is_sent` says whether any byte of the request may have reached the upstream.
    """

    status = 502
    kind = "upstream_error"
    default_code = "upstream_unavailable"

    def __init__(self, message: str, *, is_sent: bool, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.is_sent = is_sent


class UpstreamTimeout(UpstreamUnavailable):
    """The upstream did not answer in time."""

    status = 504
    default_code = "upstream_timeout"


class Overloaded(GatewayError):
    """The gateway has too much work queued; try again shortly."""

    status = 503
    default_code = "overloaded"
    should_retry = True


class LedgerUnavailable(GatewayError):
    """The ledger does not answer, and without it no cost could be recorded; try again shortly."""

    status = 503
    default_code = "ledger_unavailable"
    should_retry = True

"""Services of AWS: how a client of one is made, bounded in time, over TLS, and silent about what it sends.

The only file that imports boto3 (the extra `aws`), when a service is first used. Credentials come from boto3's own
chain and are never seen here.
"""

import contextlib
import contextvars
import functools
import ipaddress
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from keyfob.problem import Misuse


@dataclass(frozen=True, slots=True)
class Service:
    """`code` begins the codes of its errors; `client` is boto3's name for it, `variable` names its own endpoint."""

    name: str
    code: str
    client: str
    variable: str


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds for a connection and for an answer, and how many attempts there are in all."""

    connect: float
    answer: float
    attempts: int


FOR_A_COMMAND = Patience(connect=3, answer=5, attempts=3)
"""Half a minute at the very most, the pauses between attempts included."""
FOR_A_REQUEST = Patience(connect=1, answer=1.5, attempts=2)

AGAIN = "try again; see https://health.aws.amazon.com, and the way from here to the service's endpoint in its region"
CREDENTIALS_HINT = "give this process an AWS role (or AWS_PROFILE): boto3 looks for it where AWS's own tools do"
CREDENTIALS = frozenset(
    {
        *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"),
        *("TokenRetrievalError", "SSOTokenLoadError", "UnauthorizedSSOTokenError", "MetadataRetrievalError"),
        *("InvalidConfigError", "ConfigParseError", "NoAuthTokenError", "LoginTokenLoadError"),
        *("UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException", "InvalidClientTokenId"),
        *("MissingAuthenticationTokenException", "IncompleteSignature", "ExpiredToken", "SignatureDoesNotMatch"),
    }
)
"""Errors that say that there are no good credentials: AWS's codes, and boto3's classes."""
THROTTLED = frozenset(
    {"ThrottlingException", "Throttling", "LimitExceededException", "RequestLimitExceeded", "TooManyRequestsException"}
)


class UnreadableSettings(Exception):
    """What AWS's own tools are set up with cannot be read; `kind`: boto3's error."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def make_client(service: Service, region: str, patience: Patience, connections: int) -> Any:
    """Raises Misuse, and UnreadableSettings for those that boto3 itself looks for."""
    boto3 = _boto3(service)
    import botocore.config
    import botocore.exceptions
    import botocore.session

    chosen = botocore.config.Config(
        region_name=region,
        connect_timeout=patience.connect,
        read_timeout=patience.answer,
        # "standard" asks again after throttling and a lost connection, after a pause that grows and is not foreseeable.
        retries={"mode": "standard", "total_max_attempts": patience.attempts},
        max_pool_connections=connections,
        user_agent_appid="keyfob",
    )
    _quieten()
    try:
        # A session of its own: the default one is shared by the whole program, and not made for threads.
        session = botocore.session.Session()
        session.register_component("data_loader", _loader())
        client = boto3.session.Session(botocore_session=session).client(service.client, config=chosen)
    except (botocore.exceptions.BotoCoreError, ValueError) as failed:
        raise UnreadableSettings(type(failed).__name__) from None
    check_endpoint(service, str(client.meta.endpoint_url))
    return client


@functools.cache
def _loader() -> Any:
    """AWS's descriptions of its services, read once: to read them is most of what a client costs."""
    import botocore.session

    return botocore.session.Session().get_component("data_loader")


def check_endpoint(service: Service, url: str) -> None:
    """Raises Misuse for an endpoint without TLS that is not this very machine: secrets would go there in clear."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        return
    raise Misuse(
        f"{service.code}-endpoint",
        f"the endpoint of {service.name} is not https",
        hint=f"mend AWS_ENDPOINT_URL, {service.variable} or endpoint_url in AWS's configuration",
    )


def read_refusal(response: Mapping[str, Any]) -> tuple[str, int]:
    """The code of an error that a service answered, of harmless characters, and the HTTP status (0: none)."""
    code = re.sub(r"[^A-Za-z.]", "", str(response.get("Error", {}).get("Code", "")))[:64] or "unknown"
    return code, int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _boto3(service: Service) -> ModuleType:
    try:
        import boto3
    except ModuleNotFoundError as missing:
        raise Misuse(
            "not-installed",
            f"the packages for {service.name} are not installed",
            hint='in the checkout: python -m pip install ".[aws]"',
        ) from missing
    return boto3  # type: ignore[no-any-return]  # it ships no types


_calling: contextvars.ContextVar[bool] = contextvars.ContextVar("calling", default=False)
_TELLING = ("botocore.endpoint", "botocore.parsers", "botocore.auth", "botocore.hooks", "botocore.regions")


@contextlib.contextmanager
def untold() -> Iterator[None]:
    """At level DEBUG boto3 logs the bodies of what it sends and gets, plaintext data keys among them: not for us."""
    before = _calling.set(True)
    try:
        yield
    finally:
        _calling.reset(before)


def _quieten() -> None:
    for name in _TELLING:
        logger = logging.getLogger(name)
        if _is_silent not in logger.filters:
            logger.addFilter(_is_silent)


def _is_silent(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG or not _calling.get()

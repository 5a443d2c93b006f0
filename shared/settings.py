"""What a process is told by its environment, read once at the start and never again.

A service's own variables carry its name (``TICKETS_DATABASE_URL``), the platform's carry ``AFTERCARE_``. A service adds its own by a
subclass in ``services/<name>/settings.py``; a field ``smtp_url`` there is read from ``INTAKE_SMTP_URL``.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PORTS: Final = {"intake": 8001, "tickets": 8002, "feedback": 8003, "metrics": 8004}
"""Where the services listen unless told otherwise."""

MIN_SIGNING_KEY: Final = 32
"""Characters of a signing key that cannot be guessed."""


class ServiceSettings(BaseSettings):
    """Settings that every service has. Fields without an alias are read from ``<SERVICE>_<FIELD>``."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, populate_by_name=True, hide_input_in_errors=True)

    service: ClassVar[str]

    database_url: SecretStr
    """PostgreSQL of this service alone; secret, because it may hold a password."""
    port: int = Field(default=0, ge=0, le=65535)
    """TCP port of the HTTP door; 0 is the service's own (8001 to 8004)."""
    host: str = "127.0.0.1"
    pool_size: int = Field(default=8, ge=2, le=100)
    """Database connections of one process."""

    kafka_bootstrap_servers: str = Field(default="127.0.0.1:9092", validation_alias="KAFKA_BOOTSTRAP_SERVERS")
    kafka_topic_prefix: str = Field(default="", pattern=r"^[A-Za-z0-9._-]{0,100}$", validation_alias="KAFKA_TOPIC_PREFIX")
    """Put before the names of topics and groups where several platforms share one broker."""
    home: Path = Field(default=Path(".aftercare"), validation_alias="AFTERCARE_HOME")
    zone: str = Field(default="Asia/Shanghai", validation_alias="AFTERCARE_ZONE")
    """The organisation's zone: references, days of the KPIs, default calendars."""
    signing_key: SecretStr = Field(default_factory=lambda: SecretStr(secrets.token_urlsafe(32)), validation_alias="AFTERCARE_SIGNING_KEY")
    """Signs cursors and links. The default lives as long as the process: enough for one, wrong for several."""
    ordinal: int = Field(default=0, ge=0, validation_alias="AFTERCARE_ORDINAL")
    """Which instance of the service this is, from 0; stable over restarts."""
    local: bool = Field(default=False, validation_alias="AFTERCARE_LOCAL")
    """One machine, no load balancer; business time may be moved."""
    nice: int = Field(default=0, ge=0, le=19, validation_alias="AFTERCARE_NICE")
    """How far this process gives way to others on its machine (POSIX niceness); a cluster gives shares of CPU from outside."""
    environment: str = Field(default="local", pattern=r"^[a-z0-9]{1,16}$", validation_alias="AFTERCARE_ENVIRONMENT")
    """Where this runs, as logs and key texts name it."""
    log_level: str = Field(default="INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$", validation_alias="AFTERCARE_LOG_LEVEL")

    intake_public_url: str = Field(default="http://127.0.0.1:8001", validation_alias="INTAKE_PUBLIC_URL")
    tickets_public_url: str = Field(default="http://127.0.0.1:8002", validation_alias="TICKETS_PUBLIC_URL")
    feedback_public_url: str = Field(default="http://127.0.0.1:8003", validation_alias="FEEDBACK_PUBLIC_URL")
    metrics_public_url: str = Field(default="http://127.0.0.1:8004", validation_alias="METRICS_PUBLIC_URL")
    cors_origins: str = Field(default="", validation_alias="AFTERCARE_CORS_ORIGINS")
    """Further origins, separated by commas, whose pages may call us."""
    cookie_domain: str = Field(default="", pattern=r"^[A-Za-z0-9.-]{0,253}$", validation_alias="AFTERCARE_COOKIE_DOMAIN")
    """Domain that the services' hosts share, when each has a host of its own; by default the cookie of a session is for one host."""
    rate_limit: int = Field(default=60_000, ge=0, le=10_000_000, validation_alias="AFTERCARE_RATE_LIMIT")
    """Calls of one principal in a minute that one process answers; 0 = any number. See shared/http/quotas.py."""

    def __init__(self, **values: Any) -> None:
        super().__init__(_env_prefix=f"{self.service.upper()}_", **values)

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError("must be a zone of the IANA database, such as Asia/Shanghai")
        return zone

    @field_validator("signing_key")
    @classmethod
    def _strong_enough(cls, key: SecretStr) -> SecretStr:
        if len(key.get_secret_value()) < MIN_SIGNING_KEY:
            raise ValueError(f"must have at least {MIN_SIGNING_KEY} characters")
        return key

    @field_validator("intake_public_url", "tickets_public_url", "feedback_public_url", "metrics_public_url")
    @classmethod
    def _web_address(cls, url: str) -> str:
        if origin(url) is None:
            raise ValueError("must start with http:// or https:// and name a host")
        return url.rstrip("/")

    @property
    def listen_port(self) -> int:
        """The port to listen on."""
        return self.port or PORTS.get(self.service, 8000)

    @property
    def public_url(self) -> str:
        """Where people and programs outside reach this service; for links only, never called."""
        return str(getattr(self, f"{self.service}_public_url", f"http://127.0.0.1:{self.listen_port}"))

    @property
    def timezone(self) -> ZoneInfo:
        """The organisation's zone."""
        return ZoneInfo(self.zone)

    @property
    def origins(self) -> tuple[str, ...]:
        """Whose pages may call us: our own four, and those that the operator named."""
        ours = (self.intake_public_url, self.tickets_public_url, self.feedback_public_url, self.metrics_public_url)
        named = (part.strip() for part in self.cors_origins.split(","))
        return tuple(dict.fromkeys(found for url in (*ours, *named) if (found := origin(url)) is not None))


def origin(url: str) -> str | None:
    """Scheme, host and port of a web address, as browsers send them; None when it is not a web address."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

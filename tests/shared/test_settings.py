"""Settings: what the environment says, refused at once when it cannot be right, and never a secret in sight."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from shared.settings import ServiceSettings, origin

pytestmark = pytest.mark.pure

URL = "postgresql://aftercare:very-secret@db:5432/intake"


class Settings(ServiceSettings):
    service: ClassVar[str] = "intake"
    smtp_url: str | None = None


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "PUBLIC_URL", "DATABASE_URL", "SMTP_URL"):
        for service in ("INTAKE", "TICKETS", "FEEDBACK", "METRICS"):
            monkeypatch.delenv(f"{service}_{name}", raising=False)
    for name in (
        "KAFKA_BOOTSTRAP_SERVERS",
        "AFTERCARE_HOME",
        "AFTERCARE_ZONE",
        "AFTERCARE_SIGNING_KEY",
        "AFTERCARE_ORDINAL",
        "AFTERCARE_LOCAL",
    ):
        monkeypatch.delenv(name, raising=False)


def with_database(**values: Any) -> Settings:
    return Settings(**{"database_url": URL, **values})


def test_each_service_reads_its_own_variables_and_those_of_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "INTAKE_DATABASE_URL": URL,
        "TICKETS_DATABASE_URL": "postgresql://another/one",
        "INTAKE_PORT": "9001",
        "INTAKE_SMTP_URL": "smtp://mail",
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
        "AFTERCARE_HOME": "/srv/aftercare",
        "AFTERCARE_ORDINAL": "3",
        "AFTERCARE_LOCAL": "1",
        "FEEDBACK_PUBLIC_URL": "https://feedback.example.com/",
    }.items():
        monkeypatch.setenv(name, value)

    settings = Settings()

    assert settings.database_url.get_secret_value() == URL
    assert (settings.listen_port, settings.smtp_url, settings.kafka_bootstrap_servers) == (9001, "smtp://mail", "kafka:9092")
    assert (settings.home, settings.ordinal, settings.local) == (Path("/srv/aftercare"), 3, True)
    assert settings.feedback_public_url == "https://feedback.example.com"


def test_what_is_not_told_has_a_default() -> None:
    settings = with_database()

    assert (settings.listen_port, settings.public_url, settings.timezone) == (8001, "http://127.0.0.1:8001", ZoneInfo("Asia/Shanghai"))
    assert not settings.local


def test_without_a_database_there_is_no_service() -> None:
    with pytest.raises(ValidationError, match="database_url"):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("zone", "Mars/Olympus"),
        ("port", "70000"),
        ("port", "http"),
        ("ordinal", "-1"),
        ("signing_key", "short"),
        ("intake_public_url", "intake:8001"),
        ("log_level", "LOUD"),
        ("environment", "Prod Env"),
        ("kafka_topic_prefix", "a b"),
    ],
)
def test_a_value_that_cannot_be_right_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name):
        with_database(**{name: value})


def test_no_secret_is_shown_by_settings_or_their_errors() -> None:
    shown = repr(with_database(signing_key="k" * 40))
    with pytest.raises(ValidationError) as refused:
        with_database(signing_key="my-secret")

    assert "very-secret" not in shown
    assert "kkkk" not in shown
    assert "my-secret" not in str(refused.value)


def test_our_four_origins_and_those_that_the_operator_named_may_call() -> None:
    settings = with_database(intake_public_url="https://service.example.com/intake", cors_origins="https://shop.example.com, nonsense,")

    assert settings.origins == (
        "https://service.example.com",
        "http://127.0.0.1:8002",
        "http://127.0.0.1:8003",
        "http://127.0.0.1:8004",
        "https://shop.example.com",
    )


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example:8443/x?y", "https://a.example:8443"),
        ("http://user:word@a.example/", "http://a.example"),
        ("ftp://a.example", None),
        ("https://", None),
        ("*", None),
        ("", None),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, expected: str | None) -> None:
    assert origin(url) == expected


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        with_database().port = 1

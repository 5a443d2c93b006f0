"""What the environment may tell intake."""

from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from services.intake.carriers import Maildir, Smtp, carriers_of
from services.intake.settings import IntakeSettings

pytestmark = pytest.mark.pure

DATABASE = SecretStr("postgresql://localhost/intake")


def test_without_a_mail_server_mails_become_files() -> None:
    assert isinstance(carriers_of(IntakeSettings(database_url=DATABASE))[0], Maildir)


def test_a_mail_server_is_named_by_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTAKE_DATABASE_URL", "postgresql://localhost/intake")
    monkeypatch.setenv("INTAKE_SMTP_URL", "smtps://user:p%40ss@mail.example.com:2465")

    settings = IntakeSettings()

    assert isinstance(carriers_of(settings)[0], Smtp)
    assert "p%40ss" not in repr(settings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"smtp_url": SecretStr("mail.example.com")},
        {"smtp_url": SecretStr("http://mail.example.com")},
        {"smtp_url": SecretStr("smtp://mail.example.com?starttls=maybe")},
        {"mail_from": "Aftercare"},
        {"phone_region": "China"},
        {"smtp_timeout": 0},
        {"smtp_rate": 0},
        {"organisation": "x" * 101},
    ],
    ids=str,
)
def test_a_wrong_setting_stops_the_process_at_its_start(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        IntakeSettings(database_url=DATABASE, **wrong)  # type: ignore[arg-type]

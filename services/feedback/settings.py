"""What feedback is told by its environment, beside what every service is told."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Final

from pydantic import Field, field_validator

from shared.settings import ServiceSettings, origin

USUAL_DELAY: Final = timedelta(hours=24)
"""By mail and SMS a customer is asked when he could try whether the solution holds."""


class FeedbackSettings(ServiceSettings):
    """Spans are ISO 8601: ``P14D``, ``PT24H``."""

    service: ClassVar[str] = "feedback"

    survey_delay: timedelta | None = Field(default=None, ge=timedelta(0), le=timedelta(days=60))
    """From the resolution to the invitation; by default none on a local platform, else 24 hours. In chat and app always none.

    This and the lifetime hold until somebody publishes rules of sending by REST."""
    survey_lifetime: timedelta | None = Field(default=None, ge=timedelta(minutes=1), le=timedelta(days=365))
    """How long any invitation may be answered; by default e-mail 14 days, chat 24 hours, all others 7 days."""
    organisation: str = Field(default="Aftercare", min_length=1, max_length=60, validation_alias="AFTERCARE_ORGANISATION")
    """Whose service this is, as customers read it on pages."""
    contact_url: str | None = None
    """Where a customer whose survey has ended can reach people; shown as a link when given."""

    @field_validator("contact_url")
    @classmethod
    def _contact_address(cls, url: str | None) -> str | None:
        if url is not None and origin(url) is None:
            raise ValueError("must start with http:// or https:// and name a host")
        return url

    @property
    def delay(self) -> timedelta:
        """The delay that holds here."""
        if self.survey_delay is not None:
            return self.survey_delay
        return timedelta(0) if self.local else USUAL_DELAY

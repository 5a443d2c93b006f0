"""Whether a customer wants surveys, as JSON."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.feedback.survey.forms import FormType
from shared.http.fields import Boolean, RequestModel


class PreferenceBody(RequestModel):
    """What the customer said."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"opted_out": True}]})

    opted_out: Boolean = Field(description="true: no more surveys; false: he wants them again")


class PreferenceOut(BaseModel):
    """What holds for the person behind a customer file, all merged files taken together."""

    customer_id: UUID
    wants_surveys: bool = Field(description="neither opted out nor without consent")
    consents: bool = Field(description="what the customer file says, kept by intake")
    opted_out: bool
    opted_out_at: datetime | None = None
    opted_out_by: str | None = Field(default=None, description="customer or staff")
    actor: str | None = Field(default=None, description="who of the staff wrote it down")
    last_asked: dict[FormType, datetime] = Field(description="his last survey of each type that no reopening called off")

"""Wordings of messages to customers, as staff read them and managers change them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from services.intake.mail import MAX_WORDING
from shared.http.fields import RequestModel, Storable

Wording = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_WORDING), Storable]


class TemplateIn(RequestModel):
    """New words for a message."""

    wording: Wording | None = Field(
        description="subject in the first line, then the message; null: back to the words of the release",
        examples=['我们已收到您的服务请求（{{ number }}）\n\n您好！\n\n服务单号：{{ large(number) }}\n\n{{ button("查看处理进度") }}'],
    )


class TemplateSeen(BaseModel):
    """Which wording a kind of message has in a language."""

    kind: str
    locale: str
    version: int = Field(ge=0, description="0 until somebody changes it; for If-Match")
    is_own: bool = Field(description="whether the organisation has words of its own")
    changed_at: datetime | None
    changed_by: str | None


class TemplateView(TemplateSeen):
    """How a kind of message reads, with an invented ticket."""

    wording: str
    subject: str
    text: str
    html: str


class TemplateVersion(BaseModel):
    """How a message was worded once."""

    version: int
    wording: str | None = Field(description="null: the words of the release")
    changed_at: datetime
    changed_by: str

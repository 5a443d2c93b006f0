"""The rules of sending as JSON: what managers change, and how a version is kept. Spans are ISO 8601 durations, such as P3D or PT24H."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from services.feedback.survey.rules import Rules, Spans, Stratum
from shared.events.codes import Channel, RequestType
from shared.http.fields import Code, RequestModel

Delay = Annotated[timedelta, Field(ge=timedelta(0), le=timedelta(days=60))]
Lifetime = Annotated[timedelta, Field(ge=timedelta(minutes=1), le=timedelta(days=365))]
Quiet = Annotated[timedelta, Field(ge=timedelta(0), le=timedelta(days=3650))]

_EXAMPLE: Final[dict[str, Any]] = {
    "delay": {"usual": "P1D", "by_channel": {"chat": "PT0S", "app": "PT0S"}},
    "lifetime": {"usual": "P7D", "by_channel": {"email": "P14D", "chat": "PT24H"}},
    "reminder_after": "P3D",
    "quiet": "P30D",
    "quiet_relationship": "P180D",
    "strata": [{"share": 0.5, "type": "enquiry"}, {"share": 1, "tier": "vip"}],
}


class DelaysBody(RequestModel):
    """Delays per channel."""

    usual: Delay = Field(description="of every channel that is not named")
    by_channel: dict[Channel, Delay] = Field(default={}, max_length=len(Channel))


class LifetimesBody(RequestModel):
    """Lifetimes per channel."""

    usual: Lifetime = Field(description="of every channel that is not named")
    by_channel: dict[Channel, Lifetime] = Field(default={}, max_length=len(Channel))


class StratumBody(RequestModel):
    """A part of the resolutions and the share of it that is asked; what is left out holds for every value."""

    share: float = Field(
        ge=0, le=1, allow_inf_nan=False, strict=True, description="the probability of each resolution in it; 1 is a census"
    )
    tier: Code | None = None
    type: RequestType | None = None
    channel: Channel | None = None

    @property
    def stratum(self) -> Stratum:
        """For the trade."""
        return Stratum(self.share, self.tier, self.type, self.channel)


class RulesBody(RequestModel):
    """When surveys are sent, how long they may be answered, who is spared, and which share is sampled."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    delay: DelaysBody = Field(description="from the resolution to the invitation")
    lifetime: LifetimesBody = Field(description="how long an invitation may be answered")
    reminder_after: Lifetime | None = Field(description="from the invitation to its one reminder; null for none")
    quiet: Quiet = Field(description="after any survey, the same person gets none of whatever type")
    quiet_relationship: Quiet = Field(description="after a relationship survey, the same person gets no further one")
    strata: list[StratumBody] = Field(
        max_length=200, description="the most precise one counts, of equals the first; where none holds, everybody"
    )

    def rules(self, version: int) -> Rules:
        """For the trade, as this version."""
        return Rules(
            delay=_spans(self.delay),
            lifetime=_spans(self.lifetime),
            reminder_after=self.reminder_after,
            quiet=self.quiet,
            quiet_relationship=self.quiet_relationship,
            strata=tuple(stratum.stratum for stratum in self.strata),
            version=version,
        )

    @classmethod
    def of(cls, rules: Rules) -> RulesBody:
        """The same as JSON."""
        return cls(**_values(rules))


class RulesOut(BaseModel):
    """The rules that hold."""

    version: int = Field(description="0: nobody changed what the environment says")
    delay: DelaysBody
    lifetime: LifetimesBody
    reminder_after: timedelta | None
    quiet: timedelta
    quiet_relationship: timedelta
    strata: list[StratumBody]

    @classmethod
    def of(cls, rules: Rules) -> RulesOut:
        """As staff read them."""
        return cls(version=rules.version, **_values(rules))


def _values(rules: Rules) -> dict[str, Any]:
    return {
        "delay": DelaysBody(usual=rules.delay.usual, by_channel=_by_channel(rules.delay)),
        "lifetime": LifetimesBody(usual=rules.lifetime.usual, by_channel=_by_channel(rules.lifetime)),
        "reminder_after": rules.reminder_after,
        "quiet": rules.quiet,
        "quiet_relationship": rules.quiet_relationship,
        "strata": [
            StratumBody(
                share=stratum.share,
                tier=stratum.tier,
                type=None if stratum.type is None else RequestType(stratum.type),
                channel=None if stratum.channel is None else Channel(stratum.channel),
            )
            for stratum in rules.strata
        ],
    }


def _spans(body: DelaysBody | LifetimesBody) -> Spans:
    return Spans(body.usual, {channel.value: span for channel, span in body.by_channel.items()})


def _by_channel(spans: Spans) -> dict[Channel, timedelta]:
    return {Channel(channel): span for channel, span in spans.by_channel.items()}

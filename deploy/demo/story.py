"""What happens in the demo, decided beforehand from one seed: who writes when, about what, how he feels and what he will do.

Pure. The shares and profiles are published ones, adapted to a shop for household appliances: arrivals are a Poisson process with a daily
profile, a weekly one and day-level Gamma mixing (Brown et al. 2005; Kim and Whitt 2014); types and channels after the consumer hotline
12315; languages zh-CN 80, zh-TW 12, en 8 %; tiers 80, 12, 6, 2 %; answers have the J shape that reviews have (Hu, Pavlou and Zhang 2009).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final, TypeVar

from deploy.demo import texts
from deploy.demo.texts import Slots
from shared.events.codes import Channel, Locale, RequestType

Choice = TypeVar("Choice")

HOUR_OF_DAY: Final = (
    0.12, 0.08, 0.05, 0.04, 0.04, 0.06, 0.15, 0.4, 0.9, 1.6, 1.9, 1.8, 1.3, 1.5, 1.7, 1.7, 1.6, 1.4, 1.2, 1.3, 1.5, 1.3, 0.8, 0.35,
)  # fmt: skip
"""Arrivals by hour, relative: two peaks at work and one in the evening."""
DAY_OF_WEEK: Final = (1.15, 1.08, 1.05, 1.0, 0.98, 0.9, 0.84)
"""Arrivals by day, relative, from Monday."""

LOCALES: Final = {Locale.ZH_CN: 80, Locale.ZH_TW: 12, Locale.EN: 8}
TIERS: Final = {"standard": 80, "silver": 12, "gold": 6, "vip": 2}
CHANNELS: Final = {
    Channel.PHONE: 34,
    Channel.CHAT: 24,
    Channel.APP: 18,
    Channel.WEB: 9,
    Channel.EMAIL: 6,
    Channel.WECHAT: 6,
    Channel.LINE: 2,
    Channel.WALK_IN: 1,
}
TYPES: Final = {
    RequestType.ENQUIRY: 38,
    RequestType.COMPLAINT: 20,
    RequestType.REPAIR: 16,
    RequestType.TECHNICAL_SUPPORT: 8,
    RequestType.RETURN: 6,
    RequestType.REFUND: 4,
    RequestType.INSTALLATION: 3,
    RequestType.SUGGESTION: 3,
    RequestType.PRAISE: 2,
}
PRODUCTS: Final = (
    ("电热水壶", "電熱水壺", "kettle", "KT-200"),
    ("空气净化器", "空氣清淨機", "air purifier", "AP-90"),
    ("洗衣机", "洗衣機", "washing machine", "WM-8"),
    ("扫地机器人", "掃地機器人", "robot vacuum", "RV-3"),
    ("净水器", "淨水器", "water filter", "WF-12"),
    ("电饭煲", "電子鍋", "rice cooker", "RC-5"),
)
SURNAMES: Final = ("林", "王", "陈", "李", "张", "黄", "吴", "刘", "周", "徐")

SECOND_MESSAGE: Final = 0.14
"""Share of matters about which the customer writes again before he has an answer."""
OTHER_CHANNEL: Final = 0.4
"""Of those: on another channel, so that a person has to see that it is the same."""
LOW: Final = 0.13
"""Share of matters that end in disappointment."""
ANSWERS: Final = 0.55
"""Share of customers who answer the survey; higher than in life, so that a small demo has figures to show."""


@dataclass(frozen=True)
class Customer:
    """Somebody who buys here."""

    number: int
    name: str
    locale: Locale
    tier: str
    email: str
    phone: str
    app_user_id: str

    @property
    def index(self) -> int:
        """Place of his language in `PRODUCTS`."""
        return {Locale.ZH_CN: 0, Locale.ZH_TW: 1, Locale.EN: 2}[self.locale]


@dataclass(frozen=True)
class Matter:
    """One matter from its first message to what the customer says in the end."""

    number: int
    at: datetime
    customer: Customer
    channel: Channel
    type: RequestType
    text: str
    model: str
    serial_number: str | None
    order_number: str | None
    follow_up: str | None
    """A second message before there was an answer."""
    follow_up_after: timedelta
    follow_up_channel: Channel
    details: str | None
    """What he answers when he is asked for details; None: nobody has to ask."""
    thanks: str | None
    work: timedelta
    """How long the staff works on it."""
    is_slow: bool
    """Nobody notices it in time."""
    overall: int
    recommend: int
    solved: str
    comment: str | None
    answers: bool


@dataclass(frozen=True)
class Story:
    """Everything that is going to happen, in order."""

    start: datetime
    end: datetime
    customers: Sequence[Customer]
    matters: Sequence[Matter]


def tell(seed: int, *, start: datetime, days: float, requests: int) -> Story:
    """The story of a seed: about as many matters as asked for, in so many days from ``start`` (in the zone of the organisation)."""
    random = Random(seed)
    end = start + timedelta(days=days)
    customers = [_customer(random, seed, number) for number in range(max(10, requests * 2 // 3))]
    # a few buy much, most buy once
    weights = [1 / (number + 3) ** 0.7 for number in range(len(customers))]
    matters = [
        _matter(random, number, at, random.choices(customers, weights)[0])
        for number, at in enumerate(sorted(arrivals(random, start, days, requests)))
    ]
    return Story(start, end, customers, matters)


def arrivals(random: Random, start: datetime, days: float, requests: int) -> Iterator[datetime]:
    """Moments at which customers write: Poisson by thinning, so that about ``requests`` come; at least one."""
    moods = [random.gammavariate(20, 1 / 20) for _ in range(int(days) + 2)]
    hours = days * 24
    rates = [_rate(start + timedelta(hours=hour), moods[int(hour // 24)]) for hour in range(int(hours) + 1)]
    peak = max(rates)
    mean = sum(rates) / len(rates)
    hour, told = 0.0, False
    while (hour := hour + random.expovariate(requests / hours * peak / mean)) < hours:
        if random.random() < rates[int(hour)] / peak:
            told = True
            yield start + timedelta(hours=hour)
    if not told:
        yield start + timedelta(hours=hours / 2)


def _rate(at: datetime, mood: float) -> float:
    return HOUR_OF_DAY[at.hour] * DAY_OF_WEEK[at.weekday()] * mood


def _customer(random: Random, seed: int, number: int) -> Customer:
    mark = f"{seed % 100_000:05d}{number:03d}"
    return Customer(
        number,
        name=f"{random.choice(SURNAMES)}{random.choice(('女士', '先生'))}",
        locale=_pick(random, LOCALES),
        tier=_pick(random, TIERS),
        email=f"customer{mark}@example.com",
        phone=f"+86138{mark}",
        app_user_id=f"demo-{mark}",
    )


def _matter(random: Random, number: int, at: datetime, customer: Customer) -> Matter:
    product = random.choice(PRODUCTS)
    kind, channel = _pick(random, TYPES), _pick(random, CHANNELS)
    slots = Slots(
        product[customer.index], product[3], f"DD{random.randrange(10**8):08d}", random.randint(2, 9), random.randint(3, 180) * 10
    )
    is_low = random.random() < LOW
    writes_again = random.random() < SECOND_MESSAGE
    overall = random.choices((1, 2), (3, 2))[0] if is_low else random.choices((3, 4, 5), (9, 24, 62))[0]
    return Matter(
        number,
        at,
        customer,
        channel,
        kind,
        text=texts.problem(random, customer.locale, kind, slots),
        model=slots.model,
        serial_number=f"SN{random.randrange(10**9):09d}" if random.random() < 0.6 else None,
        order_number=slots.order if random.random() < 0.7 else None,
        follow_up=texts.said(random, texts.AGAIN, customer.locale, slots) if writes_again else None,
        follow_up_after=timedelta(minutes=random.randint(15, 90)),
        follow_up_channel=_other(random, channel) if random.random() < OTHER_CHANNEL else channel,
        details=texts.said(random, texts.DETAILS, customer.locale, slots) if random.random() < 0.3 else None,
        thanks=texts.said(random, texts.THANKS, customer.locale, slots) if not is_low and random.random() < 0.2 else None,
        work=timedelta(minutes=min(600.0, random.lognormvariate(3.4, 0.9))),
        is_slow=random.random() < 0.06,
        overall=overall,
        recommend=_recommend(random, overall),
        solved=random.choice(("no", "partly")) if is_low else "yes",
        comment=random.choice(texts.COMMENTS[customer.locale][not is_low]) if random.random() < 0.4 else None,
        answers=random.random() < (0.8 if is_low else ANSWERS),
    )


def _recommend(random: Random, overall: int) -> int:
    """0 to 10, correlated with the overall score."""
    return max(0, min(10, round(overall * 2 + random.gauss(-0.2, 1.2))))


def _other(random: Random, channel: Channel) -> Channel:
    return random.choice([other for other in CHANNELS if other not in {channel, Channel.WALK_IN}])


def _pick(random: Random, weights: dict[Choice, int]) -> Choice:
    return random.choices(list(weights), list(weights.values()))[0]

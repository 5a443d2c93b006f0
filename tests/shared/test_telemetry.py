"""Logs, traces and figures: one JSON line per event, joined by the trace, and never a person's data or a secret."""

from __future__ import annotations

import asyncio
import io
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from shared import errors, telemetry
from shared.telemetry import figures, logs
from shared.telemetry.quiet import Quiet
from shared.telemetry.redaction import redact, redact_suspect, redact_text
from shared.telemetry.trace import Trace

pytestmark = pytest.mark.pure

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    with telemetry.lines_to(stream):
        yield stream


@pytest.fixture
def configured() -> Iterator[io.StringIO]:
    """A process whose logs are set up, libraries included; put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    telemetry.configure_logs(service="intake", version="1.2.3", env="test", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    logs.forget_configuration()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


# --- lines ----------------------------------------------------------------------------------------------------------------------------


def test_a_line_is_a_json_object_that_says_who_and_when(configured: io.StringIO) -> None:
    telemetry.logger().info("ticket_reopened", number="AS-20261125-7K3M9QX", reason="low_answer")

    [line] = lines(configured)
    assert datetime.fromisoformat(line.pop("ts")).utcoffset() == timedelta(0)
    assert line == {
        "level": "info",
        "event": "ticket_reopened",
        "service": "intake",
        "version": "1.2.3",
        "env": "test",
        "number": "AS-20261125-7K3M9QX",
        "reason": "low_answer",
    }


def test_what_is_bound_is_on_every_line_of_the_task(log: io.StringIO) -> None:
    with telemetry.bind(topic="aftercare.intake", part=3):
        telemetry.logger().info("inside")
    telemetry.logger().info("outside")

    inside, outside = lines(log)
    assert (inside["topic"], inside["part"]) == ("aftercare.intake", 3)
    assert "topic" not in outside


def test_debug_lines_are_left_out(log: io.StringIO) -> None:
    telemetry.logger().debug("detail")

    assert log.getvalue() == ""


def test_a_line_survives_whatever_it_is_given(log: io.StringIO) -> None:
    telemetry.logger().info("odd", number="a\ud800b", message=object(), items=[1, (2, {"kind": "x"})], count=float("nan"), state={1: 2})

    [line] = lines(log)
    assert line["items"] == [1, [2, {"kind": "x"}]]


def test_no_text_can_forge_a_line(log: io.StringIO) -> None:
    telemetry.logger().info("received", message='x\n{"event": "forged"}\r\n')

    assert len(log.getvalue().splitlines()) == 1


# --- redaction ------------------------------------------------------------------------------------------------------------------------

PHONES = st.one_of(
    st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True),
    st.from_regex(r"1[3-9][0-9] [0-9]{4} [0-9]{4}", fullmatch=True),
    st.from_regex(r"\+[1-9][0-9]{7,13}", fullmatch=True),
    st.from_regex(r"\+86[ -]1[3-9][0-9]-[0-9]{4}-[0-9]{4}", fullmatch=True),
    st.from_regex(r"0[1-9][0-9]{1,2}-[0-9]{7,8}", fullmatch=True),
)
EMAILS = st.from_regex(r"[a-z][a-z0-9._+-]{0,20}@[a-z][a-z0-9-]{0,20}\.(cn|com|com\.tw)", fullmatch=True)
SECRETS = st.one_of(
    st.from_regex(r"ak_(local|prod)_[a-z2-9]{12}_[A-Za-z0-9_-]{43}", fullmatch=True),
    st.from_regex(r"Bearer [A-Za-z0-9._-]{12,60}", fullmatch=True),
    st.from_regex(r"eyJ[A-Za-z0-9_-]{10,30}\.[A-Za-z0-9_-]{10,30}\.[A-Za-z0-9_-]{10,30}", fullmatch=True),
    st.from_regex(r"whsec_[A-Za-z0-9+/]{24,40}", fullmatch=True),
)
SENSITIVE = st.one_of(PHONES, EMAILS, SECRETS)
AROUND = st.sampled_from(["", " ", "call ", "from=", "：", "(", '"', ",", "客户 "])


def secret_part(value: str) -> str:
    return value.removeprefix("Bearer ")


@given(SENSITIVE, AROUND, AROUND)
def test_what_looks_like_a_person_or_a_secret_is_not_written(value: str, before: str, after: str) -> None:
    assert secret_part(value) not in redact_text(f"{before}{value}{after}")


@given(SENSITIVE, st.sampled_from(["event", "message", "reason", "key", "customer", "text", "phone", "whatever"]))
def test_nothing_personal_leaves_through_any_logger(value: str, field: str) -> None:
    stream = io.StringIO()
    library = logs.LibraryHandler({})
    with telemetry.lines_to(stream):
        telemetry.logger().info("received", **({} if field == "event" else {field: f"it is {value}"}))
        telemetry.logger().warning("received", items=[{field: value}])
        library.emit(logging.LogRecord("aiokafka", logging.ERROR, "x.py", 1, "failed for %s", (value,), None))
        try:
            raise errors.Invalid(f"cannot accept {value}")
        except errors.Invalid:
            telemetry.logger().exception("refused")

    assert len(stream.getvalue().splitlines()) == 4
    assert secret_part(value) not in stream.getvalue()


@pytest.mark.parametrize(
    "value", ["11010519491231002X", "4111 1111 1111 1111", "4111111111111111", "5500-0000-0000-0004", "oXc4s5Gh2Jk8Lm1Np7Qr3Tv9Wy0Z"]
)
def test_numbers_of_people_and_cards_and_their_ids_in_chats_are_not_written(value: str) -> None:
    assert value not in redact_text(f"number {value}.")


@pytest.mark.parametrize(
    "text",
    [
        "AS-20261125-7K3M9QX",
        "aftercare.intake/11 at 184467440737",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "2026-11-25T10:00:00.123456+08:00",
        "01890a5d-ac96-774b-bcce-b302099a8057",
        "a1390013-8000-4f4b-bcce-b13800138000",
        "blake2 9f13800138000c0ffee13900139000ab",
        "127.0.0.1:8001 took 12.345 ms",
        "offset 1234567890, seq 98765",
    ],
)
def test_ids_numbers_and_times_stay_readable(text: str) -> None:
    assert redact_text(text) == text


@given(
    st.text("019+-. ()@a:/oOk_eyJ", max_size=60)
    | st.from_regex(r"[a-z ]{0,5}(bearer|\+86 ?1[3-9]|0\d{3}-|ak_a_|o)[\w-]{0,30}", fullmatch=True)
)
def test_the_quick_look_misses_nothing_that_a_close_one_finds(text: str) -> None:
    assert redact_text(text) == redact_suspect(text)


def test_a_field_that_nobody_allowed_is_not_shown() -> None:
    shown = redact({"customer_name": "Zhang San", "note": ["x"], "address": {"city": "Wuhan"}, "mobile": 13800138000, "raw": b"x"})

    assert set(shown.values()) == {"[redacted]"}


def test_a_field_that_nobody_allowed_may_be_a_small_number_or_a_truth() -> None:
    harmless = {"tries": 3, "is_late": True, "nothing": None, "ratio": 0.5}

    assert redact(harmless) == harmless


def test_ids_codes_and_numbers_are_shown() -> None:
    at = datetime(2026, 11, 25, tzinfo=UTC)
    shown = redact({"ticket_id": UUID(int=1), "took_ms": 1.5, "due_at": at, "backoff": timedelta(seconds=2), "next_seq": 2**40})

    assert shown == {"ticket_id": str(UUID(int=1)), "took_ms": 1.5, "due_at": str(at), "backoff": 2.0, "next_seq": 2**40}


def test_operators_see_which_carrier_did_not_carry_a_message() -> None:
    assert redact({"carrier": "smtp"}) == {"carrier": "smtp"}


def test_a_long_text_is_cut() -> None:
    assert len(redact_text("x" * 100_000)) < 2_100


def test_a_hostile_text_costs_little() -> None:
    hostile = "a@" * 1_000 + "1 " * 1_000 + "." * 1_000

    started = time.perf_counter()
    for _ in range(20):
        redact_text(hostile)

    assert time.perf_counter() - started < 2


# --- exceptions -----------------------------------------------------------------------------------------------------------------------


def raised(error: Exception) -> Exception:
    try:
        raise error
    except type(error) as caught:
        return caught


def test_an_exception_is_shown_by_class_and_place_but_not_by_what_it_quotes() -> None:
    shown = logs.describe(raised(ValueError("invalid literal: 'Zhang San'")))

    assert "builtins.ValueError" in shown
    assert "test_telemetry.py" in shown
    assert "Zhang" not in shown


def test_an_exception_of_ours_and_one_of_the_system_say_why() -> None:
    assert "no such ticket" in logs.describe(raised(errors.NotFound("no such ticket")))
    assert "Connection refused" in logs.describe(raised(ConnectionRefusedError(111, "Connection refused")))


def test_what_led_to_an_exception_is_shown_too() -> None:
    def fail() -> None:
        try:
            raise KeyError("zhangsan@example.com")
        except KeyError as error:
            raise RuntimeError("lookup failed") from error

    with pytest.raises(RuntimeError) as caught:
        fail()
    shown = logs.describe(ExceptionGroup("several", [caught.value]))

    assert "RuntimeError: lookup failed" in shown
    assert "from builtins.KeyError" in shown
    assert "zhangsan" not in shown


# --- libraries ------------------------------------------------------------------------------------------------------------------------


def test_a_librarys_line_becomes_one_of_ours(configured: io.StringIO) -> None:
    logging.getLogger("aiokafka.conn").warning("Connection to %s lost", "broker-1:9092")
    logging.getLogger("uvicorn.error").info("Started server process [%d]", 4711)

    kafka, uvicorn = lines(configured)
    assert (kafka["event"], kafka["logger"], kafka["level"]) == ("library_message", "aiokafka.conn", "warning")
    assert kafka["message"] == "Connection to broker-1:9092 lost"
    assert uvicorn["service"] == "intake"


def test_uvicorns_own_access_log_is_silent(configured: io.StringIO) -> None:
    logging.getLogger("uvicorn.access").info('"GET /v1/track?phone=13800138000 HTTP/1.1" 200')

    assert configured.getvalue() == ""


def test_a_library_that_repeats_itself_is_cut_short_and_the_rest_is_counted(
    configured: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("shared.clock.monotonic", lambda: now)

    for n in range(1_000):
        logging.getLogger("aiokafka").error("Unable to connect to node %d", n)
    now += logs.PERIOD
    logging.getLogger("aiokafka").error("Unable to connect to node %d", 1)

    written = lines(configured)
    assert len(written) == logs.BURST + 1
    assert written[-1]["suppressed"] == 1_000 - logs.BURST


def test_a_library_that_fails_is_logged_with_the_place(configured: io.StringIO) -> None:
    try:
        raise OSError("disk full")
    except OSError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved")

    [line] = lines(configured)
    assert "OSError: disk full" in line["exception"]


def test_a_budget_of_lines_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("shared.clock.monotonic", lambda: now)
    quiet = Quiet(burst=2, period=1.0)

    assert [quiet.admits() for _ in range(4)] == [0, 0, None, None]
    now = 1.0
    assert quiet.admits() == 2
    now = 2.0
    assert quiet.admits() == 0


# --- traces ---------------------------------------------------------------------------------------------------------------------------


def test_a_received_trace_goes_on(log: io.StringIO) -> None:
    with telemetry.trace(f"00-{TRACE_ID}-{SPAN_ID}-01") as current:
        telemetry.logger().info("inside")
        onward = Trace.parse(telemetry.traceparent())

    assert onward == current
    assert (current.trace_id, current.flags) == (TRACE_ID, "01")
    assert current.span_id != SPAN_ID
    assert lines(log)[0]["correlation_id"] == TRACE_ID


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "00",
        f"00-{TRACE_ID.upper()}-{SPAN_ID}-01",
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"ff-{TRACE_ID}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{SPAN_ID}-01-more",
        f"00-{TRACE_ID}-{SPAN_ID}-01\n",
        "x" * 10_000,
    ],
)
def test_a_trace_that_is_none_starts_a_new_one(header: str | None) -> None:
    with telemetry.trace(header) as current:
        assert Trace.parse(str(current)) == current
        assert current.trace_id != TRACE_ID


def test_a_later_version_of_the_standard_is_understood() -> None:
    assert Trace.parse(f"01-{TRACE_ID}-{SPAN_ID}-01-more") == Trace(TRACE_ID, SPAN_ID, "01")


def test_outside_a_trace_each_event_starts_its_own() -> None:
    assert telemetry.traceparent() != telemetry.traceparent()
    assert telemetry.correlation_id() is None


async def test_tasks_at_the_same_time_keep_their_own_trace() -> None:
    async def one(header: str) -> str | None:
        with telemetry.trace(header):
            await asyncio.sleep(0)
            return telemetry.correlation_id()

    ids = [f"{n:032x}" for n in range(1, 20)]
    assert await asyncio.gather(*(one(f"00-{trace_id}-{SPAN_ID}-01") for trace_id in ids)) == ids


# --- figures --------------------------------------------------------------------------------------------------------------------------


def test_the_build_is_among_the_figures() -> None:
    telemetry.describe_build("intake", "1.2.3")

    assert b'build_info{service="intake",version="1.2.3"} 1.0' in telemetry.exposition()[0]


async def test_a_blocked_event_loop_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "LAG_INTERVAL", 0.01)
    stop = asyncio.Event()
    watching = asyncio.create_task(telemetry.watch_event_loop("lagging", stop))
    await asyncio.sleep(0)

    time.sleep(0.2)  # noqa: ASYNC251 - blocking the loop is what is observed
    for _ in range(5):
        await asyncio.sleep(0)

    assert (REGISTRY.get_sample_value("event_loop_lag_seconds", {"service": "lagging"}) or 0) > 0.1
    stop.set()
    await watching


def test_no_figure_of_ours_has_an_open_label() -> None:
    closed = {"service", "route", "method", "status_class", "version", "le", "generation", "implementation", "major", "minor", "patchlevel"}
    for metric in REGISTRY.collect():
        if metric.name.startswith(("http_", "event_loop", "build_info")):
            for sample in metric.samples:
                assert set(sample.labels) <= closed

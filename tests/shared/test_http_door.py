"""What every request passes: ids, traces, safe headers, CORS, figures and the access log."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import httpx
import orjson
import pytest
from prometheus_client import REGISTRY

from shared import telemetry
from shared.http.door import HEADERS

pytestmark = pytest.mark.postgres

OURS = "http://127.0.0.1:8003"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the service writes to its log."""
    stream = io.StringIO()
    with telemetry.lines_to(stream):
        yield stream


def lines(log: io.StringIO) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in log.getvalue().splitlines()]


async def test_a_request_keeps_the_id_that_its_caller_gave(nobody: httpx.AsyncClient) -> None:
    answer = await nobody.get("/livez", headers={"X-Request-Id": "abc-12345"})

    assert answer.headers["X-Request-Id"] == "abc-12345"


@pytest.mark.parametrize("given", ["", "short", "x" * 65, "has space 123", "evil\tid-12345", "id\xff567890"])
async def test_an_id_that_could_not_be_logged_is_replaced(nobody: httpx.AsyncClient, given: str) -> None:
    answer = await nobody.get("/livez", headers=[(b"X-Request-Id", given.encode("latin-1"))])

    assert re.fullmatch("[0-9a-f]{24}", answer.headers["X-Request-Id"])


@pytest.mark.parametrize("path", ["/livez", "/v1/things/1", "/nowhere", "/faults/bug", "/faults/plain", "/openapi.json"])
async def test_every_answer_has_the_safe_headers(nobody: httpx.AsyncClient, path: str) -> None:
    answer = await nobody.get(path)

    assert {name: answer.headers.get(name) for name in HEADERS} == dict(HEADERS)
    assert "X-Request-Id" in answer.headers
    assert "Server" not in answer.headers


async def test_the_documentation_page_runs_our_own_files_and_needs_no_other_host(nobody: httpx.AsyncClient) -> None:
    answer = await nobody.get("/docs")

    assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
    assert "//" not in re.sub("<!doctype.*?>", "", answer.text)
    files = re.findall(r'(?:src|href)="(docs/[^"]+)"', answer.text)
    assert len(files) == 3
    for file in files:
        assert (await nobody.get(f"/{file}")).status_code == 200


async def test_our_own_pages_may_call_us_and_others_may_not(nobody: httpx.AsyncClient) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,if-match,idempotency-key"}

    ours = await nobody.options("/v1/things", headers={"Origin": OURS, **asked})
    foreign = await nobody.options("/v1/things", headers={"Origin": "http://evil.example", **asked})

    assert ours.headers["Access-Control-Allow-Origin"] == OURS
    assert foreign.status_code == 400
    assert foreign.headers["Content-Type"] == "application/problem+json"
    assert "Access-Control-Allow-Origin" not in foreign.headers


async def test_a_page_may_read_our_errors_and_headers(nobody: httpx.AsyncClient) -> None:
    answer = await nobody.get("/faults/bug", headers={"Origin": OURS})

    assert answer.status_code == 500
    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]


async def test_the_log_follows_the_callers_trace(nobody: httpx.AsyncClient, log: io.StringIO) -> None:
    await nobody.get("/faults/busy", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})

    [line] = lines(log)
    assert line["correlation_id"] == TRACE


async def test_the_access_log_tells_the_route_and_never_the_address(admin: httpx.AsyncClient, log: io.StringIO) -> None:
    await admin.get("/v1/things/zhangsan-secret?expand=true")

    [line] = lines(log)
    assert line["event"] == "request_handled"
    assert (line["route"], line["status"], line["role"]) == ("/v1/things/{id}", 200, "admin")
    assert "secret" not in log.getvalue()
    assert "expand" not in log.getvalue()


async def test_probes_are_not_logged(nobody: httpx.AsyncClient, log: io.StringIO) -> None:
    await nobody.get("/livez")
    await nobody.get("/metrics")

    assert lines(log) == []


async def test_a_bug_is_logged_with_its_place_and_without_its_text(nobody: httpx.AsyncClient, log: io.StringIO) -> None:
    answer = await nobody.get("/faults/bug")

    failed = next(line for line in lines(log) if line["event"] == "request_failed")
    assert failed["request_id"] == answer.json()["request_id"]
    assert "sample.py" in str(failed["exception"])
    assert "ValueError" in str(failed["exception"])
    assert "Zhang" not in log.getvalue()
    assert "138" not in str(failed["exception"])


async def test_a_flood_of_good_requests_is_logged_in_part_and_counted_in_full(admin: httpx.AsyncClient, log: io.StringIO) -> None:
    before = handled("GET", "/v1/things/{id}", "2xx")
    await admin.get("/v1/things/1")

    for _ in range(400):
        await admin.get("/v1/things/1")

    assert handled("GET", "/v1/things/{id}", "2xx") == before + 401
    written = lines(log)
    assert len(written) + sum(int(str(line.get("suppressed", 0))) for line in written) <= 401


async def test_an_outage_does_not_flood_the_log(nobody: httpx.AsyncClient, log: io.StringIO) -> None:
    for _ in range(100):
        assert (await nobody.get("/faults/database")).status_code == 503

    assert sum(line["event"] == "database_unavailable" for line in lines(log)) < 100


def handled(method: str, route: str, status_class: str) -> float:
    labels = {"service": "tickets", "route": route, "method": method, "status_class": status_class}
    return REGISTRY.get_sample_value("http_requests_total", labels) or 0.0


async def test_requests_are_counted_by_route_and_not_by_address(nobody: httpx.AsyncClient) -> None:
    before = handled("GET", "unknown", "4xx"), handled("other", "unknown", "4xx")

    await nobody.get("/nowhere/1")
    await nobody.get("/nowhere/2")
    await nobody.request("BREW", "/coffee")

    assert (handled("GET", "unknown", "4xx"), handled("other", "unknown", "4xx")) == (before[0] + 2, before[1] + 1)
    figures = (await nobody.get("/metrics")).text
    assert "nowhere" not in figures
    assert "BREW" not in figures
    for name in ("http_request_duration_seconds_bucket", "http_requests_in_flight", "python_gc_", "process_"):
        assert name in figures


async def test_requests_in_hand_are_counted(nobody: httpx.AsyncClient) -> None:
    figures = (await nobody.get("/metrics")).text

    assert 'http_requests_in_flight{service="tickets"} 1.0' in figures

"""Measures the survey's pages in Chromium: `python -m tests.feedback.measure_pages`. Not a test, since no machine promises a browser.

Each page is laid out 390 and 1280 px wide in each language. It must not scroll sideways, and whatever can be touched must be at least 44 px
high and wide. Prints a line per page; ends with 1 when one of them fails.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.feedback.handlers.answering import Survey
from services.feedback.pages import rendering
from services.feedback.pages.rendering import ASSETS, Entered, House
from services.feedback.survey.answers import check
from services.feedback.survey.forms import Form, Half
from services.feedback.survey.invitations import AlreadyAnswered, Invitation, State, SurveyEnded, service_question
from shared.errors import Invalid, NotFound
from shared.events.codes import Locale
from tests.feedback.builders import AT_ONCE, MOMENT, NUMBER, S1_1, T1_2, new_number, open_invitation, scheduled

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
WIDTHS: Final = (390, 1280)
TOKEN: Final = "A" * 32
HOUSE: Final = House("云帆电器", ZoneInfo("Asia/Shanghai"), "https://shop.example/contact")

# a frame has the width that it is given; the window of a browser without a screen is at least 500 px wide
RULER: Final = """<!doctype html><meta charset="utf-8"><pre id="found"></pre><iframe style="border:0;height:900px"></iframe><script>
const frame = document.querySelector("iframe"), found = [], left = JOBS
const next = () => left.length ? ([name, width] = left.shift(), frame.style.width = width + "px", frame.src = "/s/" + name)
                               : document.getElementById("found").textContent = JSON.stringify(found)
let name, width
frame.onload = () => {
  const page = frame.contentDocument
  if (!page.querySelector("main")) return
  const small = [...page.querySelectorAll("a, button, textarea, label.option")].filter(thing => !thing.classList.contains("unseen"))
    .map(thing => [thing.textContent.trim().slice(0, 20), thing.getBoundingClientRect()])
    .filter(([, box]) => box.width < 44 || box.height < 44).map(([text, box]) => `${text} ${box.width}x${box.height}`)
  found.push({name, width, scrolls: page.documentElement.scrollWidth > width, small})
  next()
}
next()
</script>"""


def pages(locale: Locale) -> Iterator[tuple[str, str]]:
    """Every page that a customer can meet, by name."""
    for half in Half:
        yield f"survey-{half}", rendering.survey_page(HOUSE, locale, survey(T1_2, open_invitation(ticket_number=new_number(half))), TOKEN)
    mine = survey(T1_2, open_invitation())
    yield "wrong", rendering.survey_page(HOUSE, locale, mine, TOKEN, wrong(mine))
    anonymous = survey(replace(T1_2, is_anonymous=True), open_invitation())
    yield "anonymous", rendering.survey_page(HOUSE, locale, anonymous, TOKEN)
    question = service_question(scheduled(), form=S1_1.code, at=MOMENT, lifetime=AT_ONCE.lifetime.usual)
    yield "service", rendering.survey_page(HOUSE, locale, survey(S1_1, question), TOKEN)
    yield "thanks", rendering.thanks_page(HOUSE, locale, mine, is_low=True)
    yield "opt-out", rendering.opt_out_page(HOUSE, locale)
    yield "opted-out", rendering.opted_out_page(HOUSE, locale)
    for refusal in (AlreadyAnswered(MOMENT), SurveyEnded(State.EXPIRED, MOMENT, NUMBER), NotFound("nothing")):
        yield refusal.code, rendering.refusal_page(HOUSE, locale, refusal)


def survey(form: Form, invitation: Invitation) -> Survey:
    return Survey(invitation, form.asked_of(invitation.id))


def wrong(mine: Survey) -> Entered:
    """A form that comes back with errors."""
    try:
        check(mine.questionnaire, {"N1": 77, "Y1": "yes"}, "a\0")
    except Invalid as refused:
        return Entered({"Y1": "yes"}, refused.errors)
    raise AssertionError("these answers do not fit")


def measure(browser: str, served: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the browser found on each page at each width."""
    jobs = [[name, width] for name in served for width in WIDTHS]

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = self.path.partition("?")[0].rpartition("/")[2]
            body = RULER.replace("JOBS", json.dumps(jobs)) if place == "ruler" else served.get(place, "")
            content = ASSETS.get(place, body.encode())
            self.send_response(200)
            self.send_header("Content-Type", "text/css" if place.endswith("css") else "image/svg+xml" if place in ASSETS else "text/html")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    site = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as profile:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", f"--user-data-dir={profile}", "--window-size=1400,1000"]
        command = [browser, *options, "--virtual-time-budget=60000", "--dump-dom", f"http://127.0.0.1:{site.server_port}/ruler"]
        document = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
    site.shutdown()
    match = re.search(r'<pre id="found">(.*?)</pre>', document, re.DOTALL)
    assert match is not None
    found: list[dict[str, Any]] = json.loads(html.unescape(match[1]))
    assert len(found) == len(jobs)
    return found


def main() -> int:
    """Measure and print; how the process ends."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.stderr.write(f"no browser: none of {', '.join(BROWSERS)}\n")
        return 2
    # one folder deeper the pages name their style differently; here all lie in one
    served = {f"{locale}-{name}": page.replace('"../assets/', '"assets/') for locale in Locale for name, page in pages(locale)}
    found = measure(browser, served)
    bad = [page for page in found if page["scrolls"] or page["small"]]
    for page in found:
        verdict = "scrolls sideways" if page["scrolls"] else ", ".join(page["small"]) or "fits"
        sys.stdout.write(f"{page['width']:5} px  {page['name']:28} {verdict}\n")
    sys.stdout.write(f"{len(found)} pages, {len(bad)} do not fit\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

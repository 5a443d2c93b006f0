"""The survey as a page, the way a customer meets it: a link in a mail, a form, thanks."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.feedback.app import create_app
from services.feedback.pages.rendering import ASSETS
from services.feedback.pages.wording import WORDS
from services.feedback.settings import FeedbackSettings
from services.feedback.survey.forms import Half, Kind
from services.feedback.survey.invitations import invitation_id
from shared import clock
from shared.database import Database
from shared.events.codes import MAX_TEXT, Locale
from shared.events.feedback import SurveyAnswered, SurveyOptedOut
from shared.runtime import Runtime
from tests.feedback.builders import T1_2, dimensions, new_number, resolved
from tests.feedback.conftest import Surveys
from tests.feedback.outbox import told

pytestmark = [pytest.mark.postgres, pytest.mark.api]

FORGED = "Zm9yZ2VkLXRva2VuLW9mLTMyLWNoYXJh"


class Page(HTMLParser):
    """What is on a page: its elements with their attributes, and its words."""

    VOID = frozenset({"meta", "link", "input", "img", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(html)
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str, **attributes: Any) -> list[dict[str, str | None]]:
        return [found for name, found in self.elements if name == tag and attributes.items() <= found.items()]


async def submit(client: httpx.AsyncClient, token: str, **fields: str) -> httpx.Response:
    return await client.post(f"/s/{token}", data=fields)


@pytest.mark.parametrize("locale", list(Locale))
async def test_the_page_asks_in_every_language(client: httpx.AsyncClient, surveys: Surveys, locale: Locale) -> None:
    number = new_number()
    token = await surveys.open(number)

    answer = await client.get(f"/s/{token}?lang={locale}")

    page = Page(answer.text)
    assert answer.status_code == 200
    assert page.all("html", lang=locale.value)
    assert answer.headers["content-language"] == locale.value
    asked = T1_2.asked_of(invitation_id(number, 1))
    assert all(question.words[locale] in page.words for question in asked.questions)
    assert WORDS[locale].not_applicable in page.words
    assert WORDS[locale].opt_out in page.words
    assert WORDS[locale].privacy in page.words
    assert number in page.words


async def test_the_page_speaks_the_language_of_the_mail_whatever_the_browser_likes(client: httpx.AsyncClient, surveys: Surveys) -> None:
    token = await surveys.open(locale="zh-TW")

    answer = await client.get(f"/s/{token}", headers={"Accept-Language": "en"})

    assert Page(answer.text).all("html", lang="zh-TW")


async def test_every_answer_of_the_form_has_a_label_and_every_group_a_legend(client: httpx.AsyncClient, surveys: Surveys) -> None:
    number = new_number()
    page = Page((await client.get(f"/s/{await surveys.open(number)}")).text)

    asked = T1_2.asked_of(invitation_id(number, 1)).questions
    choices = [question for question in asked if question.kind is not Kind.TEXT]
    options = sum(len(question.options) + question.not_applicable for question in choices)
    assert len(page.all("fieldset")) == len(page.all("legend")) == len(choices) == 8
    assert len(page.all("input", type="radio")) == options == len(page.all("label")) - 1
    assert page.all("label", **{"for": "O1"})
    assert page.all("textarea", id="O1", name="O1", maxlength=str(MAX_TEXT))
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


async def test_the_page_shows_at_most_ten_items_in_the_order_of_the_customer(client: httpx.AsyncClient, surveys: Surveys) -> None:
    for half in Half:
        number = new_number(half)
        page = Page((await client.get(f"/s/{await surveys.open(number)}")).text)

        shown = [found["id"] or found["name"] for name, found in page.elements if name in {"fieldset", "textarea"}]
        assert shown == [question.id for question in T1_2.asked_of(invitation_id(number, 1)).questions]
        assert len(shown) <= 10


async def test_the_page_needs_no_script_and_nothing_from_elsewhere(client: httpx.AsyncClient, surveys: Surveys) -> None:
    page = Page((await client.get(f"/s/{await surveys.open()}")).text)

    assert not page.all("script")
    addresses = [value for _, attributes in page.elements for name, value in attributes.items() if name in {"src", "href", "action"}]
    assert all(re.fullmatch(r"(assets/|\?lang=|#|[A-Za-z0-9_-]{32}/opt-out).*", value or "") for value in addresses)
    assert not [attributes for _, attributes in page.elements if "style" in attributes or any(name.startswith("on") for name in attributes)]


async def test_pages_are_not_kept_not_framed_and_tell_nobody_where_the_customer_was(client: httpx.AsyncClient, surveys: Surveys) -> None:
    token = await surveys.open()

    for answer in (
        await client.get(f"/s/{token}"),
        await client.get(f"/s/{FORGED}"),
        await submit(client, token),
        await submit(client, token, Q0="5"),
        await client.get(f"/s/{token}/thanks"),
        await client.get(f"/s/{token}"),
    ):
        headers = answer.headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


async def test_the_style_is_served_with_a_digest_in_its_address(client: httpx.AsyncClient, surveys: Surveys) -> None:
    page = Page((await client.get(f"/s/{await surveys.open()}")).text)
    (address,) = [found["href"] for found in page.all("link", rel="stylesheet")]

    style = await client.get(f"/s/{address}")

    assert style.content == ASSETS["survey.css"]
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in style.headers["cache-control"]
    assert (await client.get("/s/assets/secrets.txt")).status_code == 404


async def test_an_answer_leads_to_thanks_and_is_told_like_one_over_rest(
    client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database
) -> None:
    token = await surveys.open()

    answer = await submit(client, token, Q0="5", Y1="yes", N1="10", O1=" 师傅很专业\r\n谢谢 ", lang="en")

    assert answer.status_code == 303
    thanks = await client.get(str(httpx.URL(f"https://feedback.example/s/{token}").join(answer.headers["location"])))
    assert thanks.status_code == 200
    assert WORDS[Locale.EN].thanks_title in Page(thanks.text).words
    (event,) = await told(feedback_database, SurveyAnswered)
    assert (event.overall, event.solved, event.recommend, event.has_comment, event.locale) == (5, "yes", 10, True, "en")
    async with feedback_database.transaction() as tx:
        assert await tx.fetchval("SELECT text FROM comment") == "师傅很专业\n谢谢"
        assert await tx.fetchval("SELECT door FROM answer") == "page"


async def test_after_a_low_answer_the_customer_reads_that_we_take_it_up_again(client: httpx.AsyncClient, surveys: Surveys) -> None:
    number = new_number()
    token = await surveys.open(number)
    await submit(client, token, Q0="1", Y1="no")

    words = Page((await client.get(f"/s/{token}/thanks?lang=en")).text).words

    assert f"We will take up request {number} again" in words


async def test_thanks_before_an_answer_lead_back_to_the_survey(client: httpx.AsyncClient, surveys: Surveys) -> None:
    token = await surveys.open()

    answer = await client.get(f"/s/{token}/thanks")

    assert answer.status_code == 303
    back = httpx.URL(f"https://feedback.example/s/{token}/thanks").join(answer.headers["location"])
    assert back.path == f"/s/{token}"


async def test_a_form_without_the_overall_score_comes_back_with_what_was_given(client: httpx.AsyncClient, surveys: Surveys) -> None:
    token = await surveys.open()

    answer = await submit(client, token, Y1="partly", N1="7", O1='<b>夹带</b> & "引号"', lang="zh-CN")

    page = Page(answer.text)
    assert answer.status_code == 422
    assert page.all("div", role="alert")
    assert page.all("a", href="#Q0")
    assert page.all("input", name="Q0", **{"aria-invalid": "true"})
    assert "checked" in page.all("input", name="Y1", value="partly")[0]
    assert "checked" in page.all("input", name="N1", value="7")[0]
    assert '<b>夹带</b> & "引号"' in page.words
    assert not page.all("b", **{}) or "夹带</b>" not in answer.text
    assert page.words.lstrip().startswith("有误：")


async def test_the_language_changes_without_losing_what_was_entered(
    client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database
) -> None:
    token = await surveys.open()

    answer = await submit(client, token, Q0="2", Q3="not_applicable", O1="等太久", lang="zh-CN", switch="en")

    page = Page(answer.text)
    assert answer.status_code == 200
    assert page.all("html", lang="en")
    assert "checked" in page.all("input", name="Q0", value="2")[0]
    assert "checked" in page.all("input", name="Q3", value="not_applicable")[0]
    assert "等太久" in page.words
    assert await told(feedback_database, SurveyAnswered) == []


async def test_the_enter_key_sends_and_does_not_change_the_language(client: httpx.AsyncClient, surveys: Surveys) -> None:
    page = Page((await client.get(f"/s/{await surveys.open()}")).text)

    # a browser takes the first button of the form
    assert "value" not in page.all("button")[0]
    assert [button["value"] for button in page.all("button", name="switch")] == [locale.value for locale in Locale]


async def test_not_applicable_is_taken_from_the_page_as_no_score(
    client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database
) -> None:
    token = await surveys.open()

    assert (await submit(client, token, Q0="4", Q3="not_applicable", Q4="5")).status_code == 303
    (event,) = await told(feedback_database, SurveyAnswered)
    assert event.scores == {"Q0": 4, "Q4": 5}


async def test_after_a_complaint_the_page_asks_the_one_question_and_takes_its_answer(
    client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database
) -> None:
    customer, number, now = uuid4(), new_number(), clock.now()
    await surveys.open(customer_id=customer)
    complaint = resolved(ticket_number=number, customer_id=customer, occurred_at=now, dimensions=dimensions(type="complaint"), locale="en")
    await surveys.follow(complaint, at=now)
    token = await surveys.token_of(number)

    page = Page((await client.get(f"/s/{token}")).text)
    answer = await submit(client, token, Y1="no")

    assert len(page.all("fieldset")) == 1
    assert WORDS[Locale.EN].service_title in page.words
    assert answer.status_code == 303
    (event,) = await told(feedback_database, SurveyAnswered)
    assert (event.form, event.solved, event.overall, event.flags) == ("S1.1", "no", None, ("low", "not_solved"))


async def test_a_customer_opts_out_by_the_link_in_two_steps(
    client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database
) -> None:
    token = await surveys.open(locale="en")
    words = WORDS[Locale.EN]

    asked = Page((await client.get(f"/s/{token}/opt-out")).text)
    done = await client.post(f"/s/{token}/opt-out")
    page = await client.get(str(httpx.URL(f"https://feedback.example/s/{token}/opt-out").join(done.headers["location"])))
    again = await client.post(f"/s/{token}/opt-out", data={"List-Unsubscribe": "One-Click"})

    assert words.opt_out_title in asked.words
    assert len(asked.all("button")) == 1
    assert (done.status_code, again.status_code) == (303, 303)
    assert words.opted_out_title in Page(page.text).words
    (event,) = await told(feedback_database, SurveyOptedOut)
    assert (event.opted_out, event.by) == (True, "customer")


async def test_the_link_to_opt_out_works_when_the_survey_has_ended(client: httpx.AsyncClient, surveys: Surveys) -> None:
    for token in (await surveys.expired(), await surveys.cancelled()):
        assert (await client.get(f"/s/{token}/opt-out")).status_code == 200
        assert (await client.post(f"/s/{token}/opt-out")).status_code == 303


async def test_a_forged_link_opts_nobody_out(client: httpx.AsyncClient, feedback_database: Database) -> None:
    for method in ("GET", "POST"):
        assert (await client.request(method, f"/s/{FORGED}/opt-out")).status_code == 404
    assert await told(feedback_database, SurveyOptedOut) == []


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"Q0": "6"}, "Q0"),
        ({"Q0": "５"}, "Q0"),
        ({"Q0": "five"}, "Q0"),
        ({"Q0": "-1"}, "Q0"),
        ({"Q0": "5", "N1": "11"}, "N1"),
        ({"Q0": "5", "Y1": "maybe"}, "Y1"),
        ({"Q0": "5", "O1": "x" * (MAX_TEXT + 1)}, "O1"),
        ({"Q0": "5", "O1": "a\0b"}, "O1"),
        ({"Q0": "5", "Q9": "5"}, "Q0"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_recorded(
    client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database, fields: dict[str, str], place: str
) -> None:
    token = await surveys.open()

    answer = await submit(client, token, **fields)

    assert answer.status_code == 422
    assert [found["href"] for found in Page(answer.text).all("a") if (found["href"] or "").startswith("#")] == [f"#{place}"]
    assert await told(feedback_database, SurveyAnswered) == []


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"Q0=%ff", "application/x-www-form-urlencoded", 400),
        (b"Q0=5&O1=%ED%A0%80", "application/x-www-form-urlencoded", 400),
        (b"Q0=5&Q0=1", "application/x-www-form-urlencoded", 422),
        (b"&".join(b"f%d=1" % place for place in range(200)), "application/x-www-form-urlencoded", 400),
        ("Q0=5&O1=好".encode(), "application/x-www-form-urlencoded", 400),
        (b'{"Q0": 5}', "application/json", 415),
        (b"x", "multipart/form-data; boundary=x", 415),
        (b"O1=" + b"x" * 300_000, "application/x-www-form-urlencoded", 413),
    ],
)
async def test_what_no_browser_sends_gets_a_page_too(
    client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database, content: bytes, content_type: str, status: int
) -> None:
    token = await surveys.open()

    answer = await client.post(f"/s/{token}", content=content, headers={"Content-Type": content_type})

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert WORDS[Locale.ZH_CN].failed in Page(answer.text).words
    assert await told(feedback_database, SurveyAnswered) == []


async def test_a_used_link_says_so(client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database) -> None:
    token = await surveys.open()
    await submit(client, token, Q0="4")

    for answer in (await client.get(f"/s/{token}"), await submit(client, token, Q0="1")):
        assert answer.status_code == 409
        assert WORDS[Locale.ZH_CN].used_title in Page(answer.text).words
    assert [event.overall for event in await told(feedback_database, SurveyAnswered)] == [4]


@pytest.mark.parametrize("state", ["expired", "cancelled"])
async def test_an_ended_survey_says_why_and_where_help_is(client: httpx.AsyncClient, surveys: Surveys, state: str) -> None:
    token = await (surveys.expired() if state == "expired" else surveys.cancelled())
    words = WORDS[Locale.EN]

    for answer in (await client.get(f"/s/{token}?lang=en"), await client.post(f"/s/{token}?lang=en", data={"Q0": "5"})):
        page = Page(answer.text)
        assert answer.status_code == 410
        assert (words.expired_title if state == "expired" else words.cancelled_title) in page.words
        assert page.all("a", href="https://shop.example/contact")


async def test_an_unknown_link_answers_in_the_browsers_language(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/s/{FORGED}", headers={"Accept-Language": "zh-HK, en;q=0.5"})

    page = Page(answer.text)
    assert answer.status_code == 404
    assert page.all("html", lang="zh-TW")
    assert WORDS[Locale.ZH_TW].unknown_title in page.words


async def test_an_absent_database_is_told_as_a_page(settings: FeedbackSettings) -> None:
    nobody_there = Database("postgresql://nobody@127.0.0.1:1/none", pool_size=2, application_name="tests")
    app = create_app(Runtime.for_tests(nobody_there, settings))

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://feedback.example") as client:
        answer = await client.get(f"/s/{FORGED}?lang=en")

    await nobody_there.close()
    assert answer.status_code == 503
    assert WORDS[Locale.EN].failed_title in Page(answer.text).words


async def test_every_sentence_is_there_in_every_language() -> None:
    chinese = WORDS[Locale.ZH_CN]
    for words in WORDS.values():
        for name in words.__slots__:
            sentence = getattr(words, name)
            assert sentence
            if isinstance(sentence, str):
                assert set(re.findall(r"{\w+}", sentence)) == set(re.findall(r"{\w+}", getattr(chinese, name)))
        assert set(words.errors) == set(chinese.errors)

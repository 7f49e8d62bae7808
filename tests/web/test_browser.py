"""The review page in a real browser."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.graph.conftest import QUESTION
from tests.web.conftest import BOLD, KEYS, READS_ACME, ZH_QUESTION, Reviewed, listening

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here")
_QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_QUIET))
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, reviewed: Reviewed) -> Iterator[Page]:
    with listening(reviewed.app()) as address:
        context = browser.new_context(base_url=address, locale="en-GB")
        page = context.new_page()
        troubles: list[str] = []
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: troubles.append("a script of a user's text ran"))
        yield page
        context.close()
        assert troubles == []


def test_the_keyboard_leads_from_the_list_to_a_run_and_back(page: Page, reviewed: Reviewed) -> None:
    page.goto("/review")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.locator("tr.chosen a").inner_text() == ZH_QUESTION
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/review/runs/{reviewed.run(2)}")
    assert page.locator("h1").inner_text() == f"{QUESTION} {BOLD}"
    assert page.locator("svg.path g.used").count() == 8
    page.keyboard.press("r")
    page.wait_for_url("**/review")


def test_help_opens_with_a_key_and_typing_in_a_field_is_no_shortcut(page: Page) -> None:
    page.goto("/review")
    page.keyboard.press("?")
    assert page.locator("dialog#keys").is_visible()
    page.keyboard.press("Escape")
    page.locator("input[name=document]").fill("")
    page.locator("input[name=document]").press_sequentially("jcr?")
    assert page.locator("input[name=document]").input_value() == "jcr?"
    assert page.locator("dialog#keys").is_hidden()
    assert page.url.endswith("/review")


def test_a_filter_is_chosen_and_stays_chosen(page: Page) -> None:
    page.goto("/review")
    page.select_option("select[name=cache]", "exact")
    page.click("form.filter button")
    assert page.locator("tr[data-run]").count() == 1
    assert page.locator("select[name=cache]").input_value() == "exact"


def test_a_key_marks_a_run_as_wrong_and_as_right(page: Page, reviewed: Reviewed) -> None:
    page.goto(f"/review/runs/{reviewed.run(3)}")
    page.keyboard.press("d")
    page.wait_for_url("**told=marked")
    assert page.locator(".tag.bad").count() > 0
    page.keyboard.press("u")
    page.wait_for_function("document.querySelectorAll('ul .tag').length == 2")


def test_the_page_speaks_the_browsers_language_and_changes_it(browser: Browser, reviewed: Reviewed) -> None:
    with listening(reviewed.app()) as address:
        context = browser.new_context(base_url=address, locale="zh-CN")
        page = context.new_page()
        page.goto("/review/savings")
        assert page.locator("h1").inner_text() == "当天的钱省在哪里"
        page.click("text=English")
        page.goto("/review/savings")
        assert page.locator("h1").inner_text() == "Where the money of this day stayed"
        context.close()


def test_a_browser_logs_in_with_a_key(browser: Browser, reviewed: Reviewed) -> None:
    with listening(reviewed.app(KEYS)) as address:
        context = browser.new_context(base_url=address)
        page = context.new_page()
        page.goto("/review")
        page.fill("input[name=key]", READS_ACME)
        page.keyboard.press("Enter")
        page.wait_for_url("**/review")
        assert page.locator("tr[data-run]").count() == 4
        context.close()


def test_everything_works_without_scripts(browser: Browser, reviewed: Reviewed) -> None:
    with listening(reviewed.app()) as address:
        context = browser.new_context(base_url=address, java_script_enabled=False)
        page = context.new_page()
        page.goto("/review")
        page.click(f"text={ZH_QUESTION}")
        page.click("button[name=bad][value=no]")
        assert page.url.endswith("told=marked")
        context.close()

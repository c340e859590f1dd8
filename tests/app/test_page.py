"""The page in a browser: every tab used as a person does, nothing from outside, no error, keyboard and phone.

Skipped where Playwright or Chromium is not there: pip install playwright, and a chromium on the path.
"""

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
from tests.app.test_command import started  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the path"),
    pytest.mark.filterwarnings("ignore"),
]
SIZES = {"wide": {"width": 1200, "height": 900}, "phone": {"width": 390, "height": 800}}

Opened = Callable[[str], Any]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    running, said = started("--port", "0")
    yield said[-1].split()[0]
    running.terminate()
    running.communicate(timeout=20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as engine:
        chromium = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(params=["wide", "phone"])
def opened(request: pytest.FixtureRequest, browser: Any, address: str) -> Iterator[Opened]:
    """Opens the tab of a model; afterwards there was no error and no request to anywhere else."""
    context = browser.new_context(viewport=SIZES[request.param], accept_downloads=True)
    page = context.new_page()
    problems: list[str] = []
    refusal = "status of 422"  # is said in the page, and by Chromium's console too
    page.on(
        "console",
        lambda one: problems.append(one.text) if one.type == "error" and refusal not in one.text else None,
    )
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith((address, "blob:")) else problems.append(asked.url))

    def tab(model: str) -> Any:
        page.goto(f"{address}#model={model}")
        page.wait_for_selector(f'[role="tab"][aria-selected="true"]:has-text("{model}")')
        page.wait_for_load_state("networkidle")
        return page

    yield tab
    assert not problems, problems
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[request.param]["width"], "it scrolls sideways"
    assert page.context.cookies() == []
    context.close()


def test_sentences(opened: Opened) -> None:
    page = opened("sentences")
    walk = page.locator('[aria-label="Sentences between"] .words')
    assert walk.count() == 7
    before = page.locator(".large").first.inner_text()
    slider = page.get_by_label("Between", exact=True)
    slider.fill("100")
    page.wait_for_function("(text) => document.querySelector('.large').textContent !== text", arg=before)
    assert page.locator(".large").first.inner_text() == walk.last.inner_text()
    page.get_by_label("To", exact=True).fill("a red flower")
    page.wait_for_function("() => location.hash.includes('red')")
    page.wait_for_load_state("networkidle")
    page.reload()
    page.wait_for_load_state("networkidle")
    assert page.get_by_label("To", exact=True).input_value() == "a red flower", "a link brings the state back"
    page.get_by_role("button", name="Draw eight").click()
    page.wait_for_load_state("networkidle")
    assert page.locator('[aria-label="New sentences"] .words').count() == 8
    page.locator('[aria-label="New sentences"] button:has-text("edit")').last.click()
    chart = page.get_by_role("slider", name="Code, unit by unit")
    chart.focus()
    value = chart.get_attribute("aria-valuenow")
    for _ in range(5):
        page.keyboard.press("ArrowUp")
    assert chart.get_attribute("aria-valuenow") != value
    page.get_by_label("length", exact=True).fill("2")
    page.wait_for_load_state("networkidle")


def test_drums(opened: Opened, tmp_path: Path) -> None:
    page = opened("grooves")
    player = "document.querySelector('.cards').player"
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function(f"() => {player}.times.length > 12")
    times = page.evaluate(f"{player}.times.map(([, at]) => at)")
    steps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert max(abs(step - page.evaluate(f"{player}.stepSeconds")) for step in steps) < 1e-9, "no step drifts"
    page.get_by_role("button", name="Stop", exact=True).click()
    with page.expect_download() as kept:
        page.get_by_role("button", name="Save MIDI").click()
    kept.value.save_as(tmp_path / "groove.mid")
    assert (tmp_path / "groove.mid").read_bytes()[:4] == b"MThd"
    with page.expect_download() as sound:
        page.get_by_role("button", name="Save WAV").click()
    sound.value.save_as(tmp_path / "groove.wav")
    assert (tmp_path / "groove.wav").read_bytes()[:4] == b"RIFF"
    page.get_by_label("MIDI file").set_input_files(tmp_path / "groove.mid")
    page.wait_for_selector("#status:has-text('Read 1 window')")
    grid = page.get_by_role("application")
    grid.focus()
    page.keyboard.press(" ")
    said = page.locator(".grid .quiet")
    first = said.inner_text()
    page.keyboard.press(" ")
    assert first.startswith("kick, step 1: ")
    assert said.inner_text() != first
    page.get_by_label("density", exact=True).fill("2.25")
    page.get_by_label("A to B", exact=True).fill("50")
    page.wait_for_load_state("networkidle")
    palette = page.get_by_role("slider", name="Palette between four corners")
    palette.focus()
    page.keyboard.press("ArrowRight")
    assert palette.get_attribute("aria-valuetext") == "row 6, column 7 of 11"
    (tmp_path / "no.mid").write_text("no MIDI")
    page.get_by_label("MIDI file").set_input_files(tmp_path / "no.mid")
    page.wait_for_selector("#status.problem")


def test_digits(opened: Opened) -> None:
    page = opened("digits")
    plane = page.get_by_role("application")
    plane.focus()
    before = page.evaluate("location.hash")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("(hash) => location.hash !== hash", arg=before)
    strip = page.locator('[aria-label="Images between A and B"] canvas')
    assert strip.count() == 12
    strip.nth(5).click()
    pad = page.get_by_role("img", name="Draw here with the pointer")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    page.mouse.move(box["x"] + 110, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 110, box["y"] + 180, steps=8)
    page.mouse.up()
    page.wait_for_load_state("networkidle")
    drawn = "document.querySelector('[aria-label=\"What the model makes of it\"]')"
    pixels = f"{drawn}.getContext('2d').getImageData(0, 0, 28, 28).data"
    page.wait_for_function(f"() => {pixels}.filter((value, at) => at % 4 === 0 && value > 99).length > 10")


def test_tabs_are_reached_by_keyboard(opened: Opened) -> None:
    page = opened("digits")
    page.get_by_role("tab", name="digits").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "grooves"
    assert page.title() == "grooves – seqvae"
    page.keyboard.press("End")
    assert page.title() == "sentences – seqvae"
    page.wait_for_load_state("networkidle")

"""The page of paintings: whole, loads nothing from elsewhere, and a keyboard is enough."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from colorizers import model_of
from conftest import is_for_everybody
from PIL import Image

from colorkit.base.errors import KitError
from colorkit.pictures import gallery as room
from colorkit.sources import open_source

MODELS = {
    name: model_of(torch.full((2, 32, 32), ab)) for name, ab in (("lively", 0.3), ("cautious", 0.1))
}
TWO = ("436947", "456949")


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """A page of two paintings, by models that give the same orange to anything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "PAINTINGS", {number: room.PAINTINGS[number] for number in TWO})
        return room.write_gallery(str(tmp_path_factory.mktemp("gallery")), MODELS)


def test_twenty_four_free_paintings_of_the_sample_each_with_what_is_seen():
    sample = {Path(p.path).stem: p for p in open_source("sample").paintings}
    assert len(room.PAINTINGS) == 24
    assert all(sample[number].licence == "CC0" for number in room.PAINTINGS)
    assert len(set(room.PAINTINGS.values())) == 24


def test_every_file_it_names_is_there_and_nothing_comes_from_a_network(page):
    text = page.read_text()
    told = json.loads(re.search(r"const paintings = (\[.*?\]), models", text)[1])
    assert [painting["number"] for painting in told] == list(TWO)
    kinds = "grey", "lively", "cautious", "painted"
    wanted = {f"pictures/{number}-{kind}.jpg" for number in TWO for kind in kinds}
    files = {str(path.relative_to(page.parent)) for path in page.parent.rglob("pictures/*.jpg")}
    assert set(re.findall(r'src="([^"]+)"', text)) <= wanted == files
    assert set(re.findall(r"https?://[^\"']+", text)) == {room.MUSEUM}  # a link's beginning
    assert not re.search(r"url\(|@import|fetch\(|<link (?!rel=\"icon\" href=\"data:)", text)
    for number in TWO:
        assert f'alt="{room.PAINTINGS[number]}, coloured by lively"' in text
        assert Image.open(page.parent / f"pictures/{number}-grey.jpg").mode == "L"
    assert Image.open(page.with_name("sheet.jpg")).size == (room.TILE[0], 3 * room.TILE[1])
    assert told[0]["numbers"]["grey"][1] == 0 < told[0]["numbers"]["cautious"][1]


def test_it_is_written_over_itself_and_over_nothing_else(page, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "PAINTINGS", {TWO[0]: "a boat"})
    page = room.write_gallery(str(tmp_path / "mine"), MODELS)
    assert room.write_gallery(str(page.parent), MODELS) == page
    page.write_text("<h1>my own</h1>")
    with pytest.raises(KitError, match="not a page of this command; choose another folder"):
        room.write_gallery(str(page.parent), MODELS)
    assert page.read_text() == "<h1>my own</h1>"


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(KitError, match="cannot be written") as error:
        room.write_gallery(str(tmp_path / place), MODELS)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_it_is_for_everybody(phone, page):
    phone.goto(page.as_uri())
    is_for_everybody(phone)
    phone.locator(".cards a").first.click()
    is_for_everybody(phone)


@pytest.mark.slow
def test_a_keyboard_opens_divides_turns_over_and_closes(browser, page):
    tab, asked = browser.new_page(viewport={"width": 390, "height": 844}), []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: pytest.fail(str(error)))
    tab.goto(page.as_uri())
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("dialog[open]")
    assert tab.url.endswith(f"#{TWO[0]}")
    before = coloured(tab, 0.55, 0.65)
    for _ in range(10):
        tab.keyboard.press("ArrowRight")
    assert tab.get_attribute("#divider", "aria-valuenow") == "70"
    after = coloured(tab, 0.55, 0.65)
    assert before > 20 > 5 > after  # it was right of the line and is left of it, where grey is
    tab.keyboard.press("Home")
    tab.fill("#strength", "0")
    assert coloured(tab, 0.2, 0.8) < 5  # no strength is grey
    tab.check("input[name=right][value=painted]", force=True)
    assert tab.get_attribute("#right .top", "alt") == f"{room.PAINTINGS[TWO[0]]}, as painted"
    assert tab.is_disabled("#strength")
    tab.keyboard.press("n")
    assert tab.url.endswith(f"#{TWO[1]}")
    assert tab.inner_text("#title") == "Great Indian Fruit Bat"
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tab.keyboard.press("Escape")
    tab.wait_for_function(f"document.activeElement.hash === '#{TWO[1]}'")
    assert not tab.locator("dialog[open]").count()
    assert "#" not in tab.url
    assert all(url.startswith(("file:", "data:")) for url in asked)
    tab.close()


@pytest.mark.slow
def test_a_link_opens_a_painting_a_mouse_drags_the_line_and_back_closes(browser, page):
    tab = browser.new_page(viewport={"width": 1400, "height": 900})
    tab.goto(f"{page.as_uri()}#{TWO[1]}")
    place = tab.locator("#stage").bounding_box()
    middle = place["y"] + place["height"] / 2
    tab.mouse.move(place["x"] + place["width"] / 2, middle)
    tab.mouse.down()
    tab.mouse.move(place["x"] + place["width"] / 4, middle)
    tab.mouse.up()
    assert tab.get_attribute("#divider", "aria-valuenow") == "25"
    tab.click("#close")
    tab.click(f".cards a[href='#{TWO[0]}']")
    tab.wait_for_selector("dialog[open]")
    tab.go_back()
    tab.wait_for_function(f"document.activeElement.hash === '#{TWO[0]}'")
    assert not tab.locator("dialog[open]").count()
    tab.close()


def coloured(tab, left: float, right: float) -> int:
    """Measure how far apart red, green and blue are at most, between two shares of the width.

    And below the labels, above the knob.
    """
    tab.wait_for_function("[...document.querySelectorAll('#stage img')].every((i) => i.complete)")
    shot = Image.open(io.BytesIO(tab.locator("#stage").screenshot())).convert("RGB")
    width, height = shot.size
    part = shot.crop((round(left * width), height // 5, round(right * width), height // 3))
    return np.ptp(part, axis=-1).max()

"""The demo's page "Known colours": what a click does, and the whole way in a real browser."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from colorizers import model_of
from PIL import Image, ImageColor
from playwright.sync_api import expect
from processes import demo

from colorkit.base.errors import KitError
from colorkit.lost.hints import SOURCES, Hint, Hints, read_hints
from colorkit.lost.page import Page, only
from colorkit.pictures.demo import _forget

RED, BLUE = "#a03020", "#2040a0"


@pytest.fixture
def picture(tmp_path) -> Path:
    """Grey, dark on the left and light on the right, larger than it is shown."""
    values = np.tile(np.linspace(30, 220, 1200).astype(np.uint8), (800, 1))
    Image.fromarray(values).save(tmp_path / "lost.png")
    return tmp_path / "lost.png"


@pytest.fixture
def page(picture, tmp_path) -> Page:
    return Page(model_of(torch.zeros(2, 64, 64)), picture, tmp_path)


def two(path: Path) -> Hints:
    return Hints.of(path, [Hint(120, 400, RED, "text"), Hint(1080, 400, BLUE, "guess")])


def test_a_click_on_the_small_picture_is_a_place_in_the_large_one(page):
    record, chosen = page.begin(None)
    assert page.draw(None, record, [], chosen)[0].size == (768, 512)
    for number, at in enumerate([(0, 0), (767, 511)]):
        record, chosen = page.click(None, record, at, RED, "text", 1, "")
        assert chosen == number
    assert [(hint.x, hint.y) for hint in record.hints] == [(0.8, 0.8), (1199.2, 799.2)]


def test_points_are_changed_and_removed_and_those_outside_refused(page, picture):
    record, chosen = page.change(None, two(picture), 1, "rgba(160.4, 48, 32, 1)", "copy", 0.5, "b")
    assert record.hints[1] == Hint(1080, 400, RED, "copy", "b", 0.5)
    assert page.remove(None, record, chosen)[0].hints == record.hints[:1]
    with pytest.raises(KitError, match="no point is chosen: choose one of the list"):
        page.remove(None, record, None)
    assert page.change(None, record, None, RED, "text", 1, "")[0] == record
    with pytest.raises(KitError, match="outside the picture of 1200 x 800 px"):
        page.put(None, record, 1200, 3, RED, "text", 1, "")


def test_saved_hints_are_gone_on_from_if_they_are_of_this_picture(page, picture, tmp_path):
    saved = page.save_hints(None, two(picture))
    assert page.go_on(None, None, str(saved)) == (two(picture), None)
    Image.new("L", (1200, 800)).save(tmp_path / "other.png")
    with pytest.raises(KitError, match="the hints are of another picture"):
        page.go_on(str(tmp_path / "other.png"), None, str(saved))


@pytest.mark.parametrize("lab", [[50.0, 20.0, 30.0], [50.0, 0.0, 120.0], [-9.0, 0.0, 0.0]])
def test_saved_hints_may_have_colours_in_cielab(page, picture, lab):
    saved = page.save_hints(None, Hints.of(picture, [Hint(120, 400, lab, "text")]))
    record, chosen = page.go_on(None, None, str(saved))
    image, _ = page.draw(None, record, ["text"], chosen)
    (hint,) = record.hints
    assert image.getpixel((77, 256)) == ImageColor.getrgb(hint.hex)
    assert Hint(120, 400, hint.hex, "text").hex == hint.hex  # as the colour picker gives it


def test_a_source_that_does_not_count_takes_only_its_own_colour_away(page, picture):
    record = two(picture)
    both, rests = page.draw(None, record, list(SOURCES), None)
    less, rests_less = page.draw(None, record, ["guess"], None)
    changed = (np.asarray(both) != np.asarray(less)).any(-1)
    assert changed[:, :256].any()
    assert not changed[:, -128:].any()
    assert "on text" in rests
    assert "on text" not in rests_less
    assert only(record, ["text"]).hints == record.hints[:1]


def test_all_hints_are_saved_and_in_the_picture_those_that_count(page, picture):
    record = two(picture)
    assert read_hints(page.save_hints(None, record)) == record
    saved = page.save_picture(None, record, ["text"])
    assert Image.open(saved).size == (1200, 800)
    assert read_hints(saved) == record.without("guess")


def test_an_upload_that_is_worked_on_is_not_forgotten(page, picture, tmp_path):
    record, _ = page.begin(str(picture))
    os.utime(picture, (0, 0))
    page.draw(str(picture), record, list(SOURCES), None)
    _forget(tmp_path)
    assert picture.exists()


def test_points_can_be_put_on_an_upload_that_has_been_forgotten(page, picture):
    record, _ = page.begin(str(picture))
    picture.unlink()
    record, _ = page.put(str(picture), record, 3, 3, RED, "text", 1, "")
    saved = page.save_hints(str(picture), record)
    assert page.go_on(str(picture), None, str(saved)) == (record, None)
    with pytest.raises(KitError, match="^that picture has been forgotten; choose it again$"):
        page.save_picture(str(picture), record, list(SOURCES))


@pytest.fixture
def address() -> Iterator[str]:
    with demo() as (found, _):
        yield found


@pytest.mark.slow
def test_in_a_browser_from_the_upload_to_the_saved_record(browser, address, picture, tmp_path):
    expect.set_options(timeout=60_000)
    tab = browser.new_page()
    tab.set_default_timeout(60_000)
    tab.goto(address)
    tab.get_by_role("tab", name="Known colours").click()
    image = tab.locator("#hinted img")
    was = image.get_attribute("src")
    tab.locator(".upload input[type=file]").last.set_input_files(picture)
    expect(image).not_to_have_attribute("src", was)
    for x in (0.1, 0.9):
        box = image.bounding_box()
        image.click(position={"x": x * box["width"], "y": box["height"] / 2})
        expect(tab.locator("#points input")).to_have_count(1 if x < 0.5 else 2)
    tab.get_by_role("radio", name="fragment").click()
    expect(tab.locator("#points")).to_contain_text("2. #8a2b1e, fragment")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Save the hints").click()
    download.value.save_as(tmp_path / "saved.json")
    record = read_hints(tmp_path / "saved.json")
    assert [hint.source for hint in record.hints] == ["text", "fragment"]
    record.check(Hints.of(picture), (1200, 800))
    assert abs(record.hints[0].x - 120) < 10
    was = image.get_attribute("src")
    tab.get_by_label("1. #8a2b1e, text").click()
    expect(image).not_to_have_attribute("src", was)  # its ring is larger
    expect(tab.get_by_label("1. #8a2b1e, text")).to_be_checked()
    tab.get_by_role("button", name="Remove").click()
    expect(tab.locator("#points input")).to_have_count(1)
    tab.get_by_role("checkbox", name="fragment").click()
    expect(tab.locator("#rests")).to_contain_text("100% on no hint")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Save the picture").click()
    download.value.save_as(tmp_path / "saved.png")
    assert Image.open(tmp_path / "saved.png").size == (1200, 800)
    assert read_hints(tmp_path / "saved.png").hints == ()
    tab.close()

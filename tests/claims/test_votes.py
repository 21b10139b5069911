import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from conftest import is_for_everybody
from known import answer, key_of
from typer.testing import CliRunner

from colorkit.base.errors import KitError
from colorkit.claims import votes as forced_choice
from colorkit.claims.gathering import read_archive
from colorkit.claims.votes import CATCH, make_page, read_votes, tally
from colorkit.cli import app


@pytest.fixture
def page(grid) -> Path:
    """A rater's page; its key lies beside it."""
    return make_page(grid, 1, rater=0)


def test_a_rater_sees_each_painting_once_and_the_next_one_with_another_model(grid):
    keys = [key_of(make_page(grid, 1, rater)) for rater in range(3)]
    for key in keys:
        paths = [trial["path"] for trial in key if trial["model"] != CATCH]
        assert len(set(paths)) == len(paths)
        assert {trial["model"] for trial in key} >= {CATCH}
    seen = {(trial["path"], trial["model"]) for key in keys for trial in key}
    assert len({pair for pair in seen if pair[1] != CATCH}) == 3 * len(paths)
    assert all(trial["path"] == "" for trial in keys[0] if trial["model"] == CATCH)
    assert keys[0] == key_of(make_page(grid, 1, 0))
    assert len(list((grid.folder.path / "choice").glob("rater-*-*.html"))) == 3
    assert keys[0] != keys[1]


def test_the_page_does_not_give_itself_away(page):
    text = page.read_text()
    for word in ("unet", "pix2pix", "Ada", "grey", "truth", '"catch"'):
        assert word not in text, word


def test_sides_and_order_are_drawn():
    paths = [f"{n}.jpg" for n in range(400)]
    numbers, key = forced_choice._draw_trials(paths, 10, rater=5)
    left = np.mean([trial["painting"] == "left" for trial in key])
    assert 0.42 < left < 0.58
    pairs = zip(numbers, key, strict=True)
    order = [number for number, trial in pairs if trial["model"] != CATCH]
    assert sorted(order) == list(range(400)) != order


def test_votes_are_counted_model_by_model(page):
    rows, remarks = read_votes([answer(page)])
    assert remarks == []
    assert (tally(rows)["rate"] == 0).all()
    rows, _ = read_votes([answer(page, truthful=False)])
    counts = tally(rows)
    assert counts["votes"].sum() == len(rows)
    assert {(row["rater"], row["table"]) for row in rows} == {("rater-0", 1)}
    assert (counts["rate"] == 1).all()


def test_one_person_is_one_rater_and_a_copy_counts_once(out, gallery):
    """Pages of two folders, and a file that a browser saved twice."""
    grids = read_archive(out).protocol.grids(out, str(gallery))
    pages = [make_page(grids["tables", split], 1, rater=7) for split in ("fold-1", "fold-2")]
    files = [answer(page) for page in pages]
    again = files[0].with_name(f"{pages[0].stem} (1).votes.json")
    shutil.copy(files[0], again)
    rows, (remark,) = read_votes([*files, again])
    assert rows == read_votes(files)[0]
    assert {row["rater"] for row in rows} == {"rater-7"}
    assert remark == f"{again.name}: left out, {pages[0].stem}'s votes are counted already"
    shown = CliRunner().invoke(app, ["votes", *map(str, files)])
    assert shown.exit_code == 0, shown.output
    assert "95 % interval" in shown.output


def test_who_misses_the_catch_trials_is_left_out_and_named(page):
    rows, (remark,) = read_votes([answer(page, caught=False)])
    assert rows == []
    assert re.match(r"rater-0-\w{8}.votes.json: left out, 2 of 2 catch trials missed", remark)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda votes: votes.update(votes=votes["votes"] * 2), "trials repeated or unknown"),
        (lambda votes: votes["votes"][0].update(trial=99), "trials repeated or unknown"),
        (lambda votes: votes["votes"][0].update(side="up"), "trials repeated or unknown"),
        (lambda votes: votes.update(page="rater-7-x"), "its key rater-7-x.key.json is missing"),
        (lambda votes: votes.update(page="../../etc"), "its key etc.key.json is missing"),
        (lambda votes: votes.pop("votes"), "not a file of votes"),
        (lambda votes: votes.update(page=3), "not a file of votes"),
        (lambda votes: votes["votes"][0].update(trial=[1]), "not a file of votes"),
    ],
)
def test_votes_that_do_not_fit_are_refused(page, change, says):
    path = answer(page)
    votes = json.loads(path.read_text())
    change(votes)
    path.write_text(json.dumps(votes))
    with pytest.raises(KitError, match=says):
        read_votes([path])


def test_the_statistics_by_hand():
    """Of one rater's votes the interval is wide; of as many raters as votes it is the usual one."""
    rows = [{"model": "pix2pix_scratch", "fooled": n < 40, "path": str(n)} for n in range(100)]
    alone = tally([row | {"rater": n} for n, row in enumerate(rows)]).loc["pix2pix_scratch"]
    assert (alone["votes"], alone["raters"], alone["rate"]) == (100, 100, 0.4)
    low, high = (scipy.stats.norm.ppf(p) for p in (0.8, 0.975))  # by hand
    assert np.ceil(((high / 2 + low * 0.24**0.5) / 0.1) ** 2) == forced_choice.NEEDED
    two = tally([row | {"rater": row["fooled"]} for row in rows]).loc["pix2pix_scratch"]
    assert two["low"] == 0
    assert two["high"] == 1


def test_a_page_has_all_three_models_or_is_not_made(grid):
    with pytest.raises(KitError, match="0 of Table 2's 3 models are finished"):
        make_page(grid, 2, 0)
    grid.folder.result_path("t1-pix2pix_scratch-s1000").unlink()
    with pytest.raises(KitError, match="2 of Table 1's 3 models are finished"):
        make_page(grid, 1, 0)


@pytest.mark.slow
def test_on_a_phone_an_answer_is_taken_back_by_touch(phone, page):
    phone.goto(page.as_uri())
    where, undo = phone.locator("#where"), phone.get_by_role("button", name="Take the last")
    assert undo.is_disabled()
    first = where.inner_text()
    phone.locator("#left").tap()
    assert where.inner_text() != first
    undo.tap()
    assert where.inner_text() == first
    for _ in key_of(page):
        phone.locator("#right").tap()
    undo.tap()  # the last one too, after the end
    assert where.is_visible()
    is_for_everybody(phone)


@pytest.mark.slow
def test_in_a_browser_by_keyboard_and_mouse(browser, page):
    """Answer every pair in Chromium, go back once, reload in between, save, and count."""
    key = key_of(page)
    arrow = {"left": "ArrowLeft", "right": "ArrowRight"}
    tab = browser.new_page()
    errors, outside = [], []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("request", lambda asked: outside.append(asked.url))
    tab.goto(page.as_uri())
    assert tab.locator("#where").inner_text() == f"pair 1 of {len(key)}"
    assert tab.evaluate("document.getElementById('left-picture').naturalWidth") == 32
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("Backspace")
    assert tab.locator("#where").inner_text() == f"pair 1 of {len(key)}"
    tab.keyboard.press(arrow[key[0]["painting"]])
    tab.reload()
    assert tab.locator("#where").inner_text() == f"pair 2 of {len(key)}"
    tab.locator(f"#{key[1]['painting']}").click()
    for trial in key[2:]:
        tab.keyboard.press(arrow[trial["painting"]])
    with tab.expect_download() as download:
        tab.get_by_text("Save my answers").click()
    saved = page.with_name(download.value.suggested_filename)
    download.value.save_as(saved)
    tab.close()
    assert errors == []
    assert [url for url in outside if not url.startswith(("file:", "data:"))] == []
    rows, remarks = read_votes([saved])
    assert remarks == []
    assert len(rows) == sum(trial["model"] != CATCH for trial in key)
    assert not any(row["fooled"] for row in rows)

"""The page, in a real browser: upload, wait, compare, download; and everything it must survive."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import requests
from conftest import bomb, untrained
from PIL import Image
from playwright.sync_api import TimeoutError

from colorkit.base.errors import KitError
from colorkit.experiment import MODELS
from colorkit.pictures import demo


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A results folder with two small models."""
    out = tmp_path_factory.mktemp("results") / "smoke"
    for architecture in ("unet_resnet18", "pix2pix_scratch"):
        untrained(architecture).save_pretrained(out / "models" / f"t1-{architecture}-s0")
    untrained().save_pretrained(out / "models" / "t1-pix2pix_scratch-s0-l2")  # a variant
    return out


@pytest.fixture(scope="module")
def server(models, tmp_path_factory) -> Iterator[tuple[str, psutil.Process]]:
    temporary = tmp_path_factory.mktemp("temporary")
    process = subprocess.Popen(
        [sys.executable, "-m", "colorkit", "demo", "--out", str(models)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"},
    )
    seen = ""
    while not (address := re.search(r"http://127[\d.:]+", seen)):
        line = process.stdout.readline()
        assert line, seen
        seen += line
    yield address[0], psutil.Process(process.pid)
    process.terminate()
    process.wait(timeout=60)
    assert not [path for path in temporary.rglob("*") if path.is_file()]


@pytest.fixture
def tab(browser, server):
    tab = browser.new_page(viewport={"width": 1300, "height": 1000})
    tab.set_default_timeout(60_000)
    tab.goto(server[0])
    tab.wait_for_selector("#go")
    yield tab
    tab.close()


@pytest.fixture
def picture(tmp_path) -> Path:
    values = np.random.default_rng(0).integers(0, 256, (300, 500, 3), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "a painting.png")
    return tmp_path / "a painting.png"


def choose(tab, path: Path) -> None:
    """Choose a file, again if the page was not listening yet."""
    name = tab.get_by_text(path.stem).first
    for _ in range(20):
        tab.set_input_files("input[type=file]", path)
        with suppress(TimeoutError):
            name.wait_for(timeout=3000)
            return
    raise AssertionError(f"{path.name} was not taken")


@pytest.mark.slow
def test_upload_wait_compare_download_by_keyboard_alone(tab, picture, tmp_path):
    choose(tab, picture)
    tab.focus("#go")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#gallery img")
    captions = tab.inner_text("#gallery")
    for label in ("grey", MODELS["unet_resnet18"], MODELS["pix2pix_scratch"], "as it was"):
        assert label in captions
    assert tab.locator("#slider img").count() == 2
    assert tab.locator("#files a").count() >= 2  # one for each model
    with tab.expect_download() as download:
        tab.locator("#files a").first.click()
    download.value.save_as(tmp_path / "saved.png")
    assert Image.open(tmp_path / "saved.png").size == (500, 300)
    for image in tab.locator("#gallery img").all():
        assert image.get_attribute("alt") is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("text.png", b"hello", "cannot be read: not a picture"),
        ("large.png", bomb(8_000), "more than 50,000,000 pixels"),
    ],
    ids=["text", "large"],
)
def test_bad_uploads_are_explained_and_leave_it_at_work(
    tab, picture, tmp_path, name, content, says
):
    (tmp_path / name).write_bytes(content)
    choose(tab, tmp_path / name)
    tab.click("#go")
    tab.wait_for_selector(f"text=/{says}/")
    assert tab.locator("#gallery img").count() == 0
    tab.reload()
    tab.wait_for_selector("#go")
    choose(tab, picture)
    tab.click("#go")
    tab.wait_for_selector("#gallery img")


@pytest.mark.slow
def test_two_hundred_uploads_take_no_more_memory(server, models, picture):
    from gradio_client import Client, handle_file

    address, process = server
    client, used, name = Client(address, verbose=False), [], list(demo.models_of(models))[1]
    for _ in range(200):
        answer = client.predict(handle_file(picture), [name], 1.0, api_name="/colour")
        used.append(process.memory_info().rss)
    assert len(answer) == 4
    assert np.mean(used[-20:]) < np.mean(used[20:40]) + 100e6


@pytest.mark.slow
def test_the_queue_cannot_be_passed_by(server, picture):
    asked = {"data": [{"path": str(picture)}, [], 1.0]}
    answer = requests.post(f"{server[0]}/gradio_api/run/colour", json=asked, timeout=60)
    assert answer.status_code == 404


def test_a_folder_gives_its_models_and_not_its_variants(models):
    found = demo.models_of(models)
    architectures = [model.config["architecture"] for model in found.values()]
    assert architectures == ["unet_resnet18", "pix2pix_scratch"]
    assert all("UNTRAINED" in name for name in found)


def test_what_is_asked_for_wrongly_is_explained(models, picture, tmp_path):
    found = demo.models_of(models)
    with pytest.raises(KitError, match="no picture yet"):
        demo.answer(found, None, list(found), 1.0, tmp_path)
    with pytest.raises(KitError, match="no model chosen"):
        demo.answer(found, str(picture), [], 1.0, tmp_path)


def test_old_files_are_forgotten_but_for_the_examples(tmp_path):
    then = time.time() - 2 * demo.KEPT_SECONDS
    for name in ("old", "new", "example"):
        (tmp_path / name).mkdir()
        if name != "new":
            os.utime(tmp_path / name, (then, then))
    demo._forget(tmp_path, {tmp_path / "example"})
    assert {path.name for path in tmp_path.iterdir()} == {"new", "example"}

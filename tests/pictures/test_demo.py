"""The page, in a real browser: upload, wait, compare, download; and everything it must survive."""

import itertools
import os
import runpy
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.request import proxy_bypass

import httpx
import numpy as np
import psutil
import pytest
import requests
import torch
from colorizers import model_of, untrained
from conftest import bomb, is_for_everybody
from PIL import Image
from playwright.sync_api import TimeoutError, expect
from processes import demo as served

from colorkit.base.errors import KitError
from colorkit.pictures import demo
from colorkit.pictures.pretrained import Colorizer

expect.set_options(timeout=60_000)  # two busy cores colour slowly


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
    with served("--out", models, TMPDIR=str(temporary)) as (address, number):
        yield address, psutil.Process(number)
    assert not [path for path in temporary.rglob("*") if path.is_file()]


@pytest.fixture
def tab(browser, server):
    tab = browser.new_page(viewport={"width": 1300, "height": 1000})
    tab.set_default_timeout(60_000)
    tab.goto(server[0])
    tab.wait_for_selector("#beside img")
    yield tab
    tab.close()


@pytest.fixture
def picture(tmp_path) -> Path:
    values = np.random.default_rng(0).integers(0, 256, (300, 500, 3), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "a painting.png")
    return tmp_path / "a painting.png"


def shown(tab) -> str:
    return tab.get_attribute("#beside img", "src")


def choose(tab, path: Path) -> None:
    """Choose a file, again if the page was not listening yet."""
    name = tab.get_by_text(path.stem).first
    for _ in range(20):
        tab.set_input_files("input[type=file]", path)
        with suppress(TimeoutError):
            name.wait_for(timeout=3000)
            return
    raise AssertionError(f"{path.name} was not taken")


def changed(tab, was: str) -> None:
    expect(tab.locator("#beside img").first).not_to_have_attribute("src", was)


@pytest.mark.slow
def test_it_opens_with_a_painting_and_an_upload_takes_its_place(tab, picture, tmp_path):
    labels = ("grey", "U-Net (untrained)", "scratch (untrained)", "as it was")
    assert tab.locator("#beside figcaption").all_inner_texts() == list(labels)
    assert tab.locator("#slider img").count() == 2
    was = shown(tab)
    choose(tab, picture)
    changed(tab, was)
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Save").first.click()
    download.value.save_as(tmp_path / "saved.jpg")
    assert download.value.suggested_filename == "a painting-U-Net-untrained.jpg"
    assert Image.open(tmp_path / "saved.jpg").size == (500, 300)
    for image in tab.locator("img").all():
        assert image.get_attribute("alt")


@pytest.mark.slow
def test_strength_is_changed_by_keyboard_and_a_painting_taken_by_a_click(tab):
    was = shown(tab)
    tab.focus("input[type=range]")
    tab.keyboard.press("End")
    changed(tab, was)
    tab.get_by_text("More:").click()
    was, said = shown(tab), tab.inner_text("#numbers")
    tab.get_by_role("button", name="Manet").click()
    changed(tab, was)
    assert tab.inner_text("#numbers") != said


@pytest.mark.slow
def test_a_bad_upload_is_explained_once_until_the_next_works(tab, tmp_path):
    bad = {b"hello": "cannot be read: not a picture", bomb(8_000): "more than 50,000,000 pixels"}
    for number, (content, says) in enumerate(bad.items()):
        (tmp_path / f"bad {number}.png").write_bytes(content)
        choose(tab, tmp_path / f"bad {number}.png")
        expect(tab.get_by_role("alert")).to_contain_text(says)
        assert tab.locator("#beside img").count() == 0
        tab.get_by_role("button", name="Manet").click()
        tab.wait_for_selector("#beside img")
        expect(tab.get_by_role("alert")).to_have_count(0)
        tab.get_by_role("button", name="Clear").first.click()


@pytest.mark.slow
def test_a_phone_shows_the_result_below_the_upload(phone, server, picture):
    phone.goto(server[0])
    phone.wait_for_selector("#beside img")
    was = shown(phone)
    choose(phone, picture)
    changed(phone, was)
    assert phone.locator("#slider").bounding_box()["y"] < 844 - 350


@pytest.mark.slow
def test_any_screen_shows_it_to_everybody(phone, server):
    phone.goto(server[0])
    phone.add_style_tag(content="* { transition: none !important }")  # no colours on their way
    for page, picture in {"Guessed colours": "#slider img", "Known colours": "#hinted img"}.items():
        phone.get_by_role("tab", name=page).click()
        phone.wait_for_selector(picture)
        for width, scheme in itertools.product((390, 1400), ("light", "dark")):
            phone.set_viewport_size({"width": width, "height": 844})
            phone.emulate_media(color_scheme=scheme)
            expect(phone.locator("body.dark")).to_have_count(int(scheme == "dark"))
            is_for_everybody(phone)


@pytest.mark.slow
def test_a_hundred_uploads_take_no_more_memory(server, picture):
    from gradio_client import Client, handle_file

    address, process = server
    client, used = Client(address, verbose=False), []
    for _ in range(100):
        answer = client.predict(handle_file(picture), 1.0, api_name="/colour")
        used.append(process.memory_info().rss)
    assert len(answer) == 6  # trouble, preview, before and after, beside, baselines, numbers
    assert np.mean(used[-20:]) < np.mean(used[20:40]) + 50e6


@pytest.mark.slow
def test_the_queue_cannot_be_passed_by(server, picture):
    asked = {"data": [{"path": str(picture)}, 1.0]}
    answer = requests.post(f"{server[0]}/gradio_api/run/colour", json=asked, timeout=60)
    assert answer.status_code == 404


def test_a_folder_gives_its_models_and_not_its_variants(models):
    found = demo.models_of(models)
    architectures = [model.config["architecture"] for model in found.values()]
    assert architectures == ["unet_resnet18", "pix2pix_scratch"]
    assert list(found) == ["U-Net (untrained)", "scratch (untrained)"]


@pytest.fixture
def two() -> dict[str, Colorizer]:
    """Two models that give all pictures one colour: a brown, and a more vivid one."""
    brown = torch.tensor([0.1, 0.2])[:, None, None].expand(2, 32, 32)
    return {"brown": model_of(brown), "vivid": model_of(3 * brown)}


def test_the_liveliest_answer_is_told_when_it_loses(two, picture, tmp_path):
    files, said = demo.answer(two, demo.read_upload(str(picture)), 1.0, tmp_path)
    assert list(files) == ["grey", "brown", "vivid", "as it was"]
    assert "liveliest: vivid. Here the liveliest answer is not the nearest." in said


@pytest.mark.parametrize(
    ("tone", "says"),
    [
        ((1, 1, 1), "is grey"),
        ((1, 0.9, 0.7), "is toned"),
    ],
)
def test_what_has_no_colours_is_not_compared(two, tmp_path, tone, says):
    noise = np.random.default_rng(0).integers(-1, 2, (256, 64, 3))  # as of a lossy file
    ramp = np.arange(256)[:, None, None] * np.array(tone) + noise
    Image.fromarray(ramp.clip(0, 255).astype(np.uint8)).save(tmp_path / "old.webp")
    _, said = demo.answer(two, demo.read_upload(str(tmp_path / "old.webp")), 1.0, tmp_path)
    assert says in said
    assert "mse_ab" not in said


@pytest.mark.parametrize(("share", "outside"), [(False, False), (True, True)])
def test_a_proxy_is_not_asked_for_our_own_page(monkeypatch, share, outside):
    for name, value in {"HTTP_PROXY": "http://proxy:9", "NO_PROXY": "", "no_proxy": ""}.items():
        monkeypatch.setenv(name, value)
    demo._pass_proxies_by(share)
    assert proxy_bypass("127.0.0.1:7860")
    assert bool(proxy_bypass("gradio.live")) != outside


def test_a_socks_proxy_is_passed_by_too_and_needs_its_package_for_a_public_link(monkeypatch):
    for name, value in {"ALL_PROXY": "socks5://proxy:9", "NO_PROXY": "", "no_proxy": ""}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "socksio", None)  # not installed
    demo._pass_proxies_by(share=True)
    with pytest.raises(KitError, match="SOCKS proxy, but"), demo._variables_refused():
        httpx.Client()  # as gradio makes at the launch
    demo._pass_proxies_by(share=False)
    httpx.Client().close()


def test_what_gradio_cannot_use_of_its_own_variables_is_one_line(monkeypatch):
    from gradio import http_server as server

    monkeypatch.setenv("GRADIO_SERVER_PORT", "notaport")  # read at import
    monkeypatch.setattr(demo, "need", lambda *_: runpy.run_path(server.__file__))
    with pytest.raises(KitError, match="unset your GRADIO_… variables"):
        demo.load_gradio()


def test_old_files_are_forgotten_but_for_the_examples(tmp_path):
    then = time.time() - 2 * demo.KEPT_SECONDS
    for name in ("old", "new", "example"):
        (tmp_path / name).mkdir()
        if name != "new":
            os.utime(tmp_path / name, (then, then))
    demo._forget(tmp_path, {tmp_path / "example"})
    assert {path.name for path in tmp_path.iterdir()} == {"new", "example"}

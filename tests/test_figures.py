import base64
import io
import re

import pytest
import torch
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

from colorkit import figures, models
from colorkit.base import rendering

RGB = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
HISTORY = [{"epoch": e, "train_l1": 1 / e, "valid_l1": 2 / e} for e in (1, 2)]
GAN_HISTORY = [row | {"critic": 0.7, "fooling": 0.9} for row in HISTORY]
DRAWN = {
    "grid": (
        lambda: figures.picture_grid({"grey": RGB[None], "truth": RGB[None]}, ["A $b$"]),
        "truth",
    ),
    "counts": (lambda: figures.painter_counts({"Ada": 3, "Bo": 7}, {"Bo": 9}), "Most: Bo 7, Ada 3"),
    "planes": (lambda: figures.lab_planes(RGB, "Roses"), "Roses.*L\\*, a\\*, b\\*"),
    "gamut": (lambda: figures.gamut([50]), "29 % at L\\* = 50"),
    "table": (lambda: figures.colour_table([[0.0, 0.0], [0.1, 0.2]]), "b\\* from 0 to 22"),
    "losses": (
        lambda: figures.losses({"U-Net": HISTORY, "GAN": GAN_HISTORY}),
        "U-Net ends.*valid 1.000",
    ),
    "critic": (lambda: figures.critic_view(RGB, torch.rand(3, 3), 70), "verdicts"),
    "unet": (lambda: figures.unet_diagram(models.ScratchUnet(32, 4), 32), "32 px down to 1 px"),
}


@pytest.mark.parametrize("name", DRAWN)
def test_every_figure_renders_and_says_in_words_what_it_shows(name):
    draw, says = DRAWN[name]
    figure, alt = draw()
    assert re.search(says, alt)
    picture = Image.open(io.BytesIO(rendering.png(figure)))
    assert min(picture.size) > 100
    assert len(set(picture.convert("L").getdata())) > 10


def test_skip_arrows_join_steps_of_equal_width():
    figure, _ = figures.unet_diagram(models.ScratchUnet(32, 4), 32)
    arrows = [p for p in figure.axes[0].patches if type(p).__name__ == "FancyArrowPatch"]
    assert len(arrows) == 4  # 16, 8, 4 and 2 px


def test_img_tag_is_self_contained_and_escapes_its_words():
    figure, _ = figures.gamut([50])
    tag = rendering.img_tag(figure, 'a "quoted" <alt>')
    assert 'alt="a &quot;quoted&quot; &lt;alt&gt;"' in tag
    data = re.search(r"base64,([^\"]+)", tag)[1]
    assert Image.open(io.BytesIO(base64.b64decode(data))).format == "PNG"


CELL = """
from ipywidgets import IntSlider
from colorkit import figures, interact
level = IntSlider(50, min=5, max=95)
interact(lambda lightness: figures.gamut([lightness]), lightness=level)
"""


@pytest.mark.slow
def test_a_control_that_moves_changes_the_figure_and_the_figure_is_kept():
    cells = [new_code_cell(CELL), new_code_cell("level.value = 80")]
    client, shown = NotebookClient(new_notebook(cells=cells)), []
    with client.setup_kernel():
        for number, cell in enumerate(cells):
            client.execute_cell(cell, number)
            shown.append(cells[0].outputs[-1].data["text/html"])
    assert "L* = 50" in shown[0]
    assert "L* = 80" in shown[1]

"""Each exercise, as it stands in its notebook: solution, stub and wrong answers."""

import re
import types
from importlib import import_module
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from colorizers import model_of
from conftest import paint
from PIL import Image
from torch import nn

from colorkit.color import grey_input
from colorkit.course.answers import EXERCISES, PROGRESS
from colorkit.course.build import build_notebook
from colorkit.course.cells import tags
from colorkit.course.lesson_10 import RUNGS
from colorkit.folder import Folder
from colorkit.metrics import BASELINES, evaluate

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSONS = [*"1234567", "8a", "8b", "9", "10"]
BOOKS = {n: next(NOTEBOOKS.glob(f"*{n}_*.ipynb")) for n in LESSONS}
for lesson in BOOKS:
    import_module(f"colorkit.course.lesson_{lesson}")
NUMBERS = sorted(EXERCISES)

WRONG = {  # (what of the solution is changed, to what, what is said)
    "1.2": [
        ("counts.values(), 4", "counts.values(), 3", "my_quartets finds"),
        ("counts.values(), 4", "set(counts.values()), 4", "my_quartets finds"),
    ],
    "1.3": [
        ("way(picture)", "picture", "does not come out when computed again"),
        ("bits > ", "bits < ", "which is not what `moved` says"),
        ("ways.items()", "list(ways.items())[1:]", "moved lacks half size"),
    ],
    "10.2": [
        (" - there", "", "what my_spread returns is off by"),
        ("doubt + ", "", "what my_spread returns"),
        ("return prior + ", "return ", "what my_spread returns is off by"),
        ("nc->chw", "nc->nchw", "shape (4, 2, 8, 8), must be (2, 8, 8)"),
    ],
    "10.3": [
        ("record.without(kind)", "record", "which does not come out when computed again"),
        ("kind in notes", "kind in list(notes)[1:]", "moved lacks text"),
        ("record.without(kind)", "(record := record.without(kind))", "`record` has lost sources"),
        ("= apart(", "= (kind == 'guess') + apart(", "moved['guess'] is"),
    ],
    "10.4": [
        ('{moved["text"]:.1f}', '{moved["text"]:.0f}', "stands there with its decimal"),
    ],
    "2.2": [
        ("/ 50 - 1", "/ 100", "L of my_encode is off by"),
        ("/ 110", "/ 128", "ab of my_encode is off by"),
        ("(L + 1) * 50", "L * 50", "what my_decode returns is off by"),
    ],
    "2.3": [
        (" / pixels[:, None]", "", "the table is off by"),
        ("(sums, dim=1) / pixels[:, None]", "(sums) / pixels", "shape (2, 20), must be (20, 2)"),
        ("(L + 1) / 2 * 20", "L * 20", "the table"),
    ],
    "2.4": [
        ('part == "train"', 'part == "test"', "does not come out when computed again"),
        ("range(1, 40)", "range(1, 30)", "10 of 40 draws are missing"),
        ("lower = sum", "lower = 1 + sum", "draws is right; lower must be how many"),
    ],
    "2.5": [
        ("{min(draws.values()):.4f} to {max(draws.values()):.4f}", "0.0133", "no number"),
    ],
    "3.1": [
        ("(doubled, outer)", "(doubled, doubled)", "no shortcut"),
        ("(doubled, outer)", "(outer, outer)", "self.down2 plays no part"),
        ("torch.cat((doubled, outer), dim=1)", "doubled + outer", "your code raises RuntimeError"),
        (
            "return self.up1(torch.cat((doubled, outer), dim=1))",
            "return doubled",
            "must be (2, 2, 16, 16)",
        ),
    ],
    "3.2": [
        (".sum(", ".mean(", "what the layer answers is off by"),
        (", keepdim=True", "", "must be ("),
        ("dim=1", "dim=0", "must be ("),
    ],
    "3.4": [
        ('("unseen", unseen)', '("unseen", eight)', "errors['unseen'] is"),
        ('f"{name} grey"', 'f"{name} plain"', "errors lacks seen grey, unseen grey"),
        ("repeat(1, 2, 1, 1)", "repeat(1, 2, 1, 1) + 0.1", "errors['seen grey'] is"),
    ],
    "4.1": [
        ("(L, ab), dim=1", "(ab, L), dim=1", "what your critic answers is off by"),
        ("torch.cat((L, ab), dim=1)", "ab", "your code raises RuntimeError"),
        ("reversed(layers)", "layers", "by the kit it is"),
        ("(width - 1)", "width", "by the kit it is"),
    ],
    "4.2": [
        (".detach()", "", "your code raises RuntimeError"),
        (")) / 2", "))", "after one step the critic's weights"),
        ("    critic.requires_grad_(False)\n", "", "after two steps the critic's weights"),
        ("loss_if(True, critic(L, fake))", "loss_if(False, critic(L, fake))", "the generator's"),
        ("l1_weight * ", "", "the generator's"),
    ],
    "4.4": [
        ("both[:8]", "both[8:]", "means['real mixed'] is"),
        ('means["grey apart"]', 'means["grey"]', "means lacks grey apart"),
    ],
    "5.2": [
        ("generator.load_state_dict(trained.state_dict())", "generator = trained", "is off by"),
        (".state_dict()", ".state_dict() | generator[1].state_dict(prefix='1.')", "is off by"),
        (
            ".load_state_dict(trained.state_dict())",
            "._modules = trained._modules",
            "one and the same",
        ),
    ],
    "5.3": [
        ("mse_ab(False, size)", "mse_ab(True, size)", "which does not come out"),
        ("(1, 4, 16)", "(1, 4)", "errors lacks evaluation 16, training 16"),
    ],
    "5.4": [
        ('= "l1_only"', '= "one_stage"', "one_stage has a critic"),
        ('= "l1_only"', '= "no_critic"', "is no variant"),
    ],
    "6.2": [
        ("ddof=1", "ddof=0", "for 9 errors and n = 5 it is"),
        ("np.sqrt(n)", "np.sqrt(len(errors))", "for 9 errors and n = 5 it is"),
    ],
    "6.3": [
        ("one_colour[drawn]", "one_colour[drawn[::-1]]", "which does not come out"),
        (">= one", "< one", "which does not come out"),
        (".mean())\n", ".sum())\n", "must be a share, 0 to 1"),
    ],
    "7.2": [
        ("enlarged(", "0.5 * enlarged(", "what my_colorize returns is off by"),
        ("decode(L,", "decode(L.flip(-1),", "what my_colorize returns is off by"),
        ("enlarged(model(seen), L)", "model(seen)", "your code raises RuntimeError"),
    ],
    "7.3": [
        (".flip(-1)).flip(-1)", ".flip(-1))", "which does not come out when computed again"),
        ("models.items()", "list(models.items())[1:]", "changes lacks cautious"),
    ],
    "8a.1": [
        ("(a - b).std(ddof=1)", "(a.var(ddof=1) + b.var(ddof=1)) ** 0.5", "for 6 paintings"),
        (" / np.sqrt(len(a))", "", "for 6 paintings paired_error is"),
        ("ddof=1", "ddof=0", "nearly: use std(ddof=1)"),
    ],
    "8a.3": [
        ("together + own", "own", "coverage(0.2) is"),
        ("* shared**0.5", "* shared", "coverage(0.2) is"),
        ("/ 5**0.5", "", "coverage(0) is"),
        ("float((abs", "4000 * float((abs", "must be a share, 0 to 1"),
    ],
    "8b.2": [
        ("equal_models", "equal", "the kit cannot read it: rule"),
        ("equal_models", "lowest", "does not ask whether models are equal"),
        ("margin: 0.1", "margin: 0", "can never be confirmed"),
        ("margin: 0.1", "margin: 3", "nearly all models are close"),
        ("size: 256", "size: 512", "would not be let in"),
        (", models: all", "", "all three"),
        ("runs: 20", "runs: 1", "from its seed"),
        (
            "size: 256, epochs: 50, batch_size: 16, weights: imagenet, models: all, runs: 20",
            "models: all, runs: 2",
            "our small runs would decide it",
        ),
        ("assurance: 0", "", "assurance: is missing"),
        ("assurance: 0", "assurance: 0.9", "nobody has simulated"),
    ],
    "8b.3": [
        ("flip = high", "flip = low - 0.05", "it is not replicated"),
        ("flip = high", "flip = high + 0.05", "it is replicated already"),
        ("flip = high", "flip = 0.0", "must be a margin above"),
    ],
    "9.1": [
        ("light = color.to_linear(rgb)", "light = rgb", "what my_photograph returns is off by"),
        ("color.to_srgb(exposure)", "exposure", "what my_photograph returns is off by"),
        (", keepdim=True", "", "shape (2, 8, 8), must be (2, 1, 8, 8)"),
    ],
    "9.3": [
        ("film.photograph(some, plate)", 'film.photograph(some, "eye")', "does not come out"),
        ('"unsensitised", ', "", "distances lacks unsensitised"),
        ('"pan", ', "", "distances has 5 plates, must be 6"),
        ('"pan", ', '"eye", ', "distances has 5 plates, must be 6"),
        ('"pan", ', '"ortho,daylight", ', "distances has 5 plates, must be 6"),
        ("colorkit", 'distances["Ortho"] = 1.0\ncolorkit', "emulsion 'Ortho': unknown"),
        ("colorkit", 'distances["pan"] += 1\ncolorkit', "does not come out when computed again"),
    ],
    "9.4": [
        ('{distances["unsensitised"]:.1f}', '{distances["pan,tungsten"]:.1f}', "no number"),
        ('{distances["unsensitised"]:.1f}', "some", "no number"),
        ('{distances["unsensitised"]:.1f}', '{distances["unsensitised"]:.0f}', "one decimal"),
    ],
}

CHEAPER = {"PatchCritic()": "PatchCritic(filters=16)", "filters=24": "filters=4", "241": "21"}
QUOTING = ("1.4", "2.5", "3.5", "7.4", "9.4", "10.4")  # the numbers of the exercise before
OPEN = (*QUOTING, "6.4", "8a.4", "8b.4")


NEEDED = {  # cells of a notebook that its exercises need
    "1": ("ex1301co",),
    "2": ("ex2401co",),
    "3": ("ex3401co",),
    "4": ("6087967a", "26f3c270"),
    "5": ("40612489",),
    "7": ("e4addfe7",),
    "9": ("c9dist01",),
    "10": ("c10known", "c10apart"),
}


def stand_ins(folder: Folder) -> dict[str, Any]:
    """Return, by their names in the notebooks, numbers and networks that take long to make."""
    test, errors = folder.pixels["test"], np.random.default_rng(0).gamma(2, 0.01, size=17)
    layers = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1)
    generator = nn.Sequential(*layers)
    path = folder.source.root / folder.manifest["path"].iloc[0]
    return {
        "generator": generator,
        "test": test,
        "result": {"scores": {"test": evaluate(generator, test)}},
        "one_colour": errors,
        "forty": errors * np.linspace(0.6, 1.2, 17),
        "original": Image.open(path).convert("RGB"),
        "path": path,
        "model": model_of(torch.zeros(2, 32, 32)),
        "size": 64,
        "models": {"cautious": generator, "lively": generator},
        "L_dozen": grey_input(test.float() / 255),
        "published": "",
        "least": 0.0052,
        "needed": {0.0004: 8798},
        "ran": {"size": 64, "epochs": 6, "weights": "random"},
        "needs": {"size": 256, "epochs": 50, "weights": "imagenet"},
        "rgb": test.float() / 255,
    }


@pytest.fixture(scope="module")
def lessons(tmp_path_factory) -> dict[str, dict]:
    """Each lesson's names, after the cells that its exercises need, on twenty-four paintings."""
    root = tmp_path_factory.mktemp("lessons")
    for n in range(24):
        paint(root / "paintings" / f"{n % 3}" / f"{n}.jpg", seed=n)
    folder = Folder(root / "out", data=str(root / "paintings"))
    names: dict[str, dict] = {}
    for lesson, path in BOOKS.items():
        names[lesson] = {"folder": folder, "manifest": folder.manifest} | stand_ins(folder)
        book = nbformat.read(path, as_version=4)
        code = "\n".join(cell.source for cell in book.cells if cell.cell_type == "code")
        imports = "\n".join(re.findall(r"(?m)^(?:import|from) .+", code))
        plumbing = next(c.source for c in book.cells if "plumbing" in tags(c))
        begin = re.split(r"(?m)^(?:folder|paintings|model) = ", plumbing)[0]
        begin = begin.replace("colorkit.refuse_unknown_parameters()", "")
        chosen = [cell.source for cell in book.cells if cell.id in NEEDED.get(lesson, ())]
        for source in (imports, begin, *chosen):
            for costly, cheap in CHEAPER.items():
                source = source.replace(costly, cheap)
            exec(source, names[lesson])
    return names


def errors_of(*mse_ab: float) -> pd.DataFrame:
    """Return the table of notebook 6: the errors of three predictors and a network."""
    return pd.DataFrame({"mse_ab": mse_ab}, ["grey", "mean_ab", "L_table", "unet_resnet18"])


def leaks_that_give_it(cause: str) -> pd.DataFrame:
    """Return the table of notebook 8b, in which one cause gives the paper's pattern."""
    return pd.DataFrame({"cause": ["none", cause], "the paper's pattern": ["no", "yes"]})


def long_errors(ours: float) -> pd.DataFrame:
    """Return the table of notebook 4: a long training's error beside one constant colour's."""
    return pd.DataFrame({"test": {"pix2pix": ours, BASELINES["mean_ab"]: 0.0150}})


PREDICTED = {  # what a notebook has found out, by name: three times, so that a, b and c are right
    "1.1": {"fits": [["a set"] * count for count in (1, 20, 412)]},
    "10.1": {"ratio": [dict.fromkeys(RUNGS.values(), 2) | {best: 1} for best in RUNGS.values()]},
    "2.1": {"colour_error": [2, 1, 1], "lightness_error": [1, 2, 1.05]},
    "3.3": {"l1": torch.tensor([[2.0, 1.5, 1], [1.5, 1, 2], [1, 1, 1]])},
    "4.3": {"stopped": [True, False, False], "helping": [1, 0, 1]},
    "4.5": {"long_errors": [long_errors(ours) for ours in (0.004, 0.012, 0.016)]},
    "5.1": {"by_seed": [2, 1, 1], "by_model": [1, 2, 1.05]},
    "6.1": {"wide": [errors_of(*found) for found in ((3, 1, 2, 2), (3, 2, 1, 2), (4, 3, 2, 1))]},
    "7.1": {"nearest": [{"lively": best} for best in (1.4, 0.75, 1.25)]},
    "8a.2": {"alarms": [3, 7, 14], "p_values": [[0.0] * 30] * 3},
    "8b.1": {"leaks": [leaks_that_give_it(cause) for cause in ("spaces", "leak", "mode")]},
    "9.2": {"curves": [pd.DataFrame([[6.0, left]], ["ortho"]) for left in (1.0, 2.7, 5.0)]},
}


@pytest.fixture
def run(lessons, monkeypatch, capsys):
    """Run an exercise's cells in one of the builds, with a change; returns the last line said."""

    def call(number: str, kind: str, old: str = "", new: str = "") -> str:
        PROGRESS.clear()
        lesson = number.partition(".")[0]
        names = dict(lessons[lesson])
        monkeypatch.setattr("IPython.get_ipython", lambda: types.SimpleNamespace(user_ns=names))
        book = build_notebook(nbformat.read(BOOKS[lesson], as_version=4), kind)
        if number in QUOTING:
            exec(code_of(book, f"{lesson}.{int(number[-1]) - 1}"), names)
        source = code_of(book, number)
        assert old in source
        if number in PREDICTED and kind == "solutions":
            place = "abc".index(re.search(r'\nguess = "(.)"', source)[1])
            names.update({name: found[place] for name, found in PREDICTED[number].items()})
        capsys.readouterr()
        exec(source.replace(old, new, 1) if old else source, names)
        return capsys.readouterr().out.splitlines()[-1]

    return call


def code_of(book: nbformat.NotebookNode, number: str) -> str:
    """Return the code of an exercise, under its heading, and its check, wherever that stands."""
    found, inside = [], False
    for cell in book.cells:
        if cell.cell_type == "markdown":
            inside = cell.source.startswith(f"### Exercise {number} ")
            continue
        its_check = "check" in tags(cell) and f'"{number}"' in cell.source
        if its_check or (inside and "exercise" in tags(cell)):
            found.append(cell.source)
    return "\n".join(found)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(("kind", "mark"), [("solutions", "✓"), ("student", "○")])
def test_the_solution_is_right_and_a_stub_is_not_answered_yet(run, number, kind, mark):
    assert run(number, kind).startswith(f"{mark} {number}: ")


def test_the_critic_may_look_at_the_true_pair_first(run):
    halves = "loss_if(False, critic(L, fake.detach())) + loss_if(True, critic(L, ab))"
    swapped = " + ".join(reversed(halves.split(" + ")))
    assert run("4.2", "solutions", halves, swapped) == "✓ 4.2: right"


@pytest.mark.parametrize(
    ("number", "old", "new", "says"),
    [(number, *wrong) for number, wrongs in WRONG.items() for wrong in wrongs],
)
def test_a_wrong_answer_is_told_why(run, number, old, new, says):
    line = run(number, "solutions", old, new)
    assert line.startswith(f"✗ {number}: ")
    assert says in line
    assert not (hints := EXERCISES[number].hints) or hints[0] in line


@pytest.mark.parametrize("number", PREDICTED)
def test_another_guess_is_told_what_speaks_for_the_right_one(run, number):
    right = run(number, "solutions").partition("it is ")[2][0]
    for letter in {*EXERCISES[number].choices} - {right}:
        line = run(number, "solutions", f'\nguess = "{right}"', f'\nguess = "{letter}"')
        assert line.startswith(f"✗ {number}: it is {right}: ")
        assert f"You guessed {letter}: " in line


@pytest.mark.parametrize("number", OPEN)
@pytest.mark.parametrize(("text", "says"), [("No.", "1 word, must"), ("word " * 50, "no number")])
def test_an_open_answer_needs_words_and_a_number(run, number, text, says):
    line = run(number, "solutions", ' = f"""', f' = "{text}"\n_ = f"""')
    assert line.startswith(f"✗ {number}: ")
    assert says in line


def test_every_exercise_has_two_wrong_answers_a_heading_and_minutes_and_is_right():
    """Where it stands: in what was printed when its notebook was run."""
    assert all(len(WRONG[n]) >= 2 for n in NUMBERS if n not in (*PREDICTED, *OPEN))
    heading = r"### Exercise (\d+[a-z]?\.\d) · (?:predict|fill in|experiment|open), \d+ minutes"
    for lesson, path in BOOKS.items():
        text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
        mine = [number for number in NUMBERS if number.startswith(f"{lesson}.")]
        assert re.findall(heading, text) == mine
        assert {*re.findall(r'"✓ (\S+): ', path.read_text(encoding="utf-8"))} == {*mine}


def test_a_prediction_is_judged_by_its_numbers():
    assert list(PREDICTED) == [number for number in NUMBERS if EXERCISES[number].choices]
    for number, found in PREDICTED.items():
        judge = EXERCISES[number].judge
        answers = [judge(**{name: found[name][n] for name in found}) for n in range(3)]
        assert answers == ["a", "b", "c"], number

"""What a check says to anything, and that it never stops a notebook."""

import json
import math
import random
import types
from contextlib import suppress

import pytest
import torch

import colorkit
from colorkit.course import answers
from colorkit.course.answers import EXERCISES, PROGRESS, Exercise
from colorkit.course.judging import in_words, must, near, same


@pytest.fixture(autouse=True)
def notebook(monkeypatch) -> dict:
    """The names of a notebook that has just been opened."""
    names: dict = {}
    PROGRESS.clear()
    monkeypatch.setattr("IPython.get_ipython", lambda: types.SimpleNamespace(user_ns=names))
    return names


@pytest.fixture
def said(capsys):
    """Call something that says one line; returns the line."""

    def call(function, *words) -> str:
        assert function(*words) is None
        (line,) = capsys.readouterr().out.splitlines()
        return line

    return call


@pytest.fixture
def double(monkeypatch) -> None:
    """Exercise 2.99: double a tensor. Two hints."""

    def judge(doubled):
        same("the answer", doubled(torch.ones(2)), torch.tensor([2.0, 2.0]))

    monkeypatch.setitem(EXERCISES, "2.99", Exercise(judge, ("Times two.", "Write 2 * x."), {}))


def hang(x):
    while True:
        with suppress(Exception):
            math.sqrt(2)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda x: 2 * x, "✓ 2.99: right"),
        (lambda x: print("noise") or 2 * x, "✓ 2.99: right"),
        (lambda x: 3 * x, "✗ 2.99: the answer is off by up to 1. Times two."),
        (lambda x: "2", "✗ 2.99: the answer is a str, must be a torch tensor. Times"),
        (lambda x: x[:1], "✗ 2.99: the answer has shape (1,), must be (2,)."),
        (lambda x: x.to("meta"), "✗ 2.99: the answer is on meta, must be on cpu."),
        (lambda x: x.long(), "✗ 2.99: the answer is torch.int64, must be float."),
        (lambda x: x * math.nan, "✗ 2.99: the answer holds NaN or infinity."),
        (lambda x: 1 / 0, "✗ 2.99: your code raises ZeroDivisionError: division by zero."),
        (lambda: 0, "✗ 2.99: your code raises TypeError"),
        (lambda x: exit(), "✗ 2.99: your code raises SystemExit"),
        (5, "✗ 2.99: your code raises TypeError: 'int' object is not callable"),
        (hang, "✗ 2.99: it takes over 0.2 s; is there a loop that never ends?"),
        (lambda x: undefined, "○ 2.99: name 'undefined' is not defined: run the"),  # noqa: F821
        (lambda x: None, "○ 2.99: the answer is not there yet"),
        (..., "○ 2.99: not answered yet"),
        ("", "○ 2.99: not answered yet"),
    ],
)
def test_any_answer_gets_one_line(double, said, monkeypatch, answer, says):
    monkeypatch.setattr(answers, "SECONDS", 0.2)
    assert said(colorkit.check, "2.99", answer).startswith(says)


def test_a_hint_grows_and_a_right_answer_is_kept(double, said):
    lines = [said(colorkit.check, "2.99", lambda x: x) for _ in range(3)]
    assert [line.count("Times two.") for line in lines] == [1, 1, 1]
    assert [line.count("Write 2 * x.") for line in lines] == [0, 1, 1]
    said(colorkit.check, "2.99", lambda x: 2 * x)
    assert PROGRESS["2.99"] == {"mark": "✓", "tries": 4}


def test_what_is_not_given_is_looked_up_and_named_if_it_is_not_there(double, said, notebook):
    assert "`doubled` is not there; run the cell above" in said(colorkit.check, "2.99")
    notebook["doubled"] = lambda x: 2 * x
    assert said(colorkit.check, "2.99").startswith("✓")


@pytest.mark.parametrize("number", ["2.42", 2.42, "twelve", "", None, [2], "99.1", "../2.1"])
def test_an_unknown_exercise_is_one_line(said, number):
    for function in (colorkit.check, colorkit.predict, colorkit.reveal):
        assert "there is no such" in said(function, number, 1)


def test_a_check_leaves_the_notebooks_chance_alone(double, said, monkeypatch):
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("a GPU is seeded"))
    before, drawn = (torch.get_rng_state(), random.getstate()), []
    for _ in range(2):  # and each has numbers of its own
        said(colorkit.check, "2.99", lambda x: drawn.append(random.random()) or 2 * x)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    half = len(drawn) // 2  # of each check
    assert drawn[:half] != drawn[half:]


def test_a_guess_can_change_until_it_is_revealed(said):
    assert "guess first" in said(colorkit.reveal, "2.1", 1.0, 2.0)
    assert said(colorkit.predict, "2.1", ...) == "○ 2.1: guess first: a, b or c"
    assert said(colorkit.predict, "2.1", "d") == "○ 2.1: guess first: a, b or c, not 'd'"
    said(colorkit.predict, "2.1", "c")
    assert said(colorkit.predict, "2.1", " A ") == "○ 2.1: your guess is a"
    assert "`colour_error` is not there; run" in said(colorkit.reveal, "2.1")
    assert "colour_error is nan, must be finite; run" in said(colorkit.reveal, "2.1", math.nan, 1)
    assert said(colorkit.reveal, "2.1", 1.0, 2.0).startswith("✗ 2.1: it is b:")
    assert said(colorkit.predict, "2.1", "b") == "○ 2.1: your guess is a"
    assert said(colorkit.reveal, "2.1", 2.0, 1.0).startswith("✓ 2.1: it is a:")  # by its numbers


@pytest.mark.parametrize(
    ("function", "number", "says"),
    [
        ("check", "2.1", "○ 2.1: this is a prediction: write `predict`, then `reveal`"),
        ("predict", "2.3", "○ 2.3: this is no prediction: write `check`"),
        ("reveal", "2.3", "○ 2.3: this is no prediction: write `check`"),
    ],
)
def test_a_prediction_is_not_checked_nor_anything_else_predicted(said, function, number, says):
    said(colorkit.check, "2.3", "an answer")
    assert said(getattr(colorkit, function), number, "a") == says
    assert "2.1" not in PROGRESS


@pytest.mark.parametrize("name", ["李明", "Ада", "José"])
def test_a_name_in_any_script_has_its_own_file(said, runs, name):
    assert f"lesson-2-{name}.json" in said(colorkit.hand_in, "2", f" {name} ")


def test_what_is_handed_in_is_one_file(said, runs):
    assert "write your name" in said(colorkit.hand_in, "2", "")
    assert not runs.exists()
    assert "no such lesson" in said(colorkit.hand_in, "12", "Ada")
    said(colorkit.predict, "2.1", "b")
    assert str(runs) in said(colorkit.hand_in, 2, "Ada Lovelace/../x")
    (path,) = runs.rglob("*.json")
    content = json.loads(path.read_text())
    assert path.parent == runs / "handed-in"
    assert content["name"] == "Ada Lovelace/../x"
    assert content["version"] == colorkit.__version__
    assert content["exercises"]["2.1"] == {"mark": "○", "tries": 0, "answer": "b"}
    assert content["exercises"].keys() >= {"2.1", "2.2", "2.3", "2.4", "2.5"}


@pytest.mark.parametrize(
    ("question", "says"),
    [
        (lambda: near("n", "1", 1, 0), "n is a str, must be a number"),
        (lambda: near("n", True, 1, 0), "n is a bool, must be a number"),
        (lambda: near("n", torch.ones(2), 1, 0), "n is a Tensor, must be a number"),
        (lambda: near("n", torch.tensor([2.0]), 1, 0.5), "n is 2, which does not come out"),
        (lambda: in_words(4, 3, [1]), "is a int, must be text"),
        (lambda: in_words("too short 1", 4, [1]), "3 words, must be 4"),
        (lambda: in_words("about 0.014 it is", 4, [0.0133]), "no number asked for"),
        (lambda: in_words("0 of 39 it is", 4, [0.0096]), "no number asked for"),
        (lambda: must(False, "no"), "no"),
    ],
)
def test_what_a_judge_asks(question, says):
    with pytest.raises(answers.Wrong, match=says):
        question()
    in_words("about 0.013 it is", 4, [0.0133])  # rounded as it is written
    for about in ("8,798", "8 798", "about 9,000", "8.8e3 or 8,800"):
        in_words(f"it takes {about} paintings", 4, [8798])

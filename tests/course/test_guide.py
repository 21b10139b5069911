"""The teacher's guide: what it takes from a notebook, and what it wants of each."""

import json

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from colorkit.base.errors import KitError
from colorkit.base.files import kit_file
from colorkit.course.answers import EXERCISES
from colorkit.course.cells import lessons
from colorkit.course.guide import banded, lesson_page, printed, write_guide

PAGES = {name: lesson_page(name, book, {}) for name, book in lessons().items()}
SLOTS = {"predict": 5, "fill in": 30, "experiment": 30, "open": 10}  # minutes of ninety


def lesson(told: str) -> NotebookNode:
    """A lesson with one exercise, which is the kit's 2.3."""
    solved = "def my_table(L, ab):\n    ### BEGIN SOLUTION\n    return L\n    ### END SOLUTION"
    cells = [
        new_markdown_cell("# 2 · Ones\n\n**Questions.** Why?\n\n**Afterwards you can** count."),
        new_markdown_cell(told, metadata={"tags": ["instructor"]}),
        new_markdown_cell("## Counting\n\nOne."),
        new_code_cell("1", outputs=[new_output("stream", text="error 0.5\nepoch 1/2  3 s left\n")]),
        new_code_cell("2", outputs=[new_output("stream", text="x")], metadata={"tags": ["ci"]}),
        new_markdown_cell("### Exercise 2.3 · fill in, 8 minutes\n\nWrite it."),
        new_code_cell(solved, metadata={"tags": ["exercise"]}),
        new_code_cell("check", outputs=[new_output("stream", text="✓ 2.3: off by 0.5\n")]),
    ]
    return new_notebook(cells=cells)


def test_a_page_is_found_in_the_notebook():
    book = lesson("**Hook.** Show it.\n\nSay it.\n\n**Short of time.** Leave it out.")
    found = lesson_page("02.ipynb", book, {})
    assert (found.number, found.title) == ("2", "Ones")
    assert found.told["Afterwards you can"] == "count."
    assert found.told["Hook"] == "Show it.\n\nSay it."
    assert found.told["Short of time"] == "Leave it out."
    assert found.numbers == [("Counting", "error 0.5")]
    (asked,) = found.exercises
    assert (asked["number"], asked["kind"], asked["minutes"]) == ("2.3", "fill in", 8)
    assert (asked["answers"], asked["said"]) == (["return L"], "off by 0.5")
    assert len(asked["hints"]) == 3


def test_what_a_fresh_machine_prints_is_put_beside_what_is_committed():
    book = lesson("")
    fresh = {key: text.replace("0.5", "0.7") for key, text in printed(book).items()}
    found = lesson_page("02.ipynb", book, {"printed": fresh})
    assert found.numbers == [("Counting", "error 0.5 to 0.7")]
    assert found.exercises[0]["said"] == "off by 0.5 to 0.7"


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["a 0.5, b 2"], "a 0.5, b 2"),
        (["a 0.5, b 2", "a  0.30, b 2", "a 0.4, b 2"], "a 0.30 to 0.5, b 2"),
        (["1,200 of -3", "900 of -5"], "900 to 1,200 of -5 to -3"),
        (["a 1", "b 2"], "b 2"),
        (["1e-3", "2e-4"], "2e-4 to 1e-3"),
        (["[1 2]", "[1 2 3]"], "[1 2 3]"),
    ],
)
def test_numbers_of_several_runs_make_a_band(texts, told):
    assert banded(texts) == told


def test_a_lesson_whose_teacher_is_not_told_enough_stops_the_build():
    remedy = r"begin a paragraph with \*\*Explain.\*\* in a cell tagged instructor"
    with pytest.raises(KitError, match=f"x.ipynb: a teacher is not told its Explain; {remedy}"):
        write_guide({"x.ipynb": lesson("**Before.** a\n\n**Hook.** b")})


@pytest.mark.parametrize("name", PAGES)
def test_a_lesson_fits_into_ninety_minutes_and_names_its_goals(name):
    used, number = dict.fromkeys(SLOTS, 0), PAGES[name].number
    asked_for = {asked["number"] for asked in PAGES[name].exercises}
    assert asked_for == {found for found in EXERCISES if found.startswith(f"{number}.")}
    for asked in PAGES[name].exercises:
        used[asked["kind"]] += asked["minutes"]
        assert asked["number"] in PAGES[name].told["Afterwards you can"]
        assert asked["answers"], asked["number"]
        if asked["kind"] == "open":
            assert len(asked["rubric"]) == 3
    assert used["fill in"] + used["experiment"] <= 30
    assert all(minutes <= SLOTS[kind] for kind, minutes in used.items())


def test_a_lesson_computes_for_three_minutes_on_two_cores():
    measured = json.loads(kit_file("data", "lessons.json").read_text(encoding="utf-8"))
    assert measured.keys() == PAGES.keys()
    assert max(lesson["seconds"] for lesson in measured.values()) < 2 * 180  # of one core


@pytest.mark.parametrize("name", PAGES)
def test_each_misconception_has_a_question_and_an_answer_to_listen_for(name):
    thoughts = PAGES[name].told["Misconceptions"].splitlines()
    assert len(thoughts) >= 3
    assert all(" Ask: *" in thought and " Listen for: " in thought for thought in thoughts)

"""Marks of what was handed in, good and bad."""

import json
import shutil

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from colorkit import __version__
from colorkit.base.errors import KitError
from colorkit.base.files import kit_file
from colorkit.course import marks as marking
from colorkit.course.marks import execute_again, marks

CONTENT = {"course": "colorkit", "version": __version__, "lesson": "2", "name": "Ada"}
CONTENT |= {"exercises": {"2.1": {"mark": "✓", "tries": 1}, "2.2": {"mark": "○", "tries": 0}}}


def test_json_files_are_taken_as_they_are_and_bad_ones_named(tmp_path):
    files = {"ada": CONTENT, "old": CONTENT | {"version": "0.1.0"}, "list": [1], "other": {"a": 1}}
    files |= {"lost": CONTENT | {"lesson": "77"}}
    files |= {"eve": CONTENT | {"name": "marks"}, "odd": CONTENT | {"exercises": {"2.1": "✓"}}}
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    (tmp_path / "cut.json").write_text('{"course')
    (tmp_path / "cut.ipynb").write_text('{"cells')
    nbformat.write(new_notebook(cells=[new_code_cell("1 + 1")]), tmp_path / "empty.ipynb")
    table = marks(tmp_path).set_index("file")
    assert table.loc["ada.json", ["lesson", "2.1", "2.2"]].tolist() == ["2", "✓", "○"]
    assert table.loc["ada.json", "remark"] == "as handed in by Ada"
    assert table.loc["eve.json", "remark"] == "as handed in by marks"
    assert "made by colorkit 0.1.0, this is" in table.loc["old.json", "remark"]
    assert table.loc["lost.json", "remark"] == "as handed in by Ada; there is no lesson 77"
    for name in ("list.json", "other.json", "cut.json", "odd.json"):
        assert table.loc[name, "remark"].startswith("not a file of hand_in")
    assert table.loc["cut.ipynb", "remark"].startswith("not a notebook")
    assert table.loc["empty.ipynb", "remark"].startswith("no exercises of one lesson")
    assert list(table)[-1] == "remark"


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(KitError, match="no notebooks"):
        marks(tmp_path)


def test_a_notebook_is_executed_in_this_python_and_a_dead_kernel_named(tmp_path, monkeypatch):
    def dies(client, env):
        raise marking.DeadKernelError(client.kernel_manager_class)

    monkeypatch.setattr(marking.NotebookClient, "execute", dies)
    cell = new_code_cell('colorkit.check("2.3")')
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "ada.ipynb")
    with pytest.raises(KitError, match="its kernel died") as told:
        execute_again(tmp_path / "ada.ipynb")
    assert told.value.__cause__.args == (marking.ThisPython,)


@pytest.mark.slow
def test_a_notebook_is_executed_again_errors_hangs_and_all(tmp_path, monkeypatch):
    monkeypatch.setattr(marking, "CELL_SECONDS", 20)
    guess = 'colorkit.predict("2.1", "a")\ncolour_error, lightness_error = 1, 2'
    sources = ["import colorkit", guess, "1 / 0", "while True:\n    pass"]
    sources += ['colorkit.reveal("2.1")', 'colorkit.check("2.3", lambda L, ab: L)']
    cells = [new_code_cell(source) for source in sources]
    cells[-1].outputs = [nbformat.v4.new_output("stream", text="✓ 2.3: right\n")]  # typed in
    nbformat.write(new_notebook(cells=cells), tmp_path / "eve.ipynb")
    shutil.copy(kit_file("notebooks", "08a_luck.ipynb"), tmp_path / "ada.ipynb")  # has no profile
    ada, eve = marks(tmp_path).to_dict("records")
    assert {eve["2.1"], eve["2.3"]} == {"✗"}
    assert eve["2.2"] == "○"
    assert {mark for number, mark in ada.items() if number.startswith("8a.")} == {"✓"}
    assert ada["remark"] == eve["remark"] == "executed again"

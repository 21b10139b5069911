"""docs/lost.md says what the published scores on plates give."""

import pytest

from colorkit.base.files import kit_file
from colorkit.folder import read_result
from colorkit.making.photographs import ALL, CAUTIOUS, COLOURS, GREYS, PLATES, compare_plates

PAGE = kit_file("docs", "lost.md").read_text(encoding="utf-8")
PUBLISHED = kit_file("results", "photographs-2026-11-26")


@pytest.fixture(scope="module")
def table():
    return compare_plates(read_result(PUBLISHED / "runs" / "plates.json"))


@pytest.mark.parametrize("grey", GREYS)
def test_the_scores_of_a_grey(table, grey):
    cells = [f"{table.loc[(grey, CAUTIOUS), 'ciede2000']:.2f}"]
    for way in (COLOURS, ALL):
        row = table.loc[(grey, way)]
        numbers = f"{row['ciede2000']:.2f} · {row['ratio']:.3f}"
        cells.append(f"{numbers} [{row['least']:.3f}, {row['most']:.3f}]")
    line = f"| {grey} | {' | '.join(cells)} |"
    assert line in PAGE
    assert line in (PUBLISHED / "README.md").read_text(encoding="utf-8")


def test_on_how_many_plates_it_is_better(table):
    plates = table.xs(ALL, level="way").loc[PLATES]
    better, worse = (plates["most"] < 1).sum(), (plates["least"] > 1).sum()
    assert f"better than *cautious* on {better} of six plates, and worse on {worse}" in PAGE

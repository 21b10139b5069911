"""Archives invented once, and one small protocol whose runs are trained once."""

import shutil
from pathlib import Path

import pytest
from known import kits_protocol, known, little, protocol_of

from colorkit.claims.archive import Archive
from colorkit.claims.distances import look_at_pictures
from colorkit.claims.gathering import read_archive
from colorkit.claims.protocol_file import keep_protocol
from colorkit.claims.verdicts import rules_sha256
from colorkit.replication.grid import Grid

RULES = rules_sha256()  # before a test shortens a profile, which they depend on
STUDIES = {
    "tables": {"splits": ["fold-1", "fold-2"], "tables": [1], "seeds": [0, 1], "epochs": 1},
    "leaks": {"splits": ["flips"], "tables": [1], "models": ["pix2pix_scratch"], "epochs": 1},
}


@pytest.fixture(scope="session")
def papers() -> Archive:
    """The paper's numbers are exactly true, and the study is a large one."""
    return known()


@pytest.fixture(scope="session")
def small_archive() -> Archive:
    """The paper's numbers are true, and there are few runs and paintings."""
    return little()


@pytest.fixture
def grid(out, gallery) -> Grid:
    """The first fold of that protocol: three models and two seeds."""
    return read_archive(out).protocol.grids(out, str(gallery))["tables", "fold-1"]


@pytest.fixture
def out(quick, small, gallery, tmp_path_factory, tmp_path) -> Path:
    """Copy the results of a small protocol, which are trained for the first test that asks."""
    from colorkit.training import run

    trained = tmp_path_factory.getbasetemp() / "trained-protocol"
    if not trained.exists():
        training = tmp_path_factory.mktemp("training")
        protocol = protocol_of(kits_protocol() | {"studies": STUDIES, "painters": ""})
        keep_protocol(protocol, RULES, training)
        for grid in protocol.grids(training, str(gallery)).values():
            grid.folder.baselines  # noqa: B018
            for experiment in grid.experiments():
                run(experiment)
            look_at_pictures(grid)
        training.rename(trained)  # whole, or not there
    return Path(shutil.copytree(trained, tmp_path / "out"))

import warnings

import pytest

from colorkit import environment
from colorkit.errors import KitError


def test_an_unknown_parameter_gets_close_names():
    environment.refuse_unknown({"seed"}, {"seed", "table"})
    with pytest.raises(KitError, match="'sed': unknown; did you mean seed.*known are seed, table"):
        environment.refuse_unknown({"sed"}, {"seed", "table"})


def test_outside_a_notebook_there_is_nothing_to_refuse():
    environment.refuse_unknown_parameters()


def test_setup_prints_one_line(capsys):
    with warnings.catch_warnings():
        environment.setup()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("colorkit ")
    assert " torch " in lines[0]


def test_a_missing_package_is_found_with_its_remedy(monkeypatch):
    monkeypatch.setattr(environment.metadata, "requires", lambda name: ["no-such-package>=1"])
    (fine, found, remedy) = environment.diagnose()[0]
    assert not fine
    assert (found, remedy) == ("no-such-package missing", "pip install 'no-such-package>=1'")

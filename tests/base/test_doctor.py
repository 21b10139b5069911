from colorkit.base import doctor


def test_a_missing_package_is_found_with_its_remedy(monkeypatch):
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: ["no-such-package>=1"])
    (fine, found, remedy) = doctor.diagnose()[0]
    assert not fine
    assert (found, remedy) == ("no-such-package missing", "pip install 'no-such-package>=1'")


def test_only_reproduce_needs_what_is_missing_of_its_extra(monkeypatch):
    wanted = ['no-such-package>=1; extra == "repro"', 'another>=1; extra == "demo"']
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: wanted)
    (fine, found, _), (_, second, _) = doctor.diagnose()[:2]
    assert fine
    assert found.startswith(
        "no no-such-package: `colorkit reproduce` needs it; pip install 'colorkit"
    )
    assert "another" not in second

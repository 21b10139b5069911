from colorkit.base import doctor


def test_a_missing_package_is_found_with_its_remedy(monkeypatch):
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: ["no-such-package>=1"])
    (fine, found, remedy) = doctor.diagnose()[0]
    assert not fine
    assert (found, remedy) == ("no-such-package missing", "pip install 'no-such-package>=1'")

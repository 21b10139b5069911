import numpy as np
import pytest
import torch

from colorkit import film
from colorkit.base.errors import KitError
from colorkit.color import encode, grey_input
from colorkit.metrics import ColourTable, predict_rgb

PLATES = [",".join(row) for row in film.emulsion_table()[list(film.WORDS)].values]
REC_709 = (0.2126, 0.7152, 0.0722)


@pytest.fixture
def colours() -> torch.Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_the_eye_sees_as_rec_709_says():
    assert film.plate_weights("eye").tolist() == pytest.approx(REC_709, abs=0.001)


def derive_weights(wavelengths: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Make a plate's weights (3,) from its response: how a row of emulsions.csv came about.

    wavelengths: nm, ascending, (n,). response: sensitivity (not its logarithm) x light x filter
    at these, (n,). The spectra are Mallett and Yuksel's.
    """
    from colour.recovery import MSDS_BASIS_FUNCTIONS_sRGB_MALLETT2019 as BASIS

    steps = np.arange(380, 781)
    seen = np.interp(steps, wavelengths, response, left=0, right=0)
    spectra = [np.interp(steps, BASIS.wavelengths, column) for column in BASIS.values.T]
    weights = np.array([seen @ spectrum for spectrum in spectra])
    return weights / weights.sum()


def test_the_cie_observer_gives_rec_709_by_the_derivation_of_every_plate():
    colour = pytest.importorskip("colour")
    eye = colour.MSDS_CMFS["CIE 1931 2 Degree Standard Observer"]
    daylight = colour.SDS_ILLUMINANTS["D65"]
    light = np.interp(eye.wavelengths, daylight.wavelengths, daylight.values)
    weights = derive_weights(eye.wavelengths, eye.values[:, 1] * light)
    assert weights == pytest.approx(REC_709, abs=0.001)


@pytest.mark.parametrize("plate", PLATES)
def test_white_is_white_and_black_black_on_every_plate(plate):
    assert film.plate_weights(plate).sum().item() == pytest.approx(1)
    for value in (0.0, 0.5, 1.0):
        grey = film.photograph(torch.full((1, 3, 4, 4), value), plate)
        assert grey.numpy() == pytest.approx(value, abs=1e-5)


def test_plates_differ_as_history_says():
    blue, red = torch.zeros(1, 3, 1, 1), torch.zeros(1, 3, 1, 1)
    blue[0, 2], red[0, 0] = 1, 1

    def shown(colour: torch.Tensor, plate: str) -> float:
        return film.lightness(film.photograph(colour, plate)).item()

    assert shown(blue, "unsensitised") > 85  # skies came out white
    assert shown(red, "ortho") < 30 < shown(red, "pan,tungsten")
    assert shown(red, "pan,daylight,red") > 95 > 20 > shown(red, "pan,daylight,green")


def test_what_the_eye_photographs_is_nearly_lightness(colours):
    seen = (grey_input(colours) + 1) * 50
    assert (film.lightness(film.photograph(colours, "eye")) - seen).abs().max() < 0.2
    assert (film.lightness(film.photograph(colours, "ortho")) - seen).abs().mean() > 5


def test_lightness_is_encode_itself():
    assert film.grey_encoder("L") is film.grey_encoder("L", correct=True) is encode


def test_a_models_input_is_the_plates_lightness_and_its_answer_the_paintings_colours(colours):
    seen, ab = film.grey_encoder("plate:ortho,tungsten")(colours)
    plate = film.lightness(film.photograph(colours, "ortho,tungsten"))
    assert (50 * (seen + 1) - plate).abs().max() < 1e-3
    assert torch.equal(ab, encode(colours)[1])


def test_what_is_shown_has_the_plates_lightness(colours):
    pixels = (255 * colours).round().byte()
    grey = predict_rgb(ColourTable(torch.zeros(1, 2)), pixels, "plate:unsensitised")
    plate = film.photograph(pixels.float() / 255, "unsensitised")
    assert (grey - plate).abs().max() < 1e-2


@pytest.mark.parametrize("grey", ["plate:unsensitised", "mixture"])
def test_what_a_plate_lacks_makes_it_the_painting_again(colours, grey):
    seen, told = film.grey_encoder(grey, correct=True)(colours)
    L, ab = film.corrected(seen, told)
    assert (L - encode(colours)[0]).abs().max() < 1e-5
    assert torch.equal(ab, encode(colours)[1])
    assert film.corrected(seen, ab) == (seen, ab)


def test_a_mixture_draws_for_each_picture_from_torchs_own_generator(colours):
    same = colours[:1].expand(40, -1, -1, -1)
    torch.manual_seed(0)
    one, other = (film.grey_encoder("mixture")(same)[0] for _ in range(2))
    assert len(one.mean((1, 2, 3)).unique()) == 40
    assert not torch.equal(one, other)
    torch.manual_seed(0)
    assert torch.equal(film.grey_encoder("mixture")(same)[0], one)


def test_a_plate_that_is_not_known_is_refused():
    with pytest.raises(KitError, match="emulsion 'otho'.*did you mean ortho"):
        film.plate_weights("otho")
    with pytest.raises(KitError, match="light or filter 'candle'"):
        film.plate_weights("pan,candle")
    with pytest.raises(KitError, match=r"no row .* ortho has daylight, none"):
        film.plate_weights("ortho,tungsten,red")


def test_development_does_what_its_name_says(colours):
    plain = film.photograph(colours, "eye")
    assert film.photograph(colours, "eye", stops=1).mean() > plain.mean()
    assert film.photograph(colours, "eye", gamma=2).std() > plain.std()
    paper = film.photograph(torch.rand(1, 3, 9, 9).round(), densities=film.PAPER)
    assert film.lightness(paper).min() > 4  # paper is never quite black
    assert film.photograph(colours, "eye", blur=2).std() < plain.std() / 2


def test_grain_has_the_spread_that_was_asked_for():
    grey = torch.full((1, 3, 200, 200), 0.5)
    grain = film.lightness(film.photograph(grey, grain=2.0))
    assert grain.std().item() == pytest.approx(2, rel=0.03)
    assert torch.equal(film.photograph(grey, grain=2.0), film.photograph(grey, grain=2.0))


@pytest.mark.parametrize("light", [0.1, 0.5, 0.8])
def test_a_halftone_is_black_and_white_and_as_light_as_before(light):
    dots = film.halftone(torch.full((1, 1, 120, 120), light), period=6)
    assert set(dots.unique().tolist()) == {0.0, 1.0}
    assert dots.mean().item() == pytest.approx(light, abs=0.01)

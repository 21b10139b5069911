"""Small ICC profiles, version 2, and the lightness that they mean: by colour-science."""

import struct

import colour
import numpy as np

D50 = np.array([0.9642, 1.0, 0.8249])  # the white of ICC profiles
SRGB = colour.RGB_COLOURSPACES["sRGB"]


def grey_profile(gamma: float) -> bytes:
    """Make the profile of grey pictures whose light is value ** gamma."""
    return _profile(b"GRAY", {b"kTRC": _curve(gamma)})


def rgb_profile(space: str, gamma: float) -> bytes:
    """Make the profile of a colour space by the name that colour-science has, with a gamma."""
    white = colour.xy_to_XYZ(SRGB.whitepoint)
    adapt = colour.adaptation.matrix_chromatic_adaptation_VonKries(white, D50, "Bradford")
    columns = (adapt @ SRGB.matrix_RGB_to_XYZ @ _to_linear_srgb(space)).T
    tags = {name: _xyz(xyz) for name, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
    return _profile(b"RGB ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(gamma)))


def lightness(values: np.ndarray, space: str = "sRGB", gamma: float = 0) -> np.ndarray:
    """Say which L* a picture has on a screen, of values (H, W) or (H, W, 3) in [0, 1].

    gamma: 0 is sRGB's own curve.
    """
    light = values**gamma if gamma else colour.cctf_decoding(values, "sRGB")
    if values.ndim == 3:
        light = light @ (SRGB.matrix_RGB_to_XYZ @ _to_linear_srgb(space))[1]
    return colour.lightness(light, method="CIE 1976", Y_n=1)


def _to_linear_srgb(space: str) -> np.ndarray:
    found = colour.RGB_COLOURSPACES[space]
    return colour.matrix_RGB_to_RGB(found, SRGB, "Bradford")


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"desc": _description(), b"cprt": b"text\0\0\0\0none\0", b"wtpt": _xyz(D50)} | tags
    table, data, start = b"", b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        content += b"\0" * (-len(content) % 4)
        table += name + struct.pack(">II", start + len(data), len(content))
        data += content
    header = struct.pack(">I", start + len(data)) + b"lcms\x02\x40\0\0mntr" + space + b"XYZ "
    header += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _xyz(D50)[8:]
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0\0\0\0\1" + struct.pack(">H", round(gamma * 256))


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def _description() -> bytes:
    return b"desc\0\0\0\0\0\0\0\5made\0" + bytes(12 + 67)

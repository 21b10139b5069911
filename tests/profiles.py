"""Small ICC profiles, version 2, made from a gamma and primaries."""

import struct

import numpy as np

D50 = np.array([0.9642, 1.0, 0.8249])
D65 = np.array([0.3127, 0.3290, 0.3583]) / 0.3290
CONES = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
PRIMARIES = {  # x, y of red, green, blue
    "sRGB": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    "Adobe RGB": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)),
    "ProPhoto": ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)),
}


def grey_profile(gamma: float) -> bytes:
    """Make the profile of grey pictures whose light is value ** gamma."""
    return _profile(b"GRAY", {b"kTRC": _curve(gamma)})


def rgb_profile(primaries: str, gamma: float) -> bytes:
    """Make the profile of a colour space with the white D65."""
    to_d50 = np.linalg.inv(CONES) @ np.diag(CONES @ D50 / (CONES @ D65)) @ CONES
    columns = (to_d50 @ _native(primaries)).T
    tags = {name: _xyz(xyz) for name, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
    return _profile(b"RGB ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(gamma)))


def lightness(values: np.ndarray, primaries: str = "sRGB", gamma: float = 0) -> np.ndarray:
    """Say by definition which L* a picture has, of values (H, W) or (H, W, 3) in [0, 1].

    gamma: 0 is sRGB's own curve.
    """
    srgb = np.where(values > 0.04045, ((values + 0.055) / 1.055) ** 2.4, values / 12.92)
    linear = values**gamma if gamma else srgb
    y = linear if values.ndim == 2 else linear @ _native(primaries)[1]
    return np.where(y > 216 / 24389, 116 * np.cbrt(y) - 16, y * 24389 / 27)


def _native(primaries: str) -> np.ndarray:
    """Return XYZ of red, green and blue under D65: the columns."""
    xyz = np.array([[x / y, 1, (1 - x - y) / y] for x, y in PRIMARIES[primaries]]).T
    return xyz * np.linalg.solve(xyz, D65)


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

"""Odd files, folders and arrays: each is read as its format says, or refused in one line.

Lightness is judged against the formats' definitions, on the grey picture (strength 0).
"""

import io
import struct
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from colorizers import model_of
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps, PngImagePlugin
from profiles import grey_profile, lightness, rgb_profile

from colorkit import colorize
from colorkit.base.errors import KitError
from colorkit.base.reading import read_picture
from colorkit.pictures import demo
from colorkit.pictures.batch import Settings, colour_all
from colorkit.pictures.files import open_picture, save_picture
from colorkit.pictures.paint import grey_version

MODEL = model_of(torch.full((2, 32, 32), 0.1))
RAMP = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
DEEP = np.tile(np.linspace(0, 65535, 1024).round().astype(np.uint16), (16, 1))
VIVID = np.stack([RAMP, RAMP[:, ::-1], np.tile(np.arange(0, 256, 4, dtype=np.uint8)[:, None], 256)])
VIVID = np.ascontiguousarray(np.moveaxis(VIVID, 0, -1))
DEEP_VIVID = VIVID.astype(np.uint16) * 257


def seen(path: Path) -> np.ndarray:
    """Say which L* a file has for colouring, and hold that training sees the same pixels.

    So a profile, a gamma or a depth mean the same in both.
    """
    picture = open_picture(path)
    values = np.asarray(picture.image)
    values = values / 257 if values.dtype == np.uint16 else values
    trained = np.asarray(read_picture(path.read_bytes()))
    if not picture.alpha:
        assert np.abs(trained - (values[..., None] if picture.grey else values)).max() <= 0.5
    return lightness(np.asarray(grey_version(picture))[..., 0] / 255)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "a.tif"


def with_chunks(image: Image.Image, path: Path, chunks: dict[bytes, bytes]) -> Path:
    """Save a PNG with more chunks behind its header."""
    image.save(path)
    data, more = path.read_bytes(), b""
    for name, content in chunks.items():
        more += struct.pack(">I", len(content)) + name + content
        more += struct.pack(">I", zlib.crc32(name + content))
    path.write_bytes(data[:33] + more + data[33:])
    return path


def twelve_bits(values: np.ndarray) -> bytes:
    """Write grey of 12 bits as a TIFF in one strip: two pixels in three bytes."""
    one, two = values[:, ::2].astype(np.uint16), values[:, 1::2].astype(np.uint16)
    rows = np.stack([one >> 4, (one & 15) << 4 | two >> 8, two & 255], axis=-1)
    content = rows.astype(np.uint8).tobytes()
    height, width = values.shape
    tags = {256: width, 257: height, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: height}
    tags[279] = len(content)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    header = b"II*\0" + struct.pack("<I", 8 + len(content))
    return header + content + struct.pack("<H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize("values", [255 - RAMP, 65535 - DEEP, 1 - RAMP / np.float32(255)])
def test_white_is_zero_is_no_negative(path, values):
    tifffile.imwrite(path, values, photometric="miniswhite")
    whole = 1 if values.dtype == np.float32 else np.iinfo(values.dtype).max
    assert np.abs(seen(path) - lightness(1 - values / whole)).max() < 0.3
    colorize(Image.open(path), MODEL)  # opened by Pillow, it is the same file
    assert np.asarray(colorize(Image.open(path), MODEL, strength=0))[0, 0].max() == 0


def test_twelve_bits_reach_white(path):
    values = np.tile(np.arange(4096), (2, 1))
    path.write_bytes(twelve_bits(values))
    assert np.abs(seen(path) - lightness(values / 4095)).max() < 0.3


RARE = "a TIFF of a rare kind, which is not read; save it as JPEG, PNG or plain TIFF"
EXTRA = {"planarconfig": "contig", "photometric": "minisblack"}
PLANES = {"photometric": "rgb", "planarconfig": "separate"}
CMYKA = EXTRA | {"photometric": "separated", "extrasamples": [2]}
LINEAR = {"photometric": "rgb", "iccprofile": rgb_profile("sRGB", 1.0)}
REFUSED = {
    "big-endian white is zero": (DEEP, {"photometric": "miniswhite", "byteorder": ">"}, RARE),
    "half floats": (np.zeros((4, 4, 3), np.float16), {"photometric": "rgb"}, RARE),
    "floats": (np.zeros((4, 4, 3), np.float32), {"photometric": "rgb"}, RARE),
    "doubles": (np.zeros((4, 4)), {"photometric": "minisblack"}, RARE),
    "CIELab of 16 bits": (np.zeros((4, 4, 3), np.uint16), {"photometric": "cielab"}, RARE),
    "grey and alpha": (np.zeros((4, 4, 2), np.uint16), EXTRA | {"extrasamples": [2]}, RARE),
    "grey and what?": (np.zeros((4, 4, 2), np.uint8), EXTRA | {"extrasamples": [0]}, RARE),
    "CMYK and alpha": (np.zeros((4, 4, 5), np.uint8), CMYKA, RARE),
    "planes": (DEEP_VIVID.transpose(2, 0, 1), PLANES, "16 bits in separate planes; save it inter"),
    "linear light": (DEEP_VIVID, LINEAR, "16-bit colour in linear light, read with 8"),
    "counts": (np.full((4, 4), 10**6, np.int32), EXTRA, r"from 1e\+06 to 1e\+06: must be 16 bits"),
}


@pytest.mark.parametrize(("values", "options", "says"), REFUSED.values(), ids=REFUSED)
def test_a_tiff_that_would_come_out_wrong_is_refused(path, values, options, says):
    tifffile.imwrite(path, values, **options)
    for read in (open_picture, lambda p: read_picture(p.read_bytes())):
        with pytest.raises(KitError, match=says):
            read(path)


@pytest.mark.parametrize("compression", [34712, 34887, 50001, 50002])
def test_a_tiff_with_another_format_inside_is_said_to_be_rare(path, compression, capfd):
    """JPEG 2000, LERC, WebP, JPEG XL: by their numbers, for nobody here can write them."""
    Image.fromarray(RAMP).save(path, compression="tiff_adobe_deflate")
    tag = struct.pack("<HHIHH", 259, 3, 1, 8, 0)
    assert tag in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(tag, tag[:8] + struct.pack("<HH", compression, 0)))
    with pytest.raises(KitError, match=RARE):
        open_picture(path)
    assert capfd.readouterr().err == ""  # not libtiff's words either


@pytest.mark.parametrize("name", ["a.pgm", "a.tga", "a.pcx"])
def test_another_kind_is_not_said_to_be_no_picture(tmp_path, name):
    Image.fromarray(RAMP).save(tmp_path / name)
    with pytest.raises(KitError, match="not a picture, or of a kind that is not read; save it as"):
        open_picture(tmp_path / name)
    with pytest.raises(KitError, match="none.png: cannot be read: No such file"):
        open_picture(tmp_path / "none.png")


@pytest.mark.parametrize("name", ["a.heic", "a.jpg"])
def test_a_phone_s_picture_is_named_in_the_demo_too(tmp_path, name):
    (tmp_path / name).write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    with pytest.raises(KitError, match="HEIC, which is not read; save it as JPEG, PNG"):
        demo.read_upload(str(tmp_path / name))


@pytest.mark.parametrize("name", ["a.dng", "a.tif"])
def test_a_raw_files_thumbnail_is_not_taken_for_the_picture(tmp_path, name):
    with tifffile.TiffWriter(tmp_path / name) as file:
        thumbnail = np.zeros((8, 32, 3), np.uint8)
        file.write(thumbnail, photometric="rgb", subfiletype=1, subifds=1)
        file.write(np.zeros((64, 64), np.uint16), photometric=32803, subfiletype=0)
    with pytest.raises(KitError, match="a raw file, or only its thumbnail; develop it first"):
        open_picture(tmp_path / name)
    with pytest.raises(KitError, match="a raw file"):
        colorize(Image.open(tmp_path / name), MODEL)


@pytest.mark.parametrize(
    ("second", "pages"), [(1, 1), (4, 1), (0, 2)], ids=["smaller copy", "mask", "page"]
)
@pytest.mark.parametrize("big", [False, True])
def test_only_pages_are_pages(path, second, pages, big):
    with tifffile.TiffWriter(path, bigtiff=big) as file:
        file.write(VIVID, photometric="rgb")
        mask = np.zeros((64, 64), np.bool_)
        other = mask if second == 4 else VIVID[::2, ::2]
        file.write(other, subfiletype=second, photometric="mask" if second == 4 else "rgb")
    if pages == 1:
        assert np.abs(seen(path) - lightness(VIVID / 255)).max() < 0.5
    else:
        with pytest.raises(KitError, match="2 pages or frames; save the one that is meant alone"):
            open_picture(path)


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
@pytest.mark.parametrize("values", [RAMP, DEEP], ids=["8 bits", "16 bits"])
def test_a_grey_profile_is_exact_in_the_shadows(path, values, gamma):
    tifffile.imwrite(path, values, photometric="minisblack", iccprofile=grey_profile(gamma))
    wanted = lightness(values / np.iinfo(values.dtype).max, gamma=gamma)
    assert np.abs(seen(path) - wanted).max() < 0.3
    if values is DEEP:  # and no steps, where 8 bits had them
        picture = open_picture(path)
        assert len(np.unique(np.asarray(picture.image)[0])) > 900


@pytest.mark.parametrize(
    ("values", "options", "gamma"),
    [
        (VIVID, LINEAR, 1.0),
        (DEEP_VIVID.transpose(2, 0, 1), PLANES | {"compression": "zlib"}, 0),
    ],
    ids=["linear light of 8 bits", "planes of 16 bits, compressed"],
)
def test_a_tiff_that_is_like_one_refused_is_read(path, values, options, gamma):
    tifffile.imwrite(path, values, **options)
    assert np.abs(seen(path) - lightness(VIVID / 255, gamma=gamma)).max() < 1


@pytest.mark.parametrize("primaries", ["Adobe RGB (1998)", "Display P3", "ProPhoto RGB"])
def test_a_wide_gamut_keeps_its_lightness(tmp_path, primaries):
    profile, path = rgb_profile(primaries, 1.8), tmp_path / "a.png"
    Image.fromarray(VIVID).save(path, icc_profile=profile)
    difference = np.abs(seen(path) - lightness(VIVID / 255, primaries, gamma=1.8))
    assert difference.max() < 1
    assert difference.mean() < 0.3


@pytest.mark.parametrize("gamma", [1.0, 1 / 1.8, 0.45455])
@pytest.mark.parametrize("values", [RAMP, DEEP, VIVID], ids=["L", "I;16", "RGB"])
def test_a_png_s_gamma_is_obeyed(tmp_path, gamma, values):
    chunks = {b"gAMA": struct.pack(">I", round(gamma * 100_000))}
    path = with_chunks(Image.fromarray(values), tmp_path / "a.png", chunks)
    scaled = values / np.iinfo(values.dtype).max
    wanted = lightness(scaled, gamma=0 if gamma == 0.45455 else 1 / gamma)
    assert np.abs(seen(path) - wanted).max() < 0.5


def test_a_png_of_other_primaries_needs_a_profile(tmp_path):
    wide = (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
    chunks = {b"gAMA": struct.pack(">I", 45455), b"cHRM": struct.pack(">8I", *wide)}
    path = with_chunks(Image.fromarray(VIVID), tmp_path / "a.png", chunks)
    with pytest.raises(KitError, match=r"not sRGB's \(cHRM\) without a profile"):
        open_picture(path)


@pytest.mark.parametrize(
    ("numbers", "read"), [((1, 13), True), ((9, 16), False), ((12, 13), False)]
)
def test_colours_by_number_are_srgb_or_refused(tmp_path, numbers, read):
    """sRGB; HDR (BT.2100 PQ), Display P3."""
    chunks = {b"cICP": bytes(numbers) + b"\0\1"}
    png = with_chunks(Image.fromarray(VIVID), tmp_path / "a.png", chunks)
    avif = tmp_path / "a.avif"
    Image.fromarray(VIVID).save(avif)
    data = avif.read_bytes()
    place = data.index(b"colrnclx") + 8
    avif.write_bytes(data[:place] + struct.pack(">2H", *numbers) + data[place + 4 :])
    for path in (png, avif):
        if read:
            assert open_picture(path).image.size == (256, 64)
        else:
            with pytest.raises(KitError, match=r"colours by number \(CICP\) that are not sRGB's"):
                open_picture(path)


def jpeg_2000(colours: bytes) -> bytes:
    """Make a JPEG 2000 file whose colours are said by the box `colours`."""
    content = io.BytesIO()
    Image.fromarray(VIVID).save(content, "JPEG2000")
    data = content.getvalue()
    start = data.index(b"colr") - 4
    header = data.index(b"jp2h") - 4
    (length,) = struct.unpack_from(">I", data, start)
    (whole,) = struct.unpack_from(">I", data, header)
    box = struct.pack(">I", 8 + len(colours)) + b"colr" + colours
    size = struct.pack(">I", whole - length + len(box))
    return data[:header] + size + data[header + 4 : start] + box + data[start + length :]


def test_a_jpeg_2000_s_colours_are_obeyed_or_refused(tmp_path):
    path = tmp_path / "a.jp2"
    path.write_bytes(jpeg_2000(b"\2\0\0" + rgb_profile("Adobe RGB (1998)", 2.2)))
    assert np.abs(seen(path) - lightness(VIVID / 255, "Adobe RGB (1998)", gamma=2.2)).max() < 1
    path.write_bytes(jpeg_2000(b"\1\0\0" + struct.pack(">I", 21)))  # ROMM
    with pytest.raises(KitError, match="a JPEG 2000 in a rare colour space"):
        open_picture(path)


def test_a_strength_and_a_size_are_refused_before_the_first_picture(tmp_path):
    pairs = {tmp_path / "a.png": tmp_path / "b.png"}
    with pytest.raises(KitError, match="strength 5: must be between 0 and 2"):
        next(colour_all(pairs, MODEL, Settings(strength=5)))
    with pytest.raises(KitError, match="size 100: must be a multiple of 32"):
        next(colour_all(pairs, MODEL, Settings(size=100)))


def segment(iptc: bytes) -> bytes:
    """Wrap IPTC for Pillow to write into a JPEG."""
    resource = b"8BIM\4\4\0\0" + struct.pack(">I", len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    content = b"Photoshop 3.0\0" + resource
    return b"\xff\xed" + struct.pack(">H", len(content) + 2) + content


IPTC = b"\x1c\2\x78\0\5Boats\x1c\2\x6e\0\6Museum"


def test_exif_is_true_of_what_is_written(tmp_path):
    """Upright and in sRGB, whatever the camera held and had."""
    exif = Image.Exif()
    exif[0x0112] = 6
    sizes = {0xA002: 256, 0xA003: 64}
    exif.get_ifd(0x8769).update(sizes | {0xA001: 65535, 0xA005: {1: "R03", 2: b"0100"}})
    profile = rgb_profile("Adobe RGB (1998)", 2.2)
    Image.fromarray(VIVID).save(tmp_path / "a.jpg", exif=exif, icc_profile=profile)
    picture = open_picture(tmp_path / "a.jpg")
    assert picture.image.size == (64, 256)
    assert "EXIF" not in save_picture(picture, tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as saved:
        told = saved.getexif()
        details = told.get_ifd(0x8769)
        assert 0x0112 not in told
        assert (details[0xA001], details[0xA002], details[0xA003]) == (1, 64, 256)
        assert told.get_ifd(0xA005)[1] == "R98"


def test_half_floats_open_files_and_nothing_at_all(tmp_path):
    half = np.full((8, 8), 0.5, np.float16)
    assert np.asarray(colorize(half, MODEL, strength=0)).mean() == pytest.approx(127.5, abs=1)
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    with (tmp_path / "a.png").open("rb") as file:
        assert colorize(file, MODEL).size == (256, 64)
    for wrong in ("", "https://example.org/a.jpg", str(tmp_path)):
        with pytest.raises(KitError, match=f"'{wrong}': no such file; give a path"):
            colorize(wrong, MODEL)
    with pytest.raises(KitError, match="bytes: must be a path, an open file, a PIL image or an"):
        colorize((tmp_path / "a.png").read_bytes(), MODEL)


ARTIST = "Édouard"
XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="{0}">Boats'  # it is said in two ways
XMP += "<tiff:Orientation>{0}</tiff:Orientation></x:xmpmeta>"
MODES = {
    "jpg": ["L", "RGB", "CMYK"],
    "png": ["1", "L", "LA", "P", "I;16", "RGB", "RGBA"],
    "tif": ["1", "L", "I;16", "F", "RGB", "RGBA", "RGB;16", "CMYK", "LAB"],
    "webp": ["RGB", "RGBA"],
    "avif": ["RGB", "RGBA"],
    "bmp": ["1", "L", "P", "RGB"],
    "jp2": ["L", "LA", "RGB"],
    "gif": ["L", "P"],
}
SPACES = {
    "sRGB": ("sRGB", 0),
    "linear": ("sRGB", 1.0),
    "Adobe RGB": ("Adobe RGB (1998)", 2.2),
    "ProPhoto": ("ProPhoto RGB", 1.8),
}
PROFILES = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")  # the latter's white: D50
TO_LAB = ImageCms.buildTransform(*PROFILES, "RGB", "LAB")
FROM_LAB = ImageCms.buildTransform(*PROFILES[::-1], "LAB", "RGB")
TOLD = {"jpg": ["exif", "xmp", "iptc", "dpi"], "png": ["exif", "xmp", "dpi"], "bmp": ["dpi"]}
TOLD |= {"tif": TOLD["jpg"], "webp": ["exif", "xmp"], "avif": ["exif", "xmp"]}
HOLDS = {".jpg": {"EXIF", "XMP", "IPTC", "resolution"}, ".png": {"EXIF", "XMP", "resolution"}}
HOLDS |= {".tif": HOLDS[".jpg"], ".webp": {"EXIF", "XMP"}}


@dataclass(frozen=True)
class Drawn:
    """A picture, and how it is written."""

    kind: str
    mode: str
    space: str
    turn: int
    size: tuple[int, int]
    told: frozenset[str]
    seed: int

    @property
    def deep_and_linear(self) -> bool:
        """Tell whether it cannot be read well with the 8 bits that Pillow reads."""
        return (self.mode, self.space) == ("RGB;16", "linear")


@st.composite
def pictures(draw) -> Drawn:
    """Draw from the product of what formats can say."""
    kind = draw(st.sampled_from(sorted(MODES)))
    bare, mode = kind in ("bmp", "jp2", "gif"), draw(st.sampled_from(MODES[kind]))
    plain = bare or mode in ("CMYK", "LAB")  # whose profiles are not of RGB
    return Drawn(
        kind,
        mode=mode,
        space="sRGB" if plain else draw(st.sampled_from(sorted(SPACES))),
        turn=1 if bare else draw(st.integers(1, 8)),
        size=draw(st.tuples(st.integers(1, 40), st.integers(1, 40))),
        told=draw(st.frozensets(st.sampled_from(TOLD.get(kind, [None])))),
        seed=draw(st.integers(0, 99)),
    )


def made(drawn: Drawn) -> Image.Image | np.ndarray:
    """Make its pixels; those that Pillow cannot write as an array (H, W, 3), uint16."""
    random, (width, height), mode = np.random.default_rng(drawn.seed), drawn.size, drawn.mode
    if mode == "I;16":
        return Image.fromarray(random.integers(0, 65536, (height, width), dtype=np.uint16))
    if mode == "F":
        return Image.fromarray(random.random((height, width), dtype=np.float32))
    values = random.integers(0, 256, (height, width, 4), dtype=np.uint8)
    if drawn.space == "ProPhoto":  # whose most vivid colours nothing has
        values[..., :3] = values[..., :3] // 2 + 64
    if mode == "RGB;16":
        return values[..., :3].astype(np.uint16) * 257
    colours = Image.fromarray(values, "RGBA")
    if mode == "LAB":
        return ImageCms.applyTransform(colours.convert("RGB"), TO_LAB)
    return colours.convert("RGB").quantize(16) if mode == "P" else colours.convert(mode)


def options_of(drawn: Drawn) -> dict:
    """Say how Pillow is to write it."""
    told, options = drawn.told, {}
    space, gamma = SPACES[drawn.space]
    if drawn.space != "sRGB":
        colour = drawn.mode[:1] in "RP"
        options["icc_profile"] = rgb_profile(space, gamma) if colour else grey_profile(gamma)
    tags = {274: drawn.turn} | ({315: ARTIST.encode("latin-1")} if "exif" in told else {})
    # EXIF overrules what XMP says of a turn; but in an AVIF it is neither's, and Pillow asks both.
    xmp = XMP.format(drawn.turn if drawn.kind == "avif" else 6).encode()
    if drawn.kind == "tif":
        tags |= ({700: xmp} if "xmp" in told else {}) | ({33723: IPTC} if "iptc" in told else {})
        options |= {"tiffinfo": tags, "compression": ("tiff_lzw", None)[drawn.seed % 2]}
    elif drawn.kind in ("jpg", "png", "webp", "avif"):
        options["exif"] = Image.Exif()
        options["exif"].update(tags)
        if "xmp" in told and drawn.kind == "png":
            options["pnginfo"] = PngImagePlugin.PngInfo()
            options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode())
        elif "xmp" in told:
            options["xmp"] = xmp
    exact = {"jpg": {"quality": 100, "subsampling": 0}, "webp": {"lossless": True, "exact": True}}
    exact["avif"] = {"quality": 100, "subsampling": "4:4:4", "speed": 10}
    options |= exact.get(drawn.kind, {})
    options |= {"extra": segment(IPTC)} if drawn.kind == "jpg" and "iptc" in told else {}
    return options | ({"dpi": (300, 300)} if "dpi" in told else {})


def write(drawn: Drawn, folder: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    """Write it; return the file, its values, (H, W) or (H, W, 3) in [0, 1], and its alpha."""
    path, image, options = folder / f"a.{drawn.kind}", made(drawn), options_of(drawn)
    opaque = np.full(drawn.size[::-1], 255)
    if drawn.mode == "RGB;16":
        profile, tags = options.pop("icc_profile", None), options["tiffinfo"]
        kinds = {274: "H", 315: "s", 700: "B", 33723: "B"}
        extra = [(t, kinds[t], 1 if t == 274 else len(v), v, True) for t, v in tags.items()]
        more = {"resolution": (300, 300)} if "dpi" in drawn.told else {}
        more |= {"photometric": "rgb", "iccprofile": profile, "extratags": extra}
        tifffile.imwrite(path, image, **more)
        return path, image / 65535, opaque
    image.save(path, **options)
    if drawn.kind in ("jpg", "avif"):  # what these lost is not the reader's
        with Image.open(path) as file:
            image = file.copy()
    if drawn.mode in ("I;16", "F"):
        return path, np.asarray(image) / (65535 if drawn.mode == "I;16" else 1), opaque
    if drawn.mode == "LAB":
        image = ImageCms.applyTransform(image, FROM_LAB)
    alpha = np.asarray(image.getchannel("A")) if "A" in image.getbands() else opaque
    shown = image.convert("L" if drawn.mode in ("1", "L", "LA") else "RGB")
    return path, np.asarray(shown) / 255, alpha


def upright(values: np.ndarray, turn: int) -> np.ndarray:
    """Turn values (H, W) as EXIF's orientation says."""
    image = Image.fromarray(values.astype(np.float32))
    image.getexif()[0x0112] = turn
    return np.asarray(ImageOps.exif_transpose(image))


def carried(path: Path) -> dict:
    """Say what a file tells, by the names of losses."""
    with Image.open(path) as image:
        found = {"EXIF": image.getexif().get(315) == ARTIST}
        found["XMP"] = b"Boats" in image.info.get("xmp", b"")
        found["IPTC"] = open_picture(path).kept.get("iptc") == IPTC
        dpi = image.info.get("dpi", (0, 0))[0]
        return found | {"resolution": abs(dpi - 300) < 1}


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@example(drawn=Drawn("webp", "RGB", "sRGB", 1, (9, 9), frozenset(["exif"]), seed=0), suffix="jpg")
@example(drawn=Drawn("jpg", "RGB", "sRGB", 1, (9, 9), frozenset(TOLD["jpg"]), seed=0), suffix="tif")
@example(drawn=Drawn("tif", "L", "sRGB", 1, (9, 9), frozenset(TOLD["tif"]), seed=0), suffix="jpg")
@example(drawn=Drawn("jpg", "L", "sRGB", 6, (9, 9), frozenset(["exif"]), seed=0), suffix="png")
@given(drawn=pictures(), suffix=st.sampled_from(["png", "jpg", "tif", "webp"]))
def test_cases_that_nobody_has_listed(tmp_path_factory, drawn, suffix):
    """Upright, of the right size and lightness; what it tells is kept, or named as lost."""
    folder = tmp_path_factory.mktemp("drawn")
    path, values, alpha = write(drawn, folder)
    if drawn.deep_and_linear:
        with pytest.raises(KitError, match="16-bit colour in linear light"):
            open_picture(path)
        return
    wanted = upright(lightness(values, *SPACES[drawn.space]), drawn.turn)
    found = seen(path)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() < 1
    picture, alpha = open_picture(path), upright(alpha, drawn.turn)
    assert np.array_equal(picture.alpha or np.full_like(alpha, 255), alpha)
    output = folder / f"out.{'png' if picture.alpha else suffix}"
    lost = save_picture(replace(picture, image=picture.image.convert("RGB")), output)
    told = {name for name, there in carried(path).items() if there}
    kept = {name for name, there in carried(output).items() if there}
    assert kept == told & HOLDS[output.suffix] == told - {*lost}
    with Image.open(output) as image:
        assert image.getexif().get(0x0112, 1) == 1

"""Texts and borders can be told from what is behind them, in light and dark (WCAG 2.2, AA)."""

import re

import pytest

from nss.admin.portal.static import FOLDER

_PAIR = re.compile(r"--([a-z0-9-]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\);")

COLOURS = {name: pair for name, *pair in _PAIR.findall((FOLDER / "nss.css").read_text())}

TEXT, SHAPE = 4.5, 3.0
"""The least contrast: of texts (1.4.3), of borders, icons and lines (1.4.11)."""

STATUS = ["good", "warn", "bad", "busy", "quiet"]

NEEDED = [
    *((name, ground, TEXT) for name in ("text", "muted", "link") for ground in ("page", "surface")),
    *((name, "raised", TEXT) for name in ("text", "muted")),
    *((f"{name}", f"{name}-soft", TEXT) for name in STATUS),
    *((name, "surface", TEXT) for name in STATUS),
    *(("text", f"{name}-soft", TEXT) for name in STATUS),
    ("bad", "raised", TEXT),
    ("on-main", "main", TEXT),
    ("on-main", "main-hover", TEXT),
    ("main", "surface", SHAPE),
    *(("edge", ground, SHAPE) for ground in ("page", "surface", "raised")),
    *((f"s{n}", "surface", SHAPE) for n in range(1, 5)),
]


def luminance(colour: str) -> float:
    red, green, blue = (linear(int(colour[n : n + 2], 16) / 255) for n in (0, 2, 4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("name", "ground", "least"), NEEDED)
@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_contrast(name: str, ground: str, least: float, scheme: int) -> None:
    assert contrast(COLOURS[name][scheme], COLOURS[ground][scheme]) >= least


def test_the_contrast_of_black_on_white_is_21() -> None:
    assert contrast("000000", "ffffff") == pytest.approx(21)

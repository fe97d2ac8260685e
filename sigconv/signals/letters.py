"""A font for text in pictures."""

from functools import cache

from matplotlib.font_manager import FontProperties, findfont
from PIL import ImageFont


@cache
def letters(size: float, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Letters of `size` pixels, of most of the world's alphabets: matplotlib brings the font."""
    return ImageFont.truetype(findfont(FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")), size)

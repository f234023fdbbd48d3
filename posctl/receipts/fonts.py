"""A font of this system that has every character of a slip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fontTools.ttLib import TTCollection, TTFont

from posctl.model.errors import CheckFailed, UsageError

_WINDOWS = Path(os.environ.get("WINDIR", "C:\\Windows")) / "Fonts"
_MAC = Path("/System/Library/Fonts")
_SHARED = Path("/usr/share/fonts")
PATHS: dict[str, tuple[Path, ...]] = {
    "win32": (
        *(_WINDOWS / "msyh.ttc", _WINDOWS / "simsun.ttc", _WINDOWS / "Deng.ttf"),
        _WINDOWS / "simhei.ttf",
    ),
    "darwin": (
        *(_MAC / "PingFang.ttc", _MAC / "STHeiti Light.ttc"),
        *(_MAC / "Hiragino Sans GB.ttc", _MAC / "Supplemental/Songti.ttc"),
    ),
    "linux": (
        _SHARED / "opentype/noto/NotoSansCJK-Regular.ttc",  # Debian
        _SHARED / "google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",  # Fedora
        _SHARED / "noto-cjk/NotoSansCJK-Regular.ttc",  # Arch
        _SHARED / "truetype/wqy/wqy-microhei.ttc",
        _SHARED / "truetype/wqy/wqy-zenhei.ttc",
    ),
}
"""Where systems keep their Chinese fonts, by ``sys.platform``."""
_SIMPLIFIED = (" SC", "Simplified")
"""In the name of a collection's face for mainland China."""
_SAMPLE = "中文"
_KINDS = frozenset({".ttf", ".otf", ".ttc", ".otc"})
_RESTRICTED = 0x0002
"""OpenType, OS/2 fsType, bits 0 to 3: must not be embedded."""
_FONTCONFIG_SECONDS = 10


@dataclass(frozen=True)
class Font:
    """A face that can be embedded, and the code points that it has."""

    path: Path
    face: int
    points: frozenset[int]

    def lacks(self, text: str) -> str | None:
        """The first character that would be an empty box."""
        return next(
            (c for c in text if not c.isspace() and ord(c) not in self.points), None
        )


def find(text: str, given: Path | None = None) -> Font:
    """The font ``given``, or the first of this system's with all of ``text``.

    Raises:
        CheckFailed: ``font.missing``; ``font.glyph`` with the code point.
        UsageError: ``font.unreadable``.
    """
    if given is not None:
        font = load(given)
        if font is None:
            raise UsageError("font.unreadable", path=str(given))
        found = [font]
    else:
        found = [font for font in map(load, _candidates()) if font and _chinese(font)]
    if not found:
        raise CheckFailed("font.missing")
    lacking = [(font.lacks(text), font) for font in found]
    for character, font in lacking:
        if character is None:
            return font
    character, font = lacking[0]
    raise CheckFailed(
        "font.glyph", point=f"U+{ord(character or ''):04X}", font=font.path.name
    )


def load(path: Path) -> Font | None:
    """None: not there, no outline font, or one that must not be embedded."""
    if path.suffix.casefold() not in _KINDS or not path.is_file():
        return None
    try:
        face = _face(path)
        with TTFont(path, fontNumber=face, lazy=True) as font:
            rights = font["OS/2"].fsType & 0x000F if "OS/2" in font else 0
            outlines = "glyf" in font or "CFF " in font
            points = frozenset(font.getBestCmap() or ())
    except Exception:  # fontTools meets damage with whatever it stumbles over
        return None
    usable = outlines and rights != _RESTRICTED
    return Font(path, face, points) if usable else None


def _face(path: Path) -> int:
    """Of a collection that for mainland China, or the first: Han characters have
    other shapes in Japan."""
    if path.suffix.casefold() not in (".ttc", ".otc"):
        return 0
    with TTCollection(path, lazy=True) as collection:
        names = [font["name"].getBestFullName() or "" for font in collection]
    fitting = (n for n, name in enumerate(names) if any(s in name for s in _SIMPLIFIED))
    return next(fitting, 0)


def _chinese(font: Font) -> bool:
    return font.lacks(_SAMPLE) is None


def _candidates() -> Iterator[Path]:
    yield from PATHS.get(sys.platform, ())
    told = _fontconfig()
    if told:
        yield Path(told)


def _fontconfig() -> str:
    """What fontconfig would take for Chinese; empty where there is none."""
    program = shutil.which("fc-match")
    if program is None:
        return ""
    words = [program, "--format=%{file}", ":lang=zh-cn"]
    try:
        done = subprocess.run(words, capture_output=True, timeout=_FONTCONFIG_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return os.fsdecode(done.stdout)

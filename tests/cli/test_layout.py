"""Text in cells: at 80 and at 60 columns, in both languages."""

from __future__ import annotations

import re

import pytest
from cli_runs import every_command, help_of
from hypothesis import given
from hypothesis import strategies as st

from posctl.cli.layout import Formatter, wrap_lines
from posctl.model.cells import cells, padded, wrap

CLOSING = "，。；：！？、）】》」』”’"
OPENING = "（【《「『“‘"
TEXT = "查看：终端 11000001（序列号 0820000001）在“支付机构”的清单中，请运行 posctl。"


@pytest.mark.parametrize(
    ("text", "width"),
    [("", 0), ("abc", 3), ("中文", 4), ("中a文", 5), ("𠮷野家", 6), ("é", 1), ("é", 1)],
)
def test_cells(text: str, width: int) -> None:
    assert cells(text) == width
    assert cells(padded(text, 10)) == 10


def test_han_breaks_between_characters_and_latin_between_words() -> None:
    assert wrap("终端 terminal 已结算", 8).split("\n") == ["终端", "terminal", "已结算"]
    assert wrap("终端已结算完毕", 8).split("\n") == ["终端已结", "算完毕"]
    assert wrap("one two three", 8).split("\n") == ["one two", "three"]


def test_punctuation_stays_with_what_it_closes_or_opens() -> None:
    for width in range(10, 60):
        for line in wrap(TEXT, width).split("\n")[1:]:
            assert line[0] not in CLOSING, line
        for line in wrap(TEXT, width).split("\n"):
            assert line[-1] not in OPENING, line


@given(
    st.text("中文账户终端，。（）ab c\U00020bb7é1 -", max_size=80),
    st.integers(12, 40),
)
def test_nothing_is_lost_and_no_line_is_too_wide(text: str, width: int) -> None:
    lines = wrap(text, width, first="  ", later="    ").split("\n")
    squeezed = re.sub(r"\s", "", text)
    assert re.sub(r"\s", "", "".join(lines)) == squeezed
    longest = max([cells(word) for word in re.split(r"\s", text)], default=0)
    for line in lines:
        assert cells(line) <= width or longest > width - 4


def test_a_label_and_its_value_hang() -> None:
    text = "  开户网点  102100099996 中国工商银行总行营业部第一支行"
    lines = wrap_lines(text, 36).split("\n")
    assert len(lines) == 2
    assert lines[1].startswith(" " * 12) and cells(lines[0]) <= 36


# -- help ----------------------------------------------------------------------


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_no_line_of_help_is_wider_than_the_terminal(lang: str, columns: int) -> None:
    for words in every_command():
        text = help_of(words, lang, columns)
        for line in text.splitlines():
            assert cells(line) < columns or is_example(line), (words, line)


def is_example(line: str) -> bool:
    """Examples are copied: they are not broken."""
    return bool(re.match(r"  (posctl|~/|fish, once|.PROFILE)", line))


def test_the_second_column_is_aligned_by_cells() -> None:
    formatter = Formatter(width=50)
    with formatter.section("命令"):
        formatter.write_dl([("终端", "第一行"), ("ab", "第二行"), ("x" * 40, "第三行")])
    starts = [
        cells(line.split("第")[0])
        for line in formatter.getvalue().splitlines()
        if "第" in line
    ]
    assert len(starts) == 3 and len(set(starts)) == 1


def test_a_usage_line_hangs() -> None:
    formatter = Formatter(width=44)
    formatter.write_usage("posctl change approve", "[OPTIONS] ORDER " + "WORD " * 8)
    lines = formatter.getvalue().splitlines()
    assert len(lines) > 1 and all(cells(line) <= 44 for line in lines)

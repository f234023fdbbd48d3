"""ID numbers, names, BIN tables, bank codes: R20, R25, R26.

The numbers are published examples (facts of the standards and of test environments),
their check digits computed by python-stdnum, which no one here wrote.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_11_2

from posctl.cards import bins
from posctl.field.account import _branch, _mobile, typed_account
from posctl.model.errors import CheckFailed, UsageError
from posctl.model.idnumber import IdNumber
from posctl.model.names import Grade, compare, normal, size
from protocols.sensitive import CardNumber

TODAY = date(2026, 11, 25)
PERSONA = "341126197709218366"


def code(call: object, *arguments: object, **more: object) -> str:
    with pytest.raises(CheckFailed) as caught:
        call(*arguments, **more)  # type: ignore[operator]
    assert not any(str(a) in str(caught.value) for a in arguments if len(str(a)) > 9)
    return caught.value.code


# -- ID numbers --------------------------------------------------------------------


@pytest.mark.req("R25")
@pytest.mark.parametrize(
    "text", [PERSONA, "11010519491231002X", "11010519491231002x", "440524188001010014"]
)
def test_published_id_numbers(text: str) -> None:
    """Also one of UnionPay's own, whose area a list of today does not know."""
    number = IdNumber(text, today=TODAY)
    assert number.reveal() == text.upper()
    assert text[6:] not in repr(number)


@pytest.mark.req("R25")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("110101197003077000", "id.check_digit"),
        ("1101051949123100", "id.form"),
        ("110105491231002", "id.form"),  # fifteen places: invalid since 2013
        ("A10105194912310021", "id.form"),
        ("", "id.form"),
    ],
)
def test_wrong_id_numbers(text: str, reason: str) -> None:
    assert code(IdNumber, text, today=TODAY) == reason


def with_check(body: str) -> str:
    return body + mod_11_2.calc_check_digit(body)


@pytest.mark.req("R25")
def test_the_date_the_area_and_the_leading_nine() -> None:
    assert code(IdNumber, with_check("11010519490231002"), today=TODAY) == "id.birth"
    assert code(IdNumber, with_check("11010520990101002"), today=TODAY) == "id.birth"
    for area in ("010105", "160105", "000000"):  # information, no check
        IdNumber(with_check(f"{area}19491231002"), today=TODAY)
    IdNumber(with_check("91010519491231002"), today=TODAY)


@pytest.mark.req("R13")
def test_eighteen_on_the_day() -> None:
    number = IdNumber(with_check("11010520081125002"), today=TODAY)
    assert number.age(TODAY) == 18
    assert number.age(date(2026, 11, 24)) == 17


@pytest.mark.req("R25")
@given(st.text(max_size=24))
def test_any_text_is_an_id_number_or_refused(text: str) -> None:
    try:
        IdNumber(text, today=TODAY)
    except CheckFailed as failure:
        assert failure.code.startswith("id.") and not failure.params.get("text")


@pytest.mark.req("R25")
def test_bank_codes_and_mobile_numbers() -> None:
    nobody = None
    for good in ("102100099996", "105100000017", "308584000013", "402713354941"):
        assert _branch(nobody, good) == good  # type: ignore[arg-type]
    assert code(_branch, nobody, "104000000000") == "branch.check_digit"
    for good in (
        "13552535506",
        "+86 135-5253-5506",
        "0086 13552535506",
        "１３５５２５３５５０６",
    ):
        assert _mobile(nobody, good) == "13552535506"  # type: ignore[arg-type]
    assert code(_mobile, nobody, "1064812345678") == "number.iot"
    for bad in ("12552535506", "1355253550", "2355253550", ""):
        assert code(_mobile, nobody, bad) == "number.length"


@pytest.mark.req("R18")
def test_a_companys_account_has_any_length_up_to_forty() -> None:
    for count in (6, 19, 20, 40):
        assert len(typed_account("3" * count).reveal()) == count
    for count in (5, 41):
        assert code(typed_account, "3" * count) == "number.form"


# -- names -------------------------------------------------------------------------


@pytest.mark.req("R26")
@pytest.mark.parametrize(
    ("one", "other", "grade"),
    [
        ("全渠道", "全渠道", Grade.EQUAL),
        ("张三", "张 三", Grade.EQUAL_AFTER_NORMALISATION),
        ("阿凡提·买买提", "阿凡提•买买提", Grade.EQUAL_AFTER_NORMALISATION),
        ("阿凡提·买买提", "阿凡提．买买提", Grade.EQUAL_AFTER_NORMALISATION),
        ("阿凡提·买买提", "阿凡提・买买提", Grade.EQUAL_AFTER_NORMALISATION),
        ("（上海）小店", "(上海)小店", Grade.EQUAL_AFTER_NORMALISATION),
        ("Zhang  San", "ZHANG SAN", Grade.EQUAL_AFTER_NORMALISATION),
        ("ZHANG/SAN", "张三", Grade.LATIN_VS_HAN),
        ("张䶮", "张龑", Grade.RARE_CHAR),
        ("张\ue1a3", "张龑", Grade.RARE_CHAR),
        ("张?", "张三", Grade.RARE_CHAR),
        ("张?", "张?", Grade.RARE_CHAR),  # two that were lost are not one
        ("张*", "张*", Grade.RARE_CHAR),
        ("张\ufffd", "张\ufffd", Grade.RARE_CHAR),
        ("ACME (SHANGHAI) LTD", "ACME（SHANGHAI）LTD", Grade.EQUAL_AFTER_NORMALISATION),
        ("〔上海〕小店", "(上海)小店", Grade.EQUAL_AFTER_NORMALISATION),
        ("张𬎆", "张三", Grade.RARE_CHAR),
        ("张三", "李四", Grade.DIFFERENT),
        ("张三", "张三丰", Grade.DIFFERENT),
        ("", "", Grade.DIFFERENT),
        (" ", "张三", Grade.DIFFERENT),
    ],
)
def test_grades_of_names(one: str, other: str, grade: Grade) -> None:
    assert compare(one, other) is grade
    assert compare(other, one) is grade
    assert grade.passes is (grade in (Grade.EQUAL, Grade.EQUAL_AFTER_NORMALISATION))


@pytest.mark.req("R26")
@given(st.text(max_size=20), st.text(max_size=20))
def test_comparing_is_fair_and_never_fails(one: str, other: str) -> None:
    assert compare(one, other) is compare(other, one)
    if one.strip():
        lost = any(c in "?*□\ufffd" or category(c) == "Co" for c in normal(one))
        assert compare(one, one) is (Grade.RARE_CHAR if lost else Grade.EQUAL)


@pytest.mark.req("R26")
def test_a_names_size_is_in_the_devices_bytes() -> None:
    assert size("全渠道") == 6 and size("张𬎆") == 6  # the second has four bytes


HEAD = "# origin: a bank's own list\n# date: 2026-11-01\n"

# -- kinds of card -----------------------------------------------------------------


@pytest.mark.req("R20")
@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("6216261000000000018", "debit"),
        ("6212345678901265", "debit"),
        ("6212345678901232", "credit"),
        ("6205500000000000004", "debit"),
        ("8171999900000000021", "unknown"),
    ],
)
def test_published_test_cards(number: str, kind: str) -> None:
    assert bins.test_cards().kind_of(CardNumber(number)) == kind


@pytest.mark.req("R20")
def test_the_longest_prefix_with_the_numbers_own_length(tmp_path: Path) -> None:
    table = tmp_path / "bins.csv"
    table.write_text(
        f"{HEAD}bin,bank,type,length\n"
        "621626,A,CC,16\n621626,A,DC,19\n62162610,A,SCC,19\n6205,B,PC,19\n"
    )
    loaded = bins.load(table)
    assert loaded.kind_of(CardNumber("6216261000000000018")) == "quasi-credit"
    assert loaded.kind_of(CardNumber("6205500000000000004")) == "prepaid"
    assert loaded.kind_of(CardNumber("6212345678901265")) == "unknown"
    assert loaded.origin == "a bank's own list, 2026-11-01"


@pytest.mark.req("R20")
@pytest.mark.parametrize(
    "text",
    [
        "",
        HEAD + "bin,type\n62,DC\n",
        HEAD + "bin,type,length\n621626,XX,19\n",
        HEAD + "bin,type,length\n621626,DC,x\n",
        HEAD + "bin,type,length\n62,DC,19\n",
        HEAD + "bin,type,length\n621626,DC,19\n621626,CC,19\n",
        "bin,type,length\n621626,DC,19\n",
        "# origin: a bank\nbin,type,length\n621626,DC,19\n",
        "# origin: a bank\n# date: 2026-13-01\nbin,type,length\n621626,DC,19\n",
        "# origin:\n# date: 2026-11-01\nbin,type,length\n621626,DC,19\n",
        "\x00\x01",
    ],
)
def test_a_table_that_is_none_says_so(tmp_path: Path, text: str) -> None:
    table = tmp_path / "bins.csv"
    table.write_text(text)
    with pytest.raises(UsageError) as failure:
        bins.load(table)
    assert failure.value.code == "bins.unreadable"

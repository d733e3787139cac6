"""Statements on paper, read back from the PDF: nothing is lost, nothing runs over, and every letter is there."""

from __future__ import annotations

import io
import logging
import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from pypdf import PdfReader

from billing.model import Posting
from billing.owners import Patient
from billing.paper import Paper, Style
from billing.printing import Row, paged, printed
from billing.statements import Statement, accounts_of
from hms import ids
from hms.money import AT_REST

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 28, 4, 0, tzinfo=UTC)
START, END = date(2026, 4, 1), date(2026, 11, 28)
PATIENT = ids.derived("patient", 1)
MRN = "483920173"
NAME, HINDI = "Asha Verma", "श्रीमती प्रतिभा क्षेत्रपाल कृष्णमूर्ति"
WHO = Patient(NAME, MRN)
POINTS_A_MM = 72 / 25.4
PLAIN = Style(8.5)


def a_posting(number: int = 1, *entries: dict[str, Any], **changes: Any) -> Posting:
    told = entries or ({"kind": "CHARGE", "amount": 52_500, "tax_amount": 2_500, "description": "Consultation"},)
    facts: dict[str, Any] = {
        "bill_id": ids.derived("bill", number),
        "bill_number": f"B{number:011}",
        "patient_id": PATIENT,
        "version": 1,
        "at": NOW - timedelta(days=30) + timedelta(minutes=number),
        "by": "clerk",
        "currency": "INR",
        "entries": [{"entry_id": str(place), **entry} for place, entry in enumerate(told)],
    }
    return Posting.model_validate(facts | changes, context=AT_REST)


def a_statement(*postings: Posting, start: date | None = START) -> Statement:
    told = {"patient_id": PATIENT, "from": start, "to": END, "as_of": NOW}
    return Statement.model_validate(told | {"accounts": accounts_of(postings, start, END)})


def pages_of(statement: Statement, name: str = NAME) -> list[str]:
    reader = PdfReader(io.BytesIO(printed(statement, Patient(name, MRN))))
    return [page.extract_text() for page in reader.pages]


@pytest.fixture(scope="module")
def paper() -> Iterator[Paper]:
    paper = Paper("Any", NOW)
    yield paper
    paper.close()


def packed(text: str) -> str:
    """Without what is only distance to who reads a PDF, and what stands for signs that have no letter of their own."""
    return re.sub(r"[\s\x00-\x1f]+", "", text)


def test_a_statement_says_whose_it_is_and_what_it_comes_to() -> None:
    paid = {"kind": "PAYMENT", "amount": -26_250, "method": "BANK_TRANSFER"}

    (page,) = pages_of(a_statement(a_posting(), a_posting(1, paid, version=2)))

    for text in ("HMS Clinic", "Statement of account", NAME, f"MRN {MRN}", "01 Apr 2026 – 28 Nov 2026", "Page 1 of 1"):
        assert packed(text) in packed(page)
    for row in (
        "01 Apr 2026 Opening balance ₹0.00",
        "29 Oct 2026 B00000000001 Consultation ₹525.00 ₹525.00",
        "29 Oct 2026 B00000000001 Payment, bank transfer ₹262.50 ₹262.50",
        "28 Nov 2026 Closing balance ₹262.50",
        "Tax within these: ₹25.00",
        "Balance due ₹262.50",
    ):
        assert packed(row) in packed(page)


def test_amounts_are_grouped_as_india_groups_them() -> None:
    dear = {"kind": "CHARGE", "amount": 12_500_000, "description": "Bypass"}
    back = {"kind": "DISCOUNT", "amount": -10_000_000, "description": "Discount", "reason": "Staff family"}

    (page,) = pages_of(a_statement(a_posting(1, dear, back)))

    assert packed("Bypass ₹1,25,000.00 ₹1,25,000.00") in packed(page)
    assert packed("Discount (Staff family) -₹1,00,000.00 ₹25,000.00") in packed(page)


def test_what_is_paid_too_much_is_in_the_patients_favour() -> None:
    (page,) = pages_of(a_statement(a_posting(1, {"kind": "PAYMENT", "amount": -500, "method": "UPI"})))

    assert packed("In your favour ₹5.00") in packed(page)
    assert packed("Closing balance -₹5.00") in packed(page)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"kind": "FEE", "amount": 1, "description": "Late cancellation"}, "Late cancellation"),
        ({"kind": "REVERSAL", "amount": -1, "description": "Consultation"}, "Taken back: Consultation"),
        ({"kind": "VOID", "amount": -1, "description": "Dressing", "reason": "Twice"}, "Voided: Dressing (Twice)"),
        ({"kind": "WRITE_OFF", "amount": -1, "reason": "Moved away"}, "Written off (Moved away)"),
        ({"kind": "REFUND", "amount": 1, "method": "CARD"}, "Refund, card"),
        ({"kind": "PAYMENT", "amount": -1, "method": "CASH"}, "Payment, cash"),
    ],
)
def test_every_entry_says_what_it_is(entry: dict[str, Any], words: str) -> None:
    (page,) = pages_of(a_statement(a_posting(1, entry)))

    assert packed(words) in packed(page)


def test_hundreds_of_lines_are_all_there_in_order_on_numbered_pages_with_headings() -> None:
    pages = pages_of(a_statement(*(a_posting(number) for number in range(400))))

    assert len(pages) > 8
    for number, page in enumerate(pages, start=1):
        assert packed(f"Page {number} of {len(pages)}") in packed(page)
        assert packed("Date Bill Description Charges Payments Balance") in packed(page)
        assert packed(NAME) in packed(page)
        assert packed("01 Apr 2026 – 28 Nov 2026") in packed(page)
    numbers = [int(number) for number in re.findall(r"B(\d{11})", "".join(map(packed, pages)))]
    assert numbers == list(range(400))
    assert packed("Closing balance ₹2,10,000.00") in packed(pages[-1])


def test_names_and_services_in_hindi_can_be_read_back() -> None:
    service = {"kind": "CHARGE", "amount": 100, "description": "सामान्य परामर्श शुल्क"}

    (page,) = pages_of(a_statement(a_posting(1, service)), HINDI)

    assert packed(HINDI) in packed(page)
    assert packed("सामान्य परामर्श शुल्क") in packed(page)


def test_a_conjunct_is_one_letter_and_not_its_parts(paper: Paper) -> None:
    assert paper.width("क्ष", PLAIN) < paper.width("क", PLAIN) + paper.width("ष", PLAIN)


def test_letters_that_no_font_has_leave_a_sign_and_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        (page,) = pages_of(a_statement(), "Thamizh தமிழ் 漢 Selvi")

    assert packed("Thamizh \ufffd \ufffd Selvi") in packed(page)
    assert not set("தமிழ்漢") & set(caplog.text)


def test_a_name_of_many_words_is_written_out_on_every_page() -> None:
    name = " ".join(f"Venkatanarasimha{number}" for number in range(10))

    pages = pages_of(a_statement(*(a_posting(number) for number in range(60))), name)

    assert len(pages) > 1
    assert all(packed(name) in packed(page) for page in pages)


def test_nothing_is_written_beyond_the_margins_or_over_the_column_before() -> None:
    most = 10**12
    entries = [{"kind": "CHARGE", "amount": most, "description": "x" * 200, "reason": "क्षेत्र" * 28}] * 9
    places: list[tuple[float, float, str]] = []

    def seen(text: str, _current: Any, place: list[float], _font: Any, _size: Any) -> None:
        if text.strip():
            places.append((place[4] / POINTS_A_MM, place[5] / POINTS_A_MM, text))

    reader = PdfReader(io.BytesIO(printed(a_statement(a_posting(1, *entries)), WHO)))
    for page in reader.pages:
        page.extract_text(visitor_text=seen)

    assert all(14.9 < x < 195 and 5 < y < 282 for x, y, _ in places)
    charged = [x for x, _, text in places if "₹" in text and x < 141]
    assert charged
    assert min(charged) > 15 + 20 + 25 + 54


def test_where_nothing_was_charged_the_statement_says_so() -> None:
    (page,) = pages_of(a_statement())

    assert packed("Nothing was charged or paid.") in packed(page)


def test_currencies_and_history_stand_apart() -> None:
    euro, old = a_posting(1, currency="EUR"), a_posting(2, historical=True)

    (page,) = pages_of(a_statement(euro, a_posting(3), old))

    for text in ("In EUR", "EUR 525.00", "In INR", "₹525.00", "Recorded by an older system, in INR"):
        assert packed(text) in packed(page)
    # What an older system recorded is not asked for.
    assert packed(page).count("Balancedue") == 2


def test_a_statement_from_the_beginning_says_until_when() -> None:
    (page,) = pages_of(a_statement(a_posting(), start=None))

    assert packed("until 28 Nov 2026") in packed(page)


def test_the_same_statement_is_the_same_bytes() -> None:
    statement = a_statement(a_posting())

    assert printed(statement, WHO) == printed(statement, WHO)


LATIN = some.text("abcdefghijklmnopqrstuvwxyzÄßé-,. 0123456789₹", max_size=120)
DEVANAGARI = some.text("कखगघचछजझटठडढतथदधनपफबभमयरलवशषसह्ािीुूेैोौंः ", max_size=60)


@given(some.one_of(LATIN, DEVANAGARI), some.sampled_from([20.0, 52.0]))
@settings(max_examples=60)
def test_wrapping_loses_no_letter_and_keeps_the_width(paper: Paper, text: str, width: float) -> None:
    lines = paper.wrapped(text, width, PLAIN)

    assert packed("".join(lines)) == packed(text)
    assert all(paper.width(line, PLAIN) <= width + 0.001 for line in lines if len(line) > 8)


def test_words_stay_whole_where_they_fit(paper: Paper) -> None:
    words = "Electrocardiogram with twelve leads and a written report"

    lines = paper.wrapped(words, 52, PLAIN)

    assert len(lines) == 2
    assert " ".join(lines) == words


def test_a_word_is_broken_between_letters_and_never_within_one(paper: Paper) -> None:

    lines = paper.wrapped("क्षेत्रि" * 40, 20, PLAIN)

    assert len(lines) > 3
    assert all(re.fullmatch("(क्षे)?(त्रिक्षे)*(त्रि)?", line) for line in lines)


def a_row(lines: int, account: str = "In INR") -> Row:
    return Row(account, (("",), ("",), ("x",) * lines, ("",), ("",), ("",)))


@given(some.lists(some.tuples(some.integers(1, 12), some.sampled_from("ab")), min_size=1, max_size=150))
def test_every_row_is_on_one_page_in_order_and_none_is_too_low(kinds: list[tuple[int, str]]) -> None:
    rows = [a_row(lines, account) for lines, account in kinds]

    pages = paged(rows, 70, 30)

    assert [row for page in pages for row in page] == rows
    assert all(pages)
    for number, page in enumerate(pages):
        accounts = 1 + sum(one.account != other.account for one, other in pairwise(page))
        assert (30 if number else 70) + sum(row.height for row in page) + accounts * 10 <= 277

"""Bills over HTTP: from the fee at booking to the statement, and what is nobody else's business."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from hms import ids, numbers
from tests.support.cash_desk import CASH, CashDesk, everything
from tests.support.client import agreed, refused
from tests.support.hospital import INDIA, slot

if TYPE_CHECKING:
    from tests.support.hospital import Hospital

DAY = timedelta(days=1)
# Nobody else's tests go there: what a report says of it is of this test alone.
LATER = datetime(2039, 3, 7, 11, 30, tzinfo=INDIA)
UNKNOWN = "00000000-0000-4000-8000-000000000000"
PDF = {"Accept": "application/pdf"}


@pytest.fixture(scope="module")
def desk(hospital: Hospital) -> CashDesk:
    return CashDesk(hospital)


@pytest.fixture(scope="module")
def ecg(hospital: Hospital) -> dict[str, Any]:
    """A service of the charge master: 750.00, in Cardiology 900.00, on the plan Gold 600.00; with 12 % tax."""
    prices = [
        {"unit_price": "750.00"},
        {"unit_price": "900.00", "department": "Cardiology"},
        {"unit_price": "600.00", "plan": "Gold"},
        {"unit_price": "650.00", "plan": "Silver", "valid_from": str(LATER.date())},
    ]
    body = {"code": f"ECG-{ids.new()[-12:]}", "name": "Electrocardiogram", "tax_rate": "12.00", "prices": prices}
    made: dict[str, Any] = agreed(hospital.admin.post("/v1/charge-items", body), 201)
    return made


def amounts(bill: dict[str, Any]) -> tuple[str, str, str]:
    return bill["amount"], bill["tax_amount"], bill["total_amount"]


def of_patient(hospital: Hospital, patient: dict[str, Any]) -> Any:
    return hospital.user("patient", patient_id=patient["patient_id"])


# ── the bill of a visit ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_booking_opens_a_provisional_bill_that_its_patient_reads(desk: CashDesk, hospital: Hospital) -> None:
    patient = desk.someone()
    herself = of_patient(hospital, patient)
    visit = desk.visit(patient)

    bill = desk.bill_of(visit, by=herself)

    assert (bill["status"], bill["provisional"], bill["overdue"]) == ("OPEN", True, False)
    assert amounts(bill) == ("500.00", "25.00", "525.00")
    assert [line["description"] for line in bill["items"]] == ["Consultation"]
    assert bill["bill_number"][0] == "B"
    assert numbers.is_right(bill["bill_number"][1:])
    assert agreed(herself.get(f"/v1/bills/{bill['bill_id']}")) == bill
    assert desk.ledger(bill, by=herself) == [("CHARGE", "525.00")]
    assert agreed(herself.get("/v1/bills"))["items"] == [bill]


def test_a_doctors_own_fee_is_charged_and_another_doctors_after_a_move(desk: CashDesk, hospital: Hospital) -> None:
    fee = {"amount": "800.00", "currency": "INR"}
    visit = desk.visit(consultation_fee=fee)
    assert amounts(desk.bill_of(visit)) == ("800.00", "40.00", "840.00")

    dearer = hospital.doctor(consultation_fee=fee | {"amount": "999.90"})
    path = f"/v1/appointments/{visit['appointment_id']}/reschedule"
    agreed(hospital.reception.post(path, slot("11:00") | {"doctor_id": dearer["doctor_id"]}))

    bill = desk.bill_of(visit, doctor_id=dearer["doctor_id"])
    assert amounts(bill) == ("999.90", "50.00", "1049.90")
    assert desk.ledger(bill) == [("CHARGE", "840.00"), ("REVERSAL", "-840.00"), ("CHARGE", "1049.90")]


def test_a_visit_that_took_place_makes_its_bill_final_and_its_patient_is_told(desk: CashDesk) -> None:
    patient = desk.someone()
    visit = desk.visit(patient)
    desk.bill_of(visit)

    desk.ended(visit, "completed")

    bill = desk.bill_of(visit, provisional=False)
    assert (bill["status"], bill["outcome"], bill["total_amount"]) == ("OPEN", "COMPLETED", "525.00")
    letter = desk.letter(patient, f"Your bill {bill['bill_number']}: ₹525.00 to pay")
    assert "Uma Shankar" in letter.text


def test_a_visit_that_was_cancelled_in_time_costs_nothing(desk: CashDesk) -> None:
    visit = desk.visit()
    desk.bill_of(visit)

    desk.ended(visit, "early")

    bill = desk.bill_of(visit, status="VOID")
    assert (bill["provisional"], bill["items"], bill["total_amount"]) == (False, [], "0.00")
    assert desk.ledger(bill) == [("CHARGE", "525.00"), ("VOID", "-525.00")]
    refused(desk.pays(bill, "1.00"), 409, "BILL_VOID")


def test_who_does_not_come_pays_the_fee_and_nothing_where_they_came_after_all(
    desk: CashDesk, hospital: Hospital
) -> None:
    visit = desk.visit()
    desk.bill_of(visit)
    desk.ended(visit, "missed")
    missed = desk.bill_of(visit, outcome="NO_SHOW")
    assert [(line["kind"], line["line_total"]) for line in missed["items"]] == [("FEE", "525.00")]

    start = datetime.fromisoformat(visit["slot_start"])
    path = f"/v1/appointments/{visit['appointment_id']}/check-in"
    agreed(hospital.reception.at(start + timedelta(minutes=20)).post(path))

    bill = desk.bill_of(visit, provisional=True)
    assert (bill["outcome"], bill["outstanding_amount"]) == (None, "525.00")
    assert [line["kind"] for line in bill["items"]] == ["CHARGE"]


# ── bills by hand ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bill_by_hand_takes_its_prices_from_the_charge_master(desk: CashDesk, ecg: dict[str, Any]) -> None:
    patient = desk.someone()
    items = [{"code": ecg["code"]}, {"description": "Bandage", "quantity": 2, "unit_price": "49.90"}]

    bill = desk.made(patient, *items, department="cardiology", notes="By hand")

    assert (bill["status"], bill["provisional"], bill["notes"]) == ("OPEN", False, "By hand")
    told = [(line["description"], line["amount"], line["tax_amount"], line["line_total"]) for line in bill["items"]]
    # 108.00 is 12 % of 900.00; 5 % of 99.80 is 4.99.
    assert told == [("Electrocardiogram", "900.00", "108.00", "1008.00"), ("Bandage", "99.80", "4.99", "104.79")]
    assert amounts(bill) == ("999.80", "112.99", "1112.79")
    desk.letter(patient, f"Your bill {bill['bill_number']}: ₹1,112.79 to pay")


@pytest.mark.parametrize(
    ("asked", "price"),
    [
        ({}, "750.00"),
        ({"department": "Cardiology"}, "900.00"),
        ({"department": "Dermatology"}, "750.00"),
        ({"plan": "gold", "department": "Cardiology"}, "600.00"),
        ({"plan": "Silver", "on": "2039-03-06"}, "750.00"),
        ({"plan": "Silver", "on": "2039-03-07"}, "650.00"),
    ],
)
def test_the_most_particular_price_of_the_day_holds(
    desk: CashDesk, ecg: dict[str, Any], asked: dict[str, str], price: str
) -> None:
    path = f"/v1/charge-items/{ecg['charge_item_id']}/price"

    assert agreed(desk.clerk.get(path, query=asked))["unit_price"] == price


def test_prices_change_and_bills_stay_as_they_were(desk: CashDesk, hospital: Hospital) -> None:
    item = {"code": f"X-{ids.new()[-12:]}", "name": "X-ray", "tax_rate": "5.00", "prices": [{"unit_price": "400.00"}]}
    made = agreed(hospital.admin.post("/v1/charge-items", item), 201)
    path = f"/v1/charge-items/{made['charge_item_id']}"
    before = desk.made(desk.someone(), {"code": made["code"]})

    agreed(hospital.admin.put(f"{path}/prices", {"prices": [{"unit_price": "450.00"}]}, if_match=1))
    agreed(hospital.admin.patch(path, {"name": "X-ray, chest"}, if_match=2))

    after = desk.made(desk.someone(), {"code": made["code"].lower()})
    assert (after["items"][0]["description"], after["amount"]) == ("X-ray, chest", "450.00")
    assert desk.bill(before) == before
    agreed(hospital.admin.patch(path, {"active": False}))
    body = {"patient_id": desk.someone()["patient_id"], "items": [{"code": made["code"]}]}
    problem = refused(desk.clerk.post("/v1/bills", body), 422, "INVALID")
    assert [error["field"] for error in problem["errors"]] == ["items.0.code"]


def test_two_prices_for_the_same_day_are_refused(hospital: Hospital) -> None:
    prices = [{"unit_price": "1.00", "valid_to": "2027-01-01"}, {"unit_price": "2.00", "valid_from": "2027-01-01"}]
    code = f"T-{ids.new()[-12:]}"
    body = {"code": code, "name": "Test", "tax_rate": "0.00", "prices": prices}

    refused(hospital.admin.post("/v1/charge-items", body), 422, "PRICES_OVERLAP")

    prices[1]["valid_from"] = "2027-01-02"
    agreed(hospital.admin.post("/v1/charge-items", body), 201)
    refused(hospital.admin.post("/v1/charge-items", body | {"code": code.lower()}), 409, "CODE_TAKEN")


def test_one_key_makes_one_bill(desk: CashDesk) -> None:
    patient = desk.someone()
    body = {"patient_id": patient["patient_id"], "items": [{"description": "Dressing", "unit_price": "500.00"}]}
    key = ids.new()

    first = agreed(desk.clerk.post("/v1/bills", body, key=key), 201)
    again = desk.clerk.post("/v1/bills", body, key=key)

    assert (agreed(again, 201), again.headers["Idempotency-Replayed"]) == (first, "true")
    refused(desk.clerk.post("/v1/bills", body | {"notes": "Other"}, key=key), 422, "IDEMPOTENCY_KEY_REUSED")
    listed = agreed(desk.clerk.get("/v1/bills", query={"patient_id": patient["patient_id"]}))["items"]
    assert listed == [first]
    refused(desk.clerk.post("/v1/bills", body | {"patient_id": UNKNOWN}), 404, "PATIENT_NOT_FOUND")


def test_a_bill_is_adjusted_discounted_and_written_off_and_the_ledger_says_how(desk: CashDesk) -> None:
    bill = desk.made(desk.someone())
    path = f"/v1/bills/{bill['bill_id']}"
    line = {"items": [{"description": "Bandage", "unit_price": "100.00"}], "reason": "Dressing changed"}

    agreed(desk.clerk.post(f"{path}/adjustments", line, if_match=1), 201)
    refused(desk.clerk.post(f"{path}/adjustments", line, if_match=1), 412, "STALE_VERSION")
    agreed(desk.clerk.post(f"{path}/discounts", {"amount": "200.00", "reason": "Staff family"}), 201)
    # 420.00 are left: net 400.00 with its tax.
    too_much = {"amount": "400.01", "reason": "Too much"}
    refused(desk.clerk.post(f"{path}/discounts", too_much), 422, "DISCOUNT_EXCEEDS_OUTSTANDING")
    refused(
        desk.clerk.post(f"{path}/write-offs", too_much | {"amount": "420.01"}), 422, "WRITE_OFF_EXCEEDS_OUTSTANDING"
    )
    agreed(desk.clerk.post(f"{path}/write-offs", {"amount": "20.00", "reason": "Small change"}), 201)

    after = desk.bill(bill)
    assert (after["total_amount"], after["written_off_amount"], after["outstanding_amount"]) == (
        "420.00",
        "20.00",
        "400.00",
    )
    assert desk.ledger(bill) == [
        ("CHARGE", "525.00"),
        ("CHARGE", "105.00"),
        ("DISCOUNT", "-210.00"),
        ("WRITE_OFF", "-20.00"),
    ]


def test_only_a_bill_without_payments_is_voided(desk: CashDesk) -> None:
    wrong, paid = desk.made(desk.someone()), desk.made(desk.someone())
    desk.paid(paid, "0.01", CASH)
    reason = {"reason": "Made for the wrong patient"}

    refused(desk.clerk.post(f"/v1/bills/{paid['bill_id']}/void", reason), 409, "BILL_HAS_PAYMENTS")
    assert agreed(desk.clerk.post(f"/v1/bills/{wrong['bill_id']}/void", reason))["status"] == "VOID"
    refused(desk.clerk.post(f"/v1/bills/{wrong['bill_id']}/void", reason), 409, "BILL_VOID")


def test_bills_are_found_by_patient_state_day_and_when_they_are_overdue(desk: CashDesk) -> None:
    patient, clerk = desk.someone(), desk.clerk.at(LATER)
    today = LATER.date()
    due, paid, void = (desk.made(patient, by=clerk, due_date=str(today + DAY)) for _ in range(3))
    desk.paid(paid, how=CASH)
    agreed(clerk.post(f"/v1/bills/{void['bill_id']}/void", {"reason": "A mistake"}))

    def found(at: datetime = LATER, **query: Any) -> list[str]:
        listed = everything(desk.clerk.at(at), "/v1/bills", **query)
        return sorted(one["bill_id"] for one in listed if one["patient_id"] == patient["patient_id"])

    of_patient: dict[str, Any] = {"patient_id": patient["patient_id"]}
    that_day: dict[str, Any] = {"from": today, "to": today}
    all_three = sorted(one["bill_id"] for one in (due, paid, void))
    assert found(**of_patient) == found(**that_day) == all_three
    assert found(**of_patient, status="PAID") == [paid["bill_id"]]
    assert found(**of_patient, status="VOID") == [void["bill_id"]]
    assert found(**of_patient, to=today - DAY) == []
    # Due tomorrow: that whole day is still in time.
    assert found(LATER + DAY, overdue="true") == found(LATER + DAY, **of_patient, overdue="true") == []
    assert found(LATER + 2 * DAY, overdue="true") == [due["bill_id"]]
    assert found(LATER + 2 * DAY, **of_patient, overdue="false") == sorted((paid["bill_id"], void["bill_id"]))


# ── statements and reports ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_statement_leads_from_one_balance_to_the_next(desk: CashDesk, hospital: Hospital) -> None:
    patient = desk.someone()
    herself = of_patient(hospital, patient)
    bill = desk.made(patient, by=desk.clerk.at(LATER))
    after = desk.clerk.at(LATER + DAY)
    agreed(after.post(f"/v1/bills/{bill['bill_id']}/write-offs", {"amount": "25.00", "reason": "Goodwill"}), 201)
    path = f"/v1/patients/{patient['patient_id']}/statement"

    whole = agreed(herself.at(LATER + DAY).get(path))["accounts"]
    second = agreed(herself.get(path, query={"from": (LATER + DAY).date(), "to": (LATER + DAY).date()}))["accounts"]

    assert [(one["opening_balance"], one["closing_balance"]) for one in whole] == [("0.00", "500.00")]
    lines = [(line["kind"], line["amount"], line["balance"]) for line in whole[0]["lines"]]
    assert lines == [("CHARGE", "525.00", "525.00"), ("WRITE_OFF", "-25.00", "500.00")]
    assert [(one["opening_balance"], one["closing_balance"]) for one in second] == [("525.00", "500.00")]
    assert agreed(herself.get(path, query={"to": (LATER - DAY).date()}))["accounts"] == []


def test_a_statement_is_printed(desk: CashDesk, hospital: Hospital) -> None:
    patient = desk.someone(name="श्रीमती प्रतिभा Venkatanarasimharajuvaripeta")
    desk.made(patient)
    path = f"/v1/patients/{patient['patient_id']}/statement.pdf"

    herself = of_patient(hospital, patient)

    printed = herself.get(path, headers=PDF)

    assert (printed.status_code, printed.headers["Content-Type"]) == (200, "application/pdf")
    assert printed.content.startswith(b"%PDF-")
    assert printed.content.rstrip().endswith(b"%%EOF")
    assert "statement-" in printed.headers["Content-Disposition"]
    refused(herself.get(path), 406, "NOT_ACCEPTABLE")
    refused(hospital.role("patient").get(path, headers=PDF), 403, "FORBIDDEN")


def test_reports_say_what_the_ledger_says(desk: CashDesk, hospital: Hospital) -> None:
    moment = LATER + 60 * DAY
    day, clerk = moment.date(), desk.clerk.at(moment)
    bills = [desk.made(desk.someone(), by=clerk, due_date=str(day)) for _ in range(3)]
    agreed(clerk.post(f"/v1/bills/{bills[0]['bill_id']}/discounts", {"amount": "100.00", "reason": "Goodwill"}), 201)
    agreed(clerk.post(f"/v1/bills/{bills[1]['bill_id']}/write-offs", {"amount": "25.00", "reason": "Goodwill"}), 201)
    agreed(clerk.post(f"/v1/bills/{bills[2]['bill_id']}/void", {"reason": "A mistake"}))
    reader = hospital.role("auditor").at(moment + DAY)

    daily = agreed(reader.get("/v1/billing/reports/daily", query={"day": day}))
    monthly = agreed(reader.get("/v1/billing/reports/monthly", query={"month": f"{day:%Y-%m}"}))

    (account,) = daily["accounts"]
    wanted = {"charges": "1575.00", "discounts": "-105.00", "write_offs": "-25.00", "reversals": "-525.00"}
    wanted |= {"fees": "0.00", "payments": "0.00", "refunds": "0.00", "net": "920.00", "tax": "45.00"}
    assert account["totals"] == wanted
    assert (daily["reconciles"], daily["checked"]) == (True, {"bills": 3, "unchecked": 0, "differing": []})
    assert sum(Decimal(one["amount"]) for one in account["kinds"]) == Decimal(wanted["net"])
    assert monthly["accounts"][0]["totals"] == wanted
    assert {one["day"]: one["totals"]["net"] for one in monthly["accounts"][0]["days"]}[str(day)] == "920.00"


def test_what_is_owed_is_told_by_how_long_it_is_overdue(desk: CashDesk, hospital: Hospital) -> None:
    today = LATER.date()
    ages = {0: "CURRENT", 1: "DAYS_1_30", 30: "DAYS_1_30", 31: "DAYS_31_60", 90: "DAYS_61_90", 91: "OVER_90"}
    # Issued and due on the same day, so many days before the report.
    made = {
        desk.made(desk.someone(), by=desk.clerk.at(LATER - age * DAY), due_date=str(today - age * DAY))["bill_id"]: age
        for age in ages
    }
    reader = hospital.role("auditor").at(LATER)

    listed = everything(reader, "/v1/billing/reports/aged-receivables")
    report = agreed(reader.get("/v1/billing/reports/aged-receivables", query={"limit": 100}))

    ours = {made[one["bill_id"]]: one for one in listed if one["bill_id"] in made}
    assert {age: one["bucket"] for age, one in ours.items()} == ages
    assert {age: one["days_overdue"] for age, one in ours.items()} == {age: age for age in ages}
    assert (report["reconciles"], report["checked"]["differing"]) == (True, [])
    for account in report["accounts"]:
        buckets = sum(Decimal(one["outstanding_amount"]) for one in account["buckets"])
        assert buckets == Decimal(account["outstanding_amount"])


# ── nobody else's business ───────────────────────────────────────────────────────────────────────────────────────────


def test_other_peoples_bills_are_not_shown(desk: CashDesk, hospital: Hospital) -> None:
    bill, stranger = desk.made(desk.someone()), hospital.role("patient")
    for bill_id in (bill["bill_id"], UNKNOWN):
        for path in (f"/v1/bills/{bill_id}", f"/v1/bills/{bill_id}/ledger"):
            refused(stranger.get(path), 403, "FORBIDDEN")
    refused(stranger.get("/v1/bills", query={"patient_id": bill["patient_id"]}), 403, "FORBIDDEN")
    refused(stranger.get(f"/v1/patients/{bill['patient_id']}/statement"), 403, "FORBIDDEN")
    refused(stranger.post("/v1/bills", {"patient_id": bill["patient_id"], "items": []}), 403, "FORBIDDEN")
    for path in ("/v1/billing/exceptions", "/v1/billing/reports/daily", "/v1/billing/reports/aged-receivables"):
        refused(stranger.get(path), 403, "FORBIDDEN")
    for role in ("nurse", "doctor"):
        refused(hospital.role(role).get(f"/v1/bills/{bill['bill_id']}"), 403, "FORBIDDEN")
    refused(hospital.anyone.get(f"/v1/bills/{bill['bill_id']}"), 401, "UNAUTHENTICATED")

    refused(desk.clerk.get(f"/v1/bills/{UNKNOWN}"), 404, "BILL_NOT_FOUND")
    assert agreed(hospital.role("auditor").get(f"/v1/bills/{bill['bill_id']}")) == bill


def test_patients_change_no_bill_and_reception_neither(desk: CashDesk, hospital: Hospital) -> None:
    patient = desk.someone()
    bill = desk.made(patient)
    path, more = f"/v1/bills/{bill['bill_id']}", {"amount": "1.00", "reason": "Please"}
    lines = {"items": [{"description": "Dressing", "unit_price": "1.00"}], "reason": "Please"}

    for who in (of_patient(hospital, patient), hospital.reception, hospital.role("auditor")):
        refused(who.post(f"{path}/adjustments", lines), 403, "FORBIDDEN")
        for what in ("discounts", "write-offs"):
            refused(who.post(f"{path}/{what}", more), 403, "FORBIDDEN")
        refused(who.post(f"{path}/void", {"reason": "Please"}), 403, "FORBIDDEN")

    assert desk.bill(bill) == bill


@pytest.mark.parametrize(
    ("spoilt", "field"),
    [
        ({"items": []}, "items"),
        ({"items": [{"description": "Dressing"}]}, "items.0"),
        ({"items": [{"code": "ECG", "unit_price": "1.00"}]}, "items.0"),
        ({"items": [{"description": "Dressing", "unit_price": "1.001"}]}, "items.0.unit_price"),
        ({"items": [{"description": "Dressing", "unit_price": "-1.00"}]}, "items.0.unit_price"),
        ({"items": [{"description": "Dressing", "unit_price": "1.00", "quantity": 0}]}, "items.0.quantity"),
        ({"items": [{"description": "Dressing", "unit_price": "1.00", "quantity": 10_001}]}, "items.0.quantity"),
        ({"currency": "rupees"}, "currency"),
        ({"due_date": str(date(2020, 1, 1))}, "due_date"),
        ({"patient_id": "17"}, "patient_id"),
    ],
)
def test_a_bill_that_cannot_be_meant_is_refused(desk: CashDesk, spoilt: dict[str, Any], field: str) -> None:
    good = {"patient_id": desk.someone()["patient_id"], "items": [{"description": "Dressing", "unit_price": "1.00"}]}

    problem = refused(desk.clerk.post("/v1/bills", good | spoilt), 422, "INVALID")

    assert field in [error["field"] for error in problem["errors"]]

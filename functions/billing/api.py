"""The HTTP face of bills and statements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from billing import charge_api, exception_api, listing, office, report_api, service, statements
from billing.charge_items import PriceList
from billing.clinic import clinic
from billing.commands import AdjustBill, CreateBill, DiscountBill, VoidBill, WriteOffBill
from billing.listing import BillList, LedgerPage
from billing.model import BillView
from billing.query import ListBills, StatementParams
from billing.rules import (
    BillHasPayments,
    BillNotFound,
    BillTooLarge,
    BillVoid,
    CurrencyMismatch,
    DiscountExceedsOutstanding,
    NumbersExhausted,
    PatientNotFound,
    WriteOffExceedsOutstanding,
)
from billing.statements import Statement, StatementTooLong
from hms.api import Api, Request, Response, answer
from hms.call import Outcome
from hms.errors import InvalidTransition, NotAcceptable, StaleVersion
from hms.gate import gate
from hms.pages import PageParams
from hms.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from billing.commands import BillItem
    from billing.model import Bill
    from hms.call import Call

app = Api("billing", Policy.load(Path(__file__).with_name("policy.json")), gate(office.table))
handler = app.handler

_CHANGING = (BillNotFound, BillVoid, InvalidTransition, StaleVersion)


@app.route(
    "POST",
    "/v1/bills",
    "billing:create",
    summary="Make a bill by hand",
    body=CreateBill,
    answers=BillView,
    status=201,
    problems=(PatientNotFound, CurrencyMismatch, BillTooLarge, NumbersExhausted),
)
def create_bill(request: Request, command: CreateBill) -> Response:
    outcome = service.create(command, request.call, office.bills, office.owners, _prices(command.items))
    return _shown(outcome, request.call, 201)


@app.route(
    "GET",
    "/v1/bills",
    "billing:read",
    summary="List the bills of a patient, a visit, a number, some days, or those overdue",
    query=ListBills,
    answers=BillList,
)
def list_bills(request: Request, params: ListBills) -> Response:
    """Newest first; those overdue, asked for alone, longest first. Without a filter, those issued today."""
    return Response(body=listing.listed(params, request.call, office.bills))


@app.route(
    "GET",
    "/v1/bills/{bill_id}",
    "billing:read",
    summary="Read a bill",
    answers=BillView,
    problems=(BillNotFound,),
)
def get_bill(request: Request) -> Response:
    return _shown(service.read(request.path["bill_id"], request.call, office.bills), request.call)


@app.route(
    "GET",
    "/v1/bills/{bill_id}/ledger",
    "billing:read",
    summary="Read what a bill is made of, entry by entry",
    query=PageParams,
    answers=LedgerPage,
    problems=(BillNotFound,),
)
def get_bill_ledger(request: Request, page: PageParams) -> Response:
    return Response(body=listing.ledger_of(request.path["bill_id"], page, request.call, office.bills))


@app.route(
    "POST",
    "/v1/bills/{bill_id}/adjustments",
    "billing:adjust",
    summary="Add lines to a bill, with a reason",
    body=AdjustBill,
    answers=BillView,
    status=201,
    problems=(*_CHANGING, CurrencyMismatch, BillTooLarge),
)
def adjust_bill(request: Request, command: AdjustBill) -> Response:
    bill_id, prices = request.path["bill_id"], _prices(command.items)
    return _shown(service.adjust(bill_id, command, request.call, office.bills, prices), request.call, 201)


@app.route(
    "POST",
    "/v1/bills/{bill_id}/discounts",
    "billing:discount",
    summary="Take something off a bill",
    body=DiscountBill,
    answers=BillView,
    status=201,
    problems=(*_CHANGING, DiscountExceedsOutstanding, BillTooLarge),
)
def discount_bill(request: Request, command: DiscountBill) -> Response:
    outcome = service.discount(request.path["bill_id"], command, request.call, office.bills)
    return _shown(outcome, request.call, 201)


@app.route(
    "POST",
    "/v1/bills/{bill_id}/write-offs",
    "billing:write_off",
    summary="Ask for something no more",
    body=WriteOffBill,
    answers=BillView,
    status=201,
    problems=(*_CHANGING, WriteOffExceedsOutstanding),
)
def write_off_bill(request: Request, command: WriteOffBill) -> Response:
    outcome = service.write_off(request.path["bill_id"], command, request.call, office.bills)
    return _shown(outcome, request.call, 201)


@app.route(
    "POST",
    "/v1/bills/{bill_id}/void",
    "billing:void",
    summary="Void a bill on which nothing was paid",
    body=VoidBill,
    answers=BillView,
    problems=(*_CHANGING, BillHasPayments),
)
def void_bill(request: Request, command: VoidBill) -> Response:
    return _shown(service.void(request.path["bill_id"], command, request.call, office.bills), request.call)


@app.route(
    "GET",
    "/v1/patients/{patient_id}/statement",
    "billing:statement",
    summary="A patient's statement of account",
    query=StatementParams,
    answers=Statement,
    problems=(PatientNotFound, StatementTooLong),
)
def get_patient_statement(request: Request, params: StatementParams) -> Response:
    """Each entry of the ledger with the balance after it; each currency, and an older system's history, apart."""
    patient_id = request.path["patient_id"]
    statement = statements.statement(patient_id, params, request.call, office.bills)
    if not statement.accounts and not office.owners.knows(patient_id):
        raise PatientNotFound
    return Response(body=statement)


@app.route(
    "GET",
    "/v1/patients/{patient_id}/statement.pdf",
    "billing:statement",
    summary="A patient's statement of account, to be printed",
    query=StatementParams,
    media_type="application/pdf",
    problems=(PatientNotFound, StatementTooLong, NotAcceptable),
)
def print_patient_statement(request: Request, params: StatementParams) -> Response:
    """Send `Accept: application/pdf`: the gateway gives out bytes only to who asks for them."""
    from billing.printing import printed

    patient_id = request.path["patient_id"]
    statement = statements.statement(patient_id, params, request.call, office.bills)
    patient = office.owners.patient(patient_id)
    if patient is None:
        raise PatientNotFound
    headers = {"Content-Disposition": f'inline; filename="statement-{statement.end}.pdf"'}
    return Response(body=printed(statement, patient), headers=headers, media_type="application/pdf")


def _prices(items: Iterable[BillItem]) -> PriceList:
    return PriceList({item.code for item in items if item.code}, office.charge_items)


def _shown(outcome: Outcome[Bill] | Bill, call: Call, status: int = 200) -> Response:
    bill = outcome.state if isinstance(outcome, Outcome) else outcome
    # Whether it is overdue changes with the day.
    return answer(outcome, status, view=BillView.of(bill, clinic().day(call.now)), derived=True)


charge_api.declare(app)
exception_api.declare(app)
report_api.declare(app)

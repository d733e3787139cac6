"""The HTTP operations on reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing import office, receivables, reports
from billing.query import AgedParams, DailyParams, MonthlyParams
from billing.receivables import AgedReceivables
from billing.reports import DailyReport, MonthlyReport
from hms.api import Request, Response

if TYPE_CHECKING:
    from hms.api import Api

_REPORTS, _REPORT = "/v1/billing/reports", "billing:report"


def declare(app: Api) -> None:
    """Adds these operations to the domain's."""
    app.route(
        *("GET", f"{_REPORTS}/daily", _REPORT),
        summary="What the ledger says of a day, by kind of entry and method",
        query=DailyParams,
        answers=DailyReport,
    )(get_daily_report)
    app.route(
        *("GET", f"{_REPORTS}/monthly", _REPORT),
        summary="What the ledger says of a month, day by day",
        query=MonthlyParams,
        answers=MonthlyReport,
    )(get_monthly_report)
    app.route(
        *("GET", f"{_REPORTS}/aged-receivables", _REPORT),
        summary="What is owed, by how long it is overdue",
        query=AgedParams,
        answers=AgedReceivables,
    )(get_aged_receivables)


def get_daily_report(request: Request, params: DailyParams) -> Response:
    return Response(body=reports.daily(params, request.call, office.bills))


def get_monthly_report(request: Request, params: MonthlyParams) -> Response:
    return Response(body=reports.monthly(params, request.call, office.bills))


def get_aged_receivables(request: Request, params: AgedParams) -> Response:
    return Response(body=receivables.aged(params, request.call, office.bills))

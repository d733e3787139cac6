"""What may be asked of the agenda."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Self

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from appointments.hours import days_of
from appointments.model import Status
from hms.errors import FieldError, Invalid
from hms.fields import AS_WRITTEN, Id, Instant, Params
from hms.ids import is_id
from hms.pages import PageParams, opened

if TYPE_CHECKING:
    from appointments.model import Slot
    from appointments.people import DoctorCopy
    from appointments.sheets import Line

_FIRST, _LAST = date(1900, 1, 1), date(2200, 12, 31)
_DATE_LENGTH = 10
_DEFAULT_DAYS = 7
_DAY = timedelta(days=1)
_instant: TypeAdapter[datetime] = TypeAdapter(Instant, config=ConfigDict(defer_build=True))


def _date_or_instant(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _DATE_LENGTH:
        return _instant.validate_python(value)
    return _day_within_reason(value) if isinstance(value, str) else value


def _day_within_reason(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text or not _FIRST <= day <= _LAST:
        message = f"a date is written as 2026-11-23, between {_FIRST.year} and {_LAST.year}"
        raise ValueError(message)
    return day


Bound = Annotated[date | datetime, BeforeValidator(_date_or_instant)]
Day = Annotated[Annotated[date, Field(ge=_FIRST, le=_LAST)], AS_WRITTEN]


class AvailabilityParams(Params):
    """Both bounds as clinic days (`2026-11-23`, both included) or as instants with an offset."""

    start: Bound | None = Field(default=None, alias="from", description="Today where it is left out.")
    end: Bound | None = Field(default=None, alias="to", description="Seven days from `from` where it is left out.")

    def span(self, today: date) -> Span:
        start = self.start if self.start is not None else today
        end = self.end if self.end is not None else _day(start) + timedelta(days=_DEFAULT_DAYS - 1)
        if _ends_before(start, end):
            raise Invalid(errors=(FieldError("to", "before_from", "`to` is before `from`"),))
        return Span(start, end)


class Span(NamedTuple):
    start: date | datetime
    end: date | datetime

    @property
    def days(self) -> tuple[date, date]:
        return _day(self.start), _day(self.end)

    def covers(self, slot: Slot, doctor: DoctorCopy) -> bool:
        day = days_of(slot, doctor.timezone)[0]
        begins = slot.start >= self.start if isinstance(self.start, datetime) else day >= self.start
        ends = slot.end <= self.end if isinstance(self.end, datetime) else day <= self.end
        return begins and ends


def _ends_before(start: date | datetime, end: date | datetime) -> bool:
    if isinstance(start, datetime) and isinstance(end, datetime):
        return end < start
    return _day(end) < _day(start)


def _day(bound: date | datetime) -> date:
    return bound.date() if isinstance(bound, datetime) else bound


class ListAppointments(PageParams):
    """A patient's, a doctor's or a day's visits; without any of them, today's."""

    patient_id: Id | None = None
    doctor_id: Id | None = None
    day: Day | None = Field(default=None, description="A clinic day.")
    start: Day | None = Field(default=None, alias="from", description="The first clinic day.")
    end: Day | None = Field(default=None, alias="to", description="The last clinic day.")
    status: Status | None = None

    @model_validator(mode="after")
    def one_way_to_say_when(self) -> Self:
        if self.day and (self.start or self.end):
            message = "give either day or from and to"
            raise ValueError(message)
        if (self.start or self.end) and not (self.patient_id or self.doctor_id):
            message = "from and to go with patient_id or doctor_id"
            raise ValueError(message)
        return self


class CalendarParams(Params):
    token: str = Field(default="", description="The secret of the link.")


class ListNoShowProposals(PageParams):
    day: Day | None = Field(default=None, description="A clinic day; today where it is left out.")

    @property
    def after(self) -> str | None:
        return _position(opened(self.cursor))


class Wanted(NamedTuple):
    """A list as asked for by somebody who may ask for it."""

    patient_id: str | None
    doctor_id: str | None
    first: date
    last: date
    status: Status | None
    limit: int
    after: str | None

    @classmethod
    def of(cls, params: ListAppointments, patient_id: str | None, doctor_id: str | None, today: date) -> Self:
        day = params.day or (None if patient_id or doctor_id else today)
        return cls(
            patient_id,
            doctor_id,
            day or params.start or _FIRST,
            day or params.end or _LAST,
            params.status,
            params.limit,
            _position(opened(params.cursor)),
        )

    @property
    def sheet_days(self) -> tuple[date, date]:
        """The sheets to read: a patient's are by UTC day, and a list goes on from where its cursor stands."""
        first = self.first
        if self.after:
            first = max(first, date.fromisoformat(self.after[:_DATE_LENGTH]))
        return first - _DAY, self.last + _DAY

    def takes(self, line: Line, owner: str) -> bool:
        patient_id, doctor_id = line.people(owner)
        return (
            self.first <= line.day <= self.last
            and self.status in (None, line.status)
            and self.patient_id in (None, patient_id)
            and self.doctor_id in (None, doctor_id)
        )


def _position(cursor: str | None) -> str | None:
    """The start and the id of a visit. Raises `Invalid` for a cursor of another list."""
    if cursor is None:
        return None
    start, _, appointment_id = cursor.partition("#")
    try:
        _instant.validate_python(start)
    except ValidationError as error:
        raise _not_ours() from error
    if not is_id(appointment_id):
        raise _not_ours()
    return cursor


def _not_ours() -> Invalid:
    return Invalid(errors=(FieldError("cursor", "cursor", "this is not a cursor of this list"),))

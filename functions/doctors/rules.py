"""Decisions about doctors and departments. The codes are those of the business rules."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Any

from doctors.hours import Leave, Override, Weekday, WeeklyPeriod
from doctors.model import Department, Doctor
from hms import ids
from hms.errors import Conflicting, FieldError, Forbidden, Invalid, InvalidTransition, NotFound
from hms.fields import day_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from doctors.commands import GrantLeave, OpenDepartment, RegisterDoctor, UpdateDoctor
    from doctors.hours import Period

MOST_OVERRIDES = 100
MOST_LEAVE = 50
KEPT_DAYS = 365
OWN_FIELDS = frozenset({"email", "phone"})


class DoctorNotFound(NotFound):
    code, detail = "DOCTOR_NOT_FOUND", "There is no such doctor."


class DoctorInactive(Conflicting):
    code, detail = "DOCTOR_INACTIVE", "The doctor is no longer available."


class DepartmentMismatch(Conflicting):
    code, detail = "DEPARTMENT_MISMATCH", "The doctor has moved to another department."


class OverrideNotFound(NotFound):
    code, detail = "OVERRIDE_NOT_FOUND", "The doctor has no override on this date."


class LeaveNotFound(NotFound):
    code, detail = "LEAVE_NOT_FOUND", "The doctor has no such leave."


class EmailTaken(Conflicting):
    code, detail = "EMAIL_TAKEN", "Another doctor has this e-mail address."


class IdentifierTaken(Conflicting):
    code, detail = "IDENTIFIER_TAKEN", "Another doctor has this external identifier."


class DepartmentExists(Conflicting):
    code, detail = "DEPARTMENT_EXISTS", "There is a department of this name."


class HasFutureVisits(Conflicting):
    code, detail = "HAS_FUTURE_VISITS", "The time zone cannot change while there are future visits."


class TooManyEntries(Conflicting):
    code, detail = "TOO_MANY_ENTRIES", f"At most {MOST_OVERRIDES} overrides and {MOST_LEAVE} leaves are kept."


def folded(name: str) -> str:
    """The form in which two spellings of a name are equal."""
    return " ".join(name.casefold().split())


def department_id(name: str) -> str:
    return ids.derived("department", folded(name))


def opened(command: OpenDepartment, now: datetime) -> Department:
    return Department(
        department_id=department_id(command.name),
        name=command.name,
        consultation_fee=command.consultation_fee,
        created_at=now,
        updated_at=now,
    )


def named(name: str, now: datetime) -> Department:
    """A department that comes into being with its first doctor."""
    return Department(department_id=department_id(name), name=name, created_at=now, updated_at=now)


def registered(doctor_id: str, command: RegisterDoctor, department: Department, now: datetime) -> Doctor:
    asked = {name: getattr(command, name) for name in type(command).model_fields}
    fee = command.consultation_fee or department.consultation_fee
    belongs = {"department": department.name, "consultation_fee": fee}
    return Doctor(doctor_id=doctor_id, created_at=now, updated_at=now, **(asked | belongs))


def updated(doctor: Doctor, command: UpdateDoctor, department: Department | None, now: datetime) -> Doctor:
    asked = {name: getattr(command, name) for name in command.model_fields_set}
    if department:
        asked["department"] = department.name
    return changed(doctor, now, **asked)


def check_own_fields(command: UpdateDoctor) -> None:
    """Doctors keep their own contact data; who they are is for administrators to say."""
    if command.model_fields_set - OWN_FIELDS:
        raise Forbidden("Doctors may change their own e-mail and phone only.")


def deactivated(doctor: Doctor, reason: str | None, now: datetime) -> Doctor:
    if not doctor.active:
        raise InvalidTransition("The doctor is inactive already.")
    return changed(doctor, now, active=False, inactive_reason=reason)


def reactivated(doctor: Doctor, now: datetime) -> Doctor:
    if doctor.active:
        raise InvalidTransition("The doctor is active already.")
    return changed(doctor, now, active=True, inactive_reason=None)


def check_sees(doctor: Doctor | None, department: str) -> None:
    """Whether visits to this doctor in this department are to take place."""
    if doctor is None:
        raise DoctorNotFound
    if not doctor.active:
        raise DoctorInactive
    if folded(doctor.department) != folded(department):
        raise DepartmentMismatch


def check_periods(periods: Sequence[Period]) -> None:
    """Periods of one day must not overlap; touching is fine."""
    clashes = [
        FieldError(f"periods.{second}", "overlap", f"overlaps periods.{first}")
        for first, second in combinations(range(len(periods)), 2)
        if _day(periods[first]) == _day(periods[second]) and periods[first].overlaps(periods[second])
    ]
    if clashes:
        raise Invalid(errors=tuple(clashes))


def published(doctor: Doctor, periods: Sequence[WeeklyPeriod], now: datetime) -> Doctor:
    check_periods(periods)
    days = [*Weekday]
    ordered = sorted(periods, key=lambda period: (days.index(period.weekday), period.start))
    return changed(doctor, now, schedule=tuple(ordered))


def overridden(doctor: Doctor, day: date, periods: Sequence[Period], now: datetime) -> Doctor:
    check_periods(periods)
    check_not_past("date", day, doctor, now)
    override = Override(date=day, periods=tuple(sorted(periods, key=lambda period: period.start)))
    others = [one for one in doctor.overrides if one.date != day]
    return changed(doctor, now, overrides=_in_order([*others, override]))


def without_override(doctor: Doctor, day: date, now: datetime) -> Doctor:
    others = tuple(one for one in doctor.overrides if one.date != day)
    if len(others) == len(doctor.overrides):
        raise OverrideNotFound
    return changed(doctor, now, overrides=others)


def on_leave(doctor: Doctor, leave_id: str, command: GrantLeave, now: datetime) -> Doctor:
    check_not_past("to", command.last, doctor, now)
    leave = Leave(leave_id=leave_id, first=command.first, last=command.last, reason=command.reason)
    ordered = sorted([*doctor.leave, leave], key=lambda one: (one.first, one.last, one.leave_id))
    return changed(doctor, now, leave=tuple(ordered))


def without_leave(doctor: Doctor, leave_id: str, now: datetime) -> Doctor:
    others = tuple(one for one in doctor.leave if one.leave_id != leave_id)
    if len(others) == len(doctor.leave):
        raise LeaveNotFound
    return changed(doctor, now, leave=others)


def check_not_past(field: str, day: date, doctor: Doctor, now: datetime) -> None:
    if day < day_of(now, doctor.timezone):
        raise Invalid(errors=(FieldError(field, "past", "this day is over"),))


def changed(doctor: Doctor, now: datetime, **what: Any) -> Doctor:
    """The next version. Overrides and leave that ended more than a year ago go with any change."""
    after = doctor.model_copy(update={**what, "version": doctor.version + 1, "updated_at": now})
    oldest = day_of(now, after.timezone) - timedelta(days=KEPT_DAYS)
    overrides = tuple(one for one in after.overrides if one.date >= oldest)
    leave = tuple(one for one in after.leave if one.last >= oldest)
    if len(overrides) > MOST_OVERRIDES or len(leave) > MOST_LEAVE:
        raise TooManyEntries
    return after.model_copy(update={"overrides": overrides, "leave": leave})


def public(doctor: Doctor) -> Doctor:
    """The doctor as everybody may see them."""
    leave = tuple(one.model_copy(update={"reason": None}) for one in doctor.leave)
    hidden = {"email": None, "phone": None, "external_identifiers": (), "inactive_reason": None, "leave": leave}
    return doctor.model_copy(update=hidden)


def _day(period: Period) -> str | None:
    return period.weekday if isinstance(period, WeeklyPeriod) else None


def _in_order(overrides: Iterable[Override]) -> tuple[Override, ...]:
    return tuple(sorted(overrides, key=lambda one: one.date))

"""The appointments domain on a table in memory: people, callers, owners, and a desk that books for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from appointments import service
from appointments.commands import BookAppointment, CancelAppointment, RescheduleAppointment
from appointments.model import Appointment, Exemption, Slot
from appointments.people import DoctorCopy, PatientCopy
from appointments.store import Appointments
from hms import ids
from hms.auth import Principal
from hms.call import Call
from hms.errors import Busy
from hms.policy import Policy
from hms.rows import Contention
from tests.support.memory import MemoryTable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hms.call import Outcome
    from hms.rows import Change

POLICY = Policy.load(Path(__file__).parents[2] / "functions" / "appointments" / "policy.json")
KOLKATA = ZoneInfo("Asia/Kolkata")
# A Monday.
DAY = date(2026, 11, 23)
PATIENT, OTHER_PATIENT = ids.derived("patient", 1), ids.derived("patient", 2)
DOCTOR, OTHER_DOCTOR = ids.derived("doctor", 1), ids.derived("doctor", 2)
WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
WALK_IN = Exemption(kind="WALK_IN", reason="Came with a fever")
EMERGENCY = Exemption(kind="EMERGENCY", reason="Chest pain")


def at(clock: str, day: date = DAY, zone: str = "Asia/Kolkata") -> datetime:
    """`at("10:00")` is ten o'clock on the clinic day, in UTC."""
    local = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(zone))
    return local.astimezone(UTC)


# So early that every slot of the day keeps the lead time.
NOW = at("06:00")


def a_slot(clock: str = "10:00", minutes: int = 30, day: date = DAY, zone: str = "Asia/Kolkata") -> Slot:
    start = at(clock, day, zone)
    return Slot(start, start + timedelta(minutes=minutes))


def a_period(start: str = "09:00", end: str = "18:00", minutes: int = 30) -> dict[str, Any]:
    return {"start": start, "end": end, "slot_duration": minutes}


def every_day(*periods: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"weekday": weekday, **period} for weekday in WEEKDAYS for period in periods or (a_period(),)]


def a_doctor(doctor_id: str = DOCTOR, **changes: Any) -> DoctorCopy:
    facts: dict[str, Any] = {
        "doctor_id": doctor_id,
        "version": 1,
        "name": "Dr. Meera Iyer",
        "department": "Cardiology",
        "active": True,
        "timezone": "Asia/Kolkata",
        "max_daily_appointments": 8,
        "schedule": every_day(),
    }
    return DoctorCopy.model_validate(facts | changes)


def a_patient(patient_id: str = PATIENT, **changes: Any) -> PatientCopy:
    facts: dict[str, Any] = {"patient_id": patient_id, "version": 1, "name": "Asha Rao", "active": True}
    return PatientCopy.model_validate(facts | changes)


def a_principal(*roles: str, patient_id: str | None = None, doctor_id: str | None = None) -> Principal:
    return Principal(
        f"user-{'-'.join(roles)}", roles, patient_id=patient_id, doctor_id=doctor_id, scopes=POLICY.scopes(roles)
    )


RECEPTIONIST = a_principal("receptionist")
ADMINISTRATOR = a_principal("administrator")
NURSE = a_principal("nurse")
THE_PATIENT = a_principal("patient", patient_id=PATIENT)
THE_DOCTOR = a_principal("doctor", doctor_id=DOCTOR)
ANOTHER_PATIENT = a_principal("patient", patient_id=OTHER_PATIENT)
ANOTHER_DOCTOR = a_principal("doctor", doctor_id=OTHER_DOCTOR)


def a_call(who: Principal = RECEPTIONIST, now: datetime = NOW, **details: Any) -> Call:
    return Call(who, now, "correlation", **details)


def an_appointment(slot: Slot | None = None, **changes: Any) -> Appointment:
    wanted = slot or a_slot()
    facts: dict[str, Any] = {
        "appointment_id": ids.derived("appointment", 1),
        "patient_id": PATIENT,
        "doctor_id": DOCTOR,
        "department": "Cardiology",
        "slot_start": wanted.start,
        "slot_end": wanted.end,
        "timezone": "Asia/Kolkata",
        "consultation_fee": {"amount": "500.00", "currency": "INR"},
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Appointment.model_validate(facts | changes)


def a_booking(slot: Slot | None = None, **changes: Any) -> BookAppointment:
    wanted = slot or a_slot()
    facts: dict[str, Any] = {
        "patient_id": PATIENT,
        "doctor_id": DOCTOR,
        "slot_start": wanted.start,
        "slot_end": wanted.end,
    }
    return BookAppointment.model_validate(facts | changes)


@dataclass
class FakeOwners:
    """The domains that own people; silent where `down`. Counts what it is asked."""

    patients: dict[str, PatientCopy] = field(default_factory=dict)
    doctors: dict[str, DoctorCopy] = field(default_factory=dict)
    down: bool = False
    asked: list[str] = field(default_factory=list)

    def patient(self, patient_id: str) -> PatientCopy | None:
        self._answer(patient_id)
        return self.patients.get(patient_id)

    def doctor(self, doctor_id: str) -> DoctorCopy | None:
        self._answer(doctor_id)
        return self.doctors.get(doctor_id)

    def _answer(self, who: str) -> None:
        self.asked.append(who)
        if self.down:
            raise Busy


class UnreliableTable(MemoryTable):
    """Runs what is in `before` and `after` around the next commits, one for each; either may raise or write."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Callable[[], None]] = []
        self.after: list[Callable[[], None]] = []
        self.largest = 0

    def commit(self, changes: Sequence[Change]) -> None:
        self.largest = max(self.largest, len(changes))
        if self.before:
            self.before.pop(0)()
        super().commit(changes)
        if self.after:
            self.after.pop(0)()

    def loses_answers(self, times: int = 1) -> None:
        self.after += [_contend] * times

    def is_contended(self, times: int = 1) -> None:
        self.before += [_contend] * times


def _contend() -> None:
    raise Contention("injected")


@dataclass
class Desk:
    """The domain with two known patients and two known doctors; `now` is the time of its calls."""

    table: UnreliableTable = field(default_factory=UnreliableTable)
    owners: FakeOwners = field(default_factory=FakeOwners)
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.appointments = Appointments(self.table)
        for patient in (a_patient(), a_patient(OTHER_PATIENT)):
            self.appointments.patients.keep(patient)
        for doctor in (a_doctor(), a_doctor(OTHER_DOCTOR)):
            self.appointments.doctors.keep(doctor)

    def knows(self, *people: DoctorCopy | PatientCopy) -> None:
        """Later words of the owners: each comes as the next version."""
        for one in people:
            newer = one.model_copy(update={"version": one.version + 1 + self.table.commits})
            if isinstance(newer, DoctorCopy):
                self.appointments.doctors.keep(newer)
            else:
                self.appointments.patients.keep(newer)

    def call(self, who: Principal = RECEPTIONIST, **details: Any) -> Call:
        return a_call(who, self.now, **details)

    def book(
        self, slot: Slot | None = None, who: Principal = RECEPTIONIST, *, call: Call | None = None, **changes: Any
    ) -> Outcome[Appointment]:
        command = a_booking(slot, **changes)
        return service.book(command, call or self.call(who), self.appointments, self.owners)

    def visit(self, slot: Slot | None = None, **changes: Any) -> str:
        """The id of a new visit."""
        return self.book(slot, **changes).state.appointment_id

    def reschedule(
        self,
        appointment_id: str,
        slot: Slot,
        who: Principal = RECEPTIONIST,
        *,
        call: Call | None = None,
        **changes: Any,
    ) -> Outcome[Appointment]:
        command = RescheduleAppointment.model_validate({"slot_start": slot.start, "slot_end": slot.end} | changes)
        return service.reschedule(appointment_id, command, call or self.call(who), self.appointments, self.owners)

    def cancel(
        self, appointment_id: str, who: Principal = RECEPTIONIST, *, call: Call | None = None, **asked: Any
    ) -> Outcome[Appointment]:
        command = CancelAppointment.model_validate(asked)
        return service.cancel(appointment_id, command, call or self.call(who), self.appointments)

    def check_in(self, appointment_id: str, who: Principal = RECEPTIONIST) -> Outcome[Appointment]:
        return service.check_in(appointment_id, self.call(who), self.appointments)

    def start(self, appointment_id: str, who: Principal = THE_DOCTOR) -> Outcome[Appointment]:
        return service.start(appointment_id, self.call(who), self.appointments)

    def complete(self, appointment_id: str, who: Principal = THE_DOCTOR) -> Outcome[Appointment]:
        return service.complete(appointment_id, self.call(who), self.appointments)

    def no_show(self, appointment_id: str, who: Principal = RECEPTIONIST) -> Outcome[Appointment]:
        return service.no_show(appointment_id, self.call(who), self.appointments)

    def note(self, appointment_id: str, who: Principal = NURSE, text: str = "Needs a wheelchair") -> Appointment:
        return service.add_note(appointment_id, text, self.call(who), self.appointments).state

    def read(self, appointment_id: str, who: Principal = RECEPTIONIST) -> Appointment:
        return service.read(appointment_id, self.call(who), self.appointments)

    def events(self, appointment_id: str) -> list[str]:
        """The types of what was told about a visit, in order."""
        found = self.appointments.history(appointment_id, limit=100)
        return [item.body.partition('"type":"')[2].partition('"')[0] for item in found.items if item.body]

    def calls_of(self, work: Callable[[], Any]) -> tuple[int, int]:
        """How many reads and commits something takes."""
        reads, commits = self.table.reads, self.table.commits
        work()
        return self.table.reads - reads, self.table.commits - commits

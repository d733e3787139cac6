"""What this domain keeps of people who are owned elsewhere: how to reach and how to call them."""

from __future__ import annotations

from hms.copies import Copy


class PatientCopy(Copy):
    patient_id: str
    name: str
    email: str | None = None
    phone: str | None = None
    preferred_language: str | None = None
    active: bool


class DoctorCopy(Copy):
    doctor_id: str
    name: str

"""The vocabulary of patients."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AwareDatetime, ConfigDict, Field, JsonValue, model_validator

from hms.aggregate import Entity
from hms.contact import Email, Phone
from hms.events import Fact
from hms.fields import AS_WRITTEN, Amendment, CalendarDate, Command, ExternalIdentifier, Line, View
from hms.pages import PageParams
from patients.details import Address, EmergencyContact, Insurance, Language, Sex

EARLIEST_BIRTH = date(1900, 1, 1)
MOST_IDENTIFIERS = 4
# A registration writes state, event, five name words, e-mail and MRN: two of a transaction's ten rows are left.
MOST_IDENTIFIERS_AT_REGISTRATION = 2
MOST_RELATIVES = 5

type Reason = Literal["name", "dob", "phone"]

BirthDate = Annotated[
    Annotated[date, Field(strict=False, ge=EARLIEST_BIRTH)], AS_WRITTEN, Field(examples=["1990-04-23"])
]
Relatives = Annotated[tuple[EmergencyContact, ...], Field(max_length=MOST_RELATIVES)]
Policies = Annotated[tuple[Insurance, ...], Field(max_length=MOST_RELATIVES)]


class Patient(Entity):
    """`mrn` is the number that people use: eight digits and a check digit."""

    patient_id: str
    mrn: str
    active: bool = True
    inactive_reason: str | None = None
    name: str
    dob: date
    sex: Sex = "unknown"
    email: str | None = None
    phone: str | None = None
    address: Address | None = None
    emergency_contacts: tuple[EmergencyContact, ...] = ()
    insurance: tuple[Insurance, ...] = ()
    preferred_language: str | None = None
    external_identifiers: tuple[ExternalIdentifier, ...] = ()


class PossibleDuplicate(View):
    """Somebody already registered who may be the same person, and what they have in common."""

    patient_id: str
    mrn: str
    name: str
    reasons: tuple[Reason, ...]


class RegisteredPatient(Patient):
    """The patient, and who of those already registered it may be; empty for callers who may not search patients."""

    possible_duplicates: tuple[PossibleDuplicate, ...] = ()


_ASHA: dict[str, Any] = {
    "name": "Asha Verma",
    "dob": "1990-04-23",
    "sex": "female",
    "email": "asha.verma@example.com",
    "phone": "+919227680402",
    "address": {"line": "12 Residency Road", "city": "Bengaluru", "state": "Karnataka", "postal_code": "560025"},
    "emergency_contacts": [{"name": "Rohan Verma", "relationship": "husband", "phone": "+919227680403"}],
    "insurance": [{"payer": "Star Health", "member_id": "SH-88213", "valid_until": "2027-03-31"}],
    "preferred_language": "hi-IN",
    "external_identifiers": [{"system": "legacy", "value": "17"}],
}


class RegisterPatient(Command):
    model_config = ConfigDict(json_schema_extra={"examples": [_ASHA]})

    name: Line
    dob: BirthDate
    sex: Sex = "unknown"
    email: Email | None = None
    phone: Phone | None = None
    address: Address | None = None
    emergency_contacts: Relatives = ()
    insurance: Policies = ()
    preferred_language: Language | None = None
    external_identifiers: tuple[ExternalIdentifier, ...] = Field(
        default=(), max_length=MOST_IDENTIFIERS_AT_REGISTRATION
    )


class UpdatePatient(Amendment):
    """What is left out stays; null clears e-mail, phone, address and language."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"phone": "+919227680404", "preferred_language": "en-IN"}]}
    )
    clearable = frozenset({"email", "phone", "address", "preferred_language"})

    name: Line | None = None
    dob: BirthDate | None = None
    sex: Sex | None = None
    email: Email | None = None
    phone: Phone | None = None
    address: Address | None = None
    emergency_contacts: Relatives | None = None
    insurance: Policies | None = None
    preferred_language: Language | None = None


class SetIdentifiers(Command):
    """All numbers that other systems know the patient by; those left out are free again."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"external_identifiers": [{"system": "abha", "value": "91-1234-5678-9012"}]}]}
    )

    external_identifiers: tuple[ExternalIdentifier, ...] = Field(max_length=MOST_IDENTIFIERS)


class DeactivatePatient(Command):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Registered twice"}]})

    reason: Line | None = None


class ReactivatePatient(Command):
    """A command whose path says everything."""


class PatientFilter(PageParams):
    """Every filter that is given must hold. `name` finds misspelt and reordered names too, the best match first."""

    name: Line | None = None
    phone: Phone | None = None
    email: Email | None = None
    mrn: Annotated[str, Field(pattern=r"^[0-9]{9}$", examples=["483920173"])] | None = None
    dob: CalendarDate | None = None
    external_system: Line | None = None
    external_id: Line | None = None
    active: bool | None = None

    @model_validator(mode="after")
    def names_an_identifier_whole(self) -> Self:
        if (self.external_system is None) != (self.external_id is None):
            message = "external_system and external_id go together"
            raise ValueError(message)
        return self


class PatientSummary(View):
    """A line of a list."""

    patient_id: str
    version: int
    mrn: str
    active: bool
    name: str
    dob: date
    sex: Sex
    email: str | None
    phone: str | None


class PatientList(View):
    items: list[PatientSummary]
    next_cursor: str | None
    as_of: AwareDatetime


def _example(**more: JsonValue) -> ConfigDict:
    example: dict[str, JsonValue] = {
        "patient_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60",
        "version": 1,
        "name": "Asha Verma",
        "email": "asha.verma@example.com",
        "phone": "+919227680402",
        "preferred_language": "hi-IN",
        "active": True,
    }
    return ConfigDict(frozen=True, json_schema_extra={"examples": [example | more]})


class PatientFact(Fact):
    """The patient after the change, as far as other domains need it."""

    patient_id: str
    version: int
    name: str
    email: str | None
    phone: str | None
    preferred_language: str | None
    active: bool

    @classmethod
    def of(cls, patient: Patient) -> Self:
        return cls.model_validate({name: getattr(patient, name) for name in PatientFact.model_fields})


class PatientRegistered(PatientFact):
    type: ClassVar[str] = "patients.registered.v1"
    model_config = _example()


class PatientUpdated(PatientFact):
    type: ClassVar[str] = "patients.updated.v1"
    model_config = _example(version=2, preferred_language="en-IN")


class PatientDeactivated(PatientFact):
    type: ClassVar[str] = "patients.deactivated.v1"
    model_config = _example(version=3, active=False)


class PatientReactivated(PatientFact):
    type: ClassVar[str] = "patients.reactivated.v1"
    model_config = _example(version=4)


FACTS: tuple[type[PatientFact], ...] = (PatientRegistered, PatientUpdated, PatientDeactivated, PatientReactivated)

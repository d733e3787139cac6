"""Where patients are kept and how they are found.

| row | pk | sk | index `by_a` | index `by_b` |
|---|---|---|---|---|
| patient | `patient#<id>` | `state`, `event#<version>` | `all#<shard>`, `inactive` / name, id | `phone#<number>` / id |
| MRN and first word | `mrn#<number>` | `claim` | `word#<sound>` / word, id | `born#<date>` / id |
| other name words | `patient#<id>` | `word#1` … `word#4` | `word#<sound>` / word, id | `pair#<sounds>` / id |
| e-mail, identifiers | `email#<folded>`, `identifier#…` | `claim` | | |
| treating doctor | `patient#<id>` | `treated_by#<doctor>` | | |

The MRN's row carries the first word so that a registration with all it may have stays within ten rows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hms import numbers
from hms.aggregate import Aggregates, Stored
from hms.money import AT_REST
from hms.rows import Conflict, Insert, Item, Key, Query, Refresh, Remove, starting
from hms.shards import merged, partitions, sharded
from patients import names
from patients.model import Patient
from patients.results import Hit, Hits, Page
from patients.rules import Claim, claims_of, mrn_claim

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from hms.call import Call
    from hms.events import Fact
    from hms.rows import Change, Found, Table

_INACTIVE = "inactive"
_FIRST, _END = " ", "\U0010ffff"
_LONGEST_PLACE = 120


@dataclass(frozen=True, slots=True)
class Scene:
    """A patient, and who holds the claims that a decision asks about; from one consistent read."""

    stored: Stored[Patient] | None
    taken: Mapping[Claim, str]


class Patients(Aggregates[Patient]):
    def __init__(self, table: Table) -> None:
        super().__init__(table, "patient", Patient)

    def scene(self, patient_id: str, claims: Iterable[Claim]) -> Scene:
        return self.scenes({patient_id: claims})[patient_id]

    def scenes(self, claims: Mapping[str, Iterable[Claim]]) -> dict[str, Scene]:
        """Those of several patients, from one batch read; what is taken is told for all of them together."""
        wanted = {_claim_key(claim): claim for some in claims.values() for claim in some}
        found = self.table.get_many([*map(self.key, claims), *wanted])
        taken = {claim: _hit(found[key]).patient_id for key, claim in wanted.items() if key in found}
        return {one: Scene(self.read(found.get(self.key(one))), taken) for one in claims}

    def new(self, patient_id: str, claims: Iterable[Claim]) -> Scene:
        """For a registration: the claims of its MRN candidates too."""
        return self.all_new({patient_id: claims})[patient_id]

    def all_new(self, claims: Mapping[str, Iterable[Claim]]) -> dict[str, Scene]:
        return self.scenes({one: [*some, *map(mrn_claim, numbers.candidates(one))] for one, some in claims.items()})

    def save(self, before: Stored[Patient] | None, after: Patient, fact: Fact, call: Call) -> None:
        state = before.state if before else None
        self.table.commit(
            [
                *self.changes(after.patient_id, before, after, fact, call, by_a=_listed(after), by_b=_phone(after)),
                *_claim_changes(state, after),
                *self._name_changes(state, after),
            ]
        )

    def many(self, patient_ids: Sequence[str]) -> list[Patient]:
        """Those that exist, in the order asked for; consistent."""
        found = self.table.get_many([self.key(one) for one in patient_ids])
        return [_patient(found[self.key(one)]) for one in patient_ids if self.key(one) in found]

    def holders(self, claims: Iterable[Claim]) -> dict[Claim, str]:
        """Who holds which of the claims; one consistent read."""
        wanted = {_claim_key(claim): claim for claim in claims}
        return {wanted[key]: _hit(item).patient_id for key, item in self.table.get_many(wanted).items()}

    def listed(self, limit: int, after: str | None, *, active: bool | None) -> Page:
        """The whole list in the order of names, over all shards at once."""
        places = [] if active is False else partitions("all")
        places += [] if active else [_INACTIVE]
        return _page(merged(self.table, places, Query("", _FIRST, _END, index="by_a", limit=limit, after=after)))

    def with_phone(self, number: str, limit: int, after: str | None = None) -> Page:
        return _page(self.table.query(Query(f"phone#{number}", _FIRST, _END, index="by_b", limit=limit, after=after)))

    def born_on(self, day: date, limit: int, after: str | None = None) -> Hits:
        found = self.table.query(Query(f"born#{day}", _FIRST, _END, index="by_b", limit=limit, after=after))
        return Hits(tuple(map(_hit, found.items)), found.last)

    def with_word(self, word: str, limit: int) -> list[Hit]:
        """Those with this very word in their name, then those with one that sounds like it."""
        partition = f"word#{names.sound(word)}"
        exact = self.table.query(Query(partition, *starting(f"{word}#"), index="by_a", limit=limit))
        alike = self.table.query(Query(partition, _FIRST, _END, index="by_a", limit=limit))
        return [_hit(item) for item in (*exact.items, *alike.items)]

    def with_both_words(self, pair: tuple[str, str], limit: int) -> list[Hit]:
        found = self.table.query(Query(_pair(*pair), _FIRST, _END, index="by_b", limit=limit))
        return [_hit(item) for item in found.items]

    def treated_by(self, patient_id: str, doctor_id: str) -> tuple[Stored[Patient] | None, bool]:
        """The patient and whether the doctor is known to treat them, in one read."""
        key, relation = self.key(patient_id), self._relation(patient_id, doctor_id)
        found = self.table.get_many([key, relation])
        return self.read(found.get(key)), relation in found

    def remember_treatment(self, patient_id: str, doctor_id: str) -> None:
        try:
            self.table.commit([Insert(Item(*self._relation(patient_id, doctor_id)))])
        except Conflict:
            return  # It is known already: events come twice.

    def _relation(self, patient_id: str, doctor_id: str) -> Key:
        return Key(self.key(patient_id).pk, f"treated_by#{doctor_id}")

    def _name_changes(self, before: Patient | None, after: Patient) -> list[Change]:
        """The rows of the name's words: one for each, rewritten in place when name or birth date change."""
        if before and (before.name, before.dob) == (after.name, after.dob):
            return []
        first, *others = names.words(after.name)
        body = _body(after)
        number = Item(
            *_claim_key(mrn_claim(after.mrn)),
            version=after.version,
            body=body,
            by_a=_word(first, after),
            by_b=Key(f"born#{after.dob}", after.patient_id),
        )
        rows: list[Change] = [Refresh(number) if before else Insert(number)]
        for place, word in enumerate(others, start=1):
            by_b = Key(_pair(names.sound(first), names.sound(word)), after.patient_id)
            row = Item(*self._word_key(after, place), after.version, body, by_a=_word(word, after), by_b=by_b)
            rows.append(Refresh(row))
        kept, had = len(others) + 1, len(names.words(before.name)) if before else 0
        return [*rows, *(Remove(self._word_key(after, place)) for place in range(kept, had))]

    def _word_key(self, patient: Patient, place: int) -> Key:
        return Key(self.key(patient.patient_id).pk, f"word#{place}")


def _claim_changes(before: Patient | None, after: Patient) -> list[Change]:
    had, has = claims_of(before) if before else frozenset(), claims_of(after)
    gained = [Insert(Item(*_claim_key(claim), body=_body(after))) for claim in sorted(has - had)]
    return [*gained, *(Remove(_claim_key(claim)) for claim in sorted(had - has))]


def _claim_key(claim: Claim) -> Key:
    return Key(f"{claim.kind}#{claim.value}", "claim")


def _listed(patient: Patient) -> Key:
    place = f"{names.folded(patient.name)[:_LONGEST_PLACE]}#{patient.patient_id}"
    return Key(sharded("all", patient.patient_id) if patient.active else _INACTIVE, place)


def _phone(patient: Patient) -> Key | None:
    return Key(f"phone#{patient.phone}", patient.patient_id) if patient.phone else None


def _word(word: str, patient: Patient) -> Key:
    return Key(f"word#{names.sound(word)}", f"{word}#{patient.patient_id}")


def _pair(one: str, other: str) -> str:
    return "pair#" + "#".join(sorted((one, other)))


def _body(patient: Patient) -> str:
    return json.dumps({"patient_id": patient.patient_id, "name": patient.name})


def _hit(item: Item) -> Hit:
    return Hit(**json.loads(item.body or ""))


def _page(found: Found) -> Page:
    return Page(tuple(map(_patient, found.items)), found.last)


def _patient(item: Item) -> Patient:
    return Patient.model_validate_json(item.body or "", context=AT_REST)

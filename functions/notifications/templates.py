"""Where edited templates are kept, and which one holds.

| row | pk | sk | index |
|---|---|---|---|
| template | `template#<id>` | `state`, `event#<version>` | `by_a` all that were ever edited, by place |

The list is one partition: an administrator edits a few words a month, and a list stays one read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hms.aggregate import Aggregates
from hms.rows import Key, Query
from notifications.clinic import clinic
from notifications.model import Channel, TemplateChanged
from notifications.shipped import shipped
from notifications.template import Place, Template, TemplateNotFound, TemplateStatus, broader, canonical

if TYPE_CHECKING:
    from hms.aggregate import Stored
    from hms.call import Call
    from hms.rows import Found, Table

_EDITED = "templates"
_LAST_RESORT = "en"


class Templates(Aggregates[Template]):
    def __init__(self, table: Table) -> None:
        super().__init__(table, "template", Template)

    def best(self, kind: str, channel: Channel, language: str | None) -> Template:
        """The template for who reads this language (a BCP 47 tag), else a broader one, else the clinic's; one read.

        Raises `TemplateNotFound` where there is none of this kind over this channel at all.
        """
        wanted = [*broader(canonical(language or "") or clinic().language), clinic().language, _LAST_RESORT]
        places = [Place(kind, channel, tag) for tag in dict.fromkeys(wanted)]
        rows = self.table.get_many([self.key(place.template_id) for place in places])
        for place in places:
            template = current(place, self.read(rows.get(self.key(place.template_id))))
            if template and template.status is not TemplateStatus.WITHDRAWN:
                return template
        raise TemplateNotFound

    def save(self, before: Stored[Template] | None, after: Template, call: Call) -> None:
        fact = TemplateChanged.of(after)
        place = Key(_EDITED, position(after.place))
        self.table.commit(self.changes(after.template_id, before, after, fact, call, by_a=place))

    def edited(self, limit: int, after: str | None) -> Found:
        """By place; from an index, so a moment old."""
        return self.table.query(Query(_EDITED, "", "\uffff", "by_a", limit=limit, after=after))


def position(place: Place) -> str:
    """Where a template stands in the list."""
    return "#".join(place)


def current(place: Place, stored: Stored[Template] | None) -> Template | None:
    """What holds: the edited wording, or the one that is shipped now, at the version at which it was reset."""
    came = shipped(place)
    if stored is None:
        return came
    if stored.state.status is not TemplateStatus.SHIPPED or came is None:
        return stored.state
    return stored.state.model_copy(update={"subject": came.subject, "text": came.text})

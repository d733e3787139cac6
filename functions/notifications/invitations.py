"""The calendar entry that a message carries: a request, or its cancellation."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from notifications.clinic import clinic
from notifications.providers import sender

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notifications.model import Notification


class CalendarInvitations:
    def of(self, notification: Notification, values: Mapping[str, Any], address: str) -> tuple[str, bytes]:
        """The id stays a visit's own and the sequence is its version, so later entries replace earlier ones."""
        from hms.calendar import Occasion, invitation

        visit = notification.data
        cancelled = visit["status"] == "CANCELLED"
        occasion = Occasion(
            uid=f"{notification.subject_id}@hms",
            sequence=notification.subject_version,
            start=datetime.fromisoformat(str(visit["slot_start"])),
            end=datetime.fromisoformat(str(visit["slot_end"])),
            summary=f"{values['doctor']['name']} · {visit['department']}",
            description="",
            location=clinic().name,
            changed_at=notification.created_at,
            cancelled=cancelled,
        )
        return "CANCEL" if cancelled else "REQUEST", invitation(occasion, sender(), address)

"""Visits: booked, moved, held and cancelled, never two at once."""

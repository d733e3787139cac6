"""Addresses as providers take them and report of them."""

from __future__ import annotations


def deliverable(address: str) -> str:
    """A domain of any script in its ASCII form; phones and ids of devices are their own.

    Raises `UnicodeError` for a name before the @ that is not ASCII, which no provider takes, and for what is no domain.
    """
    name, at, domain = address.rpartition("@")
    name.encode("ascii")
    return address if domain.isascii() else f"{name}{at}{_in_ascii(domain)}"


def folded(address: str) -> str:
    """The same text for all spellings of an address, ours and that of a report. One that nothing reaches is its own."""
    try:
        return deliverable(address).casefold()
    except UnicodeError:
        return address.casefold()


def _in_ascii(domain: str) -> str:
    # Python's own codec is of 2003, when ß was ss: it would write to somebody else's domain. This one is big, and few
    # need it. It is asked as `hms.contact` asks it of what is registered.
    import idna

    return idna.encode(domain, uts46=True, std3_rules=False, transitional=False).decode()

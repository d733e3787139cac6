"""What administrators do with templates: read, edit, try out, take back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hms.call import Outcome, decided
from hms.errors import FieldError, Invalid, InvalidTransition
from hms.events import Event
from hms.money import AT_REST
from hms.pages import opened, sealed
from notifications.model import Channel
from notifications.segments import segmented
from notifications.shipped import places, samples, shipped
from notifications.template import (
    Template,
    TemplateList,
    TemplateNotFound,
    TemplatePreview,
    TemplateStatus,
    TemplateSummary,
    TemplateVersion,
    TemplateVersions,
    Unrenderable,
)
from notifications.templates import current, position

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hms.aggregate import Stored
    from hms.call import Call
    from hms.pages import PageParams
    from hms.rows import Item
    from notifications.template import Place, PreviewTemplate, PutTemplate
    from notifications.templates import Templates


def list_templates(page: PageParams, call: Call, templates: Templates) -> TemplateList:
    """Every template, shipped or edited, by kind, channel and language."""
    after = opened(page.cursor)
    edited = [templates.read(item) for item in templates.edited(page.limit + 1, after).items]
    known = [shipped(place) for place in places()] + [one.state for one in edited if one]
    lines = {position(one.place): TemplateSummary.of(one) for one in known if one}
    found = sorted((place, line) for place, line in lines.items() if after is None or place > after)
    shown = found[: page.limit]
    last = shown[-1][0] if len(found) > page.limit else None
    return TemplateList(items=[line for _, line in shown], next_cursor=sealed(last), as_of=call.now)


def get_template(place: Place, templates: Templates) -> Template:
    template = current(place, templates.load(place.template_id))
    if template is None:
        raise TemplateNotFound
    return template


def list_versions(place: Place, page: PageParams, templates: Templates) -> TemplateVersions:
    """What was ever made of it, oldest first; version 0, the shipped wording, is not among them."""
    get_template(place, templates)
    found = templates.history(place.template_id, page.limit, opened(page.cursor))
    return TemplateVersions(items=[_version(item) for item in found.items], next_cursor=sealed(found.last))


def put_template(place: Place, command: PutTemplate, call: Call, templates: Templates) -> Outcome[Template]:
    """A new version. It has to render the sample values of its kind, so that no message fails for its wording."""
    _check_subject(place, command.subject)
    wanted = {"status": TemplateStatus.EDITED, "subject": command.subject, "text": command.text}

    def attempt() -> Outcome[Template]:
        stored = templates.load(place.template_id)
        if earlier := templates.earlier(stored, place.template_id, call):
            return earlier
        call.expect(_version_of(place, stored))
        return _saved(_next(place, stored, wanted, call), stored, call, templates)

    _check(_next(place, None, wanted, call))
    return decided(attempt)


def reset_template(place: Place, call: Call, templates: Templates) -> Outcome[Template]:
    """Back to the shipped wording; a language that was added is withdrawn."""
    came = shipped(place)
    rest = TemplateStatus.SHIPPED if came else TemplateStatus.WITHDRAWN

    def attempt() -> Outcome[Template]:
        stored = templates.load(place.template_id)
        if stored is None and came is None:
            raise TemplateNotFound
        if earlier := templates.earlier(stored, place.template_id, call):
            return earlier
        call.expect(_version_of(place, stored))
        if stored is None or stored.state.status is not TemplateStatus.EDITED:
            raise InvalidTransition("The template is not edited.")
        words = came or stored.state
        after = _next(place, stored, {"status": rest, "subject": words.subject, "text": words.text}, call)
        return _saved(after, stored, call, templates)

    return decided(attempt)


def preview_template(place: Place, command: PreviewTemplate, call: Call, templates: Templates) -> TemplatePreview:
    """The words that a draft, or the template as it stands, makes of sample values. Changes nothing."""
    subject, text = command.subject, command.text
    if text is None or (subject is None and place.channel is not Channel.SMS):
        template = get_template(place, templates)
        subject, text = subject or template.subject, text or template.text
    _check_subject(place, subject)
    draft = _next(place, None, {"status": TemplateStatus.EDITED, "subject": subject, "text": text}, call)
    from notifications.rendering import render

    try:
        rendered = render(draft, {**samples(place.kind)[0], **command.values})
    except Unrenderable as error:
        raise _invalid(error) from error
    sms = segmented(rendered.text) if place.channel is Channel.SMS else None
    return TemplatePreview(**place._asdict(), subject=rendered.subject, text=rendered.text, sms=sms)


def _check_subject(place: Place, subject: str | None) -> None:
    if place.channel is Channel.SMS and subject is not None:
        raise Invalid(errors=(FieldError("subject", "unexpected", "an SMS has no subject"),))
    if place.channel is not Channel.SMS and subject is None:
        raise Invalid(errors=(FieldError("subject", "missing", "e-mail and push need a subject"),))


def _check(template: Template) -> None:
    from notifications.rendering import check

    try:
        check(template, samples(template.kind))
    except Unrenderable as error:
        raise _invalid(error) from error


def _invalid(error: Unrenderable) -> Invalid:
    return Invalid(errors=(FieldError(error.field, error.code, error.reason),))


def _version_of(place: Place, stored: Stored[Template] | None) -> int:
    template = current(place, stored)
    return template.version if template else 0


def _next(place: Place, stored: Stored[Template] | None, wanted: Mapping[str, object], call: Call) -> Template:
    before = stored.state if stored else None
    facts = {
        **place._asdict(),
        "template_id": place.template_id,
        "version": before.version + 1 if before else 1,
        "created_at": before.created_at if before else call.now,
        "updated_at": call.now,
    }
    return Template.model_validate({**facts, **wanted})


def _saved(after: Template, stored: Stored[Template] | None, call: Call, templates: Templates) -> Outcome[Template]:
    templates.save(stored, after, call)
    return Outcome(after)


def _version(row: Item) -> TemplateVersion:
    event = Event.model_validate_json(row.body or "")
    state = Template.model_validate_json(row.state or "", context=AT_REST)
    return TemplateVersion(
        version=state.version,
        at=event.at,
        by=event.actor,
        status=state.status,
        subject=state.subject,
        text=state.text,
    )

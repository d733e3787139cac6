"""The HTTP operations on templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hms.api import Request, Response, answer
from hms.errors import FieldError, Invalid, InvalidTransition, StaleVersion
from hms.pages import PageParams
from hms.store import DynamoTable
from notifications import editing
from notifications.model import Channel
from notifications.shipped import kinds
from notifications.template import (
    Place,
    PreviewTemplate,
    PutTemplate,
    Template,
    TemplateList,
    TemplateNotFound,
    TemplatePreview,
    TemplateVersions,
    canonical,
)
from notifications.templates import Templates

if TYPE_CHECKING:
    from hms.api import Api

_ALL = "/v1/notification-templates"
_ONE = f"{_ALL}/{{kind}}/{{channel}}/{{language}}"
_READ, _WRITE = "notifications:template_read", "notifications:template_write"

templates = Templates(DynamoTable())


def declare(app: Api) -> None:
    """Adds these operations to the domain's."""
    app.route("GET", _ALL, _READ, summary="List all templates", query=PageParams, answers=TemplateList)(list_templates)
    app.route("GET", _ONE, _READ, summary="Read a template", answers=Template, problems=(TemplateNotFound,))(
        get_template
    )
    app.route(
        *("PUT", _ONE, _WRITE),
        summary="Edit a template, or add a language",
        body=PutTemplate,
        answers=Template,
        problems=(TemplateNotFound, StaleVersion),
    )(put_template)
    app.route(
        *("DELETE", _ONE, _WRITE),
        summary="Return a template to its shipped wording, or withdraw a language that was added",
        answers=Template,
        problems=(TemplateNotFound, InvalidTransition, StaleVersion),
    )(reset_template)
    app.route(
        *("GET", f"{_ONE}/versions", _READ),
        summary="Read what a template was, and who changed it",
        query=PageParams,
        answers=TemplateVersions,
        problems=(TemplateNotFound,),
    )(list_template_versions)
    app.route(
        *("POST", f"{_ONE}/preview", _READ),
        summary="Try out a draft, or the template as it stands; nothing is changed",
        body=PreviewTemplate,
        answers=TemplatePreview,
        problems=(TemplateNotFound,),
    )(preview_template)


def list_templates(request: Request, page: PageParams) -> Response:
    return Response(body=editing.list_templates(page, request.call, templates))


def get_template(request: Request) -> Response:
    return answer(editing.get_template(_place(request), templates))


def put_template(request: Request, command: PutTemplate) -> Response:
    return answer(editing.put_template(_place(request), command, request.call, templates))


def reset_template(request: Request) -> Response:
    return answer(editing.reset_template(_place(request), request.call, templates))


def list_template_versions(request: Request, page: PageParams) -> Response:
    return Response(body=editing.list_versions(_place(request), page, templates))


def preview_template(request: Request, command: PreviewTemplate) -> Response:
    return Response(body=editing.preview_template(_place(request), command, request.call, templates))


def _place(request: Request) -> Place:
    kind, channel = request.path["kind"], request.path["channel"]
    if kind not in kinds() or channel not in list(Channel):
        raise TemplateNotFound
    language = canonical(request.path["language"])
    if language is None:
        raise Invalid(errors=(FieldError("language", "language", "a language is a tag such as hi or pt-BR"),))
    return Place(kind, Channel(channel), language)

"""The OpenAPI document of the REST API, generated from the models in bot/model/api.py."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import models_json_schema

from bot.api.answers import LOGINS
from bot.api.answers import PATH as RENTALS
from bot.api.problems import CONTENT_TYPE
from bot.api.reading import LONGEST_WAIT, ListQuery, QuoteQuery, ReleaseQuery, ShowQuery
from bot.model import api
from bot.model.api import KEY_PATTERN, LONGEST_KEY, ApiModel

PATH = "/v1/openapi.json"
_REQUESTS: tuple[type[ApiModel], ...] = (api.RentalRequest, api.ExtendRequest, api.LoginRequest)
_ANSWERS: tuple[type[ApiModel], ...] = (api.Rental, api.Rentals, api.Quote, api.Token, api.Login, api.Problem)
_EVENTS: tuple[type[ApiModel], ...] = (api.RentalEvent,)
_REF = "#/components/schemas/{model}"
Json = dict[str, Any]


def document() -> bytes:
    """Return the document as JSON."""
    return json.dumps(_document(), separators=(",", ":")).encode()


def _document() -> Json:
    models: list[Any] = [(model, "validation") for model in _REQUESTS]
    models += [(model, "serialization") for model in _ANSWERS + _EVENTS]
    _, schemas = models_json_schema(models, ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gpubot",
            "version": "1",
            "description": "Rent GPUs with an API token, within terms that people have approved. Every answer "
            "about a rental says its state, the reason, and the next step.",
        },
        "security": [{"token": []}],
        "paths": _paths(),
        "webhooks": {"rental": {"post": _event()}},
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {
                "Problem": {
                    "description": "Nothing was done. `detail` says why, and what to do next.",
                    "content": {CONTENT_TYPE: {"schema": _ref(api.Problem)}},
                }
            },
        },
    }


def _paths() -> Json:
    one = f"{RENTALS}/{{id}}"
    return {
        RENTALS: {
            "post": _operation(
                "rent",
                "Ask for a machine",
                "Stores the request as a rental, and answers at once. The machine is bought in the background, "
                "even if the connection breaks. To find the rental again, repeat the request with the same key: "
                "one key never rents two machines.",
                status="202",
                answer=api.Rental,
                body=api.RentalRequest,
                parameters=[
                    {
                        "name": "Idempotency-Key",
                        "in": "header",
                        "required": False,
                        "description": "Your name for the machine, such as the ID of your run. Needed unless "
                        "`reuse` is true.",
                        "schema": {"type": "string", "maxLength": LONGEST_KEY, "pattern": KEY_PATTERN},
                    }
                ],
                links=("rental", ("show", "heartbeat", "extend", "release")),
            ),
            "get": _operation(
                "list", "List the current rentals of the token's owner", "", answer=api.Rentals, query=ListQuery
            ),
        },
        one: {
            "get": _operation(
                "show",
                "Show a rental",
                f"With `wait`, the answer comes when something changes, or after at most {LONGEST_WAIT} s.",
                answer=api.Rental,
                query=ShowQuery,
                has_id=True,
            ),
            "delete": _operation(
                "release",
                "End a rental",
                "The machine first runs `/root/on-ending.sh`, for 10 min at most. Repeating this changes nothing.",
                answer=api.Rental,
                query=ReleaseQuery,
                has_id=True,
            ),
        },
        f"{one}/heartbeat": {
            "post": _operation(
                "heartbeat",
                "Send a heartbeat",
                "Send one every 5 min. A heartbeat never makes a lease longer.",
                answer=api.Rental,
                has_id=True,
            )
        },
        f"{one}/extend": {
            "post": _operation(
                "extend",
                "Ask for a longer lease",
                "Name the new end or the whole length, so that a repeated request adds nothing.",
                answer=api.Rental,
                body=api.ExtendRequest,
                has_id=True,
            )
        },
        "/v1/quote": {
            "get": _operation("quote", "Look for offers, without renting", "", answer=api.Quote, query=QuoteQuery)
        },
        "/v1/token": {
            "get": _operation("token", "Show this token's terms, and what is left of them", "", answer=api.Token)
        },
        LOGINS: {
            "post": _operation(
                "login",
                "Ask for a token",
                "A person types the code of the answer in Slack, and sets the terms of the token. The secret of "
                "the token is then encrypted for the program. This needs no token.",
                status="201",
                answer=api.Login,
                body=api.LoginRequest,
                without_token=True,
                links=("login", ("show_login",)),
            )
        },
        f"{LOGINS}/{{id}}": {
            "get": _operation(
                "show_login",
                "Show a login",
                "Once the state is `done`, the answer has the encrypted secret. This needs no token.",
                answer=api.Login,
                has_id=True,
                without_token=True,
            )
        },
        PATH: {
            "get": {
                "operationId": "openapi",
                "summary": "This document",
                "security": [],
                "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": {}}}}},
            }
        },
    }


def _event() -> Json:
    """Return the request that receivers of webhooks get."""
    headers = {
        "webhook-id": "The ID of the event.",
        "webhook-timestamp": "The time of the request, in seconds since 1970.",
        "webhook-signature": "The signature of both and of the body, as Standard Webhooks defines it.",
    }
    return {
        "operationId": "rental_event",
        "summary": "An event of a rental, sent to the receivers that the policy names",
        "security": [],
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
            for name, text in headers.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _ref(api.RentalEvent)}},
        },
        "responses": {"2XX": {"description": "Accepted. After any other answer, the event is sent again."}},
    }


def _operation(
    name: str,
    summary: str,
    description: str,
    *,
    answer: type[ApiModel],
    status: str = "200",
    body: type[ApiModel] | None = None,
    query: type[ApiModel] | None = None,
    parameters: list[Json] | None = None,
    has_id: bool = False,
    without_token: bool = False,
    links: tuple[str, tuple[str, ...]] | None = None,
) -> Json:
    """Return an operation.

    `links` names the kind of object that the operation makes, and the operations whose path contains its ID.
    """
    parameters = [*(parameters or [])]
    if has_id:
        parameters.append(
            {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        )
    if query is not None:
        parameters += _query_parameters(query)
    found: Json = {"description": "OK", "content": {"application/json": {"schema": _ref(answer)}}}
    if links is not None:
        what, targets = links
        found["headers"] = {"Location": {"schema": {"type": "string"}, "description": f"The path of the {what}."}}
        found["links"] = {
            target: {"operationId": target, "parameters": {"id": "$response.body#/id"}} for target in targets
        }
    problem = {"$ref": "#/components/responses/Problem"}
    operation: Json = {
        "operationId": name,
        "summary": summary,
        **({"description": description} if description else {}),
        **({"security": []} if without_token else {}),
        "parameters": parameters,
        "responses": {status: found, "4XX": problem, "503": problem},
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(body)}}}
    return operation


def _query_parameters(query: type[ApiModel]) -> list[Json]:
    schema = query.model_json_schema()
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            **({"description": each.pop("description")} if "description" in each else {}),
            "schema": _without_null(each),
        }
        for name, each in schema.get("properties", {}).items()
    ]


def _without_null(schema: Json) -> Json:
    """Return the schema of a parameter, which can be left out but is never null."""
    choices = [each for each in schema.pop("anyOf", []) if each != {"type": "null"}]
    if schema.get("default", ...) is None:
        schema.pop("default")
    if len(choices) == 1:
        return {**schema, **choices[0]}
    return {**schema, **({"anyOf": choices} if choices else {})}


def _ref(model: type[ApiModel]) -> Json:
    return {"$ref": _REF.format(model=model.__name__)}

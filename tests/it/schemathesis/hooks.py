"""Keeps schemathesis from withdrawing the token that it calls with, and from listening for ever:
of events it asks for the list and not for the stream, which has no end."""

import os
import uuid

import schemathesis

OWN = os.environ["OWN_TOKEN_ID"]


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.operation.path.endswith("/events"):
        kwargs["headers"] = {**(kwargs.get("headers") or {}), "Accept": "application/json"}
        return
    if case.operation.label != "DELETE /v1/tokens/{id}" or not case.path_parameters:
        return
    if case.path_parameters.get("id") == OWN:
        case.path_parameters["id"] = str(uuid.UUID(int=0))

"""Lets schemathesis ask for things that exist.

What it makes up is in the right shape, but no order has that id. So most path parameters, and the ids in most bodies,
are replaced by ids that answers have named before; REFUNDRY_ORDERS names the first orders, in JSON. A thing is called
as the key that holds it: `order_id`, or the `id` of an entry of `orders`, names an `order`.
"""

import json
import os
import random

import schemathesis

KNOWN = {"order": list(json.loads(os.environ["REFUNDRY_ORDERS"]))}
DICE = random.Random(20220101)
KEPT_MAX = 50


def singular(name):
    return name[:-1] if name.endswith("s") else name


def learn(value, holder):
    """Keeps the ids of an answer."""
    if isinstance(value, list):
        for entry in value:
            learn(entry, holder)
    elif isinstance(value, dict):
        for key, below in value.items():
            if isinstance(below, bool):
                continue
            if isinstance(below, int) and (key == "id" or key.endswith("_id")):
                below = str(below)
            if isinstance(below, str) and below:
                if key == "id":
                    keep(singular(holder), below)
                elif key == "pay_seq":
                    keep("payment", below)
                elif key == "number":
                    keep(singular(holder) + "_number", below)
                elif key.endswith("_id"):
                    keep(key[: -len("_id")], below)
            else:
                learn(below, key)


def keep(name, value):
    known = KNOWN.setdefault(name, [])
    if value not in known and len(known) < KEPT_MAX:
        known.append(value)


def named(name, otherwise):
    known = KNOWN.get(name)
    return DICE.choice(known) if known else otherwise


def fill_path(case, share):
    """Real ids for the parameters of the path, in so many of a hundred calls."""
    parts = case.operation.path.split("/")
    for before, part, after in zip(parts, parts[1:], parts[2:] + [""]):
        if not part.startswith("{") or DICE.randrange(100) >= share:
            continue
        key = part[1:].partition("}")[0]
        name = "webhook" if after == "webhooks.json" else singular(before)
        if key == "number":
            name = "order_number"
        elif key.endswith("_id"):
            name = key[: -len("_id")]
        if key in case.path_parameters:
            case.path_parameters[key] = named(name, case.path_parameters[key])


def fill_body(value, holder, schema, only_needed):
    """Real ids in a body, and amounts small enough to be had; without what is optional, or with all of it."""
    if isinstance(value, list):
        return [fill_body(entry, holder, schema.get("items", {}), only_needed) for entry in value]
    if not isinstance(value, dict):
        return value
    known, needed = schema.get("properties", {}), schema.get("required", [])
    filled = {}
    for key, below in value.items():
        if only_needed and needed and key not in needed:
            continue
        if isinstance(below, str) and key == "id":
            below = named(singular(holder), below)
        elif isinstance(below, str) and key.endswith("_id"):
            below = named(key[: -len("_id")], below)
        elif isinstance(below, int) and not isinstance(below, bool) and (key == "id" or key.endswith("_id")):
            found = named(singular(holder) if key == "id" else key[: -len("_id")], "")
            below = int(found) if found.isdigit() else below
        elif isinstance(below, str) and "[0-9]{2}" in known.get(key, {}).get("pattern", ""):
            below = "0.01"
        elif isinstance(below, (int, float)) and key == "amount":
            below = 0.01
        else:
            below = fill_body(below, key, known.get(key, {}), only_needed)
        filled[key] = below
    return filled


def schema_of_body(case):
    described = case.operation.definition.raw.get("requestBody", {})
    return described.get("content", {}).get("application/json", {}).get("schema", {})


@schemathesis.hook
def before_call(context, case, kwargs):
    # What changes an order uses it up.
    if isinstance(case.path_parameters, dict):
        fill_path(case, 90 if case.operation.method.upper() == "GET" else 40)
    if isinstance(case.body, (dict, list)) and DICE.randrange(2):
        case.body = fill_body(case.body, "", schema_of_body(case), DICE.randrange(2) == 0)


@schemathesis.hook
def after_call(context, case, response):
    if response.status_code == 200:
        learn(json.loads(response.content), "")

"""Serves localstripe, an emulator of Stripe, to tests/it/localstripe.rs.

It listens on 127.0.0.1 and a port that the system picks, prints that port, and ends with its standard input. Its own
starter listens on every address and keeps a file in /tmp for the next run; neither happens here.

`as-is` serves it as it is. `strict` adds two things that Stripe does and the emulator does not (1.15.10):

- a repeated Idempotency-Key gets the first status and body again, and other parameters under it are refused
  (docs.stripe.com/api/idempotent_requests);
- a charge cannot be paid back beyond its amount (docs.stripe.com/api/refunds/create,
  docs.stripe.com/error-codes#charge-already-refunded).

`POST /_config/forget_keys` forgets the keys, as Stripe may after a day.
"""

import asyncio
import sys

from aiohttp import web
from localstripe import resources, server
from localstripe.errors import UserError

KEYS = {}


@web.middleware
async def keys(request, handler):
    if request.path == "/_config/forget_keys":
        KEYS.clear()
        return web.Response()
    key = request.headers.get("Idempotency-Key")
    if request.method != "POST" or key is None:
        return await handler(request)
    body = await request.read()
    if key not in KEYS:
        response = await handler(request)
        KEYS[key] = (body, response.status, response.body)
    first_body, status, answer = KEYS[key]
    if body != first_body:
        return refusal(
            type="idempotency_error",
            message="Keys for idempotent requests can only be used with the same parameters they were first used with.",
        )
    return web.Response(status=status, body=answer, content_type="application/json")


@web.middleware
async def amounts(request, handler):
    if request.method != "POST" or request.path != "/v1/refunds":
        return await handler(request)
    form = await request.post()
    try:
        if "payment_intent" in form:
            charge = resources.PaymentIntent._api_retrieve(form["payment_intent"]).latest_charge
        else:
            charge = resources.Charge._api_retrieve(form["charge"])
    except UserError:
        return await handler(request)
    left = charge.amount - charge.amount_refunded
    if left <= 0:
        return refusal(
            type="invalid_request_error",
            code="charge_already_refunded",
            message=f"Charge {charge.id} has already been refunded.",
        )
    if int(form["amount"]) > left:
        return refusal(
            type="invalid_request_error",
            param="amount",
            message=f"Refund amount ({form['amount']}) is greater than unrefunded amount on charge ({left})",
        )
    return await handler(request)


def refusal(**error):
    return web.json_response({"error": error}, status=400)


async def main():
    resources.Store.dump_to_disk = lambda _: None
    if sys.argv[1] == "strict":
        # Behind those that answer errors and check the API key, as at Stripe.
        server.app.middlewares[2:2] = [keys, amounts]
    runner = web.AppRunner(server.app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


asyncio.run(main())

#!/usr/bin/env python3
"""A payment service that Refundry's driver `http` can be pointed at: the contract of docs/gateways/http.md, complete.

It needs Python 3.9 and nothing else. Everything that matters is in SQLite, so it may be killed at any instant.

    export REFUNDRY_SECRETS=a-secret-of-24-characters-or-more
    python3 service.py serve --database refunds.db --port 8070
    echo '{"type": "refund", ...}' | python3 service.py deliver --to http://127.0.0.1:8080/hooks/demo/till

What you replace is `pay`: the call to your bank or processor.
"""

import argparse
import hashlib
import hmac
import json
import os
import sqlite3
import sys
import threading
import time
import traceback
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TOLERANCE_S = 300
BODY_BYTES_MAX = 64 * 1024
PAGE = 20
# What a request to pay consists of, with its types. The same key with other figures is refused.
ORDER = {"key": str, "refund": str, "payment": str, "channel": str, "amount_minor": int, "amount": str, "currency": str}

TABLES = """
CREATE TABLE IF NOT EXISTS refunds (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    figures TEXT NOT NULL,
    status TEXT NOT NULL,
    reference TEXT NOT NULL DEFAULT '',
    code TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    made TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS bank (key TEXT PRIMARY KEY, amount_minor INTEGER NOT NULL, currency TEXT NOT NULL);
"""


def secrets():
    """The first signs, any of them is believed: so one can be replaced without losing a request."""
    return [secret.strip().encode() for secret in os.environ["REFUNDRY_SECRETS"].split(",")]


def code(secret, stamp, content):
    return hmac.new(secret, stamp.encode() + b"." + content, hashlib.sha256).hexdigest()


def sign(content):
    stamp = str(int(time.time()))
    return f"t={stamp},v1={code(secrets()[0], stamp, content)}"


def is_signed(header, content):
    """Whether one of the codes is right and fresh. Comparing takes as long for a wrong code as for the right one."""
    parts = [part.strip().partition("=") for part in (header or "").split(",")]
    stamps = [value for name, _, value in parts if name == "t"]
    codes = [value for name, _, value in parts if name == "v1"]
    if len(stamps) != 1 or not (stamps[0].isascii() and stamps[0].isdigit() and len(stamps[0]) < 16):
        return False
    if abs(time.time() - int(stamps[0])) > TOLERANCE_S:
        return False
    right = [code(secret, stamps[0], content) for secret in secrets()]
    return any([hmac.compare_digest(ours.encode(), theirs.encode()) for ours in right for theirs in codes])


def pay(books, order):
    """Pays back and returns (status, reference, code, message). Replace this.

    It may be called twice for one key, after a crash, so it has to be safe to repeat: give your bank the key as its
    idempotency key, or look it up there first. Here a table stands for the bank, and its primary key does the same.
    """
    if order["payment"] == "unknown":
        return "failed", "", "payment_unknown", "no payment has this id"
    with books:
        books.execute(
            "INSERT OR IGNORE INTO bank (key, amount_minor, currency) VALUES (?, ?, ?)",
            (order["key"], order["amount_minor"], order["currency"]),
        )
    return "succeeded", "rf_" + order["key"], "", ""


def open_books(path):
    books = sqlite3.connect(path, timeout=30)
    books.row_factory = sqlite3.Row
    books.execute("PRAGMA journal_mode = WAL")
    books.execute("PRAGMA synchronous = FULL")
    return books


def refund(books, order):
    """Pays once under a key, however often and by however many threads it is asked: (HTTP status, answer)."""
    figures = json.dumps(order, sort_keys=True)
    with books:
        claimed = books.execute(
            "INSERT OR IGNORE INTO refunds (key, figures, status, made) VALUES (?, ?, 'pending', ?)",
            (order["key"], figures, iso(time.time())),
        ).rowcount
    # The claim is on disk before any money moves: whoever comes second, or after a crash, finds it.
    if claimed:
        finish(books, order)  # with a slow bank: in another thread, and `pending` meanwhile
    row = find(books, order["key"])
    if row["figures"] != figures:
        return 409, {"error": "key_reused", "message": "the key was used with other figures"}
    return 200, told(row)


def finish(books, order):
    try:
        status, reference, reason, message = pay(books, order)
    except Exception:  # whatever it was, nobody knows what became of the money: it stays `pending` and is tried again
        traceback.print_exc()
        return
    with books:
        books.execute(
            "UPDATE refunds SET status = ?, reference = ?, code = ?, message = ? WHERE key = ?",
            (status, reference, reason, message, order["key"]),
        )


def resume(books, older_than_s):
    """Finishes what was claimed and not paid, or paid and not written down: after a crash, or a fault of the bank."""
    before = iso(time.time() - older_than_s)
    rows = books.execute("SELECT figures FROM refunds WHERE status = 'pending' AND made <= ?", (before,)).fetchall()
    for row in rows:
        finish(books, json.loads(row["figures"]))


def resume_for_ever(database):
    while True:
        time.sleep(30)
        books = open_books(database)
        resume(books, older_than_s=60)
        books.close()


def iso(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")


def find(books, key):
    return books.execute("SELECT * FROM refunds WHERE key = ?", (key,)).fetchone()


def told(row):
    order = json.loads(row["figures"])
    answer = {name: row[name] for name in ("key", "status", "reference", "code", "message", "made")}
    return {**answer, **{name: order[name] for name in ("payment", "amount_minor", "currency")}}


def page(books, query):
    """The refunds made in a span of time, in the order they were made: (HTTP status, answer)."""
    try:
        begin, end = (datetime.fromisoformat(query[name][0].replace("Z", "+00:00")) for name in ("from", "to"))
        after = int(query.get("cursor", ["0"])[0])
    except (KeyError, ValueError):
        return 400, {"error": "invalid_request"}
    rows = books.execute(
        "SELECT * FROM refunds WHERE number > ? AND made >= ? AND made < ? ORDER BY number LIMIT ?",
        (after, iso(begin.timestamp()), iso(end.timestamp()), PAGE + 1),
    ).fetchall()
    cursor = str(rows[PAGE - 1]["number"]) if len(rows) > PAGE else None
    return 200, {"refunds": [told(row) for row in rows[:PAGE]], "next": cursor}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    database = ""

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > BODY_BYTES_MAX:
            self.close_connection = True
            return self.answer(413, {"error": "too_long"})
        body = self.rfile.read(int(length))
        if not is_signed(self.headers.get("Refundry-Signature"), body):
            return self.answer(401, {"error": "bad_signature"})
        if self.path != "/refunds":
            return self.answer(404, {"error": "not_found"})
        order = parsed(body)
        if order is None:
            return self.answer(400, {"error": "invalid_request"})
        return self.answer(*self.with_books(lambda books: refund(books, order)))

    def do_GET(self):
        # A request without a body has its path and query signed in place of one.
        if not is_signed(self.headers.get("Refundry-Signature"), self.path.encode()):
            return self.answer(401, {"error": "bad_signature"})
        url = urlsplit(self.path)
        if url.path == "/refunds":
            return self.answer(*self.with_books(lambda books: page(books, parse_qs(url.query))))
        if url.path.startswith("/refunds/"):
            row = self.with_books(lambda books: find(books, url.path[len("/refunds/"):]))
            return self.answer(200, told(row)) if row else self.answer(404, {"error": "unknown_key"})
        return self.answer(404, {"error": "not_found"})

    def with_books(self, act):
        books = open_books(self.database)
        try:
            return act(books)
        finally:
            books.close()

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Quiet: an access log is the affair of whatever stands before it."""


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # connections that wait to be taken; five are too few for a refund engine


def parsed(body):
    """A request to pay, or None. A delivery has an `event`, so none that we sent can be turned against us."""
    try:
        order = json.loads(body)
    except ValueError:
        return None
    if not isinstance(order, dict) or "event" in order:
        return None
    if not all(type(order.get(name)) is kind for name, kind in ORDER.items()):
        return None
    return {name: order[name] for name in ORDER} if order["amount_minor"] > 0 and order["key"] else None


def serve(database, port):
    books = open_books(database)
    books.executescript(TABLES)
    resume(books, older_than_s=0)  # and stays open: SQLite tidies up when the last connection closes
    threading.Thread(target=resume_for_ever, args=(database,), daemon=True).start()
    Handler.database = database
    server = Server(("127.0.0.1", port), Handler)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


def deliver(to, event):
    """Tells Refundry what it did not ask. Anything but 200 means: come again, with the same `event`."""
    event.setdefault("event", str(uuid.uuid4()))
    body = json.dumps(event).encode()
    headers = {"Content-Type": "application/json", "Refundry-Signature": sign(body)}
    try:
        with urllib.request.urlopen(urllib.request.Request(to, body, headers), timeout=30) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
    print(f"event {event['event']}: status {status}")
    return 0 if status == 200 else 1


def main():
    parser = argparse.ArgumentParser(description="A payment service for Refundry's driver `http`")
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="take requests, on 127.0.0.1")
    serving.add_argument("--database", default="refunds.db")
    serving.add_argument("--port", type=int, default=8070, help="0 lets the system choose")
    delivering = commands.add_parser("deliver", help="sign the JSON on standard input and send it to Refundry")
    delivering.add_argument("--to", required=True, help="http://…/hooks/STORE/GATEWAY")
    args = parser.parse_args()
    if args.command == "serve":
        return serve(args.database, args.port)
    return deliver(args.to, json.load(sys.stdin))


if __name__ == "__main__":
    sys.exit(main())

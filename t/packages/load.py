"""Requests through nginx to cgi-rooms and cgi-points, a connection each, by four clients, until its input ends; prints how many of each answer.

A 503 with Retry-After, which is for those who would wait longer than the deadline, is counted ("again"), a connection refused, too ("refused"), and
the request sent again."""

import collections
import http.client
import json
import ssl
import sys
import threading
import time

SECRETS = "/etc/loyalty/secrets"
GUEST = "b9fa7d71-548c-4739-8e6a-0931cc218cd1"
trust = ssl.create_default_context(cafile=f"{SECRETS}/tls.crt")
with open(f"{SECRETS}/api-key-restricted", encoding="ascii") as f:
    key = f.read().strip()
counts = collections.Counter()
over = threading.Event()


def once(method, target, body, headers):
    connection = http.client.HTTPSConnection("loyalty.example", context=trust, timeout=30)
    try:
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers["Retry-After"]
    finally:
        connection.close()


def answer(*request):
    while True:
        try:
            status, later = once(*request)
        except ConnectionRefusedError:
            counts["refused"] += 1
            time.sleep(0.1)
            continue
        if status != 503 or not later:
            return status
        counts["again"] += 1
        time.sleep(0.5)


def client(number):
    made = 0
    while not over.is_set():
        # every other one writes
        name, method, target, body = ("rooms", "GET", "/v1/rooms?limit=1", None) if number % 2 else (
            "points", "POST", f"/v1/users/{GUEST}/points", json.dumps({"amount": 1, "reason": f"client {number}, {made}"}))
        headers = {"X-API-Key": key, "Content-Type": "application/json", "Idempotency-Key": f"{time.time()}-{number}"}
        try:
            counts[f"{name} {answer(method, target, body, headers)}"] += 1
        except (OSError, http.client.HTTPException) as e:
            counts[f"{name} {e!r}"] += 1
        made += 1
        time.sleep(0.1)


clients = [threading.Thread(target=client, args=(n,)) for n in range(4)]
for c in clients:
    c.start()
sys.stdin.read()
over.set()
for c in clients:
    c.join()
print(dict(counts))

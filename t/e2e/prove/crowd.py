"""Clients with a connection each, that all ask at the same instant, again and again"""

import threading
from concurrent.futures import ThreadPoolExecutor


class Crowd:
    def __init__(self, api, n):
        self.api, self.n = api, n
        self.barrier = threading.Barrier(n)
        self.pool = ThreadPoolExecutor(n)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        list(self.pool.map(lambda _: (self.barrier.wait(60), self.api.drop()), range(self.n)))
        self.pool.shutdown()

    def ask(self, calls):
        """Answers to (method, target, json, how), one of each client, in their order."""
        assert len(calls) == self.n

        def one(call):
            method, target, json_, how = call
            self.barrier.wait(60)  # nobody has two of a round
            return self.api.request(method, target, json_, check=False, **how)

        return list(self.pool.map(one, calls, timeout=120))

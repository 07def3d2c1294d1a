"""Officers who answer as fast as they can, a process of its own: `python -m tests.bench.answering`.

Reads its workload as JSON from stdin. Each officer has a connection, starts a session, answers it to its end and starts
the next one. Against the bare handler (`bare`) each sends the same answers without a session. Prints JSON: the
answers that were answered 200 within the time measured, and the seconds.
"""

import asyncio
import json
import sys
import time
from typing import Any


class Officer:
    """One connection that asks one request after the other."""

    def __init__(self, workload: dict[str, Any], officer: str) -> None:
        self.answers = 0
        self._workload = workload
        self._path = f"/v1/officers/{officer}/sessions"

    async def run(self) -> None:
        """Answer for ever."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._workload["port"])
        while True:
            if self._workload["bare"]:
                await self._ask(f"{self._path}/s/answers", {"item": "dlit-safety-1", "response": 1, "sequence": 1})
                self.answers += 1
            else:
                await self._take()

    async def _take(self) -> None:
        step = await self._ask(self._path, self._workload["session"])
        while item := step["item"]:
            body = {"item": item["id"], "response": 1, "sequence": item["sequence"]}
            step = await self._ask(f"{self._path}/{step['session']}/answers", body)
            self.answers += 1

    async def _ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a POST. Raises RuntimeError for another status than 200 or 201."""
        content = json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in self._workload["headers"].items()]
        head = "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""])
        self._writer.write(head.encode() + content)
        got = await self._reader.readuntil(b"\r\n\r\n")
        length = next(line for line in got.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        answer = await self._reader.readexactly(int(length.split(b":")[1]))
        if got.split(b" ", 2)[1] not in (b"200", b"201"):
            raise RuntimeError(f"{path}: {answer.decode()}")
        found: dict[str, Any] = json.loads(answer)
        return found


async def load(workload: dict[str, Any]) -> dict[str, float]:
    """Return what came of the load."""
    officers = [Officer(workload, name) for name in workload["officers"]]
    tasks = [asyncio.ensure_future(officer.run()) for officer in officers]
    await asyncio.sleep(workload["seconds"] / 5)
    before, begun = sum(officer.answers for officer in officers), time.perf_counter()
    await asyncio.wait(tasks, timeout=workload["seconds"], return_when=asyncio.FIRST_COMPLETED)
    answered, seconds = sum(officer.answers for officer in officers) - before, time.perf_counter() - begun
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {"answered": answered, "seconds": seconds}


if __name__ == "__main__":
    json.dump(asyncio.run(load(json.load(sys.stdin))), sys.stdout)

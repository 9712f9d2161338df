"""The client under test of Autobahn|Testsuite's fuzzing server: autobahn_client.py URL [--coroutine]

Asks for the number of cases, runs each with every message echoed, and has the reports written.
"""

import argparse
import asyncio
import threading

import sockline

AGENT = "sockline"
MAX_SIZE = 64 * 2**20


async def run_coroutine(url: str, echo: bool) -> str:
    """Runs one connection to its end; returns the first message of one that does not echo."""
    answer = ""
    try:
        async with sockline.connect(url, max_size=MAX_SIZE) as connection:
            async for message in connection:
                if echo:
                    await connection.send(message)
                else:
                    answer = message
    except sockline.WebSocketException as error:
        # Most cases end with an error on purpose; the suite judges whether it was the right one.
        print(f"{url}: {error}", flush=True)
    return answer


async def run_callbacks(url: str, echo: bool) -> str:
    """The same by callbacks, which run on a thread of the package's."""
    answer = ""
    closed = threading.Event()

    def onmessage(ws: sockline.WebSocket, message: sockline.Data) -> None:
        nonlocal answer
        if echo:
            ws.send(message)
        else:
            answer = message

    sockline.WebSocket(
        url,
        max_size=MAX_SIZE,
        hard_limit=None,
        compression=True,
        onmessage=onmessage,
        onerror=lambda ws, error: print(f"{url}: {error}", flush=True),
        onclose=lambda ws, *_: closed.set(),
    )
    await asyncio.to_thread(closed.wait)
    return answer


async def run_all(url: str, run) -> None:
    count = int(await run(f"{url}/getCaseCount", False))
    for case in range(1, count + 1):
        await run(f"{url}/runCase?case={case}&agent={AGENT}", True)
    await run(f"{url}/updateReports?agent={AGENT}", False)
    print(f"ran {count} cases")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--coroutine", action="store_true", help="by coroutines instead of callbacks")
    options = parser.parse_args()
    run = run_coroutine if options.coroutine else run_callbacks
    asyncio.run(run_all(options.url.rstrip("/"), run))


if __name__ == "__main__":
    main()

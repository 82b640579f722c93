"""procrastinate doing what bench/benches/queue.rs has all queues do. Usage: procrastinate_peer.py <url> <mode> [...]"""

import asyncio
import logging
import sys
import time

import procrastinate

url, mode, *rest = sys.argv[1:]
logging.disable(logging.CRITICAL)
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url, min_size=1, max_size=20))
latencies = open(rest[1], "a", buffering=1) if mode == "work" else None


@app.task(name="noop")
async def noop(t=None):
    if t:
        latencies.write(f"{(time.time() - t) * 1000}\n")


async def enqueue(count, lanes):
    async def lane():
        for _ in range(count // lanes):
            await noop.defer_async()

    started = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(lanes)))
    print(count / (time.perf_counter() - started))


async def trickle(count, pause):
    waiting = []
    for _ in range(count):
        waiting.append(asyncio.create_task(noop.defer_async(t=time.time())))
        await asyncio.sleep(pause / 1000)
    await asyncio.gather(*waiting)


async def main():
    async with app.open_async():
        if mode == "migrate":
            await app.schema_manager.apply_schema_async()
        elif mode == "enqueue":
            await enqueue(int(rest[0]), int(rest[1]))
        elif mode == "trickle":
            await trickle(int(rest[0]), float(rest[1]))
        elif mode == "work":
            await app.run_worker_async(concurrency=int(rest[0]), install_signal_handlers=False)


asyncio.run(main())

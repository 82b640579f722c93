// graphile-worker doing what bench/benches/queue.rs has all queues do. Usage: graphile.mjs <url> <mode> [...]
import { appendFileSync } from "node:fs";
import { Logger, makeWorkerUtils, run, runMigrations } from "graphile-worker";

const [url, mode, ...rest] = process.argv.slice(2);
const logger = new Logger(() => () => {});

if (mode === "migrate") {
  await runMigrations({ connectionString: url, logger });
} else if (mode === "enqueue") {
  const [count, lanes] = rest.map(Number);
  const utils = await makeWorkerUtils({ connectionString: url, maxPoolSize: lanes, logger });
  const started = performance.now();
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (let n = 0; n < count / lanes; n++) await utils.addJob("noop", {});
    }),
  );
  console.log(count / ((performance.now() - started) / 1000));
  await utils.release();
} else if (mode === "work") {
  // `batched`: its local queue, and completions written together.
  const [concurrency, kind, file] = rest;
  const batched = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
  const runner = await run({
    preset: { worker: kind === "batched" ? batched : {} },
    connectionString: url,
    concurrency: Number(concurrency),
    maxPoolSize: Math.min(Number(concurrency) + 2, 20),
    pollInterval: 500,
    noHandleSignals: true,
    logger,
    taskList: {
      noop: async (payload) => {
        if (payload.t) appendFileSync(file, `${Date.now() - payload.t}\n`);
      },
    },
  });
  process.on("SIGTERM", () => process.exit(0));
  await runner.promise;
} else if (mode === "trickle") {
  const [count, pause] = rest.map(Number);
  const utils = await makeWorkerUtils({ connectionString: url, maxPoolSize: 4, logger });
  const waiting = [];
  for (let n = 0; n < count; n++) {
    waiting.push(utils.addJob("noop", { t: Date.now() }));
    await new Promise((done) => setTimeout(done, pause));
  }
  await Promise.all(waiting);
  await utils.release();
}

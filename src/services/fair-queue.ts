// One job at a time, the accounts in turn: whoever has many jobs waiting delays his own.

/** Runs jobs one after another. A job's result or failure is that of the promise it was asked with. */
export interface FairQueue {
  run<T>(accountId: number, job: () => Promise<T>): Promise<T>;
}

export function createFairQueue(): FairQueue {
  // In the order of their turns.
  const waiting = new Map<number, (() => Promise<void>)[]>();
  let isRunning = false;

  function takeNext(): (() => Promise<void>) | undefined {
    const [turn] = waiting;
    if (turn === undefined) return undefined;
    const [accountId, jobs] = turn;
    const job = jobs.shift();
    waiting.delete(accountId);
    if (jobs.length > 0) waiting.set(accountId, jobs);
    return job;
  }

  async function work(): Promise<void> {
    if (isRunning) return;
    isRunning = true;
    for (let job = takeNext(); job !== undefined; job = takeNext()) await job();
    isRunning = false;
  }

  return {
    run: (accountId, job) =>
      new Promise((resolve, reject) => {
        const jobs = waiting.get(accountId) ?? [];
        jobs.push(() => job().then(resolve, reject));
        waiting.set(accountId, jobs);
        void work();
      }),
  };
}

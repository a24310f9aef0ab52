/* Many jobs, a few at a time. */

/** A browser keeps six connections to a branch, and the stream of events has one of them. */
const AT_A_TIME = 4;

/**
 * Runs a job for each item, a few at a time, each whatever becomes of the others.
 *
 * Args: items; job(item) returns a promise; told(done, failed) after each; signal to begin no more.
 * Returns: `{ done: [items], failed: [{ item, error }], left: [items] }`.
 */
export async function inTurn(items, job, { told = () => {}, signal } = {}) {
  const outcome = { done: [], failed: [], left: [] };
  const waiting = [...items];
  const work = async () => {
    while (waiting.length && !signal?.aborted) {
      const item = waiting.shift();
      try {
        await job(item);
        outcome.done.push(item);
      } catch (error) {
        outcome.failed.push({ item, error });
      }
      told(outcome.done.length, outcome.failed.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, waiting.length) }, work));
  outcome.left = waiting;
  return outcome;
}

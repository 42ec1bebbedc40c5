// Runs checks one after another, and goes on with what can still be told after one that isn't fine.

import { type Check, type CheckResult, type Finding, type Tell, wrong } from '../domain/checks.ts';
import { ApiError, OperatorError } from '../domain/errors.ts';

export async function examine(checks: readonly Check[], tell: Tell): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const check of checks) {
    const missing = check.needs?.find((name) => results.find((result) => result.name === name)?.isFine === false);
    const finding = missing === undefined ? await runOne(check, tell) : wrong(`not checked; see "${missing}" first.`);
    results.push({ name: check.name, ...finding });
  }
  return results;
}

async function runOne({ name, run }: Check, tell: Tell): Promise<Finding> {
  try {
    return await run((progress, isLongAhead) => tell(`${name}: ${progress}`, isLongAhead));
  } catch (error) {
    if (error instanceof OperatorError || error instanceof ApiError) return wrong(error.message);
    throw error;
  }
}

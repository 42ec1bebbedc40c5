// What `secret-manager doctor` finds out, and restoring in part.

export interface Finding {
  readonly isFine: boolean;
  /** What there is; where it isn't fine, with what to do. Ids and numbers only: no value, no key name. */
  readonly text: string;
}

export interface Check {
  readonly name: string;
  /** Names of checks before this one that it makes no sense without. */
  readonly needs?: readonly string[];
  /** Changes nothing. An OperatorError that it throws is a finding. */
  run(tell: Tell): Finding | Promise<Finding>;
}

/** Says how far something is; to be called as often as there is something to say. `isLongAhead`: nothing more for long. */
export type Tell = (progress: string, isLongAhead?: boolean) => void;

export interface CheckResult extends Finding {
  readonly name: string;
}

export function fine(text: string): Finding {
  return { isFine: true, text };
}

export function wrong(text: string): Finding {
  return { isFine: false, text };
}

/** Bytes as a person reads them. */
export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  const power = Math.min(Math.floor(Math.log10(bytes) / 3), 4);
  return `${(bytes / 1_000 ** power).toFixed(1)} ${['B', 'kB', 'MB', 'GB', 'TB'][power]}`;
}

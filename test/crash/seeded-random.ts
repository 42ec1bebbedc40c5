// Chance that can be had again: a failing test names its seed, and CRASH_SEED repeats it.

export interface Random {
  /** 0 to just below 1. */
  fraction(): number;
  /** 0 to just below `end`. */
  below(end: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
}

/** The seed of this run: CRASH_SEED when it is set. */
export const SEED = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 1e9));

/** How many times as often everything is tried: CRASH_TIMES, for a night instead of minutes. */
export const TIMES = Number(process.env['CRASH_TIMES'] ?? 1);

/** Mulberry32: small, and good enough to choose what breaks. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;

  function fraction(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  const below = (end: number) => Math.floor(fraction() * end);
  return {
    fraction,
    below,
    chance: (probability) => fraction() < probability,
    pick<T>(items: readonly T[]): T {
      if (items.length === 0) throw new Error('there is nothing to pick from');
      return items[below(items.length)] as T;
    },
  };
}

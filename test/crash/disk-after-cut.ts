// What may be on the disk when the power goes at one position of a trace: all that was fsynced by then, and of
// everything else any part, torn at the borders of sectors.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DiskEvent, DiskTrace } from './disk-trace.ts';
import { GrowingBytes } from './growing-bytes.ts';
import type { Random } from './seeded-random.ts';

/** When it was durable; Infinity: never. */
interface Lasting {
  durableAt: number;
}
type ContentChange = Lasting & Extract<DiskEvent, { kind: 'write' | 'truncate' }>;
type NameChange = Lasting & {
  readonly begin: number;
  readonly end: number;
  readonly remove: string | undefined;
  readonly add: string | undefined;
  readonly file: File;
};

/** A file whatever it is called. */
interface File {
  readonly changes: ContentChange[];
  /** Those that no fsync has covered so far. */
  pending: ContentChange[];
  /** The content that the first `applied` changes make, for cuts in ascending order. */
  readonly base: GrowingBytes;
  applied: number;
}

/** What happens to changes that were not made durable. */
const FATES = ['all lost', 'all kept', 'some lost', 'some torn', 'some torn'] as const;
type Fate = (typeof FATES)[number];
const SECTORS = [512, 4096] as const;

export interface Disk {
  /** The files of the directory after a cut; cuts must be asked for in ascending order. */
  afterCut(position: number, random: Random): ReadonlyMap<string, Buffer>;
}

export function createDisk({ events }: Pick<DiskTrace, 'events'>): Disk {
  const { files, nameChanges } = readHistory(events);

  function namesAfter(position: number, isKept: () => boolean): Map<string, File> {
    const names = new Map<string, File>();
    const stayed = nameChanges.filter(({ begin, durableAt }) => begin < position && (durableAt < position || isKept()));
    for (const { remove, add, file } of stayed) {
      if (remove !== undefined && names.get(remove) === file) names.delete(remove);
      if (add !== undefined) names.set(add, file);
    }
    return names;
  }

  function advance(file: File, position: number): void {
    for (let next = file.changes[file.applied]; next !== undefined; next = file.changes[file.applied]) {
      if (next.durableAt >= position) return;
      apply(file.base, next);
      file.applied += 1;
    }
  }

  function contentAfter(file: File, position: number, fate: Fate, random: Random): Buffer {
    const content = file.base.copy();
    for (const change of file.changes.slice(file.applied)) {
      if (change.begin >= position) break;
      const stays = change.durableAt < position ? [change] : whatStays(change, fate, random);
      for (const part of stays) apply(content, part);
    }
    return content.bytes();
  }

  return {
    afterCut(position, random) {
      const fate = random.pick(FATES);
      const keepNames = random.pick([0, 0.5, 1]);
      const names = namesAfter(position, () => random.chance(keepNames));
      for (const file of files) advance(file, position);
      return new Map([...names].map(([name, file]) => [name, contentAfter(file, position, fate, random)]));
    },
  };
}

/** What each change was done to, and from when on it was durable. */
function readHistory(events: readonly DiskEvent[]): { files: File[]; nameChanges: NameChange[] } {
  const files: File[] = [];
  const nameChanges: NameChange[] = [];
  const live = new Map<string, File>();
  let pendingNames: NameChange[] = [];

  function fileNamed(name: string): File {
    const file = live.get(name);
    if (file === undefined) throw new Error(`the trace has no beginning of ${name}`);
    return file;
  }

  function rename(event: DiskEvent, file: File, remove: string | undefined, add: string | undefined): void {
    const { begin, end } = event;
    const change = { begin, end, durableAt: Number.POSITIVE_INFINITY, file, remove, add };
    nameChanges.push(change);
    pendingNames.push(change);
    if (remove !== undefined) live.delete(remove);
    if (add !== undefined) live.set(add, file);
  }

  function create(event: DiskEvent): void {
    if (live.has(event.name)) return;
    const file: File = { changes: [], pending: [], base: new GrowingBytes(), applied: 0 };
    files.push(file);
    rename(event, file, undefined, event.name);
  }

  function change(event: Extract<DiskEvent, { kind: 'write' | 'truncate' }>): void {
    const file = fileNamed(event.name);
    const lasting = { ...event, durableAt: Number.POSITIVE_INFINITY };
    file.changes.push(lasting);
    file.pending.push(lasting);
  }

  function sync(event: DiskEvent): void {
    const file = fileNamed(event.name);
    file.pending = stillPending(file.pending, event);
  }

  for (const event of events) {
    switch (event.kind) {
      case 'create':
        create(event);
        break;
      case 'write':
      case 'truncate':
        change(event);
        break;
      case 'rename':
        rename(event, fileNamed(event.name), event.name, event.to);
        break;
      case 'unlink':
        rename(event, fileNamed(event.name), event.name, undefined);
        break;
      case 'sync':
        sync(event);
        break;
      case 'sync-directory':
        pendingNames = stillPending(pendingNames, event);
        break;
    }
  }
  return { files, nameChanges };
}

/** An fsync covers what was over before it began, once it has ended. Returns what it doesn't cover. */
function stillPending<T extends Lasting & { readonly end: number }>(pending: readonly T[], sync: DiskEvent): T[] {
  for (const change of pending) if (change.end < sync.begin) change.durableAt = sync.end;
  return pending.filter(({ end }) => end >= sync.begin);
}

function apply(content: GrowingBytes, change: ContentChange): void {
  if (change.kind === 'truncate') content.resize(change.size);
  else content.write(change.bytes, change.offset);
}

function whatStays(change: ContentChange, fate: Fate, random: Random): ContentChange[] {
  if (fate === 'all lost') return [];
  if (fate === 'all kept') return [change];
  if (fate === 'some lost' || change.kind === 'truncate' || random.chance(0.6))
    return random.chance(0.5) ? [change] : [];
  return sectorsOf(change, random.pick(SECTORS)).filter(() => random.chance(0.5));
}

/** The parts of a write between borders of sectors of the file. */
function sectorsOf(write: Extract<ContentChange, { kind: 'write' }>, sectorBytes: number): ContentChange[] {
  const parts: ContentChange[] = [];
  let from = 0;
  while (from < write.bytes.length) {
    const border = (Math.floor((write.offset + from) / sectorBytes) + 1) * sectorBytes - write.offset;
    parts.push({ ...write, offset: write.offset + from, bytes: write.bytes.subarray(from, border) });
    from = border;
  }
  return parts;
}

/** Writes the files, with the modes that the server gives them, into a new directory. */
export function writeDisk(directory: string, files: ReadonlyMap<string, Buffer>): void {
  mkdirSync(directory, { mode: 0o700 });
  for (const [name, content] of files) writeFileSync(join(directory, name), content, { mode: 0o600 });
}

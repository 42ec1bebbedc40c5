// Reads what strace wrote: every change to a file of one directory, every fsync, and when each HTTP answer left.

import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Everything that can change a file, so that nothing is overlooked. */
const TRACED_CALLS = [
  'open,openat,openat2,creat,mmap,rename,renameat,renameat2,link,linkat,unlink,unlinkat',
  'write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendfile,copy_file_range,splice,truncate,ftruncate,fallocate',
  'fsync,fdatasync,sync_file_range',
].join(',');
/** Texts whole and in hexadecimal, descriptors with their paths. */
export const TRACE_FLAGS = ['--seccomp-bpf', '-y', '-xx', '-s', '8000000', '-e', `trace=${TRACED_CALLS}`];

/** `begin` and `end` are positions in the trace: what another thread did meanwhile lies between. */
interface Span {
  readonly begin: number;
  readonly end: number;
}

export type DiskEvent = Span & { readonly name: string } & (
    | { readonly kind: 'write'; readonly offset: number; readonly bytes: Buffer }
    | { readonly kind: 'truncate'; readonly size: number }
    | { readonly kind: 'rename'; readonly to: string }
    | { readonly kind: 'create' | 'unlink' | 'sync' | 'sync-directory' }
  );

export interface DiskTrace {
  /** In the order in which they were over. */
  readonly events: readonly DiskEvent[];
  /** Position at which the answer with this request id began to leave. */
  readonly answers: ReadonlyMap<string, number>;
  readonly length: number;
}

interface Call extends Span {
  readonly name: string;
  /** Split at the top level; texts are still in hexadecimal. */
  readonly args: readonly string[];
  /** NaN: the process ended before it was told. */
  readonly result: number;
}

/** SQLite makes it anew from the write-ahead log after a crash, and writes it through memory. */
const SHARED_MEMORY = /-shm$/;
const LINE = /^(\d+) +(.*)$/s;
const UNFINISHED = / <unfinished \.\.\.>$/;
const RESUMED = /^<\.\.\. \w+ resumed>/;
const WHOLE = /^(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+|\?)/s;
const DESCRIPTOR = /^\w+<([^>]*)>(\(deleted\))?$/;
const REQUEST_ID = /^HTTP\/1\.1 \d[\s\S]*?\r\nx-request-id: ([0-9a-f-]{36})\r\n/;

/** Throws where a file is changed in a way that this can't replay. */
export function readDiskTrace(path: string, directory: string): DiskTrace {
  const lines = readFileSync(path, 'latin1').split('\n');
  const answers = new Map<string, number>();
  const read = createCallReader(directory, answers);
  const calls = wholeCalls(lines, [encode(directory), encode('HTTP/1.1 ')]);
  return { events: calls.flatMap(read), answers, length: lines.length };
}

/** The calls with one of the texts in them, in the order in which they were over. */
function wholeCalls(lines: readonly string[], texts: readonly string[]): Call[] {
  const begun = new Map<string, { begin: number; text: string }>();
  const calls: Call[] = [];

  function add(text: string, begin: number, end: number): void {
    const [, name, args = '', result] = texts.some((each) => text.includes(each)) ? (WHOLE.exec(text) ?? []) : [];
    if (name !== undefined) calls.push({ name, args: splitArguments(args), result: Number(result), begin, end });
  }

  for (const [position, line] of lines.entries()) {
    const [, thread = '', rest = ''] = LINE.exec(line) ?? [];
    const earlier = begun.get(thread);
    if (UNFINISHED.test(rest)) {
      begun.set(thread, { begin: position, text: rest.replace(UNFINISHED, '') });
    } else if (RESUMED.test(rest) && earlier !== undefined) {
      begun.delete(thread);
      add(earlier.text + rest.replace(RESUMED, ''), earlier.begin, position);
    } else {
      add(rest, position, position);
    }
  }
  for (const { begin, text } of begun.values()) add(`${text}) = ?`, begin, lines.length);
  return calls;
}

/** Texts are in hexadecimal, so a comma or bracket is never part of one. */
function splitArguments(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i];
    if (character === '"') i = text.indexOf('"', i + 1);
    else if (character === '[' || character === '{') depth += 1;
    else if (character === ']' || character === '}') depth -= 1;
    else if (character === ',' && depth === 0) {
      parts.push(text.slice(from, i).trim());
      from = i + 1;
    }
  }
  return [...parts, text.slice(from).trim()];
}

function createCallReader(directory: string, answers: Map<string, number>): (call: Call) => DiskEvent[] {
  /** Where a descriptor stands that is written to without an offset. */
  const positions = new Map<string, number>();

  /** The name of a file of the directory, '' for the directory itself, undefined for all others. */
  function nameOf(path: string): string | undefined {
    if (path === directory) return '';
    return dirname(path) === directory && !SHARED_MEMORY.test(path) ? basename(path) : undefined;
  }

  function nameOfDescriptor(arg: string): string | undefined {
    const [, path = '', isDeleted] = DESCRIPTOR.exec(arg) ?? [];
    return isDeleted ? undefined : nameOf(decode(path).toString());
  }

  function noteAnswer(bytes: Buffer, position: number): void {
    const requestId = REQUEST_ID.exec(bytes.toString('latin1', 0, 2_000))?.[1];
    if (requestId !== undefined) answers.set(requestId, position);
  }

  function written({ args, result, begin, end }: Call, offset?: number): DiskEvent[] {
    const [descriptor = '', data = ''] = args;
    const name = nameOfDescriptor(descriptor);
    const bytes = decode(data);
    if (name === undefined) noteAnswer(bytes, begin);
    if (name === undefined || !(result > 0)) return [];
    const at = offset ?? positions.get(descriptor) ?? 0;
    if (offset === undefined) positions.set(descriptor, at + result);
    return [{ kind: 'write', name, begin, end, offset: at, bytes: bytes.subarray(0, result) }];
  }

  function opened({ args: [, path = '', flags = ''], result, begin, end }: Call): DiskEvent[] {
    const name = nameOf(decode(path).toString());
    if (!name || !(result >= 0)) return [];
    if (flags.includes('O_APPEND')) throw new Error(`appending to ${name} cannot be replayed`);
    for (const descriptor of positions.keys()) if (descriptor.startsWith(`${result}<`)) positions.delete(descriptor);
    const events: DiskEvent[] = [];
    if (flags.includes('O_CREAT')) events.push({ kind: 'create', name, begin, end });
    if (flags.includes('O_TRUNC')) events.push({ kind: 'truncate', name, begin, end, size: 0 });
    return events;
  }

  function synced({ args: [descriptor = ''], result, begin, end }: Call): DiskEvent[] {
    const name = nameOfDescriptor(descriptor);
    if (name === undefined || !(result >= 0)) return [];
    return [{ kind: name === '' ? 'sync-directory' : 'sync', name, begin, end }];
  }

  function truncated({ args: [descriptor = '', size], result, begin, end }: Call): DiskEvent[] {
    const name = nameOfDescriptor(descriptor);
    return name === undefined || !(result >= 0) ? [] : [{ kind: 'truncate', name, begin, end, size: Number(size) }];
  }

  function removed({ result, begin, end }: Call, path = ''): DiskEvent[] {
    const name = nameOf(decode(path).toString());
    return name === undefined || !(result >= 0) ? [] : [{ kind: 'unlink', name, begin, end }];
  }

  function renamed({ result, begin, end }: Call, from = '', to = ''): DiskEvent[] {
    const [name, toName] = [nameOf(decode(from).toString()), nameOf(decode(to).toString())];
    if (!(result >= 0)) return [];
    if (!name || !toName) throw new Error('a rename out of the directory or into it cannot be replayed');
    return [{ kind: 'rename', name, to: toName, begin, end }];
  }

  /** Whatever else changes a file of the directory is one that this doesn't know how to replay. */
  function refused({ name, args, result }: Call): DiskEvent[] {
    const isOfDirectory = args.some((arg) => nameOfDescriptor(arg) !== undefined || nameOf(decode(arg).toString()));
    const isReading = name === 'mmap' && !(args[2]?.includes('PROT_WRITE') && args[3]?.includes('MAP_SHARED'));
    if (isOfDirectory && !isReading && result >= 0) throw new Error(`${name} cannot be replayed: ${args[0]}`);
    return [];
  }

  return (call) => {
    const { name, args } = call;
    switch (name) {
      case 'openat':
        return opened(call);
      case 'write':
      case 'writev':
      case 'sendto':
      case 'sendmsg':
        return written(call);
      case 'pwrite64':
      case 'pwritev':
        return written(call, Number(args[3]));
      case 'ftruncate':
        return truncated(call);
      case 'fsync':
      case 'fdatasync':
        return synced(call);
      case 'unlink':
        return removed(call, args[0]);
      case 'unlinkat':
        return removed(call, args[1]);
      case 'rename':
        return renamed(call, args[0], args[1]);
      case 'renameat':
      case 'renameat2':
        return renamed(call, args[1], args[3]);
      default:
        return refused(call);
    }
  };
}

/** The texts in an argument, one behind the other: `"\x61"`, or those of `[{iov_base="\x61", iov_len=1}, …]`. */
function decode(argument: string): Buffer {
  const digits = argument.match(/\\x[0-9a-f]{2}/g) ?? [];
  return Buffer.from(digits.join('').replaceAll('\\x', ''), 'hex');
}

function encode(text: string): string {
  return Buffer.from(text).toString('hex').replace(/../g, '\\x$&');
}

// Tells whether the disk takes writes. After one that it refused, only another one that reaches it is proof: a file system
// that has given up still says that it may be written to, and an empty transaction writes nothing.

import { ApiError } from '../../domain/errors.ts';
import type { SqliteSession } from './sqlite-session.ts';

export interface ProvenSession extends SqliteSession {
  /** Rejects like `write` when nothing can be written right now. */
  proveWritable(): Promise<void>;
}

export function createProvenSession(session: SqliteSession): ProvenSession {
  const { connection } = session;
  let isRefused = false;

  /** Writes a page as it is. */
  function rewrite(): void {
    connection.pragma(`user_version = ${connection.pragma('user_version', { simple: true })}`);
  }

  async function noticeRefusal<T>(written: Promise<T>): Promise<T> {
    try {
      return await written;
    } catch (error) {
      if (error instanceof ApiError && error.code === 'storage_unavailable') isRefused = true;
      throw error;
    }
  }

  return {
    connection,
    get changes() {
      return session.changes;
    },
    read: session.read,
    settled: session.settled,
    write: (work) => noticeRefusal(session.write(work)),
    writeFromReserve: (work) => noticeRefusal(session.writeFromReserve(work)),
    collect: (work) => noticeRefusal(session.collect(work)),

    async proveWritable() {
      // Values can still be read when only changes are refused for want of room.
      await session.writeFromReserve(isRefused ? rewrite : () => undefined);
      isRefused = false;
    },
  };
}

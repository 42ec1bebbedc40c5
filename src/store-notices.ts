// What happens to the store while a server runs, as lines of its log.

import type { Logger } from './logger.ts';
import type { StartedTrail } from './services/audit-start.ts';

export interface StoreNotices {
  /** After a failed fsync: the process must end with an error. */
  readonly onOutcomeUnknown: () => void;
  readonly onHeadFailure: (error: unknown) => void;
  readonly onReserveChange: (isReleased: boolean) => void;
  readonly onTailMissing: (lastId: number, knownId: number) => void;
  readonly onPruningFailure: (error: unknown) => void;
}

const ignore = () => undefined;

/** For commands, which fail with what concerns them. */
export const NO_NOTICES: StoreNotices = {
  onOutcomeUnknown: ignore,
  onHeadFailure: ignore,
  onReserveChange: ignore,
  onTailMissing: ignore,
  onPruningFailure: ignore,
};

export function storeNotices(logger: Logger, onOutcomeUnknown: () => void): StoreNotices {
  return {
    onOutcomeUnknown,
    onHeadFailure: (error) =>
      logger.warn({ err: error }, 'the file head could not be written; until it can, it is behind the database'),
    onReserveChange: (isReleased) =>
      isReleased
        ? logger.error('the disk is full: changes are refused, and values are read on what was kept in reserve')
        : logger.info('there is room on the disk again'),
    onTailMissing: (lastId, knownId) =>
      logger.error({ lastId, knownId }, 'ALARM: audit events at the end of the trail are gone'),
    onPruningFailure: (error) =>
      logger.error({ err: error }, 'the audit trail could not be pruned; "audit verify" says whether it is whole'),
  };
}

/** What a start found out about the store. */
export function tellStart(
  logger: Logger,
  found: Pick<StartedTrail, 'accepted' | 'begunAfter'> & {
    readonly acceptRollback: boolean;
    readonly hasReserve: boolean;
  },
): void {
  const { accepted, begunAfter, acceptRollback, hasReserve } = found;
  if (begunAfter !== undefined) {
    // Somebody who can write to the whole directory can take the chain away together with `head`.
    logger.warn(
      { lastId: begunAfter },
      'the audit trail had no chain and has one from now on: right after an upgrade, else somebody removed the old one',
    );
  }
  if (accepted !== undefined) logger.warn({ accepted }, 'going on with a store that lost events');
  else if (acceptRollback) logger.warn('nothing is lost: --accept-rollback is not needed, and better left away');
  if (!hasReserve) logger.warn('there is no room on the disk for a reserve: reads of values end when it is full');
}

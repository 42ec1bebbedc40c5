// One pass over one document: looks values up, collects everything that is found, and keeps the budgets.
// No message that is collected here may hold a value.

import { Buffer } from 'node:buffer';
import { MAX_PASSWORD_HASHES, MAX_RENDERED_BYTES } from '../domain/limits.ts';
import type { DocumentKind } from './document-kinds.ts';
import type { ReferenceMark, SecretMark } from './secret-marks.ts';
import type { Place, SourceText } from './source-text.ts';
import { applyFilter, FILTERS, type Filter, type Filtered, isFilter } from './value-filters.ts';

/** One thing wrong, or worth a warning, and where. */
export interface Problem extends Place {
  readonly message: string;
}

/** A reference that would be replaced. */
export interface ReferenceUse extends Place {
  readonly key: string;
  readonly filter: Filter | undefined;
  /** The kind of the text it stands in, which decides how its value is written. */
  readonly kind: DocumentKind;
}

/** The value of a secret, or undefined when there is none of this key. */
export type ValueLookup = (key: string) => string | undefined;

export interface RenderPass {
  /** The text that a mark stands for. Collects the use, and the problem if there is one: call it once for each mark. */
  resolve(source: SourceText, mark: SecretMark): string;
  report(place: Place, message: string): void;
  warn(place: Place, message: string): void;
  /** Bytes that may still be unpacked. */
  readonly unpackBudget: number;
  /** Takes from the budget what was unpacked. */
  spendUnpacked(bytes: number): void;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  readonly uses: readonly ReferenceUse[];
}

/** Renders a text by its kind; handed in where what renders a part may be what renders the whole. */
export type RenderByKind = (source: SourceText, pass: RenderPass) => string;

/** Stands for a value that isn't there, so that the rest can still be looked at. */
export const STAND_IN = 'x';

/** `unpackBudget` in bytes. With `filters: 'skip'` values are only stand-ins and stay as they are. */
export function createRenderPass(lookup: ValueLookup, filters: 'apply' | 'skip', unpackBudget: number): RenderPass {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const uses: ReferenceUse[] = [];
  let bytesLeft = MAX_RENDERED_BYTES;
  let hashesLeft = MAX_PASSWORD_HASHES;
  let unpackLeft = unpackBudget;

  function report(place: Place, message: string): void {
    problems.push({ message, ...place });
  }

  function textOf(mark: ReferenceMark, place: Place): string {
    const filter = checkFilter(mark.filter, place);
    const value = lookup(mark.key);
    if (value === undefined) {
      report(place, `There is no secret with the key ${JSON.stringify(mark.key)}.`);
      return STAND_IN;
    }
    if (filters === 'skip') return value;
    const filtered = filterValue(filter, value);
    if ('text' in filtered) return filtered.text;
    report(place, `The value of ${JSON.stringify(mark.key)} ${filtered.problem}.`);
    return STAND_IN;
  }

  function checkFilter(filter: string | undefined, place: Place): Filter | undefined {
    if (filter === undefined || isFilter(filter)) return filter;
    report(place, `There is no such filter; the filters are ${FILTERS.join(', ')}.`);
    return undefined;
  }

  function filterValue(filter: Filter | undefined, value: string): Filtered {
    if (!value.isWellFormed()) return { problem: 'is not well-formed Unicode' };
    if (filter === undefined) return { text: value };
    if (filter === 'sha512crypt') {
      hashesLeft -= 1;
      if (hashesLeft < 0) return { problem: `would be password hash number ${MAX_PASSWORD_HASHES + 1}; use fewer` };
    }
    return applyFilter(filter, value);
  }

  return {
    problems,
    warnings,
    uses,
    report,

    warn(place, message) {
      warnings.push({ message, ...place });
    },

    resolve(source, mark) {
      if (mark.kind === 'escape') return mark.text;
      const place = source.placeOf(mark.start);
      if (mark.kind === 'malformed') {
        report(place, mark.problem);
        return STAND_IN;
      }
      const filter = mark.filter !== undefined && isFilter(mark.filter) ? mark.filter : undefined;
      uses.push({ key: mark.key, filter, kind: source.kind, ...place });
      if (bytesLeft < 0 && lookup(mark.key) !== undefined) return STAND_IN;
      const text = textOf(mark, place);
      bytesLeft -= Buffer.byteLength(text);
      if (bytesLeft >= 0) return text;
      report(place, `Up to here all values together are larger than ${MAX_RENDERED_BYTES / 1_048_576} MiB.`);
      return STAND_IN;
    },

    spendUnpacked(bytes) {
      unpackLeft -= bytes;
    },

    get unpackBudget() {
      return unpackLeft;
    },
  };
}

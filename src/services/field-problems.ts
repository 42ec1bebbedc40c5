// Collects what is wrong with the fields of a request, so that all of it is told at once.

import { type FieldProblems, invalidFields } from '../domain/errors.ts';
import type { Checked } from '../domain/names.ts';

/** Notes a problem instead of throwing it; the empty text that stands in for a refused one is then never used. */
export function acceptText(checked: Checked, field: string, problems: FieldProblems): string {
  if ('text' in checked) return checked.text;
  problems[field] = [checked.problem];
  return '';
}

/** Throws `invalid_fields` when anything was noted. */
export function throwProblems(problems: FieldProblems): void {
  if (Object.keys(problems).length > 0) throw invalidFields(problems);
}

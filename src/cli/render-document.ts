// Fills a document with the values of secrets, here on this machine, with what the server is asked for.

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import type { Problem } from '../cloud-init/render-pass.ts';
import { checkUserData, listReferences, renderAsPlainText, renderUserData } from '../cloud-init/user-data.ts';
import { readClientConfig } from '../config.ts';
import { OperatorError } from '../domain/errors.ts';
import { printNotice, printResult, visible } from './output.ts';
import { fetchValues } from './values-client.ts';

export interface RenderOptions {
  /** A file's path; standard output when absent. */
  readonly output?: string;
  readonly check?: boolean;
  readonly compat?: boolean;
  readonly json?: boolean;
}

/** What stands for standard input. */
const STANDARD_INPUT = '-';

/** Throws OperatorError: `document` for what is wrong in it, `server`, `configuration`, `refused`. */
export async function renderDocument(file: string, options: RenderOptions): Promise<void> {
  const document = await readDocument(file);
  const hasReferences = options.compat === true ? document.includes('${{') : listReferences(document).length > 0;
  const values = hasReferences ? await fetchValues(readClientConfig()) : new Map<string, string>();
  if (options.check === true) {
    printCheck(file, document, values, options);
    return;
  }
  const rendered = (options.compat === true ? renderAsPlainText : renderUserData)(document, (key) => values.get(key));
  if ('problems' in rendered) throw refuse(file, rendered.problems);
  if (options.output === undefined) process.stdout.write(rendered.bytes);
  else writeWhole(options.output, rendered.bytes);
}

async function readDocument(file: string): Promise<Buffer> {
  if (file === STANDARD_INPUT) return buffer(process.stdin);
  try {
    return readFileSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new OperatorError('refused', `The file ${file} cannot be read (${code}); check its name and mode.`);
  }
}

/** Under its name there is the whole document or what was there before. */
function writeWhole(path: string, bytes: Buffer): void {
  const unfinished = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(unfinished, bytes, { mode: 0o600, flag: 'wx' });
    renameSync(unfinished, path);
  } catch (error) {
    rmSync(unfinished, { force: true });
    const { code } = error as NodeJS.ErrnoException;
    throw new OperatorError('refused', `The file ${path} cannot be written (${code}); check its directory.`);
  }
}

function printCheck(file: string, document: Buffer, values: ReadonlyMap<string, string>, options: RenderOptions): void {
  const check = checkUserData(document, (key) => values.has(key));
  const lines = [
    `${visible(file)}: ${check.kind}, ${check.bytes} bytes${check.fitsClouds ? '' : ', more than the 16 KiB that clouds take'}`,
    ...check.references.map((use) => `${placeOf(file, use)}: uses ${visible(use.key)}`),
    ...check.warnings.map((warning) => `${placeOf(file, warning)}: warning: ${visible(warning.message)}`),
  ];
  const data = {
    kind: check.kind,
    packed: check.isPacked,
    references: check.references.map(({ key, filter = null, line, column, part = null }) => {
      return { secret_key: key, filter, line, column, part };
    }),
    missing_keys: check.missingKeys,
    problems: check.problems,
    warnings: check.warnings,
    bytes: check.bytes,
    fits_clouds: check.fitsClouds,
  };
  printResult({ text: lines.join('\n'), data }, options.json === true);
  if (check.problems.length > 0) throw refuse(file, check.problems);
}

function refuse(file: string, problems: readonly Problem[]): OperatorError {
  for (const problem of problems) printNotice(`${placeOf(file, problem)}: ${visible(problem.message)}`);
  return new OperatorError('document', 'Nothing was rendered; mend what is named above.');
}

function placeOf(file: string, { part, line, column }: Omit<Problem, 'message'>): string {
  return `${visible(file)}:${line}:${column}${part === undefined ? '' : ` (${part})`}`;
}

// What a command prints: for people by default, one JSON document for programs. Results go to standard output,
// everything else to standard error.

import { OperatorError } from '../domain/errors.ts';

/** `text` for people, `data` for `--json`. */
export interface CommandResult {
  readonly text: string;
  readonly data: unknown;
}

export function printResult({ text, data }: CommandResult, asJson: boolean): void {
  console.log(asJson ? JSON.stringify(data) : text);
}

export function printNotice(text: string): void {
  console.error(text);
}

/** Columns of equal width under their headings. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings, ...rows].map((cells) => cells.map(visible));
  const widths = headings.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  return lines
    .map((cells) =>
      cells
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Control and direction characters as escapes, so that a name can't rewrite the terminal. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}

/** The same for text of several lines, which stay lines. */
export function visibleLines(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

export function printLine(text: string): void {
  console.log(text);
}

/**
 * Resolves when standard output has taken it: for what is too large to wait in memory. Throws OperatorError (`refused`)
 * when nobody reads it any more.
 */
export function printText(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = () =>
      reject(new OperatorError('refused', 'Standard output was closed before everything was written.'));
    process.stdout.once('error', refuse);
    process.stdout.write(text, (error) => {
      if (error) return;
      process.stdout.off('error', refuse);
      resolve();
    });
  });
}

// Scripts, boothooks, part-handlers, includes and anything unknown: a value goes in as it is.

import type { RenderPass } from './render-pass.ts';
import { applyEdits, type SourceText } from './source-text.ts';

/** What Python's str.splitlines takes for the end of a line. */
const LINE_BREAKS = '\\n-\\r\\u001c-\\u001e\\u0085\\u2028\\u2029';
const LINE_BREAK = new RegExp(`[${LINE_BREAKS}]`);

/** Replaces every mark by its value; `write` may change how a value is written. */
export function renderText(source: SourceText, pass: RenderPass, write = (value: string) => value): string {
  const edits = source.marks.map((mark) => ({
    start: mark.start,
    end: mark.end,
    text: write(pass.resolve(source, mark)),
  }));
  return applyEdits(source.text, edits);
}

/** A list of URLs, one a line: a value may not start another line. */
export function renderInclude(source: SourceText, pass: RenderPass): string {
  const edits = source.marks.map((mark) => {
    const text = pass.resolve(source, mark);
    const place = source.placeOf(mark.start);
    if (LINE_BREAK.test(text)) pass.report(place, 'A value with a line break cannot stand in a list of URLs.');
    pass.warn(place, 'cloud-init writes the URLs that it includes into its log; this value would be in it.');
    return { start: mark.start, end: mark.end, text };
  });
  return applyEdits(source.text, edits);
}

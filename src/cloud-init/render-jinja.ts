// `## template: jinja`: cloud-init evaluates the template on the machine, after us. A value must come out of that
// unchanged, so what Jinja would act on in it is escaped; a cloud-config inside is still written as YAML.

import { type DocumentKind, kindOfBeginning, PYTHON_BLANK } from './document-kinds.ts';
import { findJinjaTags, type JinjaTag } from './jinja-tags.ts';
import { findUnusedCharacter, maskRanges } from './masked-text.ts';
import type { RenderPass } from './render-pass.ts';
import { renderText } from './render-text.ts';
import { renderYaml } from './render-yaml.ts';
import type { SecretMark } from './secret-marks.ts';
import { applyEdits, marksWithin, type SourceText } from './source-text.ts';

const IN_TAG = 'A reference cannot stand inside a Jinja tag or a raw block.';
const BEHIND_BRACE = 'A reference cannot stand right behind a { in a Jinja template; put a blank between them.';
const OPEN_TAG = 'The Jinja tag that begins here has no end.';
const NOT_THIS_KIND =
  'Under a Jinja header, references can stand in a cloud-config, a script or a boothook only: cloud-init takes no others.';
const CANNOT_STAY =
  'This value needs double quotes here, but the text around it has Jinja tags; write it in double quotes, or add | b64.';

const KINDS_OF_BODY: ReadonlySet<DocumentKind> = new Set(['cloud-config', 'script', 'boothook']);

/**
 * A brace would begin a tag. Jinja makes every line end a line feed, drops one behind a statement, and `-%}` and
 * `{%-` drop blanks beside them.
 */
const ACTED_ON = new RegExp(`\\{|\\r|^[${PYTHON_BLANK}]|[${PYTHON_BLANK}]$`, 'g');

/** The text as a Jinja template that prints exactly it. */
export function escapeForJinja(text: string): string {
  return text.replace(ACTED_ON, (character) => `{{'${characterInJinja(character)}'}}`);
}

function characterInJinja(character: string): string {
  return character === '{' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** A `jinja` document: a header line, then a template of some other kind. */
export function renderJinja(source: SourceText, pass: RenderPass): string {
  const character = findUnusedCharacter(source.text) ?? '';
  const masked = maskRanges(source.text, source.marks, character);
  const { tags, openAt } = findJinjaTags(masked);
  if (openAt !== undefined) pass.report(source.placeOf(openAt), OPEN_TAG);
  const marks = refuseUnsafeMarks({ ...source, text: masked }, pass, tags, source.marks);
  const body: SourceText = { ...source, marks };
  const kind = kindOfBeginning(withoutTags(masked, tags).slice(masked.indexOf('\n') + 1));
  if (!KINDS_OF_BODY.has(kind) && marks[0] !== undefined) pass.report(source.placeOf(marks[0].start), NOT_THIS_KIND);
  if (kind !== 'cloud-config') return renderText(body, pass, escapeForJinja);
  return renderYaml(body, pass, {
    hide: (text) => hideTags(text, tags),
    escape: escapeForJinja,
    mustStay: (slot) => (marksWithin(tags, slot.start, slot.end).length > 0 ? CANNOT_STAY : undefined),
  });
}

/** Reports the marks that no value can safely replace, and returns the others. */
function refuseUnsafeMarks(
  masked: SourceText,
  pass: RenderPass,
  tags: readonly JinjaTag[],
  marks: readonly SecretMark[],
): SecretMark[] {
  const inTags = new Set(tags.flatMap((tag) => marksWithin(marks, tag.start, tag.end)));
  return marks.filter((mark) => {
    const isBehindBrace = masked.text[mark.start - 1] === '{';
    if (inTags.has(mark)) pass.report(masked.placeOf(mark.start), IN_TAG);
    else if (isBehindBrace) pass.report(masked.placeOf(mark.start), BEHIND_BRACE);
    return !inTags.has(mark) && !isBehindBrace;
  });
}

function withoutTags(text: string, tags: readonly JinjaTag[]): string {
  return applyEdits(
    text,
    tags.map(({ start, end }) => ({ start, end, text: ' '.repeat(end - start) })),
  );
}

/**
 * Makes YAML of a template without moving anything: a statement or comment alone on its lines becomes blanks, any
 * other tag a word. What a tag prints is the author's to get right.
 */
function hideTags(text: string, tags: readonly JinjaTag[]): string {
  const character = findUnusedCharacter(text) ?? '';
  const edits = tags.map(({ start, end, isExpression }) => {
    const isAlone = !isExpression && isAloneOnLines(text, start, end);
    return {
      start,
      end,
      text: isAlone ? text.slice(start, end).replace(/[^\r\n]/g, ' ') : character.repeat(end - start),
    };
  });
  return applyEdits(text, edits);
}

function isAloneOnLines(text: string, start: number, end: number): boolean {
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const lineEnd = text.indexOf('\n', end);
  const before = text.slice(lineStart, start);
  const after = text.slice(end, lineEnd === -1 ? undefined : lineEnd);
  return before.trim() === '' && after.trim() === '';
}

// #cloud-config-archive: a YAML list whose members are documents of their own. What a member holds is rendered by
// its own kind first, then written back into the scalar it came from, so that both readers see what was meant.

import { CST } from 'yaml';
import { type DocumentKind, kindOfArchiveMember } from './document-kinds.ts';
import { fillMasks, type MaskedText } from './masked-text.ts';
import type { RenderByKind, RenderPass } from './render-pass.ts';
import { renderYaml } from './render-yaml.ts';
import type { SecretMark } from './secret-marks.ts';
import type { Edit, SourceText } from './source-text.ts';
import { rewriteBlockScalar } from './yaml-block-writing.ts';
import { doubleQuoted } from './yaml-quoting.ts';
import { keyText, namesOf, type ScalarSlot, siblingOf } from './yaml-scalars.ts';

const CHANGES_KIND = 'With its values cloud-init would take this member of the archive for another kind of document.';

export function renderArchive(source: SourceText, pass: RenderPass, renderMember: RenderByKind): string {
  return renderYaml(source, pass, {
    takeOver(slot, masked, marks) {
      const type = memberType(slot);
      return type === undefined ? undefined : renderContent(source, pass, { slot, masked, marks, type, renderMember });
    },
  });
}

interface Member {
  readonly slot: ScalarSlot;
  readonly masked: MaskedText;
  readonly marks: readonly SecretMark[];
  readonly type: string;
  readonly renderMember: RenderByKind;
}

/** The declared type of the member that a slot is the content of, empty for none; undefined when it is no content. */
function memberType(slot: ScalarSlot): string | undefined {
  if (slot.isTagged || slot.role !== 'value') return undefined;
  const names = namesOf(slot.path).join('/');
  if (names === '[]') return '';
  if (names !== '[]/content') return undefined;
  const type = siblingOf(slot.path, 'type');
  return type === undefined ? '' : keyText(type);
}

function renderContent(source: SourceText, pass: RenderPass, member: Member): readonly Edit[] {
  const content = readContent(source, member);
  const rendered = member.renderMember(content, pass);
  if (kindOfArchiveMember(member.type, rendered) !== content.kind) {
    pass.report(source.placeOf(member.slot.start), CHANGES_KIND);
  }
  const { token, start, end } = member.slot;
  if (token.type === 'block-scalar') return rewriteBlockScalar(token, rendered);
  return [{ start, end, text: doubleQuoted(rendered) }];
}

/** The content as a text of its own: the same marks, at other offsets. */
function readContent(source: SourceText, { slot, masked, marks, type }: Member): SourceText {
  const parsed = CST.resolveAsScalar(slot.token, true, () => undefined).value;
  const inner: SecretMark[] = [];
  const text = fillMasks(parsed, masked.character, marks, (index, at) => {
    const mark = marks[index];
    if (mark === undefined) return '';
    inner.push({ ...mark, start: at, end: at + mark.end - mark.start });
    return source.text.slice(mark.start, mark.end);
  });
  const kind: DocumentKind = kindOfArchiveMember(type, text);
  const outerStarts = new Map(inner.map((mark, index) => [mark.start, marks[index]?.start]));
  const placeOf = (offset: number) => source.placeOf(outerStarts.get(offset) ?? outerOffset(slot, text, offset));
  return { text, kind, marks: inner, placeOf };
}

/** Where an offset of a content is in the archive: on its line in a literal block, at its beginning elsewhere. */
function outerOffset({ token, start }: ScalarSlot, text: string, offset: number): number {
  if (token.type !== 'block-scalar') return start;
  const linesBefore = text.slice(0, offset).split('\n').length - 1;
  let line = 0;
  for (let i = 0; i < linesBefore; i += 1) line = token.source.indexOf('\n', line) + 1;
  return start + line;
}

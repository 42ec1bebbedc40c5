// Walks the tokens of a YAML document: its scalars and comments in the order of the text, each scalar with its path.

import { CST } from 'yaml';

export type ScalarToken = CST.FlowScalar | CST.BlockScalar;
type MapLike = CST.BlockMap | CST.FlowCollection;

/** The way from a token up to the root; `key` is undefined for a member of a sequence. */
export interface YamlPath {
  readonly parent: YamlPath | undefined;
  readonly container: CST.BlockMap | CST.BlockSequence | CST.FlowCollection;
  readonly key: CST.Token | undefined;
}

export interface ScalarSlot {
  readonly token: ScalarToken;
  /** For a block scalar behind the line of its header. */
  readonly start: number;
  /** Behind the last character of the scalar; for a block scalar behind its last line. */
  readonly end: number;
  readonly path: YamlPath | undefined;
  /** `implicit` keys stand on one line of at most 1,024 characters. */
  readonly role: 'value' | 'implicit-key' | 'explicit-key';
  /** Inside a collection that is itself a key, which PyYAML refuses. */
  readonly isInKey: boolean;
  /** Has a tag of its own, such as !!binary. */
  readonly isTagged: boolean;
}

export interface CommentSlot {
  readonly start: number;
  readonly end: number;
}

type Slot = { readonly scalar: ScalarSlot } | { readonly comment: CommentSlot };

interface Step {
  readonly token: CST.Token;
  readonly path: YamlPath | undefined;
  readonly role: ScalarSlot['role'];
  readonly isInKey: boolean;
  readonly isTagged: boolean;
}

const VALUE = { role: 'value', isTagged: false } as const;

/** Not recursive: what is nested deeply must not overflow the stack. */
export function* walkScalars(tokens: readonly CST.Token[]): Generator<Slot> {
  const stack: Step[] = [];
  const pushAll = (steps: Step[]) => {
    for (const step of steps.reverse()) stack.push(step);
  };
  pushAll(tokens.map((token) => ({ token, path: undefined, isInKey: false, ...VALUE })));
  for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
    const { token } = step;
    if (token.type === 'comment') yield { comment: { start: token.offset, end: token.offset + token.source.length } };
    if (CST.isScalar(token)) yield { scalar: toSlot(step, token) };
    pushAll(childrenOf(step));
  }
}

function toSlot(step: Step, token: ScalarToken): ScalarSlot {
  const { path, role, isInKey, isTagged } = step;
  const start = bodyStart(token);
  const end = start + token.source.length;
  return { token, start, end, path, role, isInKey, isTagged };
}

/** Where the text of a scalar begins; for a block scalar behind the line of its header. */
export function bodyStart(token: ScalarToken): number {
  if (token.type !== 'block-scalar') return token.offset;
  return token.props.reduce((at, prop) => at + ('source' in prop ? prop.source.length : 0), token.offset);
}

function childrenOf(step: Step): Step[] {
  const { token, isInKey } = step;
  const plain = (child: CST.Token): Step => ({ token: child, path: step.path, isInKey, ...VALUE });
  switch (token.type) {
    case 'document': {
      const value = token.value === undefined ? [] : [{ ...plain(token.value), isTagged: hasTag(token.start) }];
      return [...token.start.map(plain), ...value, ...(token.end ?? []).map(plain)];
    }
    case 'block-map':
    case 'block-seq':
      return itemSteps(step, token);
    case 'flow-collection':
      return [...itemSteps(step, token), ...token.end.map(plain)];
    case 'block-scalar':
      return token.props.map(plain);
    case 'scalar':
    case 'single-quoted-scalar':
    case 'double-quoted-scalar':
    case 'doc-end':
      return (token.end ?? []).map(plain);
    default:
      return [];
  }
}

function itemSteps(step: Step, container: YamlPath['container']): Step[] {
  return container.items.flatMap((item) => {
    const { start, value } = item;
    const key = item.key ?? undefined;
    const sep = item.sep ?? [];
    const memberPath: YamlPath = { parent: step.path, container, key: undefined };
    const plain = (token: CST.Token): Step => ({ token, path: memberPath, isInKey: step.isInKey, ...VALUE });
    const steps = start.map(plain);
    if (key !== undefined) steps.push(keyStep(plain(key), start, sep));
    steps.push(...sep.map(plain));
    if (value !== undefined) {
      const path: YamlPath = { parent: step.path, container, key };
      steps.push({ ...plain(value), path, isTagged: hasTag(key === undefined ? start : sep) });
    }
    return steps;
  });
}

/** A member of a flow sequence is stored as a key too; only a question mark before or a colon behind makes it one. */
function keyStep(step: Step, start: readonly CST.SourceToken[], sep: readonly CST.SourceToken[]): Step {
  const isExplicit = start.some(({ type }) => type === 'explicit-key-ind');
  const isImplicit = sep.some(({ type }) => type === 'map-value-ind');
  const isInKey = step.isInKey || ((isExplicit || isImplicit) && CST.isCollection(step.token));
  const role = isExplicit ? 'explicit-key' : isImplicit ? 'implicit-key' : 'value';
  return { ...step, role, isInKey, isTagged: hasTag(start) };
}

function hasTag(tokens: readonly CST.SourceToken[]): boolean {
  return tokens.some(({ type }) => type === 'tag');
}

/** The keys and places from the root down to a slot: texts for maps, `'[]'` for the members of a sequence. */
export function namesOf(path: YamlPath | undefined): string[] {
  const names: string[] = [];
  for (let at = path; at !== undefined; at = at.parent) names.push(at.key === undefined ? '[]' : keyText(at.key));
  return names.reverse();
}

/** The value beside a slot in the innermost map around it. */
export function siblingOf(path: YamlPath | undefined, name: string): ScalarToken | undefined {
  if (path === undefined || path.container.type === 'block-seq') return undefined;
  const container: MapLike = path.container;
  for (const { key, value } of container.items) {
    if (key && keyText(key) === name) return CST.isScalar(value) ? value : undefined;
  }
  return undefined;
}

/** What a scalar says; empty for anything else. */
export function keyText(token: CST.Token): string {
  return CST.isScalar(token) ? CST.resolveAsScalar(token, false, () => undefined).value : '';
}

// Finds the tags of a Jinja template ({{ }}, {% %}, {# #} and whole raw blocks) as Jinja's lexer does.

export interface JinjaTag {
  readonly start: number;
  readonly end: number;
  /** Prints something where it stands; statements and comments don't. */
  readonly isExpression: boolean;
}

export interface JinjaTags {
  readonly tags: readonly JinjaTag[];
  /** Where a tag begins that never ends; undefined when all do. */
  readonly openAt: number | undefined;
}

const OPENING = /\{[{%#]/g;
/** Up to the end of a tag, over strings that may hold that end. Every alternative begins with another character. */
const REST_OF_EXPRESSION = /(?:[^'"}]|'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*"|\}(?!\}))*\}\}/y;
const REST_OF_STATEMENT = /(?:[^'"%]|'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*"|%(?!\}))*%\}/y;
const RAW = /^\{%[-+]?\s*raw\s*[-+]?%\}$/;
const END_OF_RAW = /\{%[-+]?\s*endraw\s*[-+]?%\}/g;

/** Tags in the order of the text. */
export function findJinjaTags(text: string): JinjaTags {
  const tags: JinjaTag[] = [];
  OPENING.lastIndex = 0;
  for (let opening = OPENING.exec(text); opening !== null; opening = OPENING.exec(text)) {
    const start = opening.index;
    const end = endOfTag(text, start, opening[0]);
    if (end === undefined) return { tags, openAt: start };
    tags.push({ start, end, isExpression: opening[0] === '{{' });
    OPENING.lastIndex = end;
  }
  return { tags, openAt: undefined };
}

function endOfTag(text: string, start: number, opening: string): number | undefined {
  if (opening === '{#') return behind(text, '#}', start + 2);
  const rest = opening === '{{' ? REST_OF_EXPRESSION : REST_OF_STATEMENT;
  rest.lastIndex = start + 2;
  if (!rest.test(text)) return undefined;
  const end = rest.lastIndex;
  if (!RAW.test(text.slice(start, end))) return end;
  END_OF_RAW.lastIndex = end;
  return END_OF_RAW.test(text) ? END_OF_RAW.lastIndex : undefined;
}

function behind(text: string, what: string, from: number): number | undefined {
  const at = text.indexOf(what, from);
  return at === -1 ? undefined : at + what.length;
}

// Reads YAML as tokens with offsets, within bounds that keep a hostile document from taking the process.

import { Composer, type CST, Lexer, Parser } from 'yaml';
import { MAX_YAML_DEPTH, MAX_YAML_LEXEMES } from '../domain/limits.ts';

export interface YamlProblem {
  readonly message: string;
  readonly offset: number;
}

export interface YamlReading {
  /** Empty when the document is too deep or too long to be looked at. */
  readonly tokens: readonly CST.Token[];
  readonly problems: readonly YamlProblem[];
}

/** What follows a first error is mostly its consequence. */
const MAX_ERRORS = 20;
/** What Python's reader of YAML 1.1 takes for the end of a line, and the 1.2 parser doesn't. */
const FOREIGN_BREAK = /\r(?!\n)|[\u0085\u2028\u2029]/;
/** As many times as all aliases of a document may stand for what they point to. */
const MAX_ALIASES = 100;

/** Reads one document. cloud-init's own reader is PyYAML: what only one of the two understands is a problem here. */
export function readYaml(text: string): YamlReading {
  const foreign = FOREIGN_BREAK.exec(text);
  if (foreign !== null) {
    const message = 'This character ends a line for the YAML reader of cloud-init and not for others; remove it.';
    return { tokens: [], problems: [{ message, offset: foreign.index }] };
  }
  const parsed = parseTokens(text);
  if ('message' in parsed) return { tokens: [], problems: [parsed] };
  return { tokens: parsed, problems: composeProblems(text, parsed) };
}

function parseTokens(text: string): CST.Token[] | YamlProblem {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  let lexemes = 0;
  let offset = 0;
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme));
    offset = parser.offset;
    lexemes += 1;
    if (lexemes > MAX_YAML_LEXEMES) return { message: 'Up to here this YAML has too many words and marks.', offset };
    if (parser.stack.length > MAX_YAML_DEPTH) return { message: 'This YAML is nested too deeply.', offset };
  }
  tokens.push(...parser.end());
  return tokens;
}

function composeProblems(text: string, tokens: readonly CST.Token[]): YamlProblem[] {
  const problems: YamlProblem[] = [];
  const composer = new Composer({ uniqueKeys: false, strict: true, logLevel: 'error' });
  const [first, second] = [...composer.compose(tokens, true, text.length)];
  for (const error of first?.errors.slice(0, MAX_ERRORS) ?? []) {
    problems.push({ message: `This YAML cannot be read: ${error.message}.`, offset: error.pos[0] });
  }
  if (second !== undefined) {
    problems.push({
      message: 'A second YAML document begins here; cloud-init takes one only.',
      offset: second.range[0],
    });
  }
  if (problems.length === 0 && first !== undefined && text.includes('*')) {
    try {
      first.toJS({ maxAliasCount: MAX_ALIASES });
    } catch (error) {
      if (!(error instanceof ReferenceError)) throw error;
      problems.push({ message: 'An alias of this YAML has no anchor, or the aliases stand for too much.', offset: 0 });
    }
  }
  return problems;
}

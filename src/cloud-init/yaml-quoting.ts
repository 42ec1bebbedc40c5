// How a text is written in YAML so that PyYAML (1.1), `yaml` (1.2) and JSON readers all read it as exactly that string.

/** Characters that PyYAML refuses, folds or takes for a line break: only double quotes can hold them, escaped. */
const NEEDS_ESCAPE = /[^\P{Cc}\t\n]|[\u2028\u2029\ufeff\ufffe\uffff]/u;
const ESCAPED = /["\\\p{Cc}\u2028\u2029\ufeff\ufffe\uffff]/gu;
const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\t': '\\t',
  '\r': '\\r',
};

/** As part of a plain scalar such a text has no meaning of its own. */
const ORDINARY = /^[A-Za-z0-9_][A-Za-z0-9_./+=-]*$/;
/** What begins so is no number, date, boolean mark, merge key or indicator. */
const ORDINARY_START = /^[A-Za-z_/]/;
const WORDS_OF_YAML = /^(?:y|n|yes|no|on|off|true|false|null|nan|inf)$/i;

/** Whether a text has characters that only double quotes can hold. Line feed and tab aren't among them. */
export function needsEscape(text: string): boolean {
  return NEEDS_ESCAPE.test(text);
}

/** One line in double quotes. Only \uXXXX beside the short escapes: \xXX isn't JSON, \UXXXXXXXX neither; astral characters stay raw. */
export function doubleQuoted(text: string): string {
  return `"${insideDoubleQuotes(text)}"`;
}

export function insideDoubleQuotes(text: string): string {
  return text.replace(
    ESCAPED,
    (character) => SHORT_ESCAPES[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Whether a plain scalar stays a plain scalar, and a string, with these values in it. */
export function isPlainSafe(values: readonly string[], whole: string): boolean {
  return values.every((value) => ORDINARY.test(value)) && ORDINARY_START.test(whole) && !WORDS_OF_YAML.test(whole);
}

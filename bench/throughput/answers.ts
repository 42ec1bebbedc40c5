// What the real server answers, for the ceiling to repeat.

/* biome-ignore-all lint/suspicious/noExplicitAny: whatever the server answers is repeated as it is */

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: any;
}

export interface Answers {
  readonly value: Answer;
  readonly listValues: Answer;
  readonly allValues: Answer;
  readonly lists: Answer;
  readonly refused: Answer;
  readonly notModified: Answer;
  readonly refusedAuthorization: string;
}

/** Headers that HTTP itself adds. */
const OWN_OF_HTTP = new Set(['connection', 'content-length', 'date', 'keep-alive', 'transfer-encoding']);

export async function fetchAnswer(url: string, headers: Record<string, string>): Promise<Answer> {
  const response = await fetch(url, { headers });
  const text = await response.text();
  return {
    status: response.status,
    headers: Object.fromEntries([...response.headers].filter(([name]) => !OWN_OF_HTTP.has(name))),
    body: text === '' ? undefined : JSON.parse(text),
  };
}

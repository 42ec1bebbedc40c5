// An account to measure: values in 20 lists, made over HTTP.

import autocannon from 'autocannon';
import { KEY } from './servers.ts';

export const LISTS = 20;
export const HEADERS = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };

export interface MeasuredValue {
  readonly id: number;
  readonly secret_list_id: number;
  readonly secret_key: string;
}

export interface MeasuredAccount {
  readonly values: readonly MeasuredValue[];
  listName(id: number): string;
}

export async function fillAccount(port: number, count: number): Promise<MeasuredAccount> {
  const names = new Map<number, string>();
  for (let i = 0; i < LISTS; i += 1) {
    const name = `machines of rack ${i}`;
    const { id } = await post(port, '/api/secrets/lists', { name });
    names.set(id, name);
  }
  const ids = [...names.keys()];
  let made = 0;
  const { errors, non2xx } = await autocannon({
    url: `http://127.0.0.1:${port}`,
    connections: LISTS,
    amount: count,
    headers: HEADERS,
    requests: [
      {
        method: 'POST',
        setupRequest: (request) => {
          made += 1;
          const value = { secret_key: `KEY_${made}`, secret_value: `the value number ${made}, as long as a token is` };
          return { ...request, path: `/api/secrets/lists/${ids[made % LISTS]}/values`, body: JSON.stringify(value) };
        },
      },
    ],
  });
  if (errors + non2xx > 0) throw new Error(`${errors + non2xx} of ${count} values could not be made`);
  const response = await fetch(`http://127.0.0.1:${port}/api/secrets/all-values`, { headers: HEADERS });
  const { data } = (await response.json()) as { data: MeasuredValue[] };
  return { values: data, listName: (id) => names.get(id) ?? '' };
}

async function post(port: number, path: string, body: unknown): Promise<MeasuredValue> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: HEADERS,
    body: JSON.stringify(body),
  });
  const { data } = (await response.json()) as { data: MeasuredValue };
  return data;
}

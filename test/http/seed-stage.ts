// What the tests of instances and of their seeds share: a server with a public URL, secrets, instances, and fetches as
// a machine makes them: without an API key, from an address of its own.

import { type Answer, startTestServer, TEST_TOKEN, type TestServer } from '../support/test-server.ts';
import { expectSuccess, FORM } from './api-answers.ts';

export const PUBLIC_URL = 'https://secrets.example:8443';
export const INSTANCES = '/api/cloud-init/instances';
export const VALUES = '/api/secrets/lists/home/values';
export const SEED_FILES = ['meta-data', 'user-data', 'vendor-data', 'network-config'] as const;
export type SeedFile = (typeof SEED_FILES)[number];

export interface NewInstance {
  readonly id: number;
  readonly seed_url: string;
  /** The path of the seed, with a slash at its end. */
  readonly seed: string;
  readonly token: string;
}

let instances = 0;

export async function startSeedServer(environment: Record<string, string> = {}): Promise<TestServer> {
  const server = await startTestServer({ SECRET_MANAGER_PUBLIC_URL: PUBLIC_URL, ...environment });
  expectSuccess(await server.request('POST', '/api/secrets/lists', { body: { name: 'home' } }));
  return server;
}

/** Creates it in the list `home` of the token's account, or gives it this value. Returns its id. */
export async function putSecret(
  server: TestServer,
  key: string,
  value: string,
  token: string = TEST_TOKEN,
): Promise<number> {
  const body = { secret_key: key, secret_value: value };
  await server.request('POST', '/api/secrets/lists', { token, body: { name: 'home' } });
  const known = await server.request('POST', `${VALUES}/${encodeURIComponent(key)}`, { token, body });
  if (known.status === 200) return known.json.data.id;
  return expectSuccess(await server.request('POST', VALUES, { token, body })).id;
}

export async function newInstance(
  server: TestServer,
  fields: Record<string, unknown> = {},
  token: string = TEST_TOKEN,
): Promise<NewInstance> {
  instances += 1;
  const name = `machine-${instances}`;
  const body = { instance_id: name, hostname: name, user_data: '#cloud-config\n{}\n', ...fields };
  const data = expectSuccess(await server.request('POST', INSTANCES, { token, body }));
  const { pathname } = new URL(data.seed_url);
  return { ...data, seed: pathname, token: pathname.split('/')[2] };
}

export async function showInstance(server: TestServer, { id }: Pick<NewInstance, 'id'>, token: string = TEST_TOKEN) {
  return expectSuccess(await server.request('GET', `${INSTANCES}/${id}`, { token }));
}

/** The answer with the bytes as text; `from` is the machine's address. */
export async function fetchSeed(
  { app }: TestServer,
  { seed }: Pick<NewInstance, 'seed'>,
  file: string,
  options: { readonly method?: 'GET' | 'HEAD'; readonly from?: string } = {},
): Promise<Answer> {
  const { method = 'GET', from = '192.0.2.7' } = options;
  return answerOf(await app.inject({ method, url: seed + file, remoteAddress: from }));
}

export async function phoneHome(
  { app }: TestServer,
  { seed }: Pick<NewInstance, 'seed'>,
  fields: Record<string, string> | string = {},
  from = '192.0.2.7',
): Promise<Answer> {
  const payload = typeof fields === 'string' ? fields : new URLSearchParams(fields).toString();
  return answerOf(
    await app.inject({ method: 'POST', url: `${seed}phone-home`, headers: FORM, payload, remoteAddress: from }),
  );
}

function answerOf(response: Awaited<ReturnType<TestServer['app']['inject']>>): Answer {
  const { statusCode: status, headers, body: text } = response;
  const isJson = String(headers['content-type']).startsWith('application/json') && text !== '';
  return { status, headers, text, json: isJson ? response.json() : undefined };
}

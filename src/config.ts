// The only reader of the environment. Every fault is told at once, each in a sentence; no sentence holds a value that
// could be secret.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Static, type TObject, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { isTokenWellFormed } from './crypto/api-key-token.ts';
import { parseRootKeys } from './crypto/root-key-text.ts';
import { OperatorError } from './domain/errors.ts';
import { DEFAULT_QUOTAS, type Quotas } from './domain/limits.ts';

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const API_KEY = {
  pattern: '^[A-Za-z0-9_-]{32,128}$',
  fault: 'is not an API key; give 32 to 128 characters of A-Z, a-z, 0-9, _ and -.',
};
/** Semicolons and quotes would break the kernel command lines that it goes into. */
const URL_PATTERN = '^https?://[^\\s/?#@;\'"]+(/[^\\s?#;\'"]*)?$';

const QUOTA = {
  pattern: '^[1-9][0-9]{0,8}$',
  fault: 'is not a limit; give a whole number from 1 to 999999999.',
};

/** The environment variables. `fault` is the sentence for a value that doesn't fit. */
const Variables = Type.Object({
  HOST: Type.Optional(Type.String({ minLength: 1, fault: 'is empty; give an address or name to listen on.' })),
  PORT: Type.Optional(
    Type.String({
      pattern: '^([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$',
      fault: 'is not a port; give a number from 0 to 65535.',
    }),
  ),
  SECRET_MANAGER_DATA_DIR: Type.Optional(Type.String({ minLength: 1, fault: 'is empty; give a directory.' })),
  SECRET_MANAGER_DATABASE_URL: Type.Optional(
    Type.Never({ fault: 'is set, but this version stores in SQLite alone; unset it.' }),
  ),
  // Looked at on its own: there can be several.
  SECRET_MANAGER_ROOT_KEY: Type.Optional(Type.String()),
  SECRET_MANAGER_API_KEY: Type.Optional(Type.String(API_KEY)),
  SECRET_MANAGER_PUBLIC_URL: Type.Optional(
    Type.String({
      pattern: URL_PATTERN,
      fault: 'is not a URL; give one like https://secrets.example.com, without user, query or fragment.',
    }),
  ),
  SECRET_MANAGER_MAX_LISTS: Type.Optional(Type.String(QUOTA)),
  SECRET_MANAGER_MAX_VALUES: Type.Optional(Type.String(QUOTA)),
  SECRET_MANAGER_MAX_INSTANCES: Type.Optional(Type.String(QUOTA)),
  SECRET_MANAGER_AUDIT_RETENTION_DAYS: Type.Optional(
    Type.String({ pattern: '^[1-9][0-9]{0,4}$', fault: 'is not a number of days; give one from 1 to 99999.' }),
  ),
  LOG_LEVEL: Type.Optional(
    Type.Union(
      LOG_LEVELS.map((level) => Type.Literal(level)),
      { fault: `is not a log level; give one of ${LOG_LEVELS.join(', ')}.` },
    ),
  ),
});
type Variables = Static<typeof Variables>;

const ClientVariables = Type.Object({
  SECRET_MANAGER_URL: Type.String({
    pattern: URL_PATTERN,
    fault: "is not a URL; give the server's, like https://secrets.example.com.",
    missing: 'is unset; give the URL of the server.',
  }),
  // The hosted service's keys look otherwise than ours.
  SECRET_MANAGER_API_KEY: Type.String({
    pattern: '^[!-~]+$',
    fault: 'is not an API key; copy it again, whole.',
    missing: 'is unset; give an API key that may read.',
  }),
});

export const VARIABLE_NAMES = Object.keys(Variables.properties) as (keyof Variables)[];

export interface Config {
  readonly host: string;
  readonly port: number;
  /** Absolute. */
  readonly dataDirectory: string;
  /** Of 32 bytes each, the current one first; undefined when the data directory's root.key is to be used. */
  readonly rootKeys: readonly Buffer[] | undefined;
  /** The file that they were read from; undefined when they were not. */
  readonly rootKeyFile: string | undefined;
  /** The token of the first API key; undefined when one is to be generated. */
  readonly firstApiKey: string | undefined;
  /** Without a trailing slash; undefined when machines reach the server where it listens. */
  readonly publicUrl: string | undefined;
  /** What each account may hold. */
  readonly quotas: Quotas;
  /** Older audit events are pruned daily; undefined keeps them all. */
  readonly auditRetentionDays: number | undefined;
  readonly logLevel: LogLevel;
}

/** Throws OperatorError (`configuration`) that names every fault in the environment. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const settings = readSettings(Variables, environment) as Variables;
  return toConfig(settings, environment['SECRET_MANAGER_ROOT_KEY_FILE']);
}

/** Where a command that is a client of a server finds it. */
export interface ClientConfig {
  /** Ends in `/api/`. */
  readonly apiUrl: URL;
  readonly apiKey: string;
}

/** Throws OperatorError (`configuration`) that names every fault in what a client needs. */
export function readClientConfig(environment: NodeJS.ProcessEnv = process.env): ClientConfig {
  const settings = readSettings(ClientVariables, environment) as Static<typeof ClientVariables>;
  const base = settings.SECRET_MANAGER_URL.replace(/\/+$/, '');
  return {
    apiUrl: new URL(base.endsWith('/api') ? `${base}/` : `${base}/api/`),
    apiKey: settings.SECRET_MANAGER_API_KEY,
  };
}

function readSettings(variables: TObject, environment: NodeJS.ProcessEnv): Record<string, string> {
  const { settings, faults } = collectSettings(Object.keys(variables.properties), environment);
  for (const { path, schema } of Value.Errors(variables, settings)) {
    const name = path.slice(1);
    faults.push(`${name} ${settings[name] === undefined ? schema['missing'] : schema['fault']}`);
  }
  for (const name of ['SECRET_MANAGER_PUBLIC_URL', 'SECRET_MANAGER_URL']) {
    const url = settings[name];
    if (url !== undefined && !URL.canParse(url)) faults.push(`${name} ${variables.properties[name]?.['fault']}`);
  }
  const token = settings['SECRET_MANAGER_API_KEY'];
  if (token?.startsWith('smk_') && !isTokenWellFormed(token)) {
    faults.push('SECRET_MANAGER_API_KEY starts with smk_ but its checksum is wrong; copy it again, whole.');
  }
  const rootKeys = parseRootKeys(settings['SECRET_MANAGER_ROOT_KEY'] ?? '');
  if ('fault' in rootKeys && settings['SECRET_MANAGER_ROOT_KEY'] !== undefined) {
    faults.push(`SECRET_MANAGER_ROOT_KEY ${rootKeys.fault}; make one with "openssl rand -base64 32".`);
  }
  if (faults.length > 0) throw new OperatorError('configuration', [...new Set(faults)].join('\n'));
  return settings;
}

function collectSettings(names: readonly string[], environment: NodeJS.ProcessEnv) {
  const settings: Record<string, string> = {};
  const faults: string[] = [];
  for (const name of names) {
    const direct = environment[name];
    const file = environment[`${name}_FILE`];
    if (direct !== undefined && file !== undefined) {
      faults.push(`${name} and ${name}_FILE are both set; unset one of them.`);
    } else if (direct !== undefined) {
      settings[name] = direct;
    } else if (file !== undefined) {
      try {
        settings[name] = readFileSync(file, 'utf8').trim();
      } catch (error) {
        faults.push(`${name}_FILE names a file that cannot be read (${(error as NodeJS.ErrnoException).code}).`);
      }
    }
  }
  return { settings, faults };
}

function toConfig(settings: Variables, rootKeyFile: string | undefined): Config {
  const rootKeys = parseRootKeys(settings.SECRET_MANAGER_ROOT_KEY ?? '');
  return {
    host: settings.HOST ?? '127.0.0.1',
    port: Number(settings.PORT ?? '8080'),
    dataDirectory: resolve(settings.SECRET_MANAGER_DATA_DIR ?? './data'),
    rootKeys: 'keys' in rootKeys ? rootKeys.keys : undefined,
    rootKeyFile: rootKeyFile === undefined ? undefined : resolve(rootKeyFile),
    firstApiKey: settings.SECRET_MANAGER_API_KEY,
    publicUrl: settings.SECRET_MANAGER_PUBLIC_URL?.replace(/\/+$/, ''),
    quotas: {
      lists: Number(settings.SECRET_MANAGER_MAX_LISTS ?? DEFAULT_QUOTAS.lists),
      values: Number(settings.SECRET_MANAGER_MAX_VALUES ?? DEFAULT_QUOTAS.values),
      instances: Number(settings.SECRET_MANAGER_MAX_INSTANCES ?? DEFAULT_QUOTAS.instances),
    },
    auditRetentionDays: toNumber(settings.SECRET_MANAGER_AUDIT_RETENTION_DAYS),
    logLevel: settings.LOG_LEVEL ?? 'info',
  };
}

function toNumber(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

// Boots the cloud-init that is installed here, over a throw-away overlay of this machine, and tells what it did. Where
// that can't be done its tests are skipped with one line that says why; with CI set they fail instead.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const RUN_CLOUD_INIT = join(import.meta.dirname, 'sandbox/run-cloud-init.sh');
const ONE_BOOT = 'identify local init config final';
const GUEST_TIMEOUT_MS = 60_000;

const COMPLAINT = /\[(?:WARNING|ERROR|CRITICAL)\]|^\w*(?:Error|Exception)\b/;
/** The sandbox has no right to change its host name, and one host key only. */
const OF_THE_SANDBOX = /adjust the system hostname|ssh_host_(?:dsa|rsa|ecdsa)_key|pub_key_(?:rsa|ecdsa)/;

const TRY_OVERLAY = [
  'mount -t tmpfs tmpfs /mnt',
  'mkdir /mnt/upper /mnt/work /mnt/root',
  'mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root',
].join(' && ');
const NEEDED = [
  ['this is not root', '[ "$(id -u)" = 0 ]'],
  ['cloud-init is not installed', 'command -v cloud-init && /usr/bin/python3 -c "import cloudinit"'],
  ['ssh-keygen is not installed', 'command -v ssh-keygen'],
  [
    'no overlay can be mounted in namespaces of its own',
    `unshare --mount --net --pid --uts --ipc --fork sh -c '${TRY_OVERLAY}'`,
  ],
] as const;

const missing = NEEDED.find(([, command]) => spawnSync('sh', ['-c', command]).status !== 0)?.[0];
export const canBoot = missing === undefined || Boolean(process.env['CI']);

if (!canBoot) process.stderr.write(`Skipped: booting the real cloud-init, because ${missing}.\n`);

export interface Machine {
  /** The exit codes of cloud-init's stages. */
  readonly exitCodes: readonly number[];
  /** cloud-init.log: all that it did, at debug level. */
  readonly log: string;
  /** Lines of that log that tell of something wrong. */
  readonly complaints: readonly string[];
  /** What the stages wrote to the console, and so the scripts of user-data too. */
  readonly console: string;
  /** A file that the boot made or changed; undefined when it did neither. */
  file(path: string): string | undefined;
  /** Permission bits of such a file. */
  mode(path: string): number;
  /** Such files, outside of /srv, that have `text` in them and that everyone on the machine may read. */
  openFilesWith(text: string): string[];
}

/** Boots a machine whose kernel was given `commandLine`; `times` more than once is with reboots between. */
export async function bootMachine(commandLine: string, times = 1): Promise<Machine> {
  if (missing !== undefined) throw new Error(`The real cloud-init can't be booted: ${missing}.`);
  const directory = temporaryDirectory();
  const { PATH = '' } = process.env;
  const child = spawn(RUN_CLOUD_INIT, [commandLine, directory], {
    env: { PATH, STAGES: Array(times).fill(ONE_BOOT).join(' reboot ') },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: GUEST_TIMEOUT_MS,
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  await once(child, 'close');
  if (child.exitCode !== 0) throw new Error(`The sandbox ended with ${child.exitCode ?? child.signalCode}: ${stderr}`);
  const output = (name: string) => readFileSync(join(directory, name), 'utf8');
  const inRoot = (path: string) => join(directory, 'rootfs', path);
  const log = output('cloud-init.log');
  return {
    exitCodes: output('stages')
      .trim()
      .split('\n')
      .map((line) => Number.parseInt(line, 10)),
    log,
    complaints: log.split('\n').filter((line) => COMPLAINT.test(line) && !OF_THE_SANDBOX.test(line)),
    console: output('console.log'),
    file: (path) => (exists(inRoot(path)) ? readFileSync(inRoot(path), 'utf8') : undefined),
    mode: (path) => statSync(inRoot(path)).mode & 0o7777,
    openFilesWith: (text) => openFiles(inRoot('')).filter((path) => readFileSync(inRoot(path), 'utf8').includes(text)),
  };
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

const READABLE_BY_ALL = 0o004;
const PASSABLE_BY_ALL = 0o001;

/** Files that everyone may read and whose directories everyone may pass through. */
function openFiles(root: string, directory = ''): string[] {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    const path = `${directory}/${entry.name}`;
    if (entry.isSymbolicLink() || path === '/srv') return [];
    const { mode } = statSync(join(root, path));
    if (entry.isDirectory()) return mode & PASSABLE_BY_ALL ? openFiles(root, path) : [];
    return entry.isFile() && mode & READABLE_BY_ALL ? [path] : [];
  });
}

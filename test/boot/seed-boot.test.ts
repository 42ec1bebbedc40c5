// Machines that boot from a seed of this server: what they take from it, that they close it by phoning home, and what
// is left of it for them afterwards.

import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ListeningServer, startListeningServer } from '../support/listening-server.ts';
import { bootMachine, canBoot, type Machine } from './sandbox.ts';

const HOST_KEY = '/etc/ssh/ssh_host_ed25519_key.pub';
const INSTANCE_ID = '/var/lib/cloud/data/instance-id';
const OUTCOME = '/var/lib/cloud/data/result.json';
const VENDOR_COMMAND = 'printf "%s é" ${{secret.WORD}} >/srv/vendor';
const TOMBSTONE = '#cloud-config\n{}\n';
const MARK = '#cloud-config\nwrite_files:\n- {path: /srv/mark, content: "${{secret.WORD}}"}\n';

const SECRETS = {
  LOGIN: 'pass: \'word\' "1" # $6$ {{ é',
  OTHER_LOGIN: 'two words',
  ARGUMENT: 'it\'s $HOME `id` $(id) \\ "q" * \n - {{ 7*7 }} é\u{1f511}',
  PEM: '-----BEGIN X-----\nMIIB+/=\n-----END X-----\n',
  WORD: 'applied',
};

const USER_DATA = `#cloud-config
users:
- name: alice
  lock_passwd: false
  passwd: \${{secret.LOGIN | sha512crypt}}
- {name: bob, lock_passwd: false}
- {name: carol, lock_passwd: false}
chpasswd:
  expire: false
  users:
  - {name: bob, password: \${{secret.LOGIN | sha512crypt}}}
  - {name: carol, password: \${{secret.OTHER_LOGIN}}, type: text}
write_files:
- path: /srv/key.pem
  owner: bob:bob
  permissions: '0600'
  defer: true
  content: |
    \${{secret.PEM}}
runcmd:
- [sh, -c, 'printf %s "$1" >/srv/argument', sh, "\${{secret.ARGUMENT}}"]
- |
  printf %s \${{secret.ARGUMENT | sh}} >/srv/word
`;

/** The seed's instance as the server shows it. */
interface Shown {
  readonly kernel_command_line: string;
  readonly seed_url: string;
  readonly include: string;
  readonly first_fetched_at: string | null;
  readonly closed_reason: string | null;
  readonly phone_home: Record<string, string> | null;
}

describe.skipIf(!canBoot)('a machine that boots from a seed', () => {
  let server: ListeningServer;

  beforeAll(async () => {
    server = await startListeningServer();
    await server.request('POST', '/api/secrets/lists', { body: { name: 'machines' } });
    for (const [key, value] of Object.entries(SECRETS)) await createSecret(key, value);
  });
  afterAll(() => server.end());

  async function createSecret(key: string, value: string): Promise<void> {
    const body = { secret_key: key, secret_value: value };
    const { status } = await server.request('POST', '/api/secrets/lists/machines/values', { body });
    expect(status).toBe(200);
  }

  async function createInstance(name: string, fields: Record<string, unknown>): Promise<Shown> {
    const body = { instance_id: name, hostname: `${name}.example.com`, ...fields };
    const answer = await server.request('POST', '/api/cloud-init/instances', { body });
    expect(answer.status, answer.text).toBe(200);
    return answer.json.data;
  }

  async function show(name: string): Promise<Shown> {
    return (await server.request('GET', `/api/cloud-init/instances/${name}`)).json.data;
  }

  function expectSoundBoot(machine: Machine): void {
    expect(machine.exitCodes.filter((code) => code !== 0)).toEqual([]);
    expect(machine.complaints).toEqual([]);
    expect(JSON.parse(machine.file(OUTCOME) ?? '')).toMatchObject({ v1: { errors: [] } });
  }

  describe('with passwords, a file and commands', () => {
    let machine: Machine;
    beforeAll(async () => {
      const { kernel_command_line } = await createInstance('web-1', { user_data: USER_DATA });
      machine = await bootMachine(kernel_command_line);
    });

    test('boots without a warning, under its own name', () => {
      expectSoundBoot(machine);
      expect(machine.file(INSTANCE_ID)).toBe('web-1\n');
      expect(machine.file('/etc/hostname')).toBe('web-1\n');
    });

    test('has users who can log in with their passwords', () => {
      expect(canLogIn(machine, 'alice', SECRETS.LOGIN)).toBe(true);
      expect(canLogIn(machine, 'alice', SECRETS.OTHER_LOGIN)).toBe(false);
      expect(canLogIn(machine, 'bob', SECRETS.LOGIN)).toBe(true);
      expect(canLogIn(machine, 'carol', SECRETS.OTHER_LOGIN)).toBe(true);
    });

    test('has the file, for its owner alone', () => {
      expect(machine.file('/srv/key.pem')).toBe(SECRETS.PEM);
      expect(machine.mode('/srv/key.pem')).toBe(0o600);
    });

    test('runs its commands with the values as they are', () => {
      expect(machine.file('/srv/argument')).toBe(SECRETS.ARGUMENT);
      expect(machine.file('/srv/word')).toBe(SECRETS.ARGUMENT);
    });

    test('closes its seed by phoning home and tells its host key', async () => {
      const { closed_reason, phone_home } = await show('web-1');
      expect(closed_reason).toBe('phone-home');
      expect(phone_home).toMatchObject({ instance_id: 'web-1', hostname: 'web-1', fqdn: 'web-1.example.com' });
      expect(phone_home?.['pub_key_ed25519']?.trim()).toBe(machine.file(HOST_KEY)?.trim());
    });

    test('leaves no value where others than root can read it', () => {
      expect(machine.openFilesWith('web-1.example.com')).toContain('/run/cloud-init/instance-data.json');
      for (const value of Object.values(SECRETS)) {
        const [line = ''] = value.split('\n').filter((each) => !each.startsWith('-----'));
        expect(machine.openFilesWith(line)).toEqual([]);
        expect(machine.console).not.toContain(line);
      }
    });
  });

  test.each([
    ['without asking for its seed again', '', 0],
    ['on the tombstone of its seed', 'manual_cache_clean: false\n', 1],
  ])('keeps its identity and host keys over a reboot, %s', async (_how, setting, refetches) => {
    const name = `reboot-${refetches}`;
    const { kernel_command_line } = await createInstance(name, { user_data: `${MARK}${setting}` });
    const machine = await bootMachine(kernel_command_line, 2);
    expectSoundBoot(machine);
    expect(machine.log.match(/Read from http\S+\/user-data /g)).toHaveLength(1 + refetches);
    expect(machine.file(INSTANCE_ID)).toBe(`${name}\n`);
    expect(machine.file('/var/lib/cloud/data/previous-instance-id')).toBe(`${name}\n`);
    expect(machine.file(userDataOf(name)) === TOMBSTONE).toBe(refetches > 0);
    const { closed_reason, phone_home } = await show(name);
    expect(closed_reason).toBe('phone-home');
    expect(phone_home?.['pub_key_ed25519']?.trim()).toBe(machine.file(HOST_KEY)?.trim());
  });

  test.each([
    ['a cloud-config', 'config', `#cloud-config\nruncmd:\n- ${VENDOR_COMMAND}\n`],
    ['a script', 'script', `#!/bin/sh\n${VENDOR_COMMAND}\n`],
    ['a Jinja template', 'jinja', `## template: jinja\n#!/bin/sh\n{% if 1 %}\n${VENDOR_COMMAND}\n{% endif %}\n`],
    ['an archive', 'archive', `#cloud-config-archive\n- |\n  #!/bin/sh\n  ${VENDOR_COMMAND}\n`],
    [
      'a MIME message',
      'mime',
      `MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\n#!/bin/sh\n${VENDOR_COMMAND}\n--B--\n`,
    ],
  ])("takes the user's own vendor-data, %s, and still phones home", async (_what, kind, vendorData) => {
    const name = `vendor-${kind}`;
    const { kernel_command_line } = await createInstance(name, { user_data: MARK, vendor_data: vendorData });
    const machine = await bootMachine(kernel_command_line);
    expectSoundBoot(machine);
    expect(machine.file('/srv/mark')).toBe(SECRETS.WORD);
    expect(machine.file('/srv/vendor')).toBe('applied é');
    expect((await show(name)).closed_reason).toBe('phone-home');
  });

  test('waits while a key of its seed is missing', async () => {
    const { kernel_command_line } = await createInstance('early', {
      user_data: '#!/bin/sh\n: ${{secret.LATE | sh}}\n',
    });
    async function createLate(): Promise<void> {
      await sleep(3_000);
      expect((await show('early')).closed_reason).toBeNull();
      await createSecret('LATE', 'here now');
    }
    const [machine] = await Promise.all([bootMachine(kernel_command_line), createLate()]);
    expectSoundBoot(machine);
    expect(machine.file(userDataOf('early'))).toBe("#!/bin/sh\n: 'here now'\n");
    expect((await show('early')).closed_reason).toBe('phone-home');
  });

  test('needs no user-data to have a name and to phone home', async () => {
    const { kernel_command_line } = await createInstance('bare', { user_data: '' });
    const machine = await bootMachine(kernel_command_line);
    expectSoundBoot(machine);
    expect(machine.file(INSTANCE_ID)).toBe('bare\n');
    expect((await show('bare')).closed_reason).toBe('phone-home');
  });

  test('takes user-data that is included from another seed', async () => {
    const { include } = await createInstance('included', { user_data: MARK });
    const { kernel_command_line } = await createInstance('including', { user_data: include });
    const machine = await bootMachine(kernel_command_line);
    expectSoundBoot(machine);
    expect(machine.file('/srv/mark')).toBe(SECRETS.WORD);
    expect((await show('included')).first_fetched_at).not.toBeNull();
  });

  test("gets today's values when it is built anew from a seed that was opened again", async () => {
    await createSecret('CHANGING', 'yesterday');
    const { kernel_command_line } = await createInstance('again', { user_data: MARK.replace('WORD', 'CHANGING') });
    expect((await bootMachine(kernel_command_line)).file('/srv/mark')).toBe('yesterday');
    const path = '/api/secrets/lists/machines/values/CHANGING';
    await server.request('POST', path, { body: { secret_value: 'today' } });
    await server.request('POST', '/api/cloud-init/instances/again/reopen');
    expect((await bootMachine(kernel_command_line)).file('/srv/mark')).toBe('today');
    expect((await show('again')).closed_reason).toBe('phone-home');
  });

  test('still phones home when a script of its own fails', async () => {
    const { kernel_command_line } = await createInstance('failing', { user_data: '#!/bin/sh\nexit 3\n' });
    await bootMachine(kernel_command_line);
    expect((await show('failing')).closed_reason).toBe('phone-home');
  });

  test('is told its name and nothing else by a seed that was deleted', async () => {
    const { kernel_command_line } = await createInstance('deleted', { user_data: MARK });
    await server.request('DELETE', '/api/cloud-init/instances/deleted');
    expectTombstone(await bootMachine(kernel_command_line), 'deleted');
  });

  test('is told its name and nothing else by a seed whose time is over', async () => {
    const { kernel_command_line, seed_url } = await createInstance('expired', { user_data: MARK, expires_in: 1 });
    expect(await (await fetch(`${seed_url}user-data`)).text()).toContain(SECRETS.WORD);
    await sleep(1_100);
    expectTombstone(await bootMachine(kernel_command_line), 'expired');
    expect((await show('expired')).phone_home).toBeNull();
  });

  function expectTombstone(machine: Machine, name: string): void {
    expectSoundBoot(machine);
    expect(machine.file(INSTANCE_ID)).toBe(`${name}\n`);
    expect(machine.file(userDataOf(name))).toBe(TOMBSTONE);
    expect(machine.file('/srv/mark')).toBeUndefined();
  }
});

/** User-data as cloud-init keeps it, for root alone. */
function userDataOf(name: string): string {
  return `/var/lib/cloud/instances/${name}/user-data.txt`;
}

/** What login does: crypt(3) with the stored hash as the salt gives that hash again. */
function canLogIn(machine: Machine, user: string, password: string): boolean {
  const stored = new RegExp(`^${user}:([^:]*):`, 'm').exec(machine.file('/etc/shadow') ?? '')?.[1] ?? '';
  const { stdout } = spawnSync('perl', ['-e', 'print crypt($ARGV[0], $ARGV[1])', password, stored]);
  return stored.startsWith('$') && stdout.toString() === stored;
}

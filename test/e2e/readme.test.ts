import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { BARE, launch, MAIN, run, type Running } from '../support/program';
import { freePort } from '../support/spawned-server';
import { eventually } from '../support/until';

const ROOT = join(__dirname, '../..');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const [, FIRST_WEBHOOK = ''] = /\n## Your first webhook\n([\s\S]*?)\n## /.exec(README) ?? [];
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

/** The code blocks of a language, in their order. */
const blocks = (language: string): string[] =>
  [...FIRST_WEBHOOK.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, text]) => text!);

let folder: string;
let database: TestDatabase;
const running: Running[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'observers-readme-'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  database = await createTestDatabase({ migrate: false });
});
afterAll(async () => {
  for (const one of running) await one.end('SIGTERM');
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

/** A line as it is shown, whatever its numbers, times and names of instances are. */
function patternOf(line: string): RegExp {
  const escaped = line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const open = escaped.replace(/[\w-]+:\d+:[0-9a-f]{6}/g, '\\S+').replace(/\d+/g, '\\d+');
  return new RegExp(`^${open.replace(/^… /, '.*')}$`, 'm');
}

test('the five commands of the README succeed on a fresh database, in their order, and print what it shows', async () => {
  const port = await freePort();
  const env = {
    ...BARE,
    DATABASE_URL: database.url,
    OBSERVERS_PORT: '0',
    SHOP_WEBHOOK_SECRET: SECRET,
    SHOP_WEBHOOK_URL: `http://127.0.0.1:${port}/webhooks`,
  };
  const start = (args: readonly string[]): Running => {
    const one = launch(process.execPath, args, { cwd: folder, env });
    running.push(one);
    return one;
  };
  const [create, change] = blocks('sql');
  await database.query(create!);
  writeFileSync(join(folder, 'receiver.mjs'), blocks('js')[0]!.replace('9000', String(port)));
  const receiver = start(['receiver.mjs']);

  const commands = blocks('console').map((block) => {
    const [first, ...shown] = block.trimEnd().split('\n');
    return { args: first!.replace('$ npx fraiseql-observers ', '').split(' '), shown: shown.filter((line) => line !== '') };
  });
  expect(commands.map(({ args: [name] }) => name)).toEqual(['init', 'validate-config', 'start', 'why', 'status']);
  for (const { args, shown } of commands) {
    if (args[0] === 'start') {
      const service = start([MAIN, ...args]);
      for (const line of shown) await service.waitFor(patternOf(line));
      await database.query(change!);
      await receiver.waitFor(/^order\.updated 1 shipped$/m);
      // The attempt is on record a few milliseconds after the answer; the service says so.
      await service.waitFor(/"msg":"event".*\n[^]*"matched":\["order-shipped"\].*"msg":"event"/);
      continue;
    }
    const { code, out, err } = await run(process.execPath, [MAIN, ...args], { cwd: folder, env });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    for (const line of shown) expect(out).toMatch(patternOf(line));
    const file = join(folder, 'observers.yaml');
    if (args[0] === 'init') writeFileSync(file, readFileSync(file, 'utf8').replace('# signing:', 'signing:'));
  }
});

test('what is not signed with the secret is refused by the receiver of the README', async () => {
  const port = await freePort();
  writeFileSync(join(folder, 'other.mjs'), blocks('js')[0]!.replace('9000', String(port)));
  const receiver = launch(process.execPath, ['other.mjs'], { cwd: folder, env: { ...BARE, SHOP_WEBHOOK_SECRET: SECRET } });
  running.push(receiver);
  const ask = (): Promise<Response | null> => fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: '{}' }).catch(() => null);
  const answer = await eventually(ask, (one) => one !== null || receiver.child.exitCode !== null);
  expect(answer?.status).toBe(401);
});

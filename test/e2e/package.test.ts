import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BARE, launch, run, type Running } from '../support/program';

const ROOT = join(__dirname, '../..');
const env = { ...process.env, ...BARE, npm_config_audit: 'false', npm_config_fund: 'false', npm_config_update_notifier: 'false' };

let folder: string;
let tarball: string;
let demo: Running | null = null;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'observers-package-'));
  // The build stands already; building again would pull dist from under the other tests.
  const packed = await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: ROOT, env });
  expect(packed).toMatchObject({ code: 0 });
  tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? 'none was packed';
});

afterAll(async () => {
  if (demo !== null && demo.child.exitCode === null && demo.child.signalCode === null) await demo.end('SIGINT');
  rmSync(folder, { recursive: true, force: true });
});

test('the package holds the program and its papers, nothing else, and no path of the machine that packed it', async () => {
  const { out } = await run('tar', ['-tzf', join(folder, tarball)], { cwd: folder, env });
  const files = out.trim().split('\n').map((name) => name.replace('package/', '')); // prettier-ignore
  for (const needed of [
    'dist/src/main.js',
    'dist/migrations/0001-change-log.js',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'observers.schema.json',
    'docs/envelope.schema.json',
  ])
    expect(files).toContain(needed);
  expect(files.filter((name) => /^(src|test|bench|dist\/bench|node_modules)\//.test(name))).toEqual([]);
  expect(statSync(join(folder, tarball)).size).toBeLessThan(1 << 20);
  const unpacked = join(folder, 'unpacked');
  mkdirSync(unpacked);
  await run('tar', ['-xzf', join(folder, tarball), '-C', unpacked], { cwd: folder, env });
  const { out: found } = await run('grep', ['-rlF', ROOT, unpacked], { cwd: folder, env });
  expect(found).toBe('');
});

test('npx with the tarball runs the demo from an empty folder, and Ctrl-C ends it', async () => {
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  // A cache of its own would download everything; a prefix of its own keeps npx from finding an earlier one.
  demo = launch('npx', ['--yes', '--prefer-offline', join('..', tarball), 'start', '--demo'], { cwd: empty, env, detached: true });
  const output = await demo.waitFor(/Ctrl-C ends it/, 150_000);
  expect(output).toMatch(/signature verified/);
  const [, command = ''] = /^ {4}(.*) status$/m.exec(output) ?? [];
  const [database = ''] = /export DATABASE_URL=.*/.exec(output) ?? [];
  expect(await run('sh', ['-c', `${database}; ${command} status`], { cwd: empty })).toMatchObject({ code: 0, err: '' });
  expect((await demo.end('SIGINT')).took).toBeLessThan(10_000);
  expect(demo.output()).toMatch(/stopped cleanly/);
}, 200_000);

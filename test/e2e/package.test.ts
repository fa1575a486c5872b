import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { BARE, isRunning, launch, MAIN, postmasterOf, run, type Result, type Running } from '../support/program';
import { containing } from '../support/texts';

const ROOT = join(__dirname, '../..');
/** Half of it are source maps: with --verbose an error says where in the sources it happened. */
const LARGEST = 3 * 1024 * 1024;
/** Quiet and quick: nothing is asked of the registry but what the cache of this machine has not. */
const NPM = {
  ...BARE,
  npm_config_prefer_offline: 'true',
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
  npm_config_loglevel: 'error',
};

let folder: string;
let tarball: string;
/** The files of the tarball, by their path in it. */
let files: ReadonlyMap<string, number>;
let demo: Running | null = null;

beforeAll(async () => {
  if (!existsSync(MAIN)) throw new Error('dist is missing: npm run build (npm ci does it)');
  folder = mkdtempSync(join(tmpdir(), 'observers-package-'));
  mkdirSync(join(folder, 'empty'));
  // Without scripts: prepare would build anew, under the feet of tests that run beside this one.
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', join(folder, 'empty')];
  const { code, out, err } = await run('npm', args, { cwd: ROOT, env: NPM });
  if (code !== 0) throw new Error(`npm pack: ${err}`);
  const [pack] = JSON.parse(out) as { filename: string; files: { path: string; size: number }[] }[];
  tarball = pack!.filename;
  files = new Map(pack!.files.map(({ path, size }) => [path, size]));
});

afterAll(async () => {
  await demo?.end('SIGINT');
  rmSync(folder, { recursive: true, force: true });
});

test('the tarball holds the program, migrations, schema, documents and licence; no tests and no sources', () => {
  const expected = [
    'dist/src/main.js',
    'dist/migrations/0001-change-log.js',
    'observers.schema.json',
    '.env.example',
    'README.md',
    'CHANGELOG.md',
    'LICENSE',
    'package.json',
  ];
  expect(expected.filter((path) => !files.has(path))).toEqual([]);
  const foreign = [...files.keys()].filter((path) =>
    /(^|\/)(test|bench|\.observers|coverage|\.ci)\/|\.test\.|(?<!\.d)\.ts$|\.tgz$/.test(path),
  );
  expect(foreign).toEqual([]);
});

test('what the README links to is in the tarball, and every migration of the sources', () => {
  const links = [...readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path]) => path!);
  const there = (path: string): boolean => [...files.keys()].some((file) => file === path || file.startsWith(`${path}/`));
  // What is for those who have the clone is not in the tarball.
  expect(links.filter((path) => !there(path) && path !== 'CONTRIBUTING.md')).toEqual([]);
  const migrations = [...files.keys()].filter((path) => /^dist\/migrations\/\d{4}-.*\.js$/.test(path));
  expect(migrations.length).toBeGreaterThanOrEqual(4);
});

test(`the tarball is smaller than ${LARGEST >> 20} MiB`, () => {
  const { length } = readFileSync(join(folder, 'empty', tarball));
  console.log(`${tarball}: ${Math.round(length / 1024)} KiB, ${files.size} files`);
  expect(length).toBeLessThan(LARGEST);
});

test('nothing in it names a folder of the machine that built it', async () => {
  const out = join(folder, 'content');
  mkdirSync(out);
  expect((await run('tar', ['-xzf', join(folder, 'empty', tarball), '-C', out], { cwd: folder })).code).toBe(0);
  const naming = [...files.keys()].filter((path) => {
    const text = readFileSync(join(out, 'package', path), 'utf8');
    return [ROOT, homedir()].some((place) => text.includes(`${place}/`) || text.includes(`"${place}"`));
  });
  expect(naming).toEqual([]);
  const maps = [...files.keys()].filter((path) => path.endsWith('.map'));
  const absolute = maps
    .flatMap((path) => (JSON.parse(readFileSync(join(out, 'package', path), 'utf8')) as { sources: string[] }).sources)
    .filter((source) => /^(\/|[A-Z]:|file:)/.test(source));
  expect(absolute).toEqual([]);
});

interface Locked {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly devOptional?: boolean }>>;
}

/** What `npm install fraiseql-observers typescript @types/node` makes of a folder, without the registry. */
async function consumerOf(name: string): Promise<string> {
  const consumer = join(folder, name);
  const modules = join(consumer, 'node_modules');
  mkdirSync(join(modules, 'fraiseql-observers'), { recursive: true });
  const unpacked = await run('tar', ['-xzf', join(folder, 'empty', tarball), '--strip-components=1', '-C', join(modules, 'fraiseql-observers')], { cwd: folder }); // prettier-ignore
  expect(unpacked.code).toBe(0);
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Locked;
  const own = ['node_modules/typescript', 'node_modules/@types/node', 'node_modules/undici-types'];
  for (const [path, { dev, devOptional }] of Object.entries(packages)) {
    const needed = own.includes(path) || (dev !== true && devOptional !== true && /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path));
    if (!needed || !existsSync(join(ROOT, path))) continue;
    mkdirSync(dirname(join(consumer, path)), { recursive: true });
    symlinkSync(join(ROOT, path), join(consumer, path));
  }
  return consumer;
}

test('a TypeScript program compiles against it with every declaration checked, and needs no @types but those of Node', async () => {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
  expect(Object.keys(dependencies).filter((name) => name.startsWith('@types/'))).toEqual([]);
  const consumer = await consumerOf('consumer');
  expect(existsSync(join(consumer, 'node_modules/@types/big.js'))).toBe(false);
  writeFileSync(
    join(consumer, 'app.ts'),
    `import { CustomAction, sampleDelivery, succeeded, type CustomActionHandler, type JsonValue } from 'fraiseql-observers';
import { ObserversModule, Observers } from 'fraiseql-observers/nest';

export const digits = (value: JsonValue): string => (typeof value === 'object' && value !== null && 'toFixed' in value ? String(value) : '');
export const { event } = sampleDelivery({ data: { total: 4.9 } });
export const module = ObserversModule.forRoot({ configFile: 'observers.yaml', roles: ['listener', 'worker', 'admin'] });
export const reload = (observers: Observers): Promise<{ readonly version: number }> => observers.reload();
export const notThere: number = succeeded;
void CustomAction;
export type { CustomActionHandler };
`,
  );
  // Links are not followed: whatever a package finds beside it must be what it depends on.
  const compiler = { module: 'node16', moduleResolution: 'node16', target: 'es2022', strict: true, skipLibCheck: false, noEmit: true };
  const compilerOptions = { ...compiler, preserveSymlinks: true, experimentalDecorators: true, esModuleInterop: true, types: ['node'] };
  writeFileSync(join(consumer, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['app.ts'] }));
  writeFileSync(join(consumer, 'package.json'), '{ "private": true }');
  const { out } = await run(process.execPath, ['node_modules/typescript/bin/tsc', '--pretty', 'false'], { cwd: consumer });
  // The one mistake is the program's own, so that the compiler has really looked.
  expect(out.trim().split('\n')).toEqual([expect.stringMatching(/^app\.ts\(8,14\): error TS2322: .*not assignable to type 'number'/)]);
});

test('in an empty folder npx starts the demo, which shows a delivery, prints commands that work there, and ends', async () => {
  const cwd = join(folder, 'empty');
  demo = launch('npx', ['--yes', `./${tarball}`, 'start', '--demo'], { cwd, env: NPM, detached: true });
  // The registry was seen to take 150 s for what is not in the cache of this machine.
  const output = await demo.waitFor(/Ctrl-C ends it/, 300_000);
  expect(output).toMatch(/✓ order-shipped[^]*✗ express-order[^]*signature verified[^]*commit to delivery +\d+\.\d ms/);
  const [database] = /export DATABASE_URL=.*/.exec(output) ?? ['none printed'];
  const lines = [...output.split('Try next')[1]!.matchAll(/^ +(\S.* (?:status|dlq list))$/gm)].map(([, line]) => line!);
  expect(lines).toHaveLength(2);
  for (const line of lines) {
    const { code, out, err } = await run('sh', ['-c', `${database}; ${line}`], { cwd });
    expect({ line, code, err }).toEqual({ line, code: 0, err: '' });
    expect(out).toMatch(/leader|empty/);
  }
  const postmaster = postmasterOf(join(cwd, '.observers'))!;
  expect(isRunning(postmaster)).toBe(true);
  const { took } = await demo.end('SIGINT');
  expect(took).toBeLessThan(30_000);
  expect(isRunning(postmaster)).toBe(false);
  expect(demo.output()).toContain('stopped cleanly');
}, 400_000);

test('what npx installed also says its version, writes a file that it accepts, and tells what is wrong with another', async () => {
  const cwd = join(folder, 'empty');
  const [, command = 'not installed'] = /^ {4}(\S.*) status$/m.exec(demo?.output() ?? '') ?? [];
  const installed = (args: string): Promise<Result> => run('sh', ['-c', `${command} ${args}`], { cwd });
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  expect(await installed('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' });
  expect(await installed('init')).toMatchObject({ code: 0 });
  expect(await installed('validate-config')).toMatchObject({ code: 0 });
  writeFileSync(join(cwd, 'bad.yaml'), 'version: 1\nobservers: 3\n');
  expect(await installed('validate-config bad.yaml')).toMatchObject({ code: 2, err: containing('bad.yaml:2:') });
});

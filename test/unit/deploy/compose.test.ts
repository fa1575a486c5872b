import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { Webhook } from 'standardwebhooks';
import { loadConfiguration } from '../../../src/config/load';
import { SETTINGS } from '../../../src/config/settings';
import { BARE, launch } from '../../support/program';
import { freePort } from '../../support/spawned-server';

const ROOT = join(__dirname, '../../..');
const EXAMPLE = join(ROOT, 'examples/compose');

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: object;
}

const { services, volumes } = parse(readFileSync(join(ROOT, 'docker-compose.yaml'), 'utf8'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: object;
};
const instances = Object.entries(services).filter(([name]) => name.startsWith('observers'));

test('every image is of one version, every mount is there, and nothing is reached from another machine', () => {
  for (const { image, volumes: mounts = [], ports = [] } of Object.values(services)) {
    expect(image).toMatch(/^[\w/-]+:(v?\d+[\w.-]*|local)$/);
    for (const mount of mounts) {
      const [source = ''] = mount.split(':');
      expect([mount, source.startsWith('./') ? existsSync(join(ROOT, source)) : Object.hasOwn(volumes, source)]).toEqual([mount, true]);
    }
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
  }
});

test('who is waited for as healthy says whether it is', () => {
  // The image of the service has its own HEALTHCHECK.
  const tells = ([name, { healthcheck }]: [string, Service]): boolean => healthcheck !== undefined || name === 'observers';
  const telling = new Set(
    Object.entries(services)
      .filter(tells)
      .map(([name]) => name),
  );
  const waited = Object.values(services).flatMap(({ depends_on: on = {} }) => Object.keys(on));
  expect(waited.filter((name) => !telling.has(name))).toEqual([]);
  expect(waited.length).toBeGreaterThan(3);
});

test('both instances get settings that there are, and an observers file that they take without a warning', () => {
  const known = new Set(Object.values(SETTINGS).map(({ variable }) => variable));
  expect(instances).toHaveLength(2);
  for (const [, { environment = {}, command }] of instances) {
    expect(Object.keys(environment).filter((name) => !known.has(name) && name !== 'RECEIVER_SECRET')).toEqual([]);
    expect(command).toEqual(['start', '--apply']);
    const { file, settings } = loadConfiguration({ configFile: join(EXAMPLE, 'observers.yaml'), env: { ...environment } });
    expect(file.warnings).toEqual([]);
    expect(settings).toMatchObject({ dedupDriver: 'redis', cacheDriver: 'redis', searchDriver: 'elasticsearch' });
  }
});

test('Prometheus asks both instances, and Grafana Prometheus', () => {
  const read = (name: string): unknown => parse(readFileSync(join(EXAMPLE, name), 'utf8'));
  const { scrape_configs: jobs } = read('prometheus.yaml') as { scrape_configs: { static_configs: { targets: string[] }[] }[] };
  expect(jobs[0]!.static_configs[0]!.targets).toEqual(instances.map(([name]) => `${name}:8700`));
  const { datasources } = read('grafana-datasource.yaml') as { datasources: { url: string }[] };
  expect(datasources.map(({ url }) => url)).toEqual(['http://prometheus:9090']);
});

test('the receiver takes what is signed with its secret, and nothing else', async () => {
  const { RECEIVER_SECRET: secret } = services['receiver']!.environment!;
  expect(secret).toBe(instances[0]![1].environment!['RECEIVER_SECRET']);
  const port = await freePort();
  const receiver = launch(process.execPath, ['receiver.mjs'], {
    cwd: EXAMPLE,
    env: { ...BARE, RECEIVER_SECRET: secret, PORT: String(port) },
  });
  try {
    await receiver.waitFor(/^listening$/m);
    const send = async (key: string, at: Date): Promise<number> => {
      const body = '{"type":"order.updated"}';
      const headers = { 'webhook-id': 'one', 'webhook-timestamp': String(Math.floor(at.getTime() / 1000)), 'webhook-signature': new Webhook(key).sign('one', at, body) }; // prettier-ignore
      return (await fetch(`http://127.0.0.1:${port}`, { method: 'POST', headers, body })).status;
    };
    const now = new Date();
    expect(await send(secret!, now)).toBe(204);
    expect(await send(`whsec_${Buffer.alloc(32).toString('base64')}`, now)).toBe(401);
    expect(await send(secret!, new Date(now.getTime() - 600_000))).toBe(401);
    expect((await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: '{}' })).status).toBe(401);
    await receiver.waitFor(/^one \{"type":"order.updated"\}$/m);
  } finally {
    await receiver.end('SIGTERM');
  }
});

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { loadConfiguration, loadSettings } from '../../../src/config/load';
import { parseDuration } from '../../../src/config/units';
import { CHART, HELM, helm, refusal, render, valuesFile, type Manifest } from '../../support/helm';
import { typeProblems } from '../../support/manifest-types';
import { describeWith } from '../../support/missing-server';

const ALL = ['minimal', 'everything', 'existing'];

interface Container {
  readonly name: string;
  readonly args: string[];
  readonly env: { name: string; value?: string; valueFrom?: { secretKeyRef: { name: string; key: string } } }[];
  readonly ports?: { name: string; containerPort: number }[];
  readonly volumeMounts?: { name: string; mountPath: string; subPath?: string }[];
}
interface PodTemplate {
  readonly metadata: { labels: Record<string, string>; annotations?: Record<string, string> };
  readonly spec: {
    readonly containers: Container[];
    readonly initContainers?: Container[];
    readonly volumes?: { name: string; configMap?: { name: string }; secret?: { secretName: string } }[];
    readonly terminationGracePeriodSeconds: number;
    readonly enableServiceLinks: boolean;
  };
}
type Labels = Record<string, string>;

function one<T>(manifests: readonly Manifest[], kind: string): T {
  const found = manifests.filter((manifest) => manifest.kind === kind);
  expect(found).toHaveLength(1);
  return found[0]!.spec as T;
}
const templateOf = (manifests: readonly Manifest[], kind = 'Deployment'): PodTemplate =>
  one<{ template: PodTemplate }>(manifests, kind).template;
const containersOf = (manifests: readonly Manifest[]): Container[] =>
  manifests
    .filter(({ kind }) => kind === 'Deployment' || kind === 'Job')
    .flatMap(({ spec }) => (spec as { template: PodTemplate }).template.spec)
    .flatMap(({ containers, initContainers = [] }) => [...initContainers, ...containers])
    // Those beside the service are the user's.
    .filter(({ name }) => name !== 'proxy');
const selects = (selector: Labels, labels: Labels): boolean => Object.entries(selector).every(([name, value]) => labels[name] === value);

describeWith(HELM, () => {
  test.each(ALL)('helm lint --strict finds nothing with the values %s', async (values) => {
    expect(await helm('lint', '--strict', '--quiet', CHART, '--values', valuesFile(values))).toEqual({ code: 0, out: '', err: '' });
  });

  test('without any values lint finds nothing, what is rendered is right, and what is missing is said', async () => {
    expect(await helm('lint', '--strict', '--quiet', CHART)).toEqual({ code: 0, out: '', err: '' });
    const { code, out, err } = await helm('template', 'shop', CHART);
    expect([code, err]).toEqual([0, '']);
    const manifests = parseAllDocuments(out).map((document) => document.toJS() as Manifest);
    expect(typeProblems(manifests)).toEqual([]);
    const file = manifests.find(({ kind }) => kind === 'ConfigMap')!.data!['observers.yaml']!;
    expect(loadConfiguration({ env: { DATABASE_URL: 'postgres://u@db/shop' }, text: file }).file.definition.observers).toEqual([]);
    const notes = (await helm('install', 'shop', CHART, '--dry-run=client')).out.split('NOTES:')[1]!;
    expect(notes).toMatch(/nothing is observed[^]*wait for the Secret observers-database with the key url/);
  });

  test('what Kubernetes has beside the service comes into the pod as it is written', async () => {
    const manifests = await render('everything');
    const { spec, metadata } = templateOf(manifests);
    const [service, proxy] = spec.containers;
    expect(spec).toMatchObject({
      securityContext: { fsGroup: 3000, runAsUser: 2000 },
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ values: ['a', 'b'] }] }] },
        },
      },
    });
    expect(service).toMatchObject({
      name: 'observers',
      lifecycle: { preStop: { sleep: { seconds: 5 } } },
      envFrom: [{ secretRef: { name: 'receivers' }, prefix: 'R_' }, { configMapRef: { name: 'shared', optional: true } }],
    });
    expect(service!.env).toEqual(
      expect.arrayContaining([
        { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
        { name: 'EXTRA', value: '1e3' },
      ]),
    );
    expect(proxy).toEqual({ name: 'proxy', image: 'registry.example/proxy:1', args: ['shop'], env: [{ name: 'A', value: 'b' }] });
    for (const job of templateOf(manifests, 'Job').spec.initContainers!)
      expect(job).toMatchObject({
        envFrom: [{ secretRef: { name: 'receivers' } }, {}],
        env: expect.arrayContaining([{ name: 'EXTRA', value: '1e3' }]) as unknown,
      });
    expect([metadata.annotations, templateOf(manifests, 'Job').metadata.annotations]).toMatchObject([{ note: '1' }, { note: '1' }]);
    expect(JSON.stringify(await render('minimal', '--set', 'fsGroup=0'))).not.toContain('fsGroup');
  });

  test('the ingress leads to the port of the Service, for the hosts and paths that are named', async () => {
    const manifests = await render('everything');
    const ingress = one<{ ingressClassName: string; tls: unknown; rules: { host: string; http: { paths: { path: string; backend: { service: { name: string; port: { name: string } } } }[] } }[] }>(manifests, 'Ingress'); // prettier-ignore
    expect([ingress.ingressClassName, ingress.tls]).toEqual([
      'nginx',
      [{ secretName: 'observers-tls', hosts: ['observers.example', 'whole.example'] }],
    ]);
    expect(ingress.rules.map(({ host, http }) => [host, http.paths.map(({ path }) => path)])).toEqual([['observers.example', ['/docs', '/dlq']], ['whole.example', ['/']]]); // prettier-ignore
    const service = manifests.find(({ kind }) => kind === 'Service')!;
    const ports = (service.spec as { ports: { name: string }[] }).ports.map(({ name }) => name);
    for (const { backend } of ingress.rules.flatMap(({ http }) => http.paths))
      expect([backend.service.name, ports.includes(backend.service.port.name)]).toEqual([service.metadata.name, true]);
    expect((await render('minimal')).some(({ kind }) => kind === 'Ingress')).toBe(false);
  });

  test('what is rendered has only fields that Kubernetes knows, of the right type; and a wrong one would be noticed', async () => {
    const manifests = (await Promise.all(ALL.map((values) => render(values)))).flat();
    expect(typeProblems(manifests)).toEqual([]);
    expect(new Set(manifests.map(({ kind }) => kind)).size).toBe(10);
    const deployment = manifests.find(({ kind }) => kind === 'Deployment')!;
    for (const wrong of [{ replica: 2 }, { replicas: '2' }, { selector: undefined }])
      expect(typeProblems([{ ...deployment, spec: { ...(deployment.spec as object), ...wrong } }])).toHaveLength(1);
  });

  test.each(ALL)('with the values %s, selectors select the pods of the service and not those of the migration', async (values) => {
    const manifests = await render(values);
    const pod = templateOf(manifests).metadata.labels;
    const migration = manifests.some(({ kind }) => kind === 'Job') ? templateOf(manifests, 'Job').metadata.labels : {};
    const service = manifests.find(({ kind }) => kind === 'Service')!;
    const selectors = manifests.flatMap(({ kind, spec }) => {
      if (kind === 'Service') return [(spec as { selector: Labels }).selector];
      return ['Deployment', 'PodDisruptionBudget'].includes(kind)
        ? [(spec as { selector: { matchLabels: Labels } }).selector.matchLabels]
        : [];
    });
    expect(selectors.length).toBeGreaterThanOrEqual(2);
    for (const selector of selectors) {
      expect(selects(selector, pod)).toBe(true);
      expect(selects(selector, migration)).toBe(false);
    }
    for (const { kind, spec } of manifests) {
      if (kind === 'NetworkPolicy')
        expect(selects((spec as { podSelector: { matchLabels: Labels } }).podSelector.matchLabels, { ...pod, ...migration })).toBe(true);
      if (kind === 'ServiceMonitor')
        expect(selects((spec as { selector: { matchLabels: Labels } }).selector.matchLabels, service.metadata.labels)).toBe(true);
    }
  });

  test.each(ALL)(
    'with the values %s, the service accepts every variable, and those that are secret come out of Secrets',
    async (values) => {
      const containers = containersOf(await render(values));
      expect(containers.length).toBeGreaterThan(0);
      for (const { env, args } of containers) {
        expect(new Set(env.map(({ name }) => name)).size).toBe(env.length);
        const filled = Object.fromEntries(env.map(({ name, value, valueFrom }) => [name, valueFrom === undefined ? value : SECRETS[name]]));
        expect(filled['DATABASE_URL']).toBe(SECRETS['DATABASE_URL']);
        const settings = loadSettings({ env: { ...filled, OBSERVERS_CONFIG: undefined } });
        if (args[0] === 'start') expect(settings.host).toBe(values === 'everything' ? '::' : '0.0.0.0');
      }
    },
  );

  test('numbers, words that YAML reads otherwise, and the text of the observers file come through as they are written', async () => {
    const manifests = await render('everything');
    const env = Object.fromEntries(templateOf(manifests).spec.containers[0]!.env.map(({ name, value }) => [name, value]));
    expect(env).toMatchObject({
      OBSERVERS_MAX_IN_FLIGHT: '100000',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
      OTEL_SDK_DISABLED: 'true',
      PORT_OF_SHOP: '8080',
      NO: 'no',
    });
    const [file] = manifests.filter(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'orders');
    const given = (parse(readFileSync(valuesFile('everything'), 'utf8')) as { observersFile: string }).observersFile;
    expect(file!.data).toEqual({ 'observers.yaml': given });
    const dashboard = manifests.find(({ metadata }) => metadata.name === 'orders-dashboard')!.data!['fraiseql-observers.json']!;
    expect(JSON.parse(dashboard)).toEqual(JSON.parse(readFileSync(join(CHART, 'files/dashboard.json'), 'utf8')));
    expect(one(manifests, 'PrometheusRule')).toEqual(parse(readFileSync(join(CHART, 'files/rules.yaml'), 'utf8')));
  });

  test.each(ALL)('with the values %s, every volume is mounted as a folder, and a stop has the time it may take', async (values) => {
    const { spec } = templateOf(await render(values));
    const [{ volumeMounts = [], env } = { env: [] }] = spec.containers;
    expect(volumeMounts.map(({ name }) => name).sort()).toEqual(spec.volumes!.map(({ name }) => name).sort());
    expect(volumeMounts.some(({ subPath }) => subPath !== undefined)).toBe(false);
    const stop = parseDuration(env.find(({ name }) => name === 'OBSERVERS_SHUTDOWN_TIMEOUT')!.value!)!;
    expect(spec.terminationGracePeriodSeconds * 1_000).toBeGreaterThanOrEqual(stop + 10_000);
    expect(spec.enableServiceLinks).toBe(false);
  });

  test('reload: restart makes new pods for another observers file, reload: watch none', async () => {
    const podsOf = async (reload: string, text: string): Promise<PodTemplate> =>
      templateOf(await render('minimal', '--set', `reload=${reload}`, '--set-file', `observersFile=${fileWith(text)}`));
    expect(await podsOf('watch', 'version: 1\n')).toEqual(await podsOf('watch', 'version: 1 # another\n'));
    expect(await podsOf('restart', 'version: 1\n')).not.toEqual(await podsOf('restart', 'version: 1 # another\n'));
    const watching = async (reload: string): Promise<string | undefined> =>
      (await podsOf(reload, 'version: 1\n')).spec.containers[0]!.env.find(({ name }) => name === 'OBSERVERS_WATCH')?.value;
    expect([await watching('watch'), await watching('restart')]).toEqual(['true', 'false']);
  });

  test('the network policy opens the port of the probes and metrics, and DNS beside what is named', async () => {
    const manifests = await render('everything');
    const ports = templateOf(manifests).spec.containers[0]!.ports!.map(({ name }) => name);
    const { ingress, egress } = one<{ ingress: { ports: { port: string }[] }[]; egress: { ports?: { port: number }[] }[] }>(
      manifests,
      'NetworkPolicy',
    );
    expect(ingress.flatMap((rule) => rule.ports.map(({ port }) => port))).toEqual(ports);
    expect(egress.map((rule) => rule.ports?.map(({ port }) => port))).toEqual([[53, 53], [5432], [443]]);
    const open = one<{ ingress: { from?: unknown }[]; egress: unknown[] }>(await render('existing'), 'NetworkPolicy');
    expect(open.ingress.map(({ from }) => from)).toEqual([undefined]);
    expect(open.egress).toEqual([{}]);
  });

  test('capture: apply brings the triggers to the file of this release before the pods come, with the role that owns the schemas', async () => {
    const manifests = await render('everything');
    const { spec } = templateOf(manifests, 'Job');
    expect([...spec.initContainers!, ...spec.containers].map(({ args }) => args)).toEqual([['migrate'], ['capture', 'apply', '--yes']]);
    const urls = [...spec.initContainers!, ...spec.containers].map(
      ({ env }) => env.find(({ name }) => name === 'DATABASE_URL')?.valueFrom?.secretKeyRef.name,
    );
    expect(urls).toEqual(['observers-owner', 'observers-owner']);
    const file = manifests.find(({ metadata }) => metadata.name === spec.volumes![0]!.configMap!.name)!;
    // Hooks of one kind run by weight: the file first.
    expect(file.metadata.annotations).toMatchObject({ 'helm.sh/hook': 'pre-install,pre-upgrade', 'helm.sh/hook-weight': '-1' });
    expect(templateOf(await render('minimal'), 'Job').spec.containers.map(({ args }) => args)).toEqual([['migrate']]);
    expect(templateOf(await render('existing')).spec.containers[0]!.args).toEqual(['start', '--strict']);
  });

  test('the values that docs/kubernetes.md shows are taken, and its commands are about what is rendered', async () => {
    const page = readFileSync(join(CHART, '../docs/kubernetes.md'), 'utf8');
    const [, values = 'none'] = /```yaml\n([^]*?)```/.exec(page) ?? [];
    const manifests = await render('minimal', '--values', fileWith(values));
    expect(manifests).toHaveLength(11);
    expect(typeProblems(manifests)).toEqual([]);
    const named = [...page.matchAll(/(deploy|job)\/(shop-[a-z-]+)/g)].map(([, kind, name]) => `${kind} ${name}`);
    const rendered = manifests.map(({ kind, metadata }) => `${kind === 'Deployment' ? 'deploy' : kind.toLowerCase()} ${metadata.name}`);
    expect(named.length).toBeGreaterThan(3);
    expect(rendered).toEqual(expect.arrayContaining(named));
  });

  test('it can be part of another chart, which may have global values', async () => {
    expect(await refusal('minimal', '--set', 'global.domain=x')).toBe('');
  });

  test('what is printed after an install names commands that there are', async () => {
    const { out, err } = await helm('install', 'shop', CHART, '--dry-run=client', '--values', valuesFile('minimal'));
    expect(err).not.toMatch(/error/i);
    const commands = [...out.split('NOTES:')[1]!.matchAll(/-- fraiseql-observers ([a-z]+)/g)].map(([, command]) => command!);
    expect(commands.length).toBeGreaterThan(1);
    for (const command of commands) expect(existsSync(join(CHART, `../src/cli/${command}.command.ts`))).toBe(true);
  });
});

/** As an administrator would fill the Secrets in. */
const SECRETS: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgres://u:CANARY-db@db/shop',
  REDIS_URL: 'redis://u:CANARY-redis@redis/0',
  OBSERVERS_VAPID_PRIVATE_KEY: Buffer.alloc(32, 1).toString('base64url'),
  BILLING_TOKEN: 'CANARY-token',
};

const folder = mkdtempSync(join(tmpdir(), 'observers-chart-'));
let files = 0;
afterAll(() => rmSync(folder, { recursive: true }));
function fileWith(text: string): string {
  const path = join(folder, `${++files}.yaml`);
  writeFileSync(path, text);
  return path;
}

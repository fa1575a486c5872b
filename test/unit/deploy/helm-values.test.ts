import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { CHART, HELM, refusal } from '../../support/helm';
import { describeWith } from '../../support/missing-server';

describeWith(HELM, () => {
  test.each([
    ['what is not built yet: roles', ['roles.reader.replicas=1'], /additional properties 'roles' not allowed/],
    ['what is not built yet: autoscaling', ['autoscaling.enabled=true'], /additional properties 'autoscaling' not allowed/],
    ['what is not built yet: KEDA', ['keda.enabled=true'], /additional properties 'keda' not allowed/],
    ['what is not built yet: partitions', ['partitions=4'], /additional properties 'partitions' not allowed/],
    ['a value with a spelling mistake, within another', ['image.tga=1'], /\/image.*'tga' not allowed/],
    ['a setting that there is not', ['settings.OBSERVERS_MAX_INFLIGHT=5'], /'OBSERVERS_MAX_INFLIGHT' not allowed/],
    ['a setting out of its range', ['settings.OBSERVERS_MAX_IN_FLIGHT=0'], /minimum: got 0, want 1/],
    ['a duration without a unit', ['settings.OBSERVERS_RETENTION=7'], /OBSERVERS_RETENTION/],
    ['a setting that the chart makes itself', ['settings.OBSERVERS_PORT=1'], /'OBSERVERS_PORT' not allowed/],
    ['a password as a plain setting', ['settings.OBSERVERS_SMS_URL=https://a:CANARY-1@x'], /'OBSERVERS_SMS_URL' not allowed/],
    ['a password as a plain variable', ['env.DATABASE_URL=postgres://x'], /invalid propertyName 'DATABASE_URL'/],
    ['a setting among the plain variables', ['env.OBSERVERS_WATCH=true'], /invalid propertyName 'OBSERVERS_WATCH'/],
    ['a secret with its value', ['secretEnv.TOKEN=CANARY-2'], /\/secretEnv\/TOKEN.*got string, want object/],
    [
      'a variable that stands twice',
      ['env.TOKEN=word', 'secretEnv.TOKEN.name=a', 'secretEnv.TOKEN.key=b'],
      /TOKEN stands in env and in secretEnv/,
    ],
    [
      'a setting that stands twice',
      ['settings.OTEL_SERVICE_NAME=a', 'env.OTEL_SERVICE_NAME=b'],
      /OTEL_SERVICE_NAME stands in settings and in env/,
    ],
    ['no database', ['secretEnv=null'], /secretEnv/],
    [
      'a variable that stands twice among the extra ones',
      ['extraEnv[0].name=A', 'extraEnv[0].value=x', 'extraEnv[1].name=A', 'extraEnv[1].value=y'],
      /A stands twice in extraEnv/,
    ],
    [
      'an extra variable that stands elsewhere',
      ['extraEnv[0].name=DATABASE_URL', 'extraEnv[0].valueFrom.x=1'],
      /DATABASE_URL stands in secretEnv and in extraEnv/,
    ],
    ['a password as an extra variable', ['extraEnv[0].name=REDIS_URL', 'extraEnv[0].value=redis://x'], /\/extraEnv\/0/],
    ['an extra variable that the chart makes itself', ['extraEnv[0].name=OBSERVERS_PORT', 'extraEnv[0].value=x'], /\/extraEnv\/0/],
    ['an affinity that there is not', ['affinity.nodeAfinity.x=1'], /invalid propertyName 'nodeAfinity'/],
    ['a sidecar in place of the service', ['sidecars[0].name=observers', 'sidecars[0].image=x'], /name of the container of the service/],
    ['an ingress for no host', ['ingress.enabled=true'], /which hosts/],
    ['two observers files', ['existingConfigMap=mine'], /give one of them/],
    [
      'a restart for a file that the chart does not see',
      ['observersFile=', 'existingConfigMap=mine', 'reload=restart'],
      /Use reload: watch/,
    ],
    ['triggers to be applied by no job', ['capture=apply', 'migration.enabled=false'], /set migration.enabled/],
    ['a mount over the observers file', ['mounts[0].path=/config/tls', 'mounts[0].secret=tls'], /\/mounts\/0\/path/],
    ['a mount of nothing', ['mounts[0].path=/tls'], /\/mounts\/0/],
    ['labels that selectors need', ['podLabels.app\\.kubernetes\\.io/component=x'], /podLabels/],
    ['root', ['uid=0'], /\/uid/],
  ])('refused: %s', async (_what, sets, complaint) => {
    expect(await refusal('minimal', ...sets.flatMap((set) => ['--set', set]))).toMatch(complaint);
  });
});

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly definitions?: Readonly<Record<string, Schema>>;
}
const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as Schema;

test('the schema of the values is strict in every place', () => {
  const open: string[] = [];
  const look = (at: unknown, path: string): void => {
    if (typeof at !== 'object' || at === null) return;
    const { type, additionalProperties, properties } = at as Schema;
    // Maps from names to one kind of value, global, and the empty default of migration.databaseUrl are the only other objects.
    if (type === 'object' && additionalProperties === undefined && !('maxProperties' in at) && path !== '/properties/global')
      open.push(path);
    if (properties !== undefined && additionalProperties !== false) open.push(path);
    for (const [key, value] of Object.entries(at)) look(value, `${path}/${key}`);
  };
  look(schema, '');
  expect(open).toEqual([]);
});

test('values.yaml names every value that the schema has, and the templates read every one', () => {
  const templates = readdirSync(join(CHART, 'templates'))
    .map((name) => readFileSync(join(CHART, 'templates', name), 'utf8'))
    .join('\n');
  const values = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Record<string, unknown>;
  const properties = Object.fromEntries(Object.entries(schema.properties!).filter(([name]) => name !== 'global'));
  expect(Object.keys(values).sort()).toEqual(Object.keys(properties).sort());
  for (const [name, property] of Object.entries(properties)) {
    expect(templates).toContain(`.Values.${name}`);
    if (property.properties === undefined || name === 'resources') continue;
    expect(Object.keys(values[name] as object).sort()).toEqual(Object.keys(property.properties).sort());
    for (const inner of Object.keys(property.properties)) expect(templates).toMatch(new RegExp(`(\\.Values\\.${name})?\\.${inner}\\b`));
  }
});

test('the chart has the version of the package, and its README names what is not built yet', () => {
  const { version } = JSON.parse(readFileSync(join(CHART, '../package.json'), 'utf8')) as { version: string };
  expect(parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8'))).toMatchObject({ version, appVersion: version });
  const page = readFileSync(join(CHART, 'README.md'), 'utf8');
  for (const later of ['roles', 'autoscaling', 'KEDA', 'partitions']) expect(page).toContain(later);
});

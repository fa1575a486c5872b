import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { INIT_FILE } from '../../../src/config/init-file';
import { loadConfiguration, loadSettings, type LoadedConfiguration } from '../../../src/config/load';
import { ConfigurationError, type Problem } from '../../../src/config/problems';
import { describeObservers, describeSettings } from '../../../src/config/describe';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'observers-config-'))));
afterAll(() => rmSync(folder, { recursive: true }));

function load(text: string, env: Record<string, string> = {}): LoadedConfiguration {
  const configFile = join(folder, 'observers.yaml');
  writeFileSync(configFile, text);
  return loadConfiguration({ env, configFile });
}

function problemsOf(text: string, env: Record<string, string> = {}): readonly Problem[] {
  try {
    load(text, env);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return [];
}

const places = (problems: readonly Problem[]): string[] =>
  problems.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);

test('twelve mistakes in one file are reported at once, each with line, column and path', () => {
  const text = `version: 1
colour: red
capture:
  - { table: orders }
endpoints:
  billing: { url: "ftp://x", timeout: soon, signing: { secrets: [abc] } }
observers:
  - name: a
    entity: Order
    on: [upsert]
    whne: "x = 1"
    actions: [{ type: webhok, endpoint: billing }]
  - name: b
    entity: Order
    when: "status = 'x"
    actions:
      - { name: w, type: webhook, endpoint: billing, timeout: 5s }
      - { type: webhook, endpoint: biling }
      - { type: webhook, endpoint: billing }
`;
  expect(places(problemsOf(text))).toEqual([
    '2:1 colour: unknown key "colour"',
    '4:14 capture[0].table: expected schema.table, such as public.orders or public."a name with blanks"',
    '6:19 endpoints.billing.url: expected a URL that begins with http:// or https://',
    '6:39 endpoints.billing.timeout: expected a duration such as 250ms, 10s, 5m, 1h or 3d',
    '6:66 endpoints.billing.signing.secrets[0]: expected whsec_ and base64; make one with: echo whsec_$(openssl rand -base64 32)',
    '10:10 observers[0].on[0]: expected one of insert, update, delete, custom, not "upsert"; did you mean "insert"?',
    '11:5 observers[0].whne: unknown key "whne"; did you mean "when"?',
    '12:23 observers[0].actions[0].type: there is no action type "webhok"; did you mean "webhook"?',
    "15:21 observers[1].when: this text has no closing '",
    '17:63 observers[1].actions[0].timeout: timeout belongs to the endpoint "billing", for all actions that use it',
    '18:36 observers[1].actions[1].endpoint: there is no endpoint "biling"; did you mean "billing"?',
    '19:9 observers[1].actions[2]: there is another action "webhook"',
  ]);
});

const observer = (lines: string): string =>
  `version: 1\nobservers:\n  - name: a\n    entity: Order\n    actions: [{ type: log }]\n${lines}`;
const action = (fields: string): string =>
  `version: 1\nendpoints:\n  e: { url: "https://x.example/" }\nobservers:\n  - name: a\n    entity: Order\n    actions:\n      - { ${fields} }\n`;
const endpoint = (fields: string): string => `version: 1\nendpoints:\n  e: { ${fields} }\n`;
const capture = (fields: string): string => `version: 1\ncapture:\n  - { ${fields} }\n`;

test.each([
  ['', /^expected a mapping/],
  ['version: 2', /^expected 1, not "2"/],
  ['observers: []', /version: is missing|expected 1/],
  ['version: 1\nversion: 1', /unique/i],
  ['version: [1', /./],
  ['version: 1\nobservers: {}', /expected a list/],
  ['version: 1\nobservers:\n  - 5', /expected a mapping/],
  [observer('    mode: shadwo'), /did you mean "shadow"\?$/],
  [observer('    ordering: strcit'), /did you mean "strict"\?$/],
  [observer('    on_failure: alert'), /^an alert needs somewhere to go/],
  [observer('    retry: { strategy: exponentail }'), /did you mean "exponential"/],
  [observer('    retry: { max_attempts: 0 }'), /at least 1/],
  [observer('    retry: { initial_delay: 2h }'), /longer than max_delay/],
  [observer('    retry: { schedule: [5s], strategy: fixed }'), /belongs to strategy: schedule/],
  [observer('    retry: { strategy: schedule }'), /needs a schedule/],
  [observer('    retry: { max_attempt: 3 }'), /did you mean "max_attempts"/],
  [observer('    on: []'), /./],
  [observer('    dedup: { key: "{{ x }}" }'), /window|missing/],
  [observer('    dedup: { window: 5m, key: "{{ x" }'), /not closed/],
  [observer('    dedup: { window: 5m, lease: 500ms }'), /a duration from 1s to 30d/],
  [observer('    when: "lookups.user.plan = 1"'), /there is no look-up "user"/],
  [observer('    when: |\n      total > 1 AND\n      colour LIKE 5'), /^LIKE needs a quoted pattern/],
  [action('type: search, index: a'), /^search needs a server: set ELASTICSEARCH_URL, or elasticsearch_url under settings:$/],
  [action('type: publish, subject: a, to: x'), /^unknown key "to"$/m],
  [action('type: push, token: x'), /give notification or data/],
  [action('type: push, data: { a: b }'), /a push goes to one of token, topic or condition/],
  [action('type: push, token: x, data: { a: b }'), /set OBSERVERS_FCM_CREDENTIALS/],
  [action('type: push, subscription: x, data: { a: b }'), /needs OBSERVERS_VAPID_PRIVATE_KEY/],
  [action('type: sms, to: "1", text: x'), /sms needs a provider: set OBSERVERS_SMS_URL/],
  [action('type: webhook'), /either endpoint .* or url/],
  [action('type: webhook, endpoint: e, url: "https://x"'), /either endpoint .* or url/],
  [action('type: webhook, endpoint: e, timeout: 5s'), /belongs to the endpoint/],
  [action('type: webhook, endpoint: e, batch: { max: 0 }'), /^expected at least 1/],
  [action('type: webhook, endpoint: e, execution: queued'), /^execution: queued is not supported yet/],
  [action('type: webhook, endpoint: e, method: FETCH'), /one of POST/],
  [action('type: webhook, endpoint: e, headers: { "a b": x }'), /not the name of a header/],
  [action('type: webhook, endpoint: e, headers: { webhook-id: x }'), /set by the service itself/],
  [action('type: webhook, endpoint: e, headers: { x: "a\\nb" }'), /line break/],
  [action('type: webhook, endpoint: e, headers: { x: "{{ event.colour }}" }'), /event has no "colour"/],
  [action('type: webhook, endpoint: e, body: "{{ data.x"'), /not closed/],
  [action('type: webhook, endpoint: e, body: { a: "{{ x | nosuch }}" }'), /undefined filter/],
  [action('type: log, level: loud'), /one of debug, info, warn, error/],
  [endpoint('url: "https://user:pw@x.example/"'), /credentials do not belong in a URL/],
  [endpoint('url: "https://{{ data.host }}/"'), /may not hold a template/],
  [endpoint('url: "https://x y/"'), /not valid/],
  [endpoint('url: "https:///path"'), /not valid/],
  [endpoint('url: "https://x:0/"'), /not valid/],
  [endpoint('url: "https://x/a\\nb"'), /^a URL may not hold a line break/],
  [endpoint('url: "https://x/hook\\n"'), /^a URL may not hold a line break/],
  [endpoint('url: "https://x/hook "'), /^the URL ends with a blank/],
  [endpoint('url: "https://x\\\\hook/"'), /may not hold a backslash/],
  [endpoint('url: "https://x/a\\\\b"'), /may not hold a backslash/],
  [endpoint('url: "https://x/a/../b"'), /^the path may not hold the parts/],
  [endpoint('url: "https://x/{{ data.id }}/%2e%2E"'), /^the path may not hold the parts/],
  ['version: 1\nlookups:\n  l: { url: "https://x/./{{ data.id }}" }\n', /^the path may not hold the parts/],
  ['version: 1\nalerts: { url: "https://x/a\\tb" }\n', /^a URL may not hold a line break/],
  [endpoint('url: "https://x", proxy: "http://p:0"'), /^expected http:\/\/host:port/],
  [endpoint('url: "https://x", proxy: "http://p\\\\q"'), /^expected http:\/\/host:port/],
  [endpoint('url: "https://x", headers: { Proxy-Authorization: x }'), /would go to the receiver; give user and password in proxy/],
  [endpoint('url: "https://x", headers: { x: "a\\n" }'), /line break/],
  [action('type: email, to: a@b.c, text: x, subject: "Order {{ entity.key }}\\n"'), /^a subject may not hold a line break/m],
  [action('type: email, to: "a@b.c\\n", text: x, subject: x'), /^an address may not hold a line break/m],
  [action('type: publish, subject: "orders\\n"'), /holds no blank/],
  [endpoint('url: "https://x", concurrency: 0'), /at least 1/],
  [endpoint('url: "https://x", concurrency: many'), /a whole number|a number/],
  [endpoint('url: "https://x", rate_limit: "200"'), /a rate such as 200\/s/],
  [endpoint('url: "https://x", circuit_breaker: { failure_rate: 50 }'), /a share between 0 and 1/],
  [endpoint('url: "https://x", tls: {}'), /^give ca_file, or cert_file and key_file, or all three$/],
  [endpoint('url: "https://x", proxy: "socks5://p"'), /^expected http:\/\/host:port/],
  [endpoint('url: "https://x", proxy: "https://p"'), /^expected http:\/\/host:port.*encrypted to an https receiver/],
  [endpoint('url: "https://x", proxy: "http://u:a/b@p"'), /write .* as %2F/],
  [endpoint('url: "https://x", proxy: "http://u:100%@p"'), /a % is written %25/],
  [endpoint('url: "https://x", proxy: "http://"'), /^expected http/],
  [endpoint('url: "https://x", allow_addresses: ["10.0.0.0/99"]'), /CIDR/],
  [endpoint('url: "https://x", allow_addresses: ["not a host"]'), /CIDR/],
  [endpoint('url: "https://x", signing: { secrets: [whsec_short] }'), /24 to 64 bytes/],
  [endpoint('url: "https://x", signing: { secrets: [] }'), /at least 1/],
  [capture('table: public.orders, key: [id], columns: { exclude: [id] }'), /must be visible/],
  [capture('table: public.orders, columns: { include: [a], exclude: [b] }'), /contradict/],
  [capture('table: public.orders, columns: { mask: { a: hide } }'), /one of hash, drop/],
  [capture('table: public.orders, tennant: x'), /did you mean "tenant"/],
  ['version: 1\ncapture:\n  - { table: public.a }\n  - { table: public.a }', /another table "public.a"/],
  [`version: 1\ncapture:\n  - { table: public.a }\n  - { table: '"public"."a"' }\n`, /another table "public.a"/],
  [capture('table: public.my table'), /such as public.orders or public."a name with blanks"/],
  ['version: 1\nmode: shadow', /^unknown key "mode"/],
  ['version: 1\nsettings: { watch: maybe }', /true or false/],
  ['version: 1\nsettings: { port: 99999 }', /whole number from 0 to 65535/],
  ['version: 1\nsettings: { prot: 1 }', /did you mean "port"/],
  ['version: 1\nsettings: { log_level: loud }', /one of trace/],
  [endpoint('url: "${NOT_SET}"'), /environment variable NOT_SET is not set/],
  [endpoint('url: "${file:nothing.txt}"'), /nothing.txt cannot be read: ENOENT/],
  [endpoint('url: "https://x/${"'), /without "}"/],
  [endpoint('url: "${1x}"'), /is not a reference/],
  ['version: 1\nobservers: *nobody', /nobody/],
])('refuses %j', (text, message) => {
  const problems = problemsOf(text);
  expect(problems.map((problem) => problem.message).join('\n')).toMatch(message);
  for (const { line, column } of problems) expect([line >= 1, column >= 1]).toEqual([true, true]);
});

test('a condition in a block scalar is reported at its own line', () => {
  const [problem] = problemsOf(observer('    when: |\n      total > 1 AND\n      colour LIKE 5'));
  expect([problem?.line, problem?.column]).toEqual([8, 19]);
});

test('references are resolved once, defaults and files count, and $${ is a literal', () => {
  writeFileSync(join(folder, 'token'), 'from-file\n');
  const text = action(
    'type: webhook, endpoint: e, headers: { a: "${A}", b: "${B:-fallback}", c: "${file:token}", d: "$${A}", x: "${NESTED}" }',
  );
  const { definition } = load(text, { A: 'value', NESTED: '${A}' }).file;
  expect(definition.observers[0]?.actions[0]).toMatchObject({
    headers: { a: 'value', b: 'fallback', c: 'from-file', d: '${A}', x: '${A}' },
  });
});

test('an unquoted reference to a number is a number', () => {
  expect(
    load('version: 1\nendpoints:\n  e:\n    url: https://x\n    concurrency: ${N}', { N: '7' }).file.definition.endpoints[0]?.concurrency,
  ).toBe(7);
});

test('what came out of a reference is in no message and in no description', () => {
  const canary = 'CANARY-8f3a';
  const text = `version: 1\nendpoints:\n  e: { url: "\${U}", signing: { secrets: ["\${S}"] }, allow_addresses: ["\${A} x"] }\nobservers:\n  - { name: "\${S}", entity: x, on: "\${S}", actions: [{ type: "\${S}" }] }\n`;
  const told = JSON.stringify(problemsOf(text, { U: `ftp://${canary}`, S: canary, A: canary }));
  expect(told).not.toContain(canary);
  const fine = load(action(`type: webhook, url: "https://h.example/${canary}", headers: { authorization: "${canary}" }`));
  expect(JSON.stringify([describeObservers(fine.file.definition), fine.file.warnings])).not.toContain(canary);
  const settings = describeSettings(load('version: 1', { DATABASE_URL: `postgres://u:${canary}@h/d` }));
  expect(JSON.stringify(settings)).not.toContain(canary);
});

test('the source that is stored keeps references unresolved', () => {
  const { source } = load(endpoint('url: "https://x/${A}"'), { A: 'secret-value' }).file;
  expect(source.text).toContain('${A}');
  expect(source.text).not.toContain('secret-value');
});

test('JSON is read too', () => {
  expect(
    load('{"version":1,"observers":[{"name":"a","entity":"*","actions":[{"type":"log"}]}]}').file.definition.observers[0]?.entities,
  ).toBe('*');
});

test('the environment is stronger than the file, the file than the default, and an unknown variable is named', () => {
  const text = 'version: 1\nsettings: { port: 1, max_in_flight: 2 }';
  const { settings, origins } = load(text, { OBSERVERS_PORT: '3' });
  expect([settings.port, origins.port, settings.maxInFlight, origins.maxInFlight, settings.stream, origins.stream]).toEqual([
    3,
    'environment',
    2,
    'file',
    'main',
    'default',
  ]);
  expect(problemsOf(text, { OBSERVERS_PROT: '3' })[0]).toMatchObject({
    file: 'environment',
    path: 'OBSERVERS_PROT',
    message: 'there is no such setting; did you mean "OBSERVERS_PORT"?',
  });
});

test.each([
  ['DATABASE_URL', 'mysql://x'],
  ['OBSERVERS_PORT', '8.5'],
  ['OBSERVERS_LEASE_TTL', '10'],
  ['OBSERVERS_LEASE_TTL', '10ms'],
  ['OBSERVERS_MAX_EVENT_SIZE', '1 MB'],
  ['OBSERVERS_WAKEUP', 'pol'],
])('%s=%s is refused with what was expected', (variable, value) => {
  expect(() => loadSettings({ env: { [variable]: value }, configFile: join(folder, 'observers.yaml') })).toThrow(/expected/);
});

test('a missing file says how to write one, a folder says that it is one', () => {
  expect(() => loadConfiguration({ env: {}, configFile: join(folder, 'nowhere.yaml') })).toThrow(/fraiseql-observers init/);
  expect(() => loadConfiguration({ env: {}, configFile: folder })).toThrow(/this is a folder/);
});

test('the file that init writes is valid as it stands', () => {
  const { file } = load(INIT_FILE);
  expect(file.warnings).toEqual([]);
  expect(file.definition.observers[0]).toMatchObject({ name: 'order-shipped', entities: ['Order'], kinds: ['update'] });
});

test.each([
  ['public."Order items"', 'Order items'],
  ['"a.b"."say ""$&"" $$"', 'say "$&" $$'],
  ['public.Users', 'Users'],
])('a table of any name may be captured: %s', (table, entity) => {
  const { definition } = load(`version: 1\ncapture: [{ table: ${JSON.stringify(table)} }]\n`).file;
  expect(definition.captures).toMatchObject([{ table, entity }]);
});

test('an entity that nobody captures is a warning that names the nearest', () => {
  const { warnings } = load(
    `version: 1\ncapture: [{ table: public.orders, entity: Order }]\nobservers: [{ name: a, entity: Oder, actions: [{ type: log }] }]`,
  ).file;
  expect(warnings.map(({ message }) => message)).toEqual(['entity "Oder" is not captured by this file; did you mean "Order"?']);
});

test('a fragment is told of: it is never sent', () => {
  const { warnings } = load(endpoint(`url: "https://x/hook?a={{ data.a | append: '#' }}"`)).file;
  expect(warnings).toEqual([]);
  const [warning] = load(endpoint('url: "https://x/hook#top"')).file.warnings;
  expect(places([warning!])).toEqual(['3:13 endpoints.e.url: what stands behind # is never sent; for the sign itself write %23']);
});

test('blanks that a tag takes away with - are none', () => {
  const text = action('type: log, message: x }\n      - { type: email, to: a@b.c, text: x, subject: "Order {{ entity.key -}}\\n"');
  expect(problemsOf(text, { SMTP_URL: 'smtp://mail', OBSERVERS_MAIL_FROM: 'a@b.c' })).toEqual([]);
});

test.each([
  ...['Expect', 'upgrade', 'keep-alive', 'Connection', 'TE', 'trailer', 'transfer-encoding'],
  ...['content-length', 'proxy-connection', 'proxy-authenticate', 'http2-settings'],
])('the header %s is refused, of an endpoint, an action and a look-up', (name) => {
  const headers = `headers: { ${name}: "100-continue" }`;
  const files = [
    endpoint(`url: "https://x", ${headers}`),
    action(`type: webhook, endpoint: e, ${headers}`),
    `version: 1\nlookups:\n  l: { url: "https://x/", ${headers} }\n`,
  ];
  for (const file of files)
    expect(problemsOf(file).map(({ message }) => message)).toEqual([
      `the header ${name} belongs to the connection, which is the service's own`,
    ]);
});

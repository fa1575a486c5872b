import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { installExample } from '../support/example';
import { BARE, launch, MAIN, run, type Running } from '../support/program';
import { startReceiver } from '../support/receiver';
import { containing, matching } from '../support/texts';

let folder: string;
let database: TestDatabase;
let service: Running | null = null;

beforeAll(async () => {
  folder = installExample('custom-action');
  database = await createTestDatabase();
  await database.query('create table public.orders (id int primary key, status text)');
});

afterAll(async () => {
  await service?.end('SIGKILL');
  await database.drop();
  rmSync(folder, { recursive: true });
});

test('the example is built, and its own tests pass', async () => {
  const { code, out, err } = await run('npm', ['test'], { cwd: folder, env: BARE });
  expect({ code, out, err }).toMatchObject({ code: 0, out: matching(/pass 3[^]*fail 0/) });
});

test('the service loads its module, checks its options and delivers by it', async () => {
  const tracker = await startReceiver((_request, response) => void response.writeHead(201).end());
  const env = { ...BARE, DATABASE_URL: database.url, TRACKER_URL: tracker.url, OBSERVERS_PORT: '0', OBSERVERS_LOG_FORMAT: 'json' };
  const program = (args: string[]): ReturnType<typeof run> => run(process.execPath, [MAIN, ...args], { cwd: folder, env });
  expect(await program(['validate-config', '--detailed'])).toMatchObject({ code: 0, out: containing('custom: ticket, of a module') });

  writeFileSync(
    join(folder, 'bad.yaml'),
    `version: 1
settings: { modules: ./dist/ticket.module.js }
observers:
  - name: a
    entity: Order
    actions:
      - { name: x, type: custom, handler: tickt }
      - { name: y, type: custom, handler: ticket, with: { project: shop, title: "x" } }
      - { name: z, type: custom, handler: ticket, with: { project: SHOP, title: "{{ event.colour }}" } }
`,
  );
  const { code, err } = await program(['validate-config', 'bad.yaml']);
  expect(code).toBe(2);
  expect(err).toContain(
    'bad.yaml:7:43 observers[0].actions[0].handler: no module registers a custom action "tickt"; did you mean "ticket"?',
  );
  expect(err).toContain('bad.yaml:8:68 observers[0].actions[1].with.project: expected a project such as SHOP');
  expect(err).toContain('observers[0].actions[2].with: event has no "colour"');

  service = launch(process.execPath, [MAIN, 'start', '--apply'], { cwd: folder, env });
  await service.waitFor(/"msg":"started"/);
  await database.query("insert into orders values (7, 'new'); update orders set status = 'refused'");
  const [request] = await tracker.waitFor(1);
  expect(request).toMatchObject({ method: 'PUT', path: matching(/^\/tickets\/SHOP\/[\da-f-]{36}$/) });
  expect(String(request?.body)).toBe('{"title":"Order 7 was refused"}');
  expect((await service.end('SIGTERM')).code).toBe(0);
  service = null;
  await tracker.close();
});

test.each([
  ['module.exports = {}', 'exports no Nest module'],
  ['throw new Error("no licence")', 'cannot be loaded: no licence'],
  ['syntax error', 'cannot be loaded'],
  [
    `const { Module, Injectable } = require('@nestjs/common'); const { CustomAction } = require('fraiseql-observers');
    class A { prepare() {} } CustomAction('a')(A); class B { prepare() {} } CustomAction('a')(B);
    class M {} Module({ providers: [A, B] })(M); exports.M = M`,
    'two custom actions are named a',
  ],
  [
    `const { Module } = require('@nestjs/common'); const { CustomAction } = require('fraiseql-observers');
    class A {} CustomAction('a')(A); class M {} Module({ providers: [A] })(M); exports.M = M`,
    'the custom action a has no method prepare',
  ],
  [
    `const { Module } = require('@nestjs/common'); const { CustomAction } = require('fraiseql-observers');
    class A { constructor(x) {} prepare() {} } CustomAction('a')(A); Reflect.defineMetadata('design:paramtypes', [class Missing {}], A);
    class M {} Module({ providers: [A] })(M); exports.M = M`,
    'Missing',
  ],
])('a module that cannot be used is told with its file: %#', async (source, message) => {
  writeFileSync(join(folder, 'broken.js'), source);
  writeFileSync(join(folder, 'empty.yaml'), 'version: 1\n');
  const env = { ...BARE, OBSERVERS_MODULES: './broken.js' };
  const { code, err } = await run(process.execPath, [MAIN, 'validate-config', 'empty.yaml'], { cwd: folder, env });
  expect(code).toBe(2);
  expect(err).toContain(message);
  expect(err).toContain('OBSERVERS_MODULES');
});

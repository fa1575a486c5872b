import type { RecordedVersion } from '../../src/config/config-version.sql';
import type { Service } from '../../src/lifecycle/start-service';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { programOn, type Program } from '../support/redrive';
import { startTestService } from '../support/service';
import { containing } from '../support/texts';
import { untilLeading } from '../support/until';

const FIRST = 'version: 1\nobservers:\n  - { name: say, entity: Order, actions: [{ type: log, message: "${WORD}" }] }\n';
const SECOND = FIRST.replace('entity: Order', 'entity: Invoice');

let database: TestDatabase;
let program: Program;
let service: Service | null = null;

beforeEach(async () => {
  database = await createTestDatabase();
  program = programOn(database, FIRST);
});

afterEach(async () => {
  await service?.stop();
  service = null;
  program.remove();
  await database.drop();
});

const lead = async (file: string): Promise<void> => {
  await service?.stop();
  service = await startTestService(database.url, { file, env: { WORD: 'CANARY-word' } });
  await untilLeading(service.streams.main);
};

test('each version that led is kept, and what changed between two is shown, without the values of references', async () => {
  await lead(FIRST);
  await lead(SECOND);
  const versions = await program.json<RecordedVersion[]>(['config', 'history']);
  expect(versions).toMatchObject([
    { version: 2, source: SECOND, current: true },
    { version: 1, source: FIRST, current: false },
  ]);
  expect((await program.run(['config', 'history'])).out).toMatch(/version +recorded +by +led from +now *\n2 .* leads *\n1 .*\n$/);
  const { out } = await program.run(['config', 'diff', '1', '2']);
  expect(out).toContain('--- version 1');
  expect(out).toContain('\n-  - { name: say, entity: Order,');
  expect(out).toContain('\n+  - { name: say, entity: Invoice,');
  expect(out).not.toContain('CANARY');
  // From the version that leads to the file that is here.
  expect(await program.json(['config', 'diff'])).toMatchObject({ from: 'version 2', to: 'observers.yaml', same: false });
  program.write(SECOND);
  expect((await program.run(['config', 'diff'])).out).toBe('version 2 and observers.yaml are the same\n');
});

test('the version that came back leads again', async () => {
  await lead(FIRST);
  await lead(SECOND);
  await lead(FIRST);
  expect(await program.json<RecordedVersion[]>(['config', 'history'])).toMatchObject([
    { version: 2, current: false },
    { version: 1, current: true },
  ]);
});

test('a version that is not there and a stream that nobody has led are named', async () => {
  expect((await program.run(['config', 'history'])).code).toBe(0);
  expect(await program.run(['config', 'diff'])).toMatchObject({
    code: 5,
    err: containing('no service has led this stream yet'),
  });
  await lead(FIRST);
  expect(await program.run(['config', 'diff', '7'])).toMatchObject({
    code: 5,
    err: containing('there is no version 7'),
  });
});

test('status --watch looks again and again, until Ctrl-C', async () => {
  await lead(FIRST);
  const watching = program.launch(['status', '--watch']);
  await watching.waitFor(/(stream +main[\s\S]*){2}/);
  expect(await watching.end('SIGINT')).toMatchObject({ code: 0 });
});

import { readProgress } from '../../src/redrive/asked.sql';
import { listDeadLetters, showDeadLetter } from '../../src/redrive/dead-letters.sql';
import { requestRetries, type RedriveRequest } from '../../src/redrive/redrive.sql';
import { type TestDatabase, connectAsApplication, createTestDatabase } from '../support/database';
import { NO_FILTER } from '../support/redrive';
import { startReceiver, type Receiver } from '../support/receiver';
import { endpointOf, observerOf, startStream, type TestStream } from '../support/stream';
import { eventually, until, untilLeading, untilRows } from '../support/until';
import { startTcpProxy } from '../support/tcp-proxy';
import { containing } from '../support/texts';

const PAGE = { limit: 10, offset: 0 };
const redrive = (id: string): RedriveRequest => ({ ids: [id], who: 'me', detail: null, config: 'current', snapshot: null });

let database: TestDatabase;
let receiver: Receiver;
const streams: TestStream[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  await database.query('create table public.orders (id bigint primary key, note text)');
  await database.capture('public.orders');
});

afterEach(async () => {
  for (const stream of streams.splice(0)) await stream.stop();
  await receiver.close();
  await database.drop();
});

const start = async (settings = {}, url = database.url): Promise<TestStream> => {
  const stream = await startStream(url, [observerOf('all', endpointOf(`${receiver.url}/hook`))], { settings });
  streams.push(stream);
  return stream;
};

const insert = (from: number, to = from): Promise<unknown> =>
  database.query('insert into orders (id) select generate_series($1::int, $2::int)', [from, to]);
const keys = (): string[] => receiver.requests.map(({ body }) => /"key":"(\d+)"/.exec(body)?.[1] ?? '');
const leading = (stream: TestStream): Promise<unknown> => untilLeading(stream.service);

const terminate = (role: string): Promise<unknown> =>
  database.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and datname = current_database()`, [
    `fraiseql-observers ${role}`,
  ]);

test('the LISTEN session may be terminated: events go on at once, and it listens again', async () => {
  await leading(await start({ pollInterval: 600_000 }));
  await insert(1);
  await receiver.waitFor(1);
  await terminate('listen');
  await insert(2);
  await receiver.waitFor(2);
  await untilRows(
    database,
    "select from pg_stat_activity where application_name = 'fraiseql-observers listen' and datname = current_database()",
    1,
  );
});

test('the new LISTEN session goes on record at once, so that a stand-by sees its end and need not wait for the lease to run out', async () => {
  await leading(await start({ leaseTtl: 600_000 }));
  await terminate('listen');
  await untilRows(
    database,
    `select from observers.lease l join pg_stat_activity a on a.pid = l.backend_pid and a.backend_start = l.backend_start
         where a.application_name = 'fraiseql-observers listen'`,
    1,
  );
});

test('every session terminated twenty times: nothing is lost', async () => {
  await leading(await start());
  for (let round = 1; round <= 20; round++) {
    await insert(round * 10, round * 10 + 4);
    await database.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'fraiseql-observers%' and application_name not like '% test' and datname = current_database()",
    );
  }
  await receiver.waitFor(() => new Set(keys()).size === 100);
});

test('a half-open LISTEN connection is found by a ping, and polling bounds the delay until then', async () => {
  const { hostname, port } = new URL(database.url);
  const proxy = await startTcpProxy(hostname, Number(port));
  const url = new URL(database.url);
  url.host = `127.0.0.1:${proxy.port}`;
  const stream = await start({ pollInterval: 50 }, url.toString());
  await leading(stream);
  await insert(1);
  await receiver.waitFor(1);
  proxy.blackhole();
  await insert(2);
  // The reader's own connection is dead too; TCP says nothing. The ping does, within ten seconds.
  proxy.restore();
  await receiver.waitFor(() => keys().includes('2'));
  await stream.stop();
  streams.length = 0;
  await proxy.close();
});

test('a second instance stands by, and leads when the first is gone', async () => {
  const first = await start();
  await leading(first);
  const second = await start();
  await until(() => second.service.state === 'standing by');
  await insert(1);
  await receiver.waitFor(1);
  streams.shift();
  await first.stop();
  await leading(second);
  await insert(2);
  await receiver.waitFor(2);
  expect(keys()).toEqual(['1', '2']);
});

test('a leader whose lease was taken writes nothing more, and steps down', async () => {
  const first = await start({ leaseTtl: 1_500 });
  await leading(first);
  await insert(1);
  await receiver.waitFor(1);
  await untilRows(database, 'select 1 from observers.attempt', 1);
  // Another one has taken over behind its back, as after a long pause of the process.
  await database.query(
    "update observers.lease set epoch = epoch + 1, holder = 'another', backend_pid = pg_backend_pid(), backend_start = null, expires_at = clock_timestamp() + interval '1 hour'",
  );
  await insert(2);
  await until(() => first.service.state === 'standing by');
  const rows = await database.query<{ change: string }>('select change_number::text as change from observers.attempt');
  expect(rows).toHaveLength(1);
});

test('a checkpoint of another cluster is refused, naming the command', async () => {
  await database.query("insert into observers.checkpoint (stream, epoch, system_identifier, previous) values ('main', 1, '42', '1:1:')");
  const fatal = new Promise<unknown>((resolve) => {
    void startStream(database.url, [], { onFatal: resolve }).then((stream) => streams.push(stream));
  });
  expect(await fatal).toMatchObject({
    message: containing('belongs to another PostgreSQL cluster'),
    remedy: containing('checkpoint reset'),
  });
});

test('a checkpoint that lies in the future of a restored server is refused', async () => {
  await database.query(
    "insert into observers.checkpoint (stream, epoch, system_identifier, previous) select 'main', 1, system_identifier::text, '900000000:900000000:' from pg_control_system()",
  );
  const fatal = new Promise<unknown>((resolve) => {
    void startStream(database.url, [], { onFatal: resolve }).then((stream) => streams.push(stream));
  });
  expect(await fatal).toMatchObject({ message: containing('lies in the future of this server') });
});

test('a stop under load hands over what waits, and repeats nothing after the next start', async () => {
  receiver.answer = (_request, response) => void setTimeout(() => response.writeHead(204).end(), 5);
  const first = await start({ maxInFlight: 200 });
  await leading(first);
  await insert(1, 1_000);
  await receiver.waitFor(100);
  streams.length = 0;
  await first.stop();
  await start();
  await receiver.waitFor(() => new Set(keys()).size === 1_000);
  expect(keys()).toHaveLength(1_000);
});

test('with wakeup: poll no notification is ever sent', async () => {
  const heard: unknown[] = [];
  database.client.on('notification', (message) => heard.push(message));
  await database.query('listen fraiseql_observers');
  await leading(await start({ wakeup: 'poll', pollInterval: 20 }));
  for (let id = 1; id <= 5; id++) {
    await insert(id);
    await receiver.waitFor(id);
  }
  await database.query('select 1');
  expect(heard).toEqual([]);
});

test('a change that another producer writes into the log is delivered as fast as a captured one', async () => {
  await leading(await start({ pollInterval: 600_000 }));
  await until(async () => (await database.query('select 1 from pg_locks where locktype = $1 and granted', ['advisory'])).length > 0);
  await database.query(
    "insert into core.tb_entity_change_log (object_type, object_id, modification_type, object_data) values ('Other', gen_random_uuid(), 'INSERT', '{}')",
  );
  await receiver.waitFor(1);
});

test('a redrive is one try, leaves the dead letters only when it succeeds, and concurrent ones fire once', async () => {
  receiver.answer = (_request, response) => void response.writeHead(400).end('no');
  await start();
  await insert(1);
  const [item] = await eventually(
    () => listDeadLetters(database.client, NO_FILTER, PAGE),
    (items) => items.length === 1,
  );
  const { id } = item!;
  expect((await requestRetries(database.client, redrive(id))).queued).toEqual([id]);
  const ended = async () => (await readProgress(database.client, [{ ...item!, changeNumber: String(item!.changeNumber) }]))[0]!;
  expect(await eventually(ended, ({ is }) => is !== 'under way')).toMatchObject({ is: 'failed' });
  expect(await listDeadLetters(database.client, NO_FILTER, PAGE)).toHaveLength(1);
  receiver.answer = (_request, response) => void setTimeout(() => response.writeHead(204).end(), 200);
  const before = receiver.requests.length;
  const clients = await Promise.all(Array.from({ length: 20 }, () => connectAsApplication(database.url, 'test')));
  const answers = await Promise.all(clients.map((client) => requestRetries(client, redrive(id))));
  expect(answers.filter(({ queued }) => queued.length === 1)).toHaveLength(1);
  expect(answers.filter(({ waiting, running }) => waiting.length + running.length === 1)).toHaveLength(19);
  // And while the try ends: who asks at the very moment finds it delivered.
  for (let done = false; !done;) {
    const again = await Promise.all(clients.map((client) => requestRetries(client, redrive(id))));
    expect(again.flatMap(({ queued }) => queued)).toEqual([]);
    done = again.every(({ left }) => left.length === 1);
  }
  await Promise.all(clients.map((client) => client.end()));
  expect(receiver.requests.length - before).toBe(1);
  expect(await listDeadLetters(database.client, NO_FILTER, PAGE)).toEqual([]);
  const shown = await showDeadLetter(database.client, id);
  expect(shown!.history.map(({ what }) => what)).toEqual(['died', 'retry asked for', 'failed again', 'retry asked for', 'delivered']);
  expect(shown!.tries.map(({ outcome }) => outcome)).toEqual(['dead', 'dead', 'succeeded']);
});

test('a dead letter is shown when its row takes longer than a statement may', async () => {
  await start();
  await database.query(
    "insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data) values ('Order', '1', 'UPSERT', jsonb_build_object('text', repeat('x', 50000000)))",
  );
  const [item] = await untilRows<{ id: string }>(database, 'select l.id from observers.quarantine q join core.tb_entity_change_log l on l.pk_entity_change_log = q.change_number', 1); // prettier-ignore
  // The plans of the other statements are made and their rows read in a few milliseconds; these bytes take a hundred.
  await database.query("set statement_timeout = '50ms'");
  const shown = await eventually(
    () => showDeadLetter(database.client, item!.id).catch(() => null),
    (found) => found !== null,
  );
  expect(shown).toMatchObject({ kind: 'quarantine', data: null, dataBytes: null, dataProblem: 'the database took too long over the row' });
});

test('a quarantined change that has become readable leaves the quarantine and is delivered', async () => {
  await start();
  await database.query(
    "insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data) values ('Order', '1', 'UPSERT', '{}')",
  );
  const [item] = await eventually(
    () => listDeadLetters(database.client, NO_FILTER, PAGE),
    (items) => items.length === 1,
  );
  expect(item).toMatchObject({ kind: 'quarantine', error: 'unknown_verb' });
  await database.query("update core.tb_entity_change_log set modification_type = 'INSERT'");
  expect((await requestRetries(database.client, redrive(item!.id))).queued).toEqual([item!.id]);
  await receiver.waitFor(1);
  await until(async () => (await listDeadLetters(database.client, NO_FILTER, PAGE)).length === 0);
});

test('a stop is heard at any moment of a start, also while the term is being opened', async () => {
  for (let moment = 0; moment < 12; moment++) {
    const stream = await startStream(database.url, [observerOf('all', endpointOf(`${receiver.url}/hook`))]);
    for (let tick = 0; tick < moment * 3; tick++) await new Promise((resolve) => setImmediate(resolve));
    await stream.stop();
  }
});

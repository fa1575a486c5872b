import type { Client } from 'pg';
import { claimDue } from '../../src/jobs/postgres-job-queue.sql';
import { acquireLease } from '../../src/ha/lease.sql';
import { previewSet } from '../../src/redrive/dead-letter-sets.sql';
import { showDeadLetter } from '../../src/redrive/dead-letters.sql';
import { discardItems, requestRetries } from '../../src/redrive/redrive.sql';
import { restoreItems } from '../../src/redrive/restore.sql';
import { issueToken, readToken, SetTakenBack } from '../../src/redrive/set-token';
import { takeBack } from '../../src/redrive/take-back.sql';
import { connectAsApplication, createTestDatabase, type TestDatabase } from '../support/database';
import { deadLetters, NO_FILTER } from '../support/redrive';
import { atLeast, untilRows } from '../support/until';

let database: TestDatabase;
let leader: Client;
let bob: Client;

beforeEach(async () => {
  database = await createTestDatabase();
  leader = await connectAsApplication(database.url, 'leader');
  bob = await connectAsApplication(database.url, 'bob');
});

afterEach(async () => {
  await leader.end();
  await bob.end();
  await database.drop();
});

const ALL = { limit: null, offset: 0 };

/** A retry of all of them, by one token. */
async function retryAll(ids: readonly string[]): Promise<string> {
  const { set } = await previewSet(database.client, NO_FILTER, ALL, 1);
  const token = await issueToken(database.client, 'retry', set);
  const asked = { ids, who: 'ann', detail: `retry-all ${token}`, config: 'current', snapshot: set.snapshot, set: token } as const;
  expect((await requestRetries(database.client, asked)).queued).toHaveLength(ids.length);
  return token;
}

const lead = async () => {
  const lease = await acquireLease(leader, 'main', 'leader', null, 60_000);
  return { stream: 'main', holder: 'leader', epoch: lease! };
};
const pending = () => database.query<{ state: string }>('select state from observers.pending_delivery order by change_number');
const whatHappened = async (id: string) => (await showDeadLetter(database.client, id))!.history.map(({ what, who }) => [what, who]);
const somebodyWaits = () =>
  untilRows(database, "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'", atLeast(1));

test('what was asked for by a token and not tried is taken back, and each item is in the queue as it was', async () => {
  const ids = await deadLetters(database, 5);
  const before = await database.query('select * from observers.dead_letter order by id');
  const token = await retryAll(ids);
  expect(await takeBack(database.client, { token }, 'bob', 'too early')).toEqual({
    takenBack: 5,
    running: 0,
    tried: 0,
    left: [],
    unknown: [],
  });
  expect(await pending()).toEqual([]);
  expect(await database.query('select * from observers.dead_letter order by id')).toEqual(before);
  expect(await whatHappened(ids[0]!)).toEqual([
    ['retry asked for', 'ann'],
    ['retry taken back', 'bob'],
  ]);
  // Nothing more is asked for by it, by whoever is in the middle of that.
  await expect(readToken(database.client, 'retry', token)).rejects.toThrow('this set was taken back by bob');
  const more = requestRetries(database.client, { ids, who: 'ann', detail: null, config: 'current', snapshot: null, set: token });
  await expect(more).rejects.toBeInstanceOf(SetTakenBack);
  // A new look can ask for all of them again.
  await retryAll(ids);
  expect(await pending()).toHaveLength(5);
});

test('who takes back while the leader is claiming does not take what is claimed, and says that it is being tried', async () => {
  const ids = await deadLetters(database, 4);
  const token = await retryAll(ids);
  const term = await lead();
  await leader.query('begin');
  expect(await claimDue(leader, term, [{ endpoint: 'hook', free: 8 }], 60_000, new Map())).toHaveLength(2);
  const taking = takeBack(bob, { token }, 'bob', null);
  await somebodyWaits();
  await leader.query('commit');
  expect(await taking).toMatchObject({ takenBack: 2, running: 2 });
  expect((await pending()).map(({ state }) => state)).toEqual(['running', 'running']);
});

test('the leader that claims while somebody takes back neither waits nor gets what is being taken back', async () => {
  const ids = await deadLetters(database, 4);
  const token = await retryAll(ids);
  const term = await lead();
  await database.query('begin');
  await database.query('delete from observers.pending_delivery where item_set = $1', [token]);
  expect(await claimDue(leader, term, [{ endpoint: 'hook', free: 8 }], 60_000, new Map())).toEqual([]);
  await database.query('rollback');
  expect(await claimDue(leader, term, [{ endpoint: 'hook', free: 8 }], 60_000, new Map())).toHaveLength(2);
});

test('people who take back at once and a leader that claims share the items: none is lost, and none is had by two', async () => {
  const ids = await deadLetters(database, 300);
  await retryAll(ids);
  const term = await lead();
  const others = await Promise.all(Array.from({ length: 5 }, () => connectAsApplication(database.url, 'other')));
  let claimed = 0;
  const claims = (async () => {
    for (let i = 0; i < 20; i++) claimed += (await claimDue(leader, term, [{ endpoint: 'hook', free: 12 }], 60_000, new Map())).length;
  })();
  const taken = await Promise.all(
    others.map(async (client, i) => {
      let its = 0;
      for (let j = 0; j < 10; j++) {
        const some = ids.filter((_, at) => at % 10 === j);
        its += (await takeBack(client, { ids: i % 2 === 0 ? some : [...some].reverse() }, 'bob', null)).takenBack;
      }
      return its;
    }),
  );
  await claims;
  await Promise.all(others.map((client) => client.end()));
  const all = taken.reduce((sum, its) => sum + its, 0);
  expect(all + claimed).toBe(300);
  expect((await pending()).map(({ state }) => state)).toEqual(Array(claimed).fill('running'));
  expect(await database.query("select 1 from observers.dead_letter_event where what = 'retry taken back'")).toHaveLength(all);
});

test('an id of which nothing is asked for is left alone and named, and so is an unknown one', async () => {
  const [one, two] = await deadLetters(database, 2);
  await requestRetries(database.client, { ids: [one!], who: 'ann', detail: null, config: 'current', snapshot: null });
  const unknown = '4b7a3c1e-0000-4000-8000-000000000001';
  expect(await takeBack(database.client, { ids: [one!, two!, unknown] }, 'bob', null)).toEqual({
    takenBack: 1,
    running: 0,
    tried: 0,
    left: [two],
    unknown: [unknown],
  });
});

test('a quarantined change that somebody asked to look at again is taken back too', async () => {
  await deadLetters(database, 1);
  await database.query("insert into observers.quarantine (change_number, stream, reason, message) values (1, 'main', 'unknown_verb', 'x')");
  const [row] = await database.query<{ id: string }>('select id from core.tb_entity_change_log');
  await requestRetries(database.client, { ids: [row!.id], who: 'ann', detail: null, config: 'current', snapshot: null });
  expect(await database.query('select 1 from observers.quarantine where retry_at is not null')).toHaveLength(1);
  expect(await takeBack(database.client, { ids: [row!.id] }, 'bob', null)).toMatchObject({ takenBack: 1, left: [] });
  expect(await database.query('select 1 from observers.quarantine where retry_at is not null')).toHaveLength(0);
});

test('what was discarded by a token comes back as it was, and what was delivered since does not', async () => {
  const ids = await deadLetters(database, 3);
  const { set } = await previewSet(database.client, NO_FILTER, ALL, 1);
  const token = await issueToken(database.client, 'remove', set);
  await discardItems(database.client, { ids, who: 'ann', detail: 'wrong filter', snapshot: set.snapshot, set: token });
  await database.query("update observers.dead_letter set resolution = 'delivered' where id = $1", [ids[2]]);
  expect(await restoreItems(database.client, { token }, 'bob', null)).toEqual({ restored: 2, gone: 0, left: [ids[2]] });
  expect((await previewSet(database.client, NO_FILTER, ALL, 9)).sample.map(({ id }) => id)).toEqual(ids.slice(0, 2));
  expect(await whatHappened(ids[0]!)).toEqual([
    ['discarded', 'ann'],
    ['restored', 'bob'],
  ]);
  await expect(takeBack(database.client, { token }, 'bob', null)).rejects.toThrow('to be discarded');
});

test('a discarded item whose change is no longer in the log cannot come back, and says so', async () => {
  const [id] = await deadLetters(database, 1);
  await discardItems(database.client, { ids: [id!], who: 'ann', detail: null, snapshot: null });
  await database.query('delete from core.tb_entity_change_log');
  expect(await restoreItems(database.client, { ids: [id!] }, 'bob', null)).toEqual({ restored: 0, gone: 1, left: [] });
});

test('a token has twelve characters, stands for its set alone, and expires', async () => {
  await deadLetters(database, 2);
  const { set } = await previewSet(database.client, NO_FILTER, ALL, 1);
  const tokens = new Set<string>();
  for (let i = 0; i < 50; i++) tokens.add(await issueToken(database.client, 'retry', { ...set, count: i }));
  expect(tokens.size).toBe(50);
  const [token] = [...tokens].slice(7);
  expect(token).toMatch(/^[0-9a-z]{12}$/);
  expect(await readToken(database.client, 'retry', token!)).toEqual({ ...set, count: 7 });
  await expect(readToken(database.client, 'remove', token!)).rejects.toThrow('this token is for retry, not for remove');
  await database.query("update observers.item_set set expires_at = now() - interval '1 s'");
  await expect(readToken(database.client, 'retry', token!)).rejects.toThrow('older than 24 hours');
});

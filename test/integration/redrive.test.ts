import type { Client } from 'pg';
import { countSet, forgetForeignTransactions, previewSet } from '../../src/redrive/dead-letter-sets.sql';
import { discardItems, requestRetries } from '../../src/redrive/redrive.sql';
import { type TestDatabase, connectAsApplication, createTestDatabase } from '../support/database';
import { deadLetters, NO_FILTER } from '../support/redrive';
import { atLeast, untilRows } from '../support/until';

let database: TestDatabase;
let other: Client;

beforeEach(async () => {
  database = await createTestDatabase();
  other = await connectAsApplication(database.url, 'other');
});

afterEach(async () => {
  await other.end();
  await database.drop();
});

const request = (id: string) => ({ ids: [id], who: 'me', detail: null, config: 'current', snapshot: null }) as const;
const pending = () => database.query('select redrive from observers.pending_delivery');
const somebodyWaits = () =>
  untilRows(database, "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'", atLeast(1));

test('who asks at the very moment in which the retry of somebody else succeeds finds it delivered, and does not fire it again', async () => {
  const [id] = await deadLetters(database, 1);
  expect((await requestRetries(other, request(id!))).queued).toEqual([id]);
  // What a leader commits when the retry has succeeded; not committed yet.
  await database.query('begin');
  await database.query('delete from observers.pending_delivery');
  await database.query("update observers.dead_letter set resolved_at = now(), resolution = 'delivered'");
  const late = requestRetries(other, request(id!));
  await somebodyWaits();
  await database.query('commit');
  expect(await late).toMatchObject({ queued: [], left: [id] });
  expect(await pending()).toEqual([]);
  expect(await database.query("select 1 from observers.dead_letter_event where what = 'retry asked for'")).toHaveLength(1);
});

test('a discard waits for a retry that is being asked for, and leaves its item alone', async () => {
  const [id] = await deadLetters(database, 1);
  await database.query('begin');
  await database.query(
    `insert into observers.pending_delivery (change_number, observer, action, stream, endpoint, lane, state, attempt, next_attempt_at)
     select change_number, observer, action, stream, endpoint, 'lane', 'retrying', 2, now() from observers.dead_letter`,
  );
  await database.query('select from observers.dead_letter for update');
  const discarding = discardItems(other, request(id!));
  await somebodyWaits();
  await database.query('commit');
  expect(await discarding).toMatchObject({ queued: [], waiting: [id] });
});

test('a retry that waits for a discard finds the item discarded', async () => {
  const [id] = await deadLetters(database, 1);
  await database.query('begin');
  await database.query("update observers.dead_letter set resolved_at = now(), resolution = 'discarded'");
  const retrying = requestRetries(other, request(id!));
  await somebodyWaits();
  await database.query('commit');
  expect(await retrying).toMatchObject({ queued: [], left: [id] });
  expect(await pending()).toEqual([]);
});

test('two who retry the same thousand items in opposite orders neither wait for each other for ever nor fire one twice', async () => {
  const ids = await deadLetters(database, 1_000);
  const both = await Promise.all([
    requestRetries(database.client, { ...request(''), ids }),
    requestRetries(other, { ...request(''), ids: [...ids].reverse() }),
  ]);
  expect(both.map(({ queued }) => queued.length).reduce((a, b) => a + b)).toBe(1_000);
  expect(await pending()).toHaveLength(1_000);
});

test('items that were restored from another cluster, whose transactions lie in the future of this one, are in the sets again', async () => {
  await deadLetters(database, 3);
  await database.query("update observers.dead_letter set changed_xid = '99999999999' where change_number < 3");
  const count = async () => (await previewSet(database.client, NO_FILTER, { limit: null, offset: 0 }, 1)).set.count;
  expect(await count()).toBe(1);
  expect(await forgetForeignTransactions(database.client)).toBe(2);
  expect(await count()).toBe(3);
});

test('items from before the migration count as unchanged, until something changes them', async () => {
  const [first] = await deadLetters(database, 2);
  await database.query('update observers.dead_letter set changed_xid = null');
  const { set } = await previewSet(database.client, NO_FILTER, { limit: null, offset: 0 }, 1);
  expect(set.count).toBe(2);
  await database.query("update observers.dead_letter set message = 'died again' where id = $1", [first]);
  expect(await countSet(database.client, set)).toBe(1);
});

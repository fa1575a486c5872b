import { beginPeriod } from '../../src/checkpoint/config-period.sql';
import type { Cursor } from '../../src/checkpoint/cursor';
import { createTestDatabase, type TestDatabase } from '../support/database';

let database: TestDatabase;
beforeAll(async () => (database = await createTestDatabase()));
afterAll(() => database.drop());

const at = (previous: string, target: string | null = null, after = 0): Cursor => ({ previous, target, after });

/** Of one stream: each step is an epoch, a version, and the place at which it began. */
async function recorded(stream: string, ...steps: readonly [number, number, Cursor][]): Promise<string[]> {
  for (const [epoch, configVersion, cursor] of steps) await beginPeriod(database.client, { stream, epoch, configVersion }, cursor);
  const rows = await database.query<{ epoch: string; config_version: number }>(
    'select epoch, config_version from observers.config_period where stream = $1 order by number',
    [stream],
  );
  return rows.map(({ epoch, config_version: version }) => `${epoch}:${version}`);
}

test('a version that goes on is on record once', async () => {
  expect(await recorded('same', [1, 1, at('5:5:')], [2, 1, at('5:5:')], [3, 1, at('7:9:7')])).toEqual(['1:1']);
});

test('a version that comes, in a term or with a new one, is on record each time', async () => {
  expect(await recorded('other', [1, 1, at('5:5:')], [1, 2, at('6:6:')], [2, 1, at('7:7:')])).toEqual(['1:1', '1:2', '2:1']);
});

test.each<[string, Cursor, Cursor]>([
  ['an earlier snapshot', at('10:20:10'), at('10:15:10')],
  ['an older transaction under way', at('12:20:12'), at('10:20:10,12')],
  ['one more transaction under way', at('10:20:10'), at('10:20:10,12')],
  ['an earlier page of the same window', at('10:20:', '20:30:', 7), at('10:20:', '20:30:', 5)],
  ['the time before the window was opened', at('10:20:', '20:30:', 7), at('10:20:')],
])(
  'after a crash a stream that goes back to %s, behind a reload, has it on record that the version decides from there',
  async (name, reloaded, checkpoint) => {
    expect(await recorded(name, [1, 1, at('5:5:')], [1, 2, reloaded], [2, 2, checkpoint], [3, 2, reloaded])).toEqual(['1:1', '1:2', '2:2']);
  },
);

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, type QueryResult } from 'pg';
import { envelopeText } from '../../src/event/envelope';
import { applyCapture, checkConditions, planCapture } from '../../src/change-log/capture/capture';
import { readSomeChanges } from '../../src/change-log/changes-by-number.sql';
import { PageSize } from '../../src/change-log/page-size';
import { decode } from '../../src/change-log/decode';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { ConfigFile } from '../unit/config/config-file';

const PAGE = readFileSync(join(__dirname, '../../docs/capture.md'), 'utf8');
const MOST = 1 << 20;

type Result = QueryResult<Record<string, string | null>>;

interface Block {
  readonly line: number;
  readonly info: string;
  readonly text: string;
}

const blocks: Block[] = [...PAGE.matchAll(/^```(\S[^\n]*)\n([\s\S]*?)^```$/gm)].map(({ index, 1: info = '', 2: text = '' }) => {
  return { line: PAGE.slice(0, index).split('\n').length, info, text };
});

let database: TestDatabase;
// Values as PostgreSQL writes them.
let client: Client;
let last: Result | null = null;
const file = new ConfigFile();

beforeAll(async () => {
  database = await createTestDatabase();
  client = new Client({ connectionString: database.url, types: { getTypeParser: () => (value: string) => value } });
  await client.connect();
});

afterAll(async () => {
  await client.end();
  await database.drop();
  file.remove();
});

async function run(sql: string): Promise<void> {
  // Some statements must not stand in a transaction with others.
  const concurrently = /concurrently/.test(sql);
  for (const statement of concurrently ? sql.split(/;\n/).filter((part) => part.trim() !== '') : [sql]) {
    const results = (await client.query(statement)) as Result | Result[];
    last = Array.isArray(results) ? results.at(-1)! : results;
  }
}

/** Every table that the page has captured so far stays captured. */
const captured: string[] = [];
async function apply(yaml: string): Promise<void> {
  const whole = yaml.startsWith('version:') ? yaml : `version: 1\n${yaml}observers: []\n`;
  const { captures } = file.load(whole).file.definition;
  await checkConditions(database.client, captures);
  const plans = (await planCapture(database.client, captures)).filter(({ state }) => state !== 'unwanted');
  expect(plans.map(({ state }) => state)).toEqual(captures.map(() => 'missing'));
  await applyCapture(database.client, plans);
  expect((await planCapture(database.client, captures)).filter(({ state }) => state !== 'unwanted').map(({ reasons }) => reasons)).toEqual(
    captures.map(() => []),
  );
  captured.push(...captures.map(({ table }) => table));
}

function shown({ fields, rows }: Result): string[] {
  return [fields.map(({ name }) => name), ...rows.map((row) => Object.values(row).map((value) => value ?? ''))].map((cells) =>
    cells.join(' | ').trimEnd(),
  );
}

async function envelope(text: string, change: number): Promise<void> {
  const { rows: [row] } = await readSomeChanges(database.client, [change], { bytes: MOST, eventBytes: MOST }, new PageSize()); // prettier-ignore
  const decoded = decode(row!, MOST);
  if (decoded.is !== 'event') throw new Error('it is no event');
  const { id, timestamp, ...really } = JSON.parse(envelopeText(decoded.event)) as Record<string, unknown>;
  const { id: idThere, timestamp: timestampThere, ...there } = JSON.parse(text) as Record<string, unknown>;
  expect(there).toEqual(really);
  expect(String(idThere).slice(14)).toBe(String(id).slice(14));
  expect(Date.parse(String(timestampThere))).not.toBeNaN();
  expect(timestamp).toMatch(/Z$/);
}

test('docs/capture.md is true from its first example to its last', async () => {
  for (const { line, info, text } of blocks) {
    try {
      if (info === 'sql') await run(text);
      else if (info === 'yaml') await apply(text);
      else if (info === 'text result')
        expect(shown(last!)).toEqual(
          text
            .trimEnd()
            .split('\n')
            .map((row) => row.trimEnd()),
        );
      else if (info.startsWith('json envelope ')) await envelope(text, Number(info.split(' ').at(-1)));
      else expect(info).toBe('sh');
    } catch (error) {
      throw new Error(`docs/capture.md:${line}: ${(error as Error).message}`, { cause: error });
    }
  }
  // What the page says of it: without the error it is an event.
  const [payment] = await database.query<{ number: number }>(
    "select pk_entity_change_log::int as number from core.tb_entity_change_log where object_type = 'Payment' and object_key = '2'",
  );
  const { rows } = await readSomeChanges(database.client, [payment!.number], { bytes: MOST, eventBytes: MOST }, new PageSize());
  expect(decode(rows[0]!, MOST)).toMatchObject({ is: 'event' });
  expect(captured).toHaveLength(6);
});

test('its lines can be read beside one another, and its links lead somewhere', () => {
  const prose = PAGE.replace(/^```[\s\S]*?^```$/gm, '');
  expect(PAGE.split('\n').filter((line) => line.length > 140)).toEqual([]);
  expect(prose.split('\n').filter((line) => line.startsWith('|'))).toEqual([]);
  const anchorsOf = (page: string): string[] =>
    [...page.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
      title!
        .toLowerCase()
        .replace(/[`:,'().…]/g, '')
        .replace(/ /g, '-'),
    );
  for (const [, path = '', anchor] of prose.matchAll(/\]\(([^)#]*)(?:#([^)]*))?\)/g)) {
    const page = path === '' ? PAGE : readFileSync(join(__dirname, '../../docs', path), 'utf8');
    if (anchor !== undefined) expect(anchorsOf(page)).toContain(anchor);
  }
});

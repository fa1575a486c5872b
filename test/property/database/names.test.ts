import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { Client } from 'pg';
import { parseName, quoteIdentifier, quoteLiteral, quoteName } from '../../../src/database/names';
import { shellWord } from '../../../src/event/shell-word';
import { serverUrl } from '../../support/database';

/** What has broken names before, among plain ones. */
// prettier-ignore
const PIECES = [
  'a', 'B', 'ß', 'Ü', '日', '😀', ' ', '.', '"', '""', "'", '\\', '$', '$$', '$&', '$1', '$`', '$capture$', '--', '/*', ';', '%s', '%', '\n',
  '\t', '-', '0', '_', '{', '}', '`', '!', '*', 'order', 'user', 'null',
];
const hostile = fc.oneof(
  fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 8 }).map((pieces) => pieces.join('')),
  fc.constantFrom('select', 'public', 'Users', 'json_table', '$&', '"', 'x'.repeat(63), 'ü'.repeat(31)),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter((text) => text.isWellFormed() && !text.includes('\0')),
);

let client: Client;

beforeAll(async () => {
  client = new Client({ connectionString: serverUrl() });
  await client.connect();
});

afterAll(() => client.end());

test('a name that was printed is read back as the same table, whatever it is made of', () => {
  fc.assert(
    fc.property(hostile, hostile, (schema, table) => {
      const written = quoteName(schema, table);
      expect(parseName(written)).toMatchObject({ schema, table, folded: null });
      expect(parseName(` ${written}\n`)).toMatchObject({ schema, table, folded: null });
    }),
    { numRuns: 2_000 },
  );
});

test("names are printed as PostgreSQL's own format does, but for keywords of later versions, and mean the same to it", async () => {
  const { rows: server } = await client.query<{ version: number; words: string[] }>(
    "select current_setting('server_version_num')::int as version, array(select word from pg_get_keywords()) as words",
  );
  const { version, words } = server[0]!;
  const isLater = (name: string): boolean => version < 180_000 && quoteIdentifier(name) === `"${name}"` && !words.includes(name);
  await fc.assert(
    fc.asyncProperty(hostile, hostile, async (schema, table) => {
      const { rows } = await client.query<{ written: string[]; parts: string[] }>(
        "select array[format('%I', $1::text), format('%I', $2::text)] as written, parse_ident($3) as parts",
        [schema, table, quoteName(schema, table)],
      );
      const { written, parts } = rows[0]!;
      expect(parts).toEqual([schema, table]);
      const others = [schema, table].filter((name, i) => quoteIdentifier(name) !== written[i]);
      expect(others.filter((name) => !isLater(name))).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test('a column of any name is the column that is asked for', async () => {
  await fc.assert(
    fc.asyncProperty(
      hostile.filter((name) => Buffer.byteLength(name) < 64),
      async (name) => {
        const { rows } = await client.query<Record<string, number>>(`select 1 as ${quoteIdentifier(name)}`);
        expect(rows).toEqual([{ [name]: 1 }]);
      },
    ),
    { numRuns: 500 },
  );
});

test('no keyword of this server stands unquoted where it may not', async () => {
  const { rows } = await client.query<{ word: string; quoted: string }>('select word, quote_ident(word) as quoted from pg_get_keywords()');
  const bare = rows.filter(({ word, quoted }) => quoted !== word && quoteIdentifier(word) === word);
  expect(bare).toEqual([]);
});

test.each(['on', 'off'])('a literal is the text itself with standard_conforming_strings = %s', async (setting) => {
  await client.query(`set standard_conforming_strings = ${setting}; set escape_string_warning = off`);
  await fc.assert(
    fc.asyncProperty(hostile, async (text) => {
      const { rows } = await client.query<{ text: string }>(`select ${quoteLiteral(text)} as text`);
      expect(rows[0]?.text).toBe(text);
    }),
    { numRuns: 300 },
  );
  await client.query('reset standard_conforming_strings');
});

test('an unquoted part with capitals is the table of exactly that name, or else the one in lower case', () => {
  expect(parseName('public.Users')).toEqual({ schema: 'public', table: 'Users', folded: { schema: 'public', table: 'users' } });
  expect(parseName('public."Users"')).toEqual({ schema: 'public', table: 'Users', folded: null });
  expect(parseName('Shop."Users"')).toEqual({ schema: 'Shop', table: 'Users', folded: { schema: 'shop', table: 'Users' } });
  expect(parseName('public.Ärger')).toEqual({ schema: 'public', table: 'Ärger', folded: null });
  expect(parseName('public.order-items$')).toEqual({ schema: 'public', table: 'order-items$', folded: null });
});

test.each(['', ' ', 'orders', 'a.b.c', 'a.', '.b', 'a..b', '"a".', 'a."b', 'a.b c', 'a.b"c"', '"a"b.c', 'a.""', 'a . b', 'a.b\0'])(
  'what is no name of a table is refused, with how to write one: %j',
  (text) => {
    expect(() => parseName(text)).toThrow(/is not the name of a table: expected schema.table/);
  },
);

test('a shell gives back every word that is printed for it', () => {
  fc.assert(
    fc.property(hostile, hostile, (schema, table) => {
      const words = [quoteName(schema, table), table, ''];
      const script = `printf '%s\\0' ${words.map(shellWord).join(' ')}`;
      expect(execFileSync('sh', ['-c', script], { encoding: 'utf8' })).toBe(words.map((word) => `${word}\0`).join(''));
    }),
    { numRuns: 60 },
  );
});

test('a plain word is printed plain', () => {
  expect(['public.orders', 'invoices-2', '--config=a.yaml', '~x', '=x', 'a b'].map(shellWord)).toEqual([
    'public.orders',
    'invoices-2',
    '--config=a.yaml',
    "'~x'",
    "'=x'",
    "'a b'",
  ]);
});

import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import type { Received } from '../support/receiver';
import { connectAsApplication } from '../support/database';

/** Between two of them, in milliseconds. */
const EVERY = 120;
/** So many of the large ones: what was stored of them is small, and what is read is not. */
const LARGE = 40;
const LARGE_BYTES = 3_300_000;

export const HOSTILE = 'hostile';
export const HOSTILE_TABLES = 'create table hostile (key text primary key, n int not null, note text, at timestamptz, amount numeric)';

const TERMINAL = '\x1b]0;title\x07\x1b[2J\x9b31m\u202e\u2028\r\nforged\x08\x7f';

interface Row {
  readonly key: string;
  readonly note?: string;
  readonly cause?: string;
  readonly at?: string;
  readonly amount?: string;
}

/** What has stopped others: a key that no index takes, a value that grows when it is read, a cause without end, times and numbers that are none. */
const ROWS: readonly ((n: number) => Row)[] = [
  (n) => ({ key: `${n} ${randomBytes(1_335).toString('hex')}` }),
  (n) => ({ key: `${n} large`, note: n < ROWS.length * LARGE ? 'x'.repeat(LARGE_BYTES) : 'no more of them' }),
  (n) => ({ key: `${n} cause`, cause: 'x'.repeat(1_000_000) }),
  (n) => ({ key: `${n} ${TERMINAL}`, note: TERMINAL }),
  (n) => ({ key: `${n} times`, at: 'infinity', amount: 'NaN' }),
  (n) => ({ key: `${n} \u{1F600}"\\{{ data }}<!channel>`, at: '4713-01-01 BC', amount: `1e${n % 2 === 0 ? '' : '-'}300` }),
  (n) => ({ key: `${n}\n${'deep'.repeat(100)}`, note: '['.repeat(50_000) }),
];

const INSERT = 'insert into hostile (key, n, note, at, amount) values ($1, $2, $3, $4, $5)';

/** An application that writes such rows, one after the other, over all kills. @returns ends it */
export function startHostileWriter(url: string): () => Promise<void> {
  let stopping = false;
  const run = async (): Promise<void> => {
    let client: Client | null = null;
    for (let n = 0; !stopping; n++) {
      try {
        client ??= await connectAsApplication(url, 'chaos hostile writer');
        const { key, note = null, cause = '', at = null, amount = null } = ROWS[n % ROWS.length]!(n);
        await client.query('begin');
        await client.query("select set_config('observers.cause', $1, true)", [cause]);
        await client.query(INSERT, [key, n, note, at, amount]);
        await client.query('commit');
      } catch {
        // PostgreSQL was killed.
        await client?.end().catch(() => undefined);
        client = null;
      }
      await new Promise((again) => setTimeout(again, EVERY));
    }
    await client?.end().catch(() => undefined);
  };
  const running = run();
  return async () => {
    stopping = true;
    await running;
  };
}

/** @returns how many were committed, and the numbers of those that have not arrived */
export async function compareHostile(client: Client, arrived: readonly Received[]): Promise<{ committed: number; lost: number[] }> {
  const { rows } = await client.query<{ n: number }>('select n from hostile order by n');
  const known = new Set(arrived.map(({ body }) => (JSON.parse(body) as { n: number }).n));
  return { committed: rows.length, lost: rows.map(({ n }) => n).filter((n) => !known.has(n)) };
}

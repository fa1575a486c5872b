import type { Client } from 'pg';
import { connectAsApplication } from '../support/database';

const WRITERS = 8;
const ACCOUNTS = 200;

/** When so many transactions are through they go on, and rest in between (ms): what a busy machine has yet to deliver is not to grow for ever. */
const REST = 200;

export interface Writers {
  stop(): Promise<void>;
}

/**
 * Eight applications at once: inserts, updates and deletes of few rows, so that they meet; rollbacks, savepoints, commits that come
 * late. What each transaction did is written to `truth` in the same transaction: whatever becomes of it, truth is what is committed.
 */
export function startWriters(url: string, random: () => number, plenty: number): Writers {
  let stopping = false;
  let done = 0;
  const run = async (): Promise<void> => {
    let client: Client | null = null;
    while (!stopping) {
      try {
        client ??= await connectAsApplication(url, 'chaos writer');
        await transaction(client, random);
        if (++done > plenty) await new Promise((again) => setTimeout(again, REST));
      } catch {
        // PostgreSQL was killed, or two writers met: on with another connection.
        await client?.end().catch(() => undefined);
        client = null;
        await new Promise((again) => setTimeout(again, 50));
      }
    }
    await client?.end().catch(() => undefined);
  };
  const running = Array.from({ length: WRITERS }, run);
  return {
    stop: async () => {
      stopping = true;
      await Promise.all(running);
    },
  };
}

async function transaction(client: Client, random: () => number): Promise<void> {
  await client.query('begin');
  const changes = 1 + Math.floor(random() * 3);
  for (let i = 0; i < changes; i++) {
    const undone = random() < 0.15;
    if (undone) await client.query('savepoint s');
    await change(client, Math.floor(random() * ACCOUNTS), random());
    if (undone) await client.query('rollback to savepoint s');
  }
  // Holds its numbers while others commit later ones.
  if (random() < 0.1) await client.query('select pg_sleep($1)', [random() * 0.3]);
  await client.query(random() < 0.15 ? 'rollback' : 'commit');
}

// Versions go on over deletes, so that each change of an account is told from every other.
const CHANGE = `
  with last as (select coalesce(max(version), 0) as version from truth where id = $1),
  known as (insert into truth select $1, last.version + 1, $2 from last returning version)
  select version from known`;

async function change(client: Client, id: number, dice: number): Promise<void> {
  // One change of an account at a time, in the order of its row lock; an advisory one, for the row may not exist.
  await client.query('select pg_advisory_xact_lock(4711, $1)', [id]);
  const { rowCount } = await client.query('select from account where id = $1', [id]);
  const kind = rowCount === 0 ? 'insert' : dice < 0.15 ? 'delete' : 'update';
  const { rows } = await client.query<{ version: number }>(CHANGE, [id, kind]);
  const version = rows[0]?.version ?? 0;
  if (kind === 'insert') await client.query("insert into account values ($1, $2, repeat('x', 300))", [id, version]);
  else if (kind === 'update') await client.query('update account set version = $2 where id = $1', [id, version]);
  else await client.query('delete from account where id = $1', [id]);
}

import { Client } from 'pg';
import { noteOf } from './capture';

/** Child process: inserts orders of about 1 kB. Arguments: url, table, writers, seconds, first id. Message out when done: { written, seconds }. */
const [, , url = '', table = '', writers = '8', seconds = '5', first = '1'] = process.argv;
const NOTE = noteOf(1, 900);
let written = 0;

async function write(until: number): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  while (performance.now() < until) {
    await client.query({
      name: 'order',
      text: `insert into ${table} (id, customer, status, total, placed_at, note) values ($1, gen_random_uuid(), 'new', 249.5, now(), $2)`,
      values: [Number(first) + written++, NOTE],
    });
  }
  await client.end();
}

async function main(): Promise<void> {
  const begin = performance.now();
  await Promise.all(Array.from({ length: Number(writers) }, () => write(begin + Number(seconds) * 1_000)));
  process.send?.({ written, seconds: (performance.now() - begin) / 1_000 }, () => process.disconnect());
}

void main();

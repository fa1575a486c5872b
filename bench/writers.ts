import { Client } from 'pg';

/**
 * Child process: writes orders of about 1 kB. Arguments: url, writers, seconds, rate (0: as fast as they can).
 * Message out when done: { written, seconds, commits: [id, at][] }.
 */
const [, , url = '', writers = '8', seconds = '5', rate = '0'] = process.argv;
const FILLER = 'x'.repeat(900);
const commits: [id: number, at: number][] = [];
let written = 0;

async function write(until: number): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const pause = Number(rate) > 0 ? (1_000 * Number(writers)) / Number(rate) : 0;
  for (let next = performance.now() + Math.random() * pause; performance.now() < until; next += pause) {
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())));
    const { rows } = await client.query<{ id: string }>({
      name: 'order',
      text: 'insert into public.orders (status, total, note) values ($1, $2, $3) returning id',
      values: ['new', 250, FILLER],
    });
    written++;
    if (pause > 0) commits.push([Number(rows[0]?.id), performance.timeOrigin + performance.now()]);
  }
  await client.end();
}

async function main(): Promise<void> {
  const begin = performance.now();
  await Promise.all(Array.from({ length: Number(writers) }, () => write(begin + Number(seconds) * 1_000)));
  process.send?.({ written, seconds: (performance.now() - begin) / 1_000, commits }, () => process.disconnect());
}

void main();

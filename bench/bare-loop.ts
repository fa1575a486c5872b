import { createHmac } from 'node:crypto';
import { Client } from 'pg';
import { Pool } from 'undici';

/**
 * Child process, the baseline: the outbox loop that one writes by hand. Poll, sign, POST with a deadline, update what was accepted; no
 * order, no back-off, no crash safety beyond sending everything again, no conditions but the poll's own.
 */
const [, , url = '', target = ''] = process.argv;
const KEY = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');
const CONCURRENCY = 32;
const TIMEOUT = 10_000;

async function main(): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { origin, pathname } = new URL(target);
  const pool = new Pool(origin, { connections: CONCURRENCY });
  for (;;) {
    const { rows } = await client.query<{ id: string; event: string; body: string }>({
      name: 'poll',
      text: 'select id, event, body from public.outbox where sent_at is null order by id limit 500',
    });
    if (rows.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    const accepted: string[] = [];
    let next = 0;
    const send = async (): Promise<void> => {
      for (let row = rows[next++]; row !== undefined; row = rows[next++]) {
        const timestamp = Math.floor(Date.now() / 1_000);
        const signature = createHmac('sha256', KEY).update(`${row.event}.${timestamp}.${row.body}`).digest('base64');
        const headers = {
          'content-type': 'application/json',
          'webhook-id': row.event,
          'webhook-timestamp': String(timestamp),
          'webhook-signature': `v1,${signature}`,
        };
        const signal = AbortSignal.timeout(TIMEOUT);
        const response = await pool.request({ path: pathname, method: 'POST', headers, body: row.body, signal });
        await response.body.dump();
        if (response.statusCode < 300) accepted.push(row.id);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, send));
    if (rows.length > 0)
      await client.query({
        name: 'done',
        text: 'update public.outbox set sent_at = now() where id = any ($1::bigint[])',
        values: [accepted],
      });
  }
}

process.on('message', () => process.send?.({ cpu: process.cpuUsage(), rss: process.resourceUsage().maxRSS * 1024 }));
void main();

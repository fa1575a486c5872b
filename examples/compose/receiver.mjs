// A receiver without any package: it prints what is signed with the secret, and refuses everything else.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const key = Buffer.from(process.env.RECEIVER_SECRET.replace('whsec_', ''), 'base64');
/** Seconds by which the clocks may differ; an older request may be one that somebody has recorded. */
const TOLERANCE = 300;

function isGenuine(headers, body) {
  const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signatures = '' } = headers;
  if (!(Math.abs(Date.now() / 1000 - Number(time)) < TOLERANCE)) return false;
  const expected = Buffer.from(`v1,${createHmac('sha256', key).update(`${id}.${time}.`).update(body).digest('base64')}`);
  // During a rotation there are several.
  return signatures
    .split(' ')
    .map((one) => Buffer.from(one))
    .some((one) => one.length === expected.length && timingSafeEqual(one, expected));
}

createServer(async (request, response) => {
  const body = Buffer.concat(await request.toArray());
  if (!isGenuine(request.headers, body)) return response.writeHead(401).end('not signed with the secret\n');
  console.log(request.headers['webhook-id'], body.toString());
  response.writeHead(204).end();
}).listen(Number(process.env.PORT ?? 9000), () => console.log('listening'));

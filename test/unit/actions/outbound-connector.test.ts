import { createServer, type AddressInfo, type Server } from 'node:net';
import type { LookupAddress } from 'node:dns';
import { Pool } from 'undici';
import { HttpSender } from '../../../src/connections/http/http-sender';
import { AddressPolicy, guardedConnector, type NameLookup } from '../../../src/connections/http/outbound-guard';
import { startReceiver, status, type Receiver } from '../../support/receiver';
import { endpointOf } from '../../support/stream';
import { containing, matching } from '../../support/texts';

// 127.0.0.2 is allowed by itself and stands for a public address, 127.0.0.1 for a private one: both can be dialled on this machine.
const PUBLIC = '127.0.0.2';
const PRIVATE = '127.0.0.1';
const policy = new AddressPolicy([PUBLIC], 'shop');

interface Doors {
  readonly port: number;
  /** By the address that was dialled. */
  readonly dialled: string[];
  close(): Promise<void>;
}

/** One port on each of these addresses, that answers 204 and closes. */
async function openDoors(...addresses: string[]): Promise<Doors> {
  const dialled: string[] = [];
  const servers: Server[] = [];
  for (const address of addresses) {
    const server = createServer((socket) => {
      dialled.push(address);
      socket.on('error', () => undefined).once('data', () => socket.end('HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n'));
    });
    const port = servers[0] === undefined ? 0 : (servers[0].address() as AddressInfo).port;
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, address, resolve));
    servers.push(server);
  }
  const close = async (): Promise<void> => {
    for (const server of servers) await new Promise((resolve) => server.close(resolve));
  };
  return { port: (servers[0]?.address() as AddressInfo).port, dialled, close };
}

/** Answers the first look-up with the first list, the second with the second, and so on; the last for ever. */
function names(...answers: string[][]): NameLookup & { asked: number } {
  const lookup = (_host: string, _options: object, callback: (error: null, found: LookupAddress[]) => void): void => {
    const found = answers[Math.min(lookup.asked++, answers.length - 1)] ?? [];
    process.nextTick(
      callback,
      null,
      found.map((address) => ({ address, family: 4 })),
    );
  };
  lookup.asked = 0;
  return lookup;
}

async function request(port: number, lookup: NameLookup, times = 1): Promise<(number | string)[]> {
  const pool = new Pool(`http://name.example:${port}`, { connect: guardedConnector(policy, { timeout: 2_000 }, lookup) });
  const results: (number | string)[] = [];
  for (let i = 0; i < times; i++) {
    const sent = pool.request({ path: '/', method: 'POST', body: Buffer.from('x') });
    results.push(
      await sent.then(
        ({ statusCode }) => statusCode,
        (error: Error) => `${error.name}: ${error.message}`,
      ),
    );
  }
  await pool.destroy();
  return results;
}

test('a name that changes to a private address between two connections is refused the second time', async () => {
  const doors = await openDoors(PRIVATE, PUBLIC);
  const [first, second] = await request(doors.port, names([PUBLIC], [PRIVATE]), 2);
  expect([first, second]).toEqual([204, matching(/^BlockedAddressError: name\.example \(127\.0\.0\.1\) is not a public/)]);
  expect(doors.dialled).toEqual([PUBLIC]);
  await doors.close();
});

test('a name is looked up once for a connection: there is no second answer to differ from the one that was checked', async () => {
  const doors = await openDoors(PRIVATE, PUBLIC);
  const lookup = names([PUBLIC], [PRIVATE]);
  expect(await request(doors.port, lookup)).toEqual([204]);
  expect([lookup.asked, doors.dialled]).toEqual([1, [PUBLIC]]);
  await doors.close();
});

test.each([[[PUBLIC, PRIVATE]], [[PRIVATE, PUBLIC]]])(
  'of a name with the addresses %j only the public one is dialled',
  async (addresses) => {
    const doors = await openDoors(PRIVATE, PUBLIC);
    expect(await request(doors.port, names(addresses))).toEqual([204]);
    expect(doors.dialled).toEqual([PUBLIC]);
    await doors.close();
  },
);

test('when the public address of a name refuses the connection, its private one is not tried instead', async () => {
  const doors = await openDoors(PRIVATE);
  expect(await request(doors.port, names([PUBLIC, PRIVATE]))).toEqual([containing('ECONNREFUSED')]);
  expect(doors.dialled).toEqual([]);
  await doors.close();
});

test('a name without any address is a failed look-up, not a blocked address', async () => {
  const [error] = await request(9, names([]));
  expect(error).toBe('Error: name.example has no address');
});

test('connections that are reset as soon as they stand fail as connections, every time', async () => {
  const server = createServer((socket) => socket.resetAndDestroy());
  await new Promise<void>((resolve) => server.listen(0, PUBLIC, resolve));
  const { port } = server.address() as AddressInfo;
  const sender = new HttpSender(endpointOf(`http://${PUBLIC}:${port}`, { concurrency: 50 }));
  const send = () => sender.send({ path: '/', method: 'POST', headers: [], body: Buffer.from('x') });
  const outcomes = await Promise.all(Array.from({ length: 300 }, send));
  expect(new Set(outcomes.map((outcome) => (outcome.ok ? 'delivered' : outcome.error)))).toEqual(new Set(['connection']));
  await sender.close();
  await new Promise((resolve) => server.close(resolve));
});

describe('through the sender', () => {
  let target: Receiver;
  let redirecting: Receiver;

  beforeEach(async () => {
    target = await startReceiver();
    redirecting = await startReceiver(status(307, { location: `${target.url}/secret` }));
  });

  afterEach(async () => {
    await target.close();
    await redirecting.close();
  });

  const send = async (url: string, allowAddresses: string[]) => {
    const sender = new HttpSender(endpointOf(url, { allowAddresses }));
    const outcome = await sender.send({ path: '/', method: 'POST', headers: [], body: Buffer.from('x') });
    await sender.close();
    return outcome;
  };

  test('an allowed host name is dialled, and what it redirects to is not', async () => {
    const outcome = await send(`http://localhost:${redirecting.port}`, ['localhost']);
    expect(outcome).toMatchObject({ ok: false, error: 'redirect', status: 307 });
    expect([redirecting.requests.length, target.requests.length]).toEqual([1, 0]);
  });

  test('an allowed host name does not allow its address under another name', async () => {
    const outcome = await send(target.url, ['localhost']);
    expect(outcome).toMatchObject({ error: 'blocked_address', message: containing('allow_addresses: [loopback]') });
    expect(target.requests).toEqual([]);
  });

  test('localhost is a name like any other: it is refused for where it leads', async () => {
    expect(await send(`http://localhost:${target.port}`, [])).toMatchObject({ error: 'blocked_address' });
    expect(target.requests).toEqual([]);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority, selfSigned, type Certificate } from '../support/certificate';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { startServiceProcess, type ServiceProcess } from '../support/service-process';
import { matching } from '../support/texts';
import { until, untilRows } from '../support/until';

// Which authorities are trusted is decided when a process starts: hence the program itself, with NODE_EXTRA_CA_CERTS.

const DAY = 86_400_000;
const authority = createAuthority();
const stranger = createAuthority('Another Authority');
const localhost = { names: ['localhost'] };

const CERTIFICATES: Record<string, Certificate> = {
  right: authority.issue(localhost),
  address: authority.issue({ names: ['IP:127.0.0.1'] }),
  expired: authority.issue({ ...localhost, notBefore: new Date(Date.now() - 2 * DAY), notAfter: new Date(Date.now() - DAY) }),
  early: authority.issue({ ...localhost, notBefore: new Date(Date.now() + DAY), notAfter: new Date(Date.now() + 2 * DAY) }),
  self: selfSigned(localhost),
  other: authority.issue({ names: ['shop.example'] }),
  unknown: stranger.issue(localhost),
};

let folder: string;
let database: TestDatabase;
let plain: Receiver;
let service: ServiceProcess;
const servers: Server[] = [];
/** The requests that came through, by the name of the certificate. */
const received: string[] = [];

async function serve(name: string, certificate: Certificate): Promise<string> {
  const server = createServer(certificate, (request, response) => {
    received.push(name);
    request.resume().on('end', () => response.writeHead(204).end());
  });
  servers.push(server.on('tlsClientError', () => undefined));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `https://${name === 'address' ? '127.0.0.1' : 'localhost'}:${(server.address() as AddressInfo).port}/hook`;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'observers-tls-'));
  database = await createTestDatabase();
  plain = await startReceiver();
  await database.query('create table public.orders (id bigint primary key)');
  const urls = new Map([['plain', `https://localhost:${plain.port}/hook`]]);
  for (const [name, certificate] of Object.entries(CERTIFICATES)) urls.set(name, await serve(name, certificate));
  const observers = [...urls].map(
    ([name, url]) => `  - { name: ${name}, entity: Order, actions: [{ type: webhook, url: "${url}", allow_addresses: [loopback] }] }\n`,
  );
  writeFileSync(
    join(folder, 'observers.yaml'),
    `version: 1\ncapture: [{ table: public.orders, entity: Order }]\nobservers:\n${observers.join('')}`,
  );
  writeFileSync(join(folder, 'ca.pem'), authority.cert);
  service = startServiceProcess(folder, { DATABASE_URL: database.url, NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') });
  await until(() => service.log.some(({ msg }) => msg === 'leading'));
  await database.query('insert into orders (id) values (1)');
  await untilRows(database, 'select from observers.attempt', urls.size);
});

afterAll(async () => {
  await service.end();
  await plain.close();
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  await database.drop();
  rmSync(folder, { recursive: true });
});

test.each(['right', 'address'])('a certificate of a trusted authority for the %s host is accepted', async (name) => {
  const rows = await database.query('select outcome, status from observers.attempt where observer = $1', [name]);
  expect(rows).toEqual([{ outcome: 'succeeded', status: 204 }]);
});

test.each([
  ['expired', /certificate has expired; it must be renewed there \(certificate has expired\); trying again/],
  ['early', /is not valid yet; check the clocks/],
  ['self', /no authority that this machine trusts; .*NODE_EXTRA_CA_CERTS/],
  ['unknown', /no authority that this machine trusts; .*NODE_EXTRA_CA_CERTS/],
  ['other', /is for another name; correct the host in the endpoint's url.*shop\.example/],
  ['plain', /does not speak TLS on this port; correct the port, or write http:\/\/ in the url \(wrong version number\)/],
])('%s: dead at the first try, and the dead letter says what to do', async (name, message) => {
  const rows = await database.query('select error, attempts, message from observers.dead_letter where observer = $1', [name]);
  expect(rows).toEqual([{ error: 'tls', attempts: 1, message: matching(message) }]);
  expect(received).not.toContain(name);
});

test('no request reached a receiver that was refused', () => {
  expect([received.sort(), plain.requests]).toEqual([['address', 'right'], []]);
});

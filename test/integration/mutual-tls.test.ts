import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import type { Service } from '../../src/lifecycle/start-service';
import { createAuthority } from '../support/certificate';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startTestService } from '../support/service';
import { matching } from '../support/texts';
import { eventually, untilLeading } from '../support/until';

const receivers = createAuthority('Receivers');
const clients = createAuthority('Clients');
const stranger = createAuthority('Another Authority');

let folder: string;
let database: TestDatabase;
let service: Service;
const servers: Server[] = [];
/** By the name of the observer: whether its request came with a client certificate. */
const received = new Map<string, boolean>();

async function serve(options: ServerOptions): Promise<string> {
  const server = createServer({ ...receivers.issue({ names: ['localhost'] }), ...options }, (request, response) => {
    received.set(request.url?.slice(1) ?? '', Object.keys((request.socket as TLSSocket).getPeerCertificate()).length > 0);
    request.resume().on('end', () => response.writeHead(204).end());
  });
  servers.push(server.on('tlsClientError', () => undefined));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `https://localhost:${(server.address() as AddressInfo).port}`;
}

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'observers-mtls-'));
  database = await createTestDatabase();
  await database.query('create table public.orders (id bigint primary key)');
  const mutual = { requestCert: true, ca: clients.cert };
  const open = await serve({});
  const strict = await serve(mutual);
  const older = await serve({ ...mutual, maxVersion: 'TLSv1.2' });
  const own = clients.issue({});
  const foreign = stranger.issue({});
  const ca = `ca_file: ${write('ca.pem', receivers.cert)}`;
  const otherCa = `ca_file: ${write('other.pem', stranger.cert)}`;
  // A chain: the client's own first, then its authority's.
  const cert = `cert_file: ${write('cert.pem', own.cert + clients.cert)}, key_file: ${write('key.pem', own.key)}`;
  const otherCert = `cert_file: ${write('foreign.pem', foreign.cert)}, key_file: ${write('foreign.key', foreign.key)}`;
  const observers = [
    ['authority', open, `tls: { ${ca} }`],
    ['wrong-authority', open, `tls: { ${otherCa} }`],
    ['machine-authorities', open, ''],
    ['certificate', strict, `tls: { ${ca}, ${cert} }`],
    ['no-certificate', strict, `tls: { ${ca} }`],
    ['no-certificate-older', older, `tls: { ${ca} }`],
    ['foreign-certificate', strict, `tls: { ${ca}, ${otherCert} }`],
  ].map(
    ([name, url, tls]) => `  - name: ${name}
    entity: Order
    retry: { max_attempts: 2, initial_delay: 10ms, max_delay: 10ms }
    actions: [{ type: webhook, endpoint: ${name} }]
endpoint ${name}: { url: "${url}/${name}", allow_addresses: [loopback], ${tls} }`,
  );
  const lines = observers.join('\n').split('\n');
  const endpoints = lines.filter((line) => line.startsWith('endpoint ')).map((line) => line.replace('endpoint', ' '));
  const file = `version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints:
${endpoints.join('\n')}
observers:
${lines.filter((line) => !line.startsWith('endpoint ')).join('\n')}
`;
  service = await startTestService(database.url, { file });
  await untilLeading(service.streams.main);
  await database.query('insert into orders values (1)');
});

afterAll(async () => {
  await service.stop();
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  await database.drop();
  rmSync(folder, { recursive: true });
});

const letterOf = (name: string): Promise<Record<string, unknown>[]> =>
  eventually(
    () => database.query('select error, attempts, message from observers.dead_letter where observer = $1', [name]),
    (rows) => rows.length > 0,
  );

test.each([
  ['authority', false],
  ['certificate', true],
])('a receiver whose authority is in ca_file is trusted (%s); with a client certificate: %s', async (name, presented) => {
  const rows = await eventually(
    () => database.query('select outcome, status from observers.attempt where observer = $1', [name]),
    (all) => all.length > 0,
  );
  expect(rows).toEqual([{ outcome: 'succeeded', status: 204 }]);
  expect(received.get(name)).toBe(presented);
});

test.each([
  ['wrong-authority', /comes from no authority in the endpoint's ca_file; .* put the certificate of its authority there/],
  ['machine-authorities', /no authority that this machine trusts; .* give tls: \{ ca_file: … \} on the endpoint/],
  ['no-certificate', /wants a client certificate.*give tls: \{ cert_file: …, key_file: … \} on the endpoint/],
  ['no-certificate-older', /wants a client certificate.*give tls: \{ cert_file: …, key_file: … \} on the endpoint/],
])('%s: dead at the first try, and the dead letter says what to do', async (name, message) => {
  expect(await letterOf(name)).toEqual([{ error: 'tls', attempts: 1, message: matching(message) }]);
  expect(received.has(name)).toBe(false);
});

test('a receiver that hangs up on a certificate that it does not trust is tried again, and its dead letter has the suspicion', async () => {
  const [letter] = await letterOf('foreign-certificate');
  expect(letter).toMatchObject({ error: 'connection', attempts: 2 });
  expect(letter?.['message']).toMatch(/a receiver that does not accept the client certificate may hang up so/);
  expect(received.has('foreign-certificate')).toBe(false);
});

import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAuthority } from '../../support/certificate';
import { matching } from '../../support/texts';
import { ConfigFile } from './config-file';

const file = new ConfigFile();
afterAll(() => file.remove());

const authority = createAuthority();
const own = authority.issue({});
const files: Readonly<Record<string, string>> = {
  'ca.pem': authority.cert,
  'cert.pem': own.cert + authority.cert,
  'key.pem': own.key,
  'other.key': authority.key,
  'CANARY.txt': 'CANARY, and no certificate',
  'torn.pem': '-----BEGIN CERTIFICATE-----\nCANARY\n-----END CERTIFICATE-----\n',
  'locked.key': generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
    .toString(),
};
for (const [name, text] of Object.entries(files)) writeFileSync(join(file.folder, name), text);

const endpoint = (tls: string, url = 'https://x.example/'): string => `version: 1\nendpoints:\n  e: { url: "${url}", tls: ${tls} }\n`;

test('the files are read relative to the observers file, for endpoints and for actions with a url of their own', () => {
  const tls = '{ ca_file: ca.pem, cert_file: ./cert.pem, key_file: "${KEY}" }';
  const actions = ['webhook', 'slack'].map(
    (type) => `{ type: ${type}, url: "https://x.example/", tls: ${tls}${type === 'slack' ? ', text: x' : ''} }`,
  );
  const { definition } = file.load(`${endpoint(tls)}observers: [{ name: a, entity: "*", actions: [${actions.join(', ')}] }]`, {
    KEY: join(file.folder, 'key.pem'),
  }).file;
  const expected = { ca: files['ca.pem'], cert: files['cert.pem'], key: files['key.pem'] };
  expect(definition.endpoints[0]?.tls).toEqual(expected);
  expect(definition.observers[0]?.actions).toEqual(
    [0, 1].map(() => expect.objectContaining({ endpoint: expect.objectContaining({ tls: expected }) as object }) as object),
  );
});

test.each([
  ['{}', '3:40 endpoints.e.tls: give ca_file, or cert_file and key_file, or all three'],
  ['{ cert_file: cert.pem }', '3:40 endpoints.e.tls: cert_file needs key_file: they belong together'],
  ['{ key_file: key.pem }', '3:40 endpoints.e.tls: key_file needs cert_file: they belong together'],
  ['{ ca_file: none.pem }', '3:51 endpoints.e.tls.ca_file: the file cannot be read: ENOENT; its path is relative to the observers file'],
  ['{ ca_file: . }', /EISDIR/],
  ['{ ca_file: CANARY.txt }', /^3:51 .*holds no certificate in PEM/],
  ['{ ca_file: torn.pem }', /^3:51 .*a certificate in the file cannot be read/],
  ['{ cert_file: cert.pem, key_file: CANARY.txt }', /^3:73 endpoints\.e\.tls\.key_file: the file holds no private key in PEM/],
  ['{ cert_file: cert.pem, key_file: cert.pem }', /^3:73 .*holds no private key/],
  ['{ cert_file: cert.pem, key_file: other.key }', /^3:73 .*does not belong to the certificate in cert_file/],
  ['{ cert_file: cert.pem, key_file: locked.key }', /^3:73 .*protected by a passphrase/],
  ['{ ca_fil: ca.pem }', /did you mean "ca_file"/],
])('tls: %s is refused with its place', (tls, message) => {
  const told = file.told(endpoint(tls));
  expect(told.at(-1)).toEqual(typeof message === 'string' ? message : matching(message));
  expect(told.join()).not.toContain('CANARY');
});

test('tls on an http url is refused, and for an action that names an endpoint it belongs there', () => {
  expect(file.told(endpoint('{ ca_file: ca.pem }', 'http://x.example/'))).toEqual(['3:39 endpoints.e.tls: tls is for an https:// url']);
  const action = `observers: [{ name: a, entity: "*", actions: [{ type: webhook, endpoint: e, tls: { ca_file: ca.pem } }] }]`;
  expect(file.told(endpoint('{ ca_file: ca.pem }') + action)).toEqual([matching(/tls belongs to the endpoint "e"/)]);
});

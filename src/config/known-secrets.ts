import type { EndpointAuth, EndpointDefinition, ObserversDefinition } from '../event/definitions';
import { credentialsIn, isTellingName, SECRETS } from '../event/secrets';
import { TELLING_LENGTH, type FilledText } from './redaction';
import { SETTINGS, type SettingName, type Settings } from './settings';
import type { Setting } from './settings/kinds';
import { decoded } from './url-parts';

const IN_FILE = '[secret]';

/** What the settings hold of passwords, tokens and keys is to be shown nowhere. */
export function rememberSettings(settings: Settings): void {
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const setting: Setting<unknown> = SETTINGS[name];
    if (setting.secret === true) for (const text of textsIn(settings[name])) rememberSetting(text, `\${${setting.variable}}`);
  }
}

function rememberSetting(text: string, label: string): void {
  const urls = text.split(',').filter((one) => /^\s*[a-z][\w+-]*:\/\//i.test(one) && URL.canParse(one.trim()));
  if (urls.length === 0) SECRETS.remember(text, label);
  // Of NATS what stands alone before the host is a token; of a database it is a user.
  for (const url of urls) rememberUrl(url.trim(), label, /^\s*(nats|tls):/.test(url));
}

/** What the observers file holds, whether it came out of `${…}` or stands there as it is. */
export function rememberFile(filled: readonly FilledText[], { endpoints, alerts, observers }: ObserversDefinition): void {
  for (const { outside } of filled)
    for (const { value, reference } of outside) if (value.length >= TELLING_LENGTH) SECRETS.remember(value, reference);
  const used = observers.flatMap(({ actions, lookups }) => [
    ...actions.flatMap((action) => (action.type === 'webhook' || action.type === 'slack' ? [action.endpoint] : [])),
    ...lookups.map(({ endpoint }) => endpoint),
  ]);
  for (const endpoint of new Set([...endpoints, ...used, ...(alerts === null ? [] : [alerts])])) rememberEndpoint(endpoint);
  for (const { actions } of observers)
    for (const action of actions) {
      if (action.type === 'webhook') rememberHeaders(action.headers);
      if (action.type === 'publish' && 'headers' in action.to) rememberHeaders(action.to.headers);
      // The whole path of an incoming webhook is a secret.
      if (action.type === 'slack' && URL.canParse(action.endpoint.url)) SECRETS.remember(new URL(action.endpoint.url).pathname, IN_FILE);
    }
}

function rememberEndpoint({ url, headers, signingSecrets, auth, proxy, tls }: EndpointDefinition): void {
  for (const secret of signingSecrets) {
    SECRETS.remember(secret, IN_FILE);
    SECRETS.remember(secret.replace(/^whs(ec|k)_/, ''), IN_FILE);
  }
  if (auth !== null) rememberAuth(auth);
  rememberHeaders(headers);
  rememberUrl(url, IN_FILE, false);
  if (proxy !== null) rememberUrl(proxy, IN_FILE, true);
  SECRETS.remember(tls?.key ?? '', IN_FILE);
}

function rememberAuth(auth: EndpointAuth): void {
  const secrets = auth.type === 'oauth2' ? [auth.clientSecret, auth.tls?.key] : [auth.secretAccessKey, auth.sessionToken];
  for (const secret of secrets) SECRETS.remember(secret ?? '', IN_FILE);
  if (auth.type === 'oauth2') rememberUrl(auth.tokenUrl, IN_FILE, false);
}

function rememberHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    if (isTellingName(name) && !/\{[{%]/.test(value)) for (const text of credentialsIn(value)) SECRETS.remember(text, IN_FILE);
  }
}

/** @param alone whether what stands alone before the host is a token */
function rememberUrl(text: string, label: string, alone: boolean): void {
  const plain = text.replace(/\{[{%][\s\S]*$/, '');
  if (!URL.canParse(plain)) return;
  const { username, password, searchParams } = new URL(plain);
  // One that is the user's name is none, and a word that stands everywhere.
  if (password !== '' && password !== username) for (const one of spellingsOf(password)) SECRETS.remember(one, label);
  if (alone && password === '') for (const one of spellingsOf(username)) SECRETS.remember(one, label);
  for (const [name, value] of searchParams) if (isTellingName(name)) SECRETS.remember(value, label);
}

function spellingsOf(text: string): string[] {
  const plain = decoded(text);
  return plain === null ? [text] : [plain, text];
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (Buffer.isBuffer(value) || typeof value !== 'object' || value === null) return [];
  return (value instanceof Map ? [...value.values()] : Object.values(value)).flatMap(textsIn);
}

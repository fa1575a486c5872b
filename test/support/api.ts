import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import type { Service } from '../../src/lifecycle/start-service';

export interface ApiAnswer<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly body: T;
}

export interface ApiCall {
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

export type Api = <T = Record<string, unknown>>(route: string, call?: ApiCall) => Promise<ApiAnswer<T>>;

type Asked = Pick<Service, 'address'> & Partial<Pick<Service, 'tokenFile'>>;

// The service closes a connection that has been idle for 5 s. By a busy machine's clock a request could meet that: it is not used again after 1 s.
const dispatcher = new Agent({ keepAliveTimeoutThreshold: 4_000 });

/** Calls the API of a service: `GET /status`. With the token of this machine, where the service was given none. */
export function apiOf({ address, tokenFile = null }: Asked, given?: Readonly<Record<string, string>>): Api {
  const always = given ?? (tokenFile === null ? {} : { authorization: `Bearer ${readFileSync(tokenFile, 'utf8').trim()}` });
  return async <T>(route: string, { json, body, headers = {} }: ApiCall = {}): Promise<ApiAnswer<T>> => {
    const [method = 'GET', path = '/'] = route.split(/ (.*)/s);
    const response = await request(`http://${address}${path}`, {
      method: method as 'GET',
      headers: { ...(json === undefined ? {} : { 'content-type': 'application/json' }), ...always, ...headers },
      body: json === undefined ? (body ?? null) : JSON.stringify(json),
      dispatcher,
    });
    const streams = String(response.headers['content-type']).startsWith('text/event-stream');
    const text = await (streams && method !== 'HEAD' ? beginningOf(response.body) : response.body.text());
    if (/CANARY-/.test(text)) throw new Error(`a secret that a test gave out is answered: ${text.slice(0, 2_000)}`);
    const isJson = /^application\/(problem\+)?json/.test(String(response.headers['content-type']));
    return { status: response.statusCode, headers: response.headers, text, body: (isJson && text !== '' ? JSON.parse(text) : text) as T };
  };
}

/** What comes first of an answer that goes on; nobody reads the rest. */
async function beginningOf(body: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of body) {
    text += chunk.toString();
    if (text.split('\n\n').length > 2) break;
  }
  return text;
}

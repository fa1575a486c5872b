import { startReceiver, type Answer, type Received, type Receiver } from './receiver';

export interface TokenServer extends Receiver {
  /** Requests for tokens, and requests with them, apart. */
  readonly grants: Received[];
  readonly messages: Received[];
  /** What is granted from now on, one after the other; the last of them again and again. */
  readonly tokens: string[];
  /** Those that are taken; null: each that was granted. */
  taken: string[] | null;
  /** Fields of a grant beside the token. */
  grant: Record<string, unknown>;
  /** How a request for a token is answered, where not by a grant. */
  refuse: Answer | null;
}

export const CLIENT = { id: 'observers:eu', secret: 'geheim+%/ü&=CANARY' };

/** A token server by RFC 6749 and a receiver that wants its tokens, in one. */
export async function startTokenServer(): Promise<TokenServer> {
  const receiver = await startReceiver();
  const granted = new Set<string>();
  const server: TokenServer = Object.assign(receiver, {
    grants: [],
    messages: [],
    tokens: ['token-first', 'token-second', 'token-third', 'token-fourth'],
    taken: null,
    grant: { token_type: 'Bearer', expires_in: 3_600 },
    refuse: null,
  });
  receiver.answer = (request, response, raw) => {
    if (request.path.startsWith('/token')) {
      server.grants.push(request);
      if (server.refuse !== null) return server.refuse(request, response, raw);
      if (!isClient(request)) return void response.writeHead(401).end('{"error":"invalid_client","error_description":"who?"}');
      const token = (server.tokens.length > 1 ? server.tokens.shift() : server.tokens[0]) ?? '';
      granted.add(token);
      return void response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ access_token: token, ...server.grant }));
    }
    server.messages.push(request);
    const token = /^Bearer (.+)$/.exec(request.headers['authorization'] ?? '')?.[1] ?? '';
    const known = server.taken?.includes(token) ?? granted.has(token);
    response.writeHead(known ? 200 : 401).end(`you sent ${request.headers['authorization']}`);
  };
  return server;
}

/** By Basic, whose parts are encoded as in a form (RFC 6749, 2.3.1), or by the form itself. */
function isClient({ headers, body, method }: Received): boolean {
  const form = new URLSearchParams(body);
  const [, basic = ''] = /^Basic (.+)$/.exec(headers['authorization'] ?? '') ?? [];
  const [id = '', secret = ''] = Buffer.from(basic, 'base64').toString().split(':').map((part) => new URLSearchParams(`x=${part}`).get('x') ?? ''); // prettier-ignore
  const byBasic = id === CLIENT.id && secret === CLIENT.secret && !form.has('client_secret');
  const byForm = form.get('client_id') === CLIENT.id && form.get('client_secret') === CLIENT.secret && basic === '';
  return method === 'POST' && form.get('grant_type') === 'client_credentials' && (byBasic || byForm);
}

import { startReceiver, type Answer, type Receiver } from './receiver';

interface Message {
  readonly text?: unknown;
  readonly blocks?: readonly { readonly type?: unknown }[];
}

/** Of api.slack.com/messaging/webhooks: what an incoming webhook wants, and its real words for what it does not. */
const check: Answer = (request, response) => {
  const answer = (status: number, word: string): void => void response.writeHead(status, { 'content-type': 'text/plain' }).end(word);
  if (request.method !== 'POST') return answer(405, 'method_not_allowed');
  if (!/^\/services\/T\w+\/B\w+\/\w{24}$/.test(request.path)) return answer(404, 'no_service');
  if (request.path.includes('TARCHIVED')) return answer(410, 'channel_is_archived');
  if (!(request.headers['content-type'] ?? '').startsWith('application/json')) return answer(400, 'invalid_payload');
  let message: Message;
  try {
    message = JSON.parse(request.body) as Message;
  } catch {
    return answer(400, 'invalid_payload');
  }
  if (typeof message.text !== 'string' || message.text === '') return answer(400, 'no_text');
  if (message.blocks?.some(({ type }) => typeof type !== 'string')) return answer(400, 'invalid_blocks');
  return answer(200, 'ok');
};

/** A server that takes messages as Slack does. */
export function startSlackServer(): Promise<Receiver & { readonly check: Answer }> {
  return startReceiver(check).then((receiver) => Object.assign(receiver, { check }));
}

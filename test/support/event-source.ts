import { get, type IncomingMessage } from 'node:http';

/** A server-sent event. */
export interface SentEvent {
  readonly event: string | null;
  readonly id: string | null;
  readonly data: Record<string, unknown>;
}

export interface EventSource {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** Those that came so far. */
  events(): SentEvent[];
  /** All that was said. */
  text(): string;
  /** The last place that was told. */
  lastId(): string;
  /** Whether the answer has come to its end, whole. */
  ended(): boolean;
  /** Takes nothing more for now. */
  pause(): void;
  resume(): void;
  close(): void;
}

/** Follows `GET path`, as a browser's EventSource does it. */
export function follow(address: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<EventSource> {
  return new Promise((resolve, reject) => {
    const request = get(`http://${address}${path}`, { headers, agent: false }, (response) => {
      let text = '';
      let whole = false;
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => (whole = response.complete));
      response.on('error', () => undefined);
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        events: () => eventsIn(text),
        text: () => text,
        lastId: () => [...text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? '',
        ended: () => whole,
        pause: () => response.pause(),
        resume: () => void response.resume(),
        close: () => request.destroy(),
      });
    });
    request.on('error', reject);
  });
}

function eventsIn(text: string): SentEvent[] {
  return text
    .split('\n\n')
    .slice(0, -1)
    .flatMap((block) => {
      const field = (name: string): string | null => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? null;
      const data = field('data');
      return data === null ? [] : [{ event: field('event'), id: field('id'), data: JSON.parse(data) as SentEvent['data'] }];
    });
}

import { TermConnections } from '../../src/connections/term-connections';
import { UNTRACED } from '../../src/tracing/tracing';
import pino from 'pino';
import { ActionRunner } from '../../src/actions/action-runner';
import { type CustomActions, NO_CUSTOM_ACTIONS } from '../../src/actions/custom/custom-actions';
import type { Content, Rendering } from '../../src/actions/rendering';
import type { Settings } from '../../src/config/settings';
import { UnrecordedCalls } from '../../src/actions/database/unrecorded-calls';
import type { ActionDefinition } from '../../src/event/definitions';
import type { Delivery } from '../../src/event/delivery';
import type { EntityEvent } from '../../src/event/entity-event';
import type { Received } from './receiver';
import { defaultSettings, endpointOf, observerOf } from './stream';
import { orderEvent } from '../unit/matching/order-event';

const ROW = '{"id":12345678901234567890,"name":"Grüße \\"A\\" & <b>","phone":"+4915112345678","email":"ann@example.org","none":null}';

export const EVENT: EntityEvent = orderEvent(ROW, { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', cause: 'a/b' });

export const TEST_ID = '5f3c3c0a-8a63-4e0e-9a43-1de0e5a7f0aa';

interface Options {
  readonly settings?: Partial<Settings>;
  readonly custom?: CustomActions;
  readonly event?: EntityEvent;
  readonly test?: string;
  readonly url?: string;
  readonly logger?: pino.Logger;
}

type Http = Extract<Content, { type: 'http' }>;

export const http = ({ content }: Rendering): Http => {
  expect(content.type).toBe('http');
  return content as Http;
};

/** Headers that HTTP itself adds, and those that are made when a request is sent. */
const NOT_RENDERED = ['host', 'connection', 'content-length', 'transfer-encoding'];

const MADE_LATER = ['webhook-timestamp', 'webhook-signature', 'authorization', 'x-amz-date', 'x-amz-content-sha256'];

export function expectArrived(rendering: Rendering, request: Received | undefined, origin: string): void {
  const { method, url, headers, body } = http(rendering);
  expect({ method, url, body: body ?? '' }).toEqual({ method: request?.method, url: `${origin}${request?.path}`, body: request?.body });
  const rendered = headers.map(([name, value]) => [name, MADE_LATER.includes(name) ? '(later)' : value]);
  const arrived = Object.entries(request?.headers ?? {}).filter(([name]) => !NOT_RENDERED.includes(name));
  expect(Object.fromEntries(rendered)).toEqual(
    Object.fromEntries(arrived.map(([name, value]) => [name, MADE_LATER.includes(name) ? '(later)' : value])),
  );
}

export interface Renderings {
  /** Closed when the test ends, in the opposite order. */
  readonly until: <T extends { close(): Promise<unknown> }>(opened: T) => T;
  readonly renderAndRun: (action: ActionDefinition, options?: Options) => Promise<Rendering>;
}

/** What the tests of renderings need: what they begin ends with them. */
export function givenRenderings(): Renderings {
  /** Everything that was begun, ended in the opposite order. */
  const ends: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });
  function until<T extends { close(): Promise<unknown> }>(opened: T): T {
    ends.push(() => opened.close());
    return opened;
  }
  /** Renders a delivery, then runs it: by the same runner as the service does. */
  async function renderAndRun(action: ActionDefinition, options: Options = {}): Promise<Rendering> {
    const { settings = {}, custom = NO_CUSTOM_ACTIONS, event = EVENT, test, url = '', logger = pino({ level: 'silent' }) } = options;
    const observer = observerOf('all', endpointOf('http://127.0.0.1:9/unused'), { actions: [action] });
    const parts = {
      connections: new TermConnections(defaultSettings(settings)),
      custom,
      once: new UnrecordedCalls(() => Promise.resolve(url)),
      tracing: UNTRACED,
    };
    const runner = until(new ActionRunner([observer], logger, parts));
    const delivery: Delivery = { event, observer, action, attempt: 1, configVersion: 1, ...(test === undefined ? {} : { test }) };
    const rendering = runner.render(delivery);
    const outcome = await runner.run(delivery);
    expect(outcome).toMatchObject({ ok: true });
    return rendering;
  }
  return { until, renderAndRun };
}

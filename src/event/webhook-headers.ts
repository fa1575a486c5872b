import type { WebhookActionDefinition } from './definitions';

type Headed = Pick<WebhookActionDefinition, 'endpoint' | 'headers'>;

const DEFAULTS = { 'content-type': 'application/json', 'user-agent': 'fraiseql-observers' } as const;

/** The headers of a webhook's requests, as templates, by lower-case name: the action's are stronger than its endpoint's. */
export function webhookHeaders({ endpoint, headers }: Headed): ReadonlyMap<string, string> {
  const given = [...Object.entries(endpoint.headers), ...Object.entries(headers)];
  return new Map([...Object.entries(DEFAULTS), ...given.map(([name, value]) => [name.toLowerCase(), value] as const)]);
}

/** Whether the body goes out as JSON, so that the file is checked as the delivery will be. */
export function sendsJson(webhook: Headed): boolean {
  return /\bjson\b/i.test(webhookHeaders(webhook).get('content-type') ?? '');
}

/** Marks what a person sends as a test (`test-event --send`), wherever it can be marked. */
export const TEST_HEADER = ['observers-test', 'true'] as const;

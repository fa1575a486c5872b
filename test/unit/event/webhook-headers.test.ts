import type { EndpointDefinition } from '../../../src/event/definitions';
import { sendsJson, webhookHeaders } from '../../../src/event/webhook-headers';
import { ConfigFile } from '../config/config-file';
import { matching } from '../../support/texts';

type Headers = Readonly<Record<string, string>>;

function webhook(endpointHeaders: Headers, headers: Headers): Parameters<typeof sendsJson>[0] {
  return { endpoint: { headers: endpointHeaders } as EndpointDefinition, headers };
}

describe('the headers of a webhook', () => {
  it('are the defaults, then those of the endpoint, then those of the action, whatever their case', () => {
    const headers = webhookHeaders(webhook({ 'X-A': 'endpoint', 'x-b': 'endpoint', 'User-Agent': 'me' }, { 'x-B': 'action' }));
    expect(Object.fromEntries(headers)).toEqual({
      'content-type': 'application/json',
      'user-agent': 'me',
      'x-a': 'endpoint',
      'x-b': 'action',
    });
  });

  it.each<readonly [endpoint: Headers, action: Headers, json: boolean]>([
    [{}, {}, true],
    [{ 'Content-Type': 'text/plain' }, {}, false],
    [{}, { 'CONTENT-TYPE': 'text/plain' }, false],
    [{ 'content-type': 'text/plain' }, { 'Content-Type': 'application/vnd.api+JSON; charset=utf-8' }, true],
    [{ 'content-type': 'application/json' }, { 'content-type': 'application/x-www-form-urlencoded' }, false],
  ])('of the endpoint %j and the action %j say JSON: %s', (endpoint, action, json) => {
    expect(sendsJson(webhook(endpoint, action))).toBe(json);
  });
});

describe('a body in the observers file', () => {
  const file = new ConfigFile();
  afterAll(() => file.remove());

  const told = (endpointType: string, headers: string): string[] =>
    file.told(`version: 1
endpoints: { e: { url: "https://receiver.test/", headers: { content-type: "${endpointType}" } } }
observers: [{ name: a, entity: order, actions: [{ type: webhook, endpoint: e, ${headers} body: "hello" }] }]
`);

  it('is checked for the content type that the delivery has, the endpoint’s included', () => {
    const refusal = [matching(/^3:\d+ observers\[0\]\.actions\[0\]\.body: the body is not JSON/)];
    expect(told('text/plain', '')).toEqual([]);
    expect(told('application/json', '')).toEqual(refusal);
    expect(told('application/json', 'headers: { Content-Type: text/plain },')).toEqual([]);
    expect(told('text/plain', 'headers: { Content-Type: application/json },')).toEqual(refusal);
  });
});

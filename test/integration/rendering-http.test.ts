import { createECDH } from 'node:crypto';
import type { ActionDefinition } from '../../src/event/definitions';
import { startFcmServer } from '../support/fcm-server';
import { startPushService } from '../support/push-service';
import { startReceiver, type Receiver } from '../support/receiver';
import { endpointOf } from '../support/stream';
import { containing } from '../support/texts';
import { startTwilioServer, TWILIO_CREDENTIALS } from '../support/twilio-server';
import { TEST_ID, expectArrived, givenRenderings, http } from '../support/rendering';

const { until, renderAndRun } = givenRenderings();

describe('HTTP', () => {
  let receiver: Receiver;
  beforeEach(async () => {
    receiver = until(await startReceiver());
  });
  const webhook = (more: Partial<Extract<ActionDefinition, { type: 'webhook' }>>): ActionDefinition => {
    const endpoint = endpointOf(`${receiver.url}/hook/{{ name }}?id={{ data.id }}`, { headers: { 'X-Name': '{{ name }}' } });
    return {
      type: 'webhook',
      name: 'hook',
      endpoint,
      method: 'POST',
      headers: { 'x-own': 'b{{ none }}c' },
      body: null,
      batch: null,
      ...more,
    };
  };

  it.each([
    ['the envelope', {}, []],
    [
      'a structure',
      { body: { id: '{{ data.id | json }}', who: '{{ name | upcase }}', none: '{{ none }}{{ nowhere }}' } },
      ['none', 'nowhere'],
    ],
    ['a text', { body: 'Dear {{ name }}', headers: { 'content-type': 'text/plain' }, method: 'PUT' as const }, []],
    ['no body', { method: 'GET' as const }, []],
  ])('a webhook with %s arrives as it is rendered', async (_what, more, missing) => {
    const action = webhook({ headers: {}, ...more });
    const rendering = await renderAndRun(action);
    expectArrived(rendering, receiver.requests[0], receiver.url);
    expect(rendering.missing).toEqual(missing);
    expect(http(rendering).headers).toContainEqual(['webhook-signature', '(signed when sent)']);
    expect(JSON.stringify(rendering)).not.toContain('v1,');
  });

  it('values that a header lacks are named too', async () => {
    const rendering = await renderAndRun(webhook({}));
    expectArrived(rendering, receiver.requests[0], receiver.url);
    expect(rendering.missing).toEqual(['none']);
  });

  it('a test has its own id and says so; a real one does not', async () => {
    const test = await renderAndRun(webhook({}), { test: TEST_ID });
    expectArrived(test, receiver.requests[0], receiver.url);
    expect(receiver.requests[0]?.headers).toMatchObject({ 'webhook-id': TEST_ID, 'observers-test': 'true' });
    await renderAndRun(webhook({}));
    expect(receiver.requests[1]?.headers).not.toHaveProperty('observers-test');
  });

  it('a delivery alone in its batch arrives as it is rendered', async () => {
    const endpoint = endpointOf(`${receiver.url}/batch`, { headers: { 'X-A': 'b' } });
    const rendering = await renderAndRun(webhook({ endpoint, headers: {}, batch: { max: 10, within: 1 } }), { test: TEST_ID });
    expectArrived(rendering, receiver.requests[0], receiver.url);
    expect(http(rendering).body).toMatch(/^\[\{.*\}\]$/);
    expect(rendering.notes).toEqual([containing('up to 10 deliveries')]);
  });

  it('a Slack message arrives as it is rendered', async () => {
    const endpoint = endpointOf(`${receiver.url}/services/x`, { signingSecrets: [] });
    const blocks = [{ type: 'section', text: { type: 'mrkdwn', text: '*{{ name }}*' } }];
    const rendering = await renderAndRun({ type: 'slack', name: 'slack', endpoint, text: 'new: {{ name }}', blocks });
    expectArrived(rendering, receiver.requests[0], receiver.url);
    expect(http(rendering).body).toContain('&lt;b&gt;');
  });

  it('a text message arrives as it is rendered, without the account’s token in what is shown', async () => {
    const twilio = until(await startTwilioServer());
    const smsUrl = `http://${TWILIO_CREDENTIALS}@127.0.0.1:${twilio.port}`;
    const action = {
      type: 'sms',
      name: 'text',
      to: '{{ phone }}',
      from: '+15551234567',
      text: 'Order {{ name }}',
      timeout: 5_000,
    } as const;
    const rendering = await renderAndRun(action, { settings: { smsUrl } });
    expectArrived(rendering, twilio.requests[0], twilio.url);
    expect(http(rendering).headers).toContainEqual(['authorization', '(of OBSERVERS_SMS_URL)']);
    const token = Buffer.from(TWILIO_CREDENTIALS).toString('base64');
    expect(twilio.requests[0]?.headers['authorization']).toContain(token);
    expect(JSON.stringify(rendering)).not.toContain(token);
  });

  it('a message to FCM arrives as it is rendered, and no token is fetched to render it', async () => {
    const fcm = until(await startFcmServer());
    const target = { kind: 'token', value: '{{ phone }}' } as const;
    const to = {
      provider: 'fcm',
      target,
      notification: { title: '{{ name }}' },
      data: { id: '{{ data.id }}' },
      ttl: 60_000,
      timeout: 5_000,
    } as const;
    const rendering = await renderAndRun(
      { type: 'push', name: 'push', timeout: 5_000, to },
      { settings: { fcmCredentials: fcm.credentials, fcmUrl: fcm.url } },
    );
    expectArrived(rendering, fcm.messages[0], fcm.url);
    expect(fcm.grants).toHaveLength(1);
  });

  it('a Web Push message is, once it is decrypted, what is rendered', async () => {
    const service = until(await startPushService());
    const keys = createECDH('prime256v1');
    keys.generateKeys();
    const settings = { vapidPrivateKey: keys.getPrivateKey('base64url'), vapidSubject: 'mailto:a@shop.example' };
    const to = {
      provider: 'web push',
      subscription: JSON.stringify(service.subscription),
      notification: { title: '{{ name }}' },
      data: {},
      ttl: 60_000,
      urgency: 'high',
      allowAddresses: ['loopback'],
      timeout: 5_000,
    } as const;
    const rendering = await renderAndRun({ type: 'push', name: 'push', timeout: 5_000, to }, { settings });
    const [request] = service.requests;
    expect(service.messages[0]?.text).toBe(http(rendering).body);
    expectArrived({ ...rendering, content: { ...http(rendering), body: request?.body ?? '' } }, request, service.url);
  });

  it('a document is the line of the bulk request', async () => {
    receiver.answer = (_request, response) =>
      void response
        .writeHead(200, { 'content-type': 'application/json', 'x-elastic-product': 'Elasticsearch' })
        .end('{"items":[{"index":{"status":201}}]}');
    const action = {
      type: 'search',
      name: 'index',
      index: 'orders',
      id: '{{ entity.key }}',
      routing: '{{ name }}',
      operation: 'auto',
      document: { who: '{{ name }}', none: '{{ nowhere }}' },
      timeout: 5_000,
    } as const;
    const { content, missing } = await renderAndRun(action, { settings: { elasticsearchUrl: [receiver.url] } });
    const [head = '', document] = receiver.requests.find(({ path }) => path.startsWith('/_bulk'))!.body.split('\n');
    const sent = (JSON.parse(head) as { index: Record<string, unknown> }).index;
    const expected = {
      type: 'search',
      operation: 'index',
      index: sent['_index'],
      id: sent['_id'],
      routing: sent['routing'],
      version: sent['version'],
      document,
    };
    expect(content).toEqual(expected);
    expect(missing).toEqual(['nowhere']);
  });
});

import { startReceiver, type Answer, type Received, type Receiver } from './receiver';

const ACCOUNT = `AC${'0'.repeat(32)}`;
export const TWILIO_CREDENTIALS = `${ACCOUNT}:CANARY-token`;

/** Of twilio.com/docs/messaging/api/message-resource: what `POST …/Messages.json` wants, and its real error bodies. */
const check: Answer = (request, response) => {
  const refuse = (status: number, code: number, message: string): void =>
    void response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(JSON.stringify({ code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status }));
  const expected = `Basic ${Buffer.from(TWILIO_CREDENTIALS).toString('base64')}`;
  if (request.headers['authorization'] !== expected) return refuse(401, 20003, 'Authenticate');
  if (request.method !== 'POST' || request.path !== `/2010-04-01/Accounts/${ACCOUNT}/Messages.json`)
    return refuse(404, 20404, `The requested resource ${request.path} was not found`);
  if (request.headers['content-type'] !== 'application/x-www-form-urlencoded')
    return refuse(400, 21604, "A 'To' phone number is required.");
  const { to, from, service, body } = formOf(request);
  if (to === null) return refuse(400, 21604, "A 'To' phone number is required.");
  if (from === null && service === null) return refuse(400, 21603, "A 'From' phone number is required.");
  if (body === null || body === '') return refuse(400, 21602, 'Message body is required.');
  if (to === '+15005550001') return refuse(400, 21211, `The 'To' number ${to} is not a valid phone number.`);
  if (to === '+15005550004') return refuse(400, 21610, 'Attempt to send to unsubscribed recipient');
  response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ sid: `SM${'0'.repeat(32)}`, status: 'queued' }));
};

export function formOf({ body }: Received): Record<'to' | 'from' | 'service' | 'body', string | null> {
  const form = new URLSearchParams(body);
  return { to: form.get('To'), from: form.get('From'), service: form.get('MessagingServiceSid'), body: form.get('Body') };
}

/** A server that takes text messages as Twilio does. */
export function startTwilioServer(): Promise<Receiver & { readonly check: Answer }> {
  return startReceiver(check).then((receiver) => Object.assign(receiver, { check }));
}

import { z } from 'zod';
import { delay, destinationFields, endpointFields, headers, name, timeout, url } from './parts';

const common = { name: name.optional().describe('default: the type'), execution: z.literal('inline').optional() };
const body = z.union([z.string(), z.record(z.string(), z.unknown()), z.array(z.unknown())]);

const webhook = z.strictObject({
  ...common,
  type: z.literal('webhook'),
  endpoint: z.string().optional().describe('a name under endpoints:'),
  url: url.optional().describe('instead of endpoint'),
  ...endpointFields,
  method: z.enum(['POST', 'PUT', 'PATCH', 'DELETE', 'GET']).optional().describe('default POST'),
  headers: headers.optional(),
  body: body.optional().describe('default: the envelope'),
});

const slack = z.strictObject({
  ...common,
  type: z.literal('slack'),
  endpoint: z.string().optional().describe('a name under endpoints:, whose url is that of a Slack incoming webhook'),
  url: url.optional().describe('instead of endpoint: the URL of the incoming webhook'),
  ...destinationFields,
  text: z.string().min(1).describe("mrkdwn; values cannot mention or link, for Slack's control characters are escaped in them"),
  blocks: z.array(z.record(z.string(), z.unknown())).min(1).max(50).optional().describe('Block Kit'),
});

const address = z.string().min(1, 'expected an address');
const addresses = z.union([address, z.array(address).min(1).max(100)]);
const email = z.strictObject({
  ...common,
  type: z.literal('email'),
  from: address.optional().describe('default: OBSERVERS_MAIL_FROM'),
  to: addresses.describe('one address, or a list; a value that holds two is refused'),
  cc: addresses.optional(),
  bcc: addresses.optional(),
  reply_to: address.optional(),
  subject: z.string().min(1),
  text: z.string().optional().describe('at least one of text and html'),
  html: z.string().optional().describe('values are escaped'),
  timeout: timeout.optional().describe('from dialling to the last reply; default 30s'),
});

const sms = z.strictObject({
  ...common,
  type: z.literal('sms'),
  to: z.string().min(1).describe('one number such as +15551234567'),
  from: z.string().min(1).optional().describe('a number, a name, or a messaging service (MG…); default: OBSERVERS_SMS_FROM'),
  text: z.string().min(1).describe('1600 characters at most, once it is rendered'),
  timeout: timeout.optional().describe('default 10s'),
});

const push = z.strictObject({
  ...common,
  type: z.literal('push'),
  token: z.string().min(1).optional().describe("Firebase: a device's registration token"),
  topic: z.string().min(1).optional().describe('Firebase: all devices that have subscribed to it'),
  condition: z.string().min(1).optional().describe("Firebase: of topics, such as 'a' in topics && 'b' in topics"),
  subscription: z.string().min(1).optional().describe('Web Push: what the browser gave out, as in {{ data.subscription | json }}'),
  notification: z
    .strictObject({ title: z.string().optional(), body: z.string().optional(), image: z.string().optional() })
    .optional()
    .describe('what is shown'),
  data: z.record(z.string(), z.string()).optional().describe('for the app; at least one of notification and data'),
  ttl: delay.optional().describe('how long it is kept for a device that is away'),
  urgency: z.enum(['very-low', 'low', 'normal', 'high']).optional().describe('Web Push; default normal'),
  allow_addresses: destinationFields.allow_addresses,
  timeout: timeout.optional().describe('default 10s'),
});

const database = z.strictObject({
  ...common,
  type: z.literal('database'),
  function: z
    .string()
    .regex(/^[^.\s"]+\.[^.\s"]+$/, 'expected schema.function, such as public.on_order')
    .describe('schema.function in the database of the service; it takes the envelope as its one argument (json, jsonb or text)'),
  timeout: timeout.optional().describe('of the call; default 10s'),
});

const log = z.strictObject({
  ...common,
  type: z.literal('log'),
  level: z.enum(['debug', 'info', 'warn', 'error']).optional().describe('default info'),
  message: z.string().optional(),
});

export const action = z.discriminatedUnion('type', [webhook, slack, email, sms, push, database, log]);

export type ActionShape = z.infer<typeof action>;
export type WebhookShape = z.infer<typeof webhook>;
export type SlackShape = z.infer<typeof slack>;
export type PushShape = z.infer<typeof push>;
export type SmsShape = z.infer<typeof sms>;
export type EmailShape = z.infer<typeof email>;

export const ACTION_TYPES: readonly string[] = action.options.map(({ shape }) => shape.type.value);

/** In the design, and not in this version: refused by name. */
export const LATER_ACTIONS = ['search', 'cache', 'publish', 'custom'];

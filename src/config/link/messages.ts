import type { EmailActionDefinition, PushActionDefinition, PushContent, SmsActionDefinition } from '../../event/definitions';
import { checkAddresses, compileTemplate } from '../../matching/template/template';
import { addressProblem } from '../checks';
import { readFcmCredentials } from '../fcm-credentials';
import { oneLineProblem } from '../checks';
import type { Path } from '../file-problems';
import type { EmailShape, PushShape, SmsShape } from '../schema/actions';
import { durationOf } from '../units';
import type { ActionPlace, LinkContext } from './context';

const DEFAULT_TIMEOUT = { email: '30s', sms: '10s', push: '10s' } as const;
const FCM_TARGETS = ['token', 'topic', 'condition'] as const;

export function linkEmail(shape: EmailShape, { name, path }: ActionPlace, { problems, settings }: LinkContext): EmailActionDefinition {
  if (settings.smtpUrl === null) problems.add([...path, 'type'], 'email needs a server: set SMTP_URL, or smtp_url under settings:');
  const from = shape.from ?? settings.mailFrom ?? '';
  if (from === '') problems.add(path, 'an email needs a sender: give from, or set OBSERVERS_MAIL_FROM');
  const { text = null, html = null, reply_to: replyTo = null, subject } = shape;
  if (text === null && html === null) problems.add(path, 'give text or html, or both');
  const lists = { to: [shape.to].flat(), cc: [shape.cc ?? []].flat(), bcc: [shape.bcc ?? []].flat() };
  const texts = { subject, text: text ?? '' };
  for (const [key, source] of Object.entries(texts)) problems.template([...path, key], () => compileTemplate(source, 'text'));
  problems.check([...path, 'subject'], oneLineProblem(subject, 'a subject'));
  for (const [key, source] of Object.entries({ from, reply_to: replyTo ?? '' })) {
    problems.template([...path, key], () => checkAddresses(source));
    problems.check([...path, key], oneLineProblem(source, 'an address'));
  }
  problems.template([...path, 'html'], () => compileTemplate(html ?? '', 'html'));
  for (const [key, list] of Object.entries(lists)) {
    const at = (i: number): Path => (Array.isArray(shape[key as keyof typeof lists]) ? [...path, key, i] : [...path, key]);
    list.forEach((source, i) => {
      problems.template(at(i), () => checkAddresses(source));
      problems.check(at(i), oneLineProblem(source, 'an address'));
    });
  }
  return { type: 'email', name, from, ...lists, replyTo, subject, text, html, timeout: durationOf(shape.timeout ?? DEFAULT_TIMEOUT.email) };
}

export function linkSms(shape: SmsShape, { name, path }: ActionPlace, { problems, settings }: LinkContext): SmsActionDefinition {
  if (settings.smsUrl === null) problems.add([...path, 'type'], 'sms needs a provider: set OBSERVERS_SMS_URL, or sms_url under settings:');
  const from = shape.from ?? settings.smsFrom ?? '';
  if (from === '') problems.add(path, 'a text message needs a sender: give from, or set OBSERVERS_SMS_FROM');
  const { to, text } = shape;
  for (const [key, source] of Object.entries({ to, from, text })) problems.template([...path, key], () => compileTemplate(source, 'text'));
  return { type: 'sms', name, to, from, text, timeout: durationOf(shape.timeout ?? DEFAULT_TIMEOUT.sms) };
}

export function linkPush(shape: PushShape, { name, path }: ActionPlace, context: LinkContext): PushActionDefinition {
  const { problems } = context;
  const targets = [...FCM_TARGETS, 'subscription' as const].filter((key) => shape[key] !== undefined);
  if (targets.length !== 1)
    problems.add(path, 'a push goes to one of token, topic or condition (Firebase Cloud Messaging), or subscription (Web Push)');
  const { data = {}, ttl } = shape;
  const notification = shape.notification === undefined ? null : given(shape.notification);
  if (notification === null && Object.keys(data).length === 0) problems.add(path, 'give notification or data, or both');
  for (const [section, texts] of Object.entries({ notification: notification ?? {}, data }))
    for (const [key, source] of Object.entries(texts)) problems.template([...path, section, key], () => compileTemplate(source, 'text'));
  const [kind = 'token'] = targets;
  problems.template([...path, kind], () => compileTemplate(shape[kind] ?? '', 'text'));
  const timeout = durationOf(shape.timeout ?? DEFAULT_TIMEOUT.push);
  const content: PushContent = { notification, data, ttl: ttl === undefined ? null : durationOf(ttl), timeout };
  if (kind === 'subscription') return { type: 'push', name, timeout, to: webPush(shape, path, content, context) };
  fcm(shape, path, context);
  return { type: 'push', name, timeout, to: { provider: 'fcm', target: { kind, value: shape[kind] ?? '' }, ...content } };
}

function fcm(shape: PushShape, path: ActionPlace['path'], { problems, settings }: LinkContext): void {
  if (settings.fcmCredentials === null)
    return problems.add([...path, 'type'], 'a push by Firebase needs a service account: set OBSERVERS_FCM_CREDENTIALS to its key file');
  const credentials = readFcmCredentials(settings.fcmCredentials);
  if ('problem' in credentials) problems.add([...path, 'type'], `OBSERVERS_FCM_CREDENTIALS: ${credentials.problem}`);
  for (const key of ['urgency', 'allow_addresses'] as const)
    if (shape[key] !== undefined) problems.add([...path, key], `${key} belongs to a subscription (Web Push)`);
}

function webPush(
  shape: PushShape,
  path: ActionPlace['path'],
  content: PushContent,
  { problems, settings }: LinkContext,
): PushActionDefinition['to'] {
  if (settings.vapidPrivateKey === null || settings.vapidSubject === null)
    problems.add([...path, 'type'], 'a Web Push needs OBSERVERS_VAPID_PRIVATE_KEY and OBSERVERS_VAPID_SUBJECT');
  const allowAddresses = shape.allow_addresses ?? [];
  allowAddresses.forEach((entry, i) => problems.check([...path, 'allow_addresses', i], addressProblem(entry)));
  return { provider: 'web push', subscription: shape.subscription ?? '', urgency: shape.urgency ?? null, allowAddresses, ...content };
}

function given(notification: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(notification).flatMap(([key, text]) => (text === undefined ? [] : [[key, text]])));
}

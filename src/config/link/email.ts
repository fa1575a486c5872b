import type { EmailActionDefinition } from '../../event/definitions';
import { checkAddresses, compileTemplate } from '../../matching/template/template';
import type { Path } from '../file-problems';
import type { EmailShape } from '../schema/actions';
import { durationOf } from '../units';
import type { ActionPlace, LinkContext } from './context';

const DEFAULT_TIMEOUT = '30s';

export function linkEmail(shape: EmailShape, { name, path }: ActionPlace, { problems, settings }: LinkContext): EmailActionDefinition {
  if (settings.smtpUrl === null) problems.add([...path, 'type'], 'email needs a server: set SMTP_URL, or smtp_url under settings:');
  const from = shape.from ?? settings.mailFrom ?? '';
  if (from === '') problems.add(path, 'an email needs a sender: give from, or set OBSERVERS_MAIL_FROM');
  const { text = null, html = null, reply_to: replyTo = null, subject } = shape;
  if (text === null && html === null) problems.add(path, 'give text or html, or both');
  const lists = { to: [shape.to].flat(), cc: [shape.cc ?? []].flat(), bcc: [shape.bcc ?? []].flat() };
  const texts = { subject, text: text ?? '' };
  for (const [key, source] of Object.entries(texts)) problems.template([...path, key], () => compileTemplate(source, 'text'));
  for (const [key, source] of Object.entries({ from, reply_to: replyTo ?? '' }))
    problems.template([...path, key], () => checkAddresses(source));
  problems.template([...path, 'html'], () => compileTemplate(html ?? '', 'html'));
  for (const [key, list] of Object.entries(lists)) {
    const at = (i: number): Path => (Array.isArray(shape[key as keyof typeof lists]) ? [...path, key, i] : [...path, key]);
    list.forEach((source, i) => problems.template(at(i), () => checkAddresses(source)));
  }
  return { type: 'email', name, from, ...lists, replyTo, subject, text, html, timeout: durationOf(shape.timeout ?? DEFAULT_TIMEOUT) };
}

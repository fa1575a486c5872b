import type { SmsActionDefinition } from '../../event/definitions';
import { compileTemplate } from '../../matching/template/template';
import type { SmsShape } from '../schema/actions';
import { durationOf } from '../units';
import type { ActionPlace, LinkContext } from './context';

const DEFAULT_TIMEOUT = '10s';

export function linkSms(shape: SmsShape, { name, path }: ActionPlace, { says, settings }: LinkContext): SmsActionDefinition {
  if (settings.smsUrl === null) says.complain([...path, 'type'], 'sms needs a provider: set OBSERVERS_SMS_URL, or sms_url under settings:');
  const from = shape.from ?? settings.smsFrom ?? '';
  if (from === '') says.complain(path, 'a text message needs a sender: give from, or set OBSERVERS_SMS_FROM');
  const { to, text } = shape;
  for (const [key, source] of Object.entries({ to, from, text })) says.template([...path, key], () => compileTemplate(source, 'text'));
  return { type: 'sms', name, to, from, text, timeout: durationOf(shape.timeout ?? DEFAULT_TIMEOUT) };
}

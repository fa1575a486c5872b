import type { SmsActionDefinition } from '../../event/definitions';
import { compileTemplate } from '../../matching/template/template';
import type { SmsShape } from '../schema/actions';
import { durationOf } from '../units';
import type { ActionPlace, LinkContext } from './context';

const DEFAULT_TIMEOUT = '10s';

export function linkSms(shape: SmsShape, { name, path }: ActionPlace, { problems, settings }: LinkContext): SmsActionDefinition {
  if (settings.smsUrl === null) problems.add([...path, 'type'], 'sms needs a provider: set OBSERVERS_SMS_URL, or sms_url under settings:');
  const from = shape.from ?? settings.smsFrom ?? '';
  if (from === '') problems.add(path, 'a text message needs a sender: give from, or set OBSERVERS_SMS_FROM');
  const { to, text } = shape;
  for (const [key, source] of Object.entries({ to, from, text })) problems.template([...path, key], () => compileTemplate(source, 'text'));
  return { type: 'sms', name, to, from, text, timeout: durationOf(shape.timeout ?? DEFAULT_TIMEOUT) };
}

import { z } from 'zod';
import type { CapturePlan } from '../../../../src/change-log/capture/capture';
import type { RecordedVersion } from '../../../../src/config/config-version.sql';
import type { ObserverDescription, SettingDescription } from '../../../../src/config/describe';
import type { Problem } from '../../../../src/config/problems';
import type { RolesPlan } from '../../../../src/database/roles/plan';
import { ROLES } from '../../../../src/database/roles/rights';
import { count, maybe, text, time } from './values';

// What the commands about the configuration, the capture and the roles give.

export const problem: z.ZodType<Problem> = z.strictObject({ file: text, line: count, column: count, path: text, message: text });
export const observer: z.ZodType<ObserverDescription> = z.strictObject({
  name: text,
  entities: text,
  on: text,
  when: text,
  actions: z.array(text),
  goes: text,
  retry: text,
});
export const setting: z.ZodType<SettingDescription> = z.strictObject({
  variable: text,
  value: text,
  origin: z.enum(['default', 'file', 'environment', 'flag']),
  description: text,
});
export const version: z.ZodType<RecordedVersion> = z.strictObject({
  version: count,
  source: text,
  recordedAt: time,
  by: text,
  ledFrom: time.nullable(),
  current: z.boolean(),
});
export const captureFields = {
  table: text,
  entity: maybe,
  state: z.enum(['current', 'missing', 'drifted', 'unwanted', 'impossible']),
  reasons: z.array(text),
};
export const capturePlan: z.ZodType<CapturePlan> = z.strictObject({ ...captureFields, sql: z.array(text) });
export const rolesPlan: z.ZodType<RolesPlan> = z.strictObject({
  sql: z.array(text),
  excess: z.array(z.strictObject({ what: text, repair: text })),
  missing: z.array(z.enum(ROLES)),
});

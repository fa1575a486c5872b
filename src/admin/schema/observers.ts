import { z } from 'zod';
import type { PausedObserver } from '../../delivery/observer-pauses.service';
import { CHANGE_KINDS, type ChangeKind } from '../../event/entity-event';
import { count, named, time } from './registry';

const PAUSED: z.ZodType<PausedObserver> = z.strictObject({
  observer: z.string(),
  since: time,
  by: z.string(),
  reason: z.string().nullable(),
});

export const OBSERVERS = named(
  'Observers',
  z.strictObject({
    configVersion: z.int().describe('the version of the observers file that the stream is led with'),
    observers: z.array(
      z.strictObject({
        name: z.string(),
        entities: z.string(),
        kinds: z.array(z.enum(CHANGE_KINDS as [ChangeKind, ...ChangeKind[]])),
        columns: z.array(z.string()).nullable().describe('of updates only those that changed one of these; null: whatever they changed'),
        ignoreUnchanged: z.boolean().describe('whether updates that change nothing are passed by'),
        when: z.string().nullable().describe('as the file has it; null: always'),
        ordering: z.enum(['none', 'strict']),
        actions: z.array(z.string()).describe('in words; of a URL only the host'),
        goes: z.string().describe('when its deliveries go'),
        retry: z.string(),
        paused: PAUSED.nullable(),
        pending: count.describe('deliveries that are not finished'),
        dead: count,
      }),
    ),
  }),
);

export const PAUSE_RESULT = named(
  'PauseResult',
  z.strictObject({ observer: z.string(), paused: z.literal(true), changed: z.boolean().describe('false: it was paused already') }),
);

export const RESUME_RESULT = named(
  'ResumeResult',
  z.strictObject({
    observer: z.string(),
    paused: z.literal(false),
    changed: z.boolean().describe('false: it was not paused'),
    waiting: count.describe('deliveries that go on'),
    parked: count.describe('heads of strict lanes that have failed for good, and stay where they are'),
    behind: count.describe('deliveries behind these'),
  }),
);

export const RELOADED = named(
  'Reloaded',
  z.strictObject({
    version: z.int().describe('of the configuration; the same as `previous` when the text of the file is the same'),
    previous: z.int(),
    effective: z
      .enum(['now', 'when it leads'])
      .describe('`when it leads`: this instance stands by, or the database did not take it at once'),
    added: z.array(z.string()),
    removed: z.array(z.string()),
    changed: z.array(z.string()),
    notes: z.array(z.string()).describe('what a person should know, a sentence each'),
  }),
);

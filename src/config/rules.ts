import { createHash } from 'node:crypto';

/**
 * What a text of the observers file means beyond what it says. When a default, or the language of conditions, changes what matches, an observers
 * file that stays as it is means another thing from that release on: the change gets a number, and versions on record are read by the rules of
 * their day.
 */
export interface Rules {
  readonly number: number;
  /** Whether updates that change nothing match no observer, where `ignore_unchanged` is not written. */
  readonly ignoreUnchanged: boolean;
  /** Whether conditions compare times as texts, in which `2026-02-01T00:00:00+00:00` comes before `2026-02-01T00:00:00Z`. */
  readonly timesAsText: boolean;
}

const RULES: readonly Rules[] = [
  { number: 1, ignoreUnchanged: false, timesAsText: true },
  { number: 2, ignoreUnchanged: true, timesAsText: true },
  { number: 3, ignoreUnchanged: true, timesAsText: false },
];

export const CURRENT_RULES: Rules = RULES.at(-1) as Rules;

/** A text of the observers file that is on record, and how it was read. */
export interface VersionText {
  readonly text: string;
  /** Null: a newer release recorded it, by rules that are not known here. */
  readonly rules: Rules | null;
}

/** What tells versions apart: the text, and the rules by which it is read. Those of the first rules were hashes of the text alone. */
export function hashOfVersion(text: string): string {
  return `r${CURRENT_RULES.number}-${createHash('sha256').update(text).digest('hex')}`;
}

/** @param hash with which the text is on record */
export function versionText(text: string, hash: string): VersionText {
  const number = Number(/^r(\d+)-/.exec(hash)?.[1] ?? 1);
  return { text, rules: RULES.find((rules) => rules.number === number) ?? null };
}

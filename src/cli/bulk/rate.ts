import { ExitCode, OperatorError } from '../../event/errors';

export interface Rate {
  readonly perSecond: number;
  /** As it was written. */
  readonly text: string;
}

const SECONDS = { s: 1, m: 60, h: 3_600 } as const;

/** `50/s`, `1000/m`, `100/h`. @throws OperatorError for anything else, and for nothing an hour */
export function rateOf(text: string): Rate {
  const [, count = '0', unit = 's'] = /^(\d{1,7})\/(s|m|h)$/.exec(text) ?? [];
  const perSecond = Number(count) / SECONDS[unit as keyof typeof SECONDS];
  if (perSecond > 0) return { perSecond, text };
  throw new OperatorError(`"${text}" is not a rate`, 'For example: --rate 50/s, or 1000/m', ExitCode.error);
}

import { hostname, userInfo } from 'node:os';

/** What differs from run to run, and what the page says instead; the same id is the same everywhere on the page. */
export class Normal {
  private readonly ids = new Map<string, string>();

  /** @param known texts of this run, longest first: its folder, its database */
  constructor(private readonly known: ReadonlyMap<string, string>) {}

  of(text: string): string {
    let page = text;
    for (const [found, shown] of this.known) page = page.replaceAll(found, shown);
    // Whole words: a random token may hold a short name.
    page = page.replaceAll(word(hostname()), 'shop-1').replaceAll(word(userInfo().username), 'operator');
    for (const [pattern, shown] of RULES) page = page.replaceAll(pattern, shown);
    return page.replaceAll(UUID, (id) => this.id(id));
  }

  private id(id: string): string {
    let shown = this.ids.get(id);
    if (shown === undefined) {
      const number = (this.ids.size + 1).toString(16);
      shown = `01a210a3-6679-7${number.padStart(3, '0')}-88cb-0157381046${number.padStart(2, '0')}`;
      this.ids.set(id, shown);
    }
    return shown;
  }
}

const UUID = /\b[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\b/g;

const RULES: readonly (readonly [RegExp, string])[] = [
  [/((?:--token|--set|retry-all|replay) |"token": ")[0-9a-hjkmnp-tv-z]{12}(?=[\s",]|$)/gm, '$1tk8f2m7q9x4r'],
  [/\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|\+00:00)/g, '2026-01-31T10:00:00.000000$1'],
  [/\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(Z|\+00:00)/g, '2026-01-31T10:00:00$1'],
  [/\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d+/g, '2026-01-31 10:00:00.000'],
  [/\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d/g, '2026-01-31 10:00:00'],
  [/^\d\d:\d\d:\d\d\.\d{3}(?= )/gm, '10:00:00.000'],
  [/"systemIdentifier": "\d+"/g, '"systemIdentifier": "7712255782455538971"'],
  [/"pid": \d+/g, '"pid": 4711'],
  [/\bprocess( +)\d+ on/g, 'process$14711 on'],
  [/\b[\da-f]{64}\b/g, 'a8ae278dad6a5217c6bd7e1a1c8c6c1a3f3b6e0d7c3a0b8f2f4f5b7c9d0e1f23'],
  [/sha256 [\da-f]{16}…/g, 'sha256 a8ae278dad6a5217…'],
  // PostgreSQL leaves the last zeros of a time's microseconds out, in what is sent too.
  // The minutes and hours of a preview begin with the clock's: a story that crosses one has smaller peaks.
  [/\b\d+( in 1m)? \((?=2026-01-31 10:00:00\))/g, '3$1 ('],
  [/\b\d+ bytes(?=, sha256)/g, '257 bytes'],
  // As PostgreSQL estimates them, and what its pages come to.
  [/~[\d,]+ +\d+ (B|kB|MB)\b/g, '~12   65 kB'],
  [/"rows": \d+/g, '"rows": 12'],
  [/"bytes": \d+/g, '"bytes": 257'],
  [/127\.0\.0\.1:\d+/g, '127.0.0.1:8700'],
  [/\bshop-1:\d+:[\da-f]{6}/g, 'shop-1:4711:a1b2c3'],
  [/\bpid \d+/g, 'pid 4711'],
  [
    /"(durationMs|ageSeconds|checkpointAgeSeconds|heartbeatAgeSeconds|age|seconds|p50|p99|within|lastBound|perSecond|triesPerSecond|probeIn)":( ?)-?[\d.e-]+/g,
    '"$1":$20.5',
  ],
  [/\bPostgreSQL \d+(\.\d+)?/g, 'PostgreSQL 18.4'],
  [/\b\d+(\.\d+)? ms\b/g, '12 ms'],
  [/\b\d+(\.\d+)? (s|min)\b/g, '3 s'],
  [/\b\d+(\.\d+)?\/s now/g, '2/s now'],
  [/\b\d{3,}:\d{3,}:[\d,]*(?=["\s]|$)/g, '820:820:'],
];

function word(text: string): RegExp {
  return new RegExp(`\\b${text.replace(/[^\w]/g, '\\$&')}\\b`, 'g');
}

import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { renderedTexts, type Texts } from '../../support/rendered-texts';

const ROW =
  '{"day":"2026-03-08","plain":"2026-03-08T02:30:00","zoned":"2026-01-31T23:59:59.123456+00:00","east":"2026-02-01 05:30:00+05:30","mail":"Mon, 14 Mar 2016 10:00:00 +0200",' +
  '"words":"March 14, 2016","seconds":1767225600,"exact":1767225600.50,"digits":"1767225600","infinite":"infinity","far":"10000-01-01T00:00:00+00:00","bc":"0044-03-15T10:00:00+00:00 BC",' +
  '"text":"paid","nothing":null,"zone":"Asia/Kolkata","total":4.90,"clock":"10:00:00"}';

// The second of March's Sundays, at half past two, is an hour that clocks in New York leave out.
const CASES: readonly (readonly [source: string, text: string])[] = [
  ["day | date: '%Y-%m-%d %H:%M'", '2026-03-08 00:00'],
  ["plain | date: '%Y-%m-%d %H:%M:%S %z %Z'", '2026-03-08 02:30:00 +0000 UTC'],
  ["zoned | date: '%Y-%m-%dT%H:%M:%S.%L %6N %N %3N %12N'", '2026-01-31T23:59:59.123 123456 123456000 123 123456000000'],
  ["east | date: '%Y-%m-%d %H:%M'", '2026-02-01 00:00'],
  ["mail | date: '%F %Y-%m-%d %H:%M'", '%F 2016-03-14 08:00'],
  ["words | date: '%Y-%m-%d %H:%M'", '2016-03-14 00:00'],
  ["'14 Mar 2016' | date: '%Y-%m-%d'", '2016-03-14'],
  ["'Fri Nov 27 12:01:00 2026' | date: '%Y-%m-%d %H:%M'", '2026-11-27 12:01'],
  ["'Mon, 14 Mar 2016 23:30:00 EST' | date: '%Y-%m-%d %H:%M'", '2016-03-15 04:30'],
  ["'3/14/2016 4:05 PM' | date: '%Y-%m-%d %H:%M'", '2016-03-14 16:05'],
  ["'2016-03' | date: '%B %Y'", 'March 2016'],
  ["'order 12' | date: '%Y'", 'order 12'],
  ["'Mar 5' | date: '%Y'", 'Mar 5'],
  ["'room 3, 14 March 2016' | date: '%Y'", 'room 3, 14 March 2016'],
  ["'February 30, 2026' | date: '%d'", 'February 30, 2026'],
  ["'2026-13' | date: '%Y'", '2026-13'],
  ["seconds | date: '%Y-%m-%d %H:%M'", '2026-01-01 00:00'],
  ["exact | date: '%Y-%m-%d %H:%M:%S.%L'", '2026-01-01 00:00:00.500'],
  ["digits | date: '%Y-%m-%d'", '2026-01-01'],
  ["infinite | date: '%Y'", 'infinity'],
  ["far | date: '%Y-%m-%d %A %j'", '10000-01-01 Saturday 001'],
  ["bc | date: '%Y-%m-%d %H'", '-0043-03-15 10'],
  ["bc | date: '%-Y %6Y'", '-43 -00043'],
  ['bc | date_to_xmlschema', '-0043-03-15T10:00:00+00:00'],
  ["text | date: '%Y'", 'paid'],
  ["clock | date: '%H'", '10:00:00'],
  ["nothing | date: '%Y'", ''],
  ["zoned | date: '%H:%M %z %:z %Z', 'America/New_York'", '18:59 -0500 -05:00 America/New_York'],
  ["zoned | date: '%d %H:%M', 'Asia/Kolkata'", '01 05:29'],
  ["zoned | date: '%d %H:%M', zone", '01 05:29'],
  ["zoned | date: '%H:%M %z %Z', '+02:00'", '01:59 +0200 +0200'],
  ["zoned | date: '%H:%M %z', 360", '17:59 -0600'],
  ["plain | date: '%H:%M', 'Europe/Berlin'", '03:30'],
  ["'2026-07-01' | date: '%H:%M', 'America/New_York'", '20:00'],
  ["day | date: '%H', 'Mars/Olympus'", "error: date takes a time zone such as 'Europe/Paris' or '+02:00'"],
  ['day | date', 'Sunday, March 8, 2026 at 12:00 am +0000'],
  [
    "plain | date: '%a %b %h %B %C %e|%I|%k|%l|%p|%P|%q|%s|%u|%U|%w|%W|%y|%t|%n|%%'",
    'Sun Mar Mar March 20  8|02| 2| 2|AM|am|th|1772937000|7|10|0|09|26|\t|\n|%',
  ],
  ["plain | date: '%c / %x / %X'", '3/8/2026, 2:30:00 AM / 3/8/2026 / 2:30:00 AM'],
  ["plain | date: '%-d.%-m. %_m %05d %^a %#p %^B %10A|'", '8.3.  3 00008 SUN am MARCH     Sunday|'],
  ['plain | date_to_xmlschema', '2026-03-08T02:30:00+00:00'],
  ['plain | date_to_rfc822', 'Sun, 08 Mar 2026 02:30:00 +0000'],
  ['plain | date_to_string', '08 Mar 2026'],
  ['plain | date_to_long_string', '08 March 2026'],
  ["plain | date_to_long_string: 'ordinal', 'US'", 'March 8th, 2026'],
  ["'2026-02-22' | date_to_string: 'ordinal'", '22nd Feb 2026'],
];

const outputs = CASES.map(([source]) => `{{ ${source} }}`);

it.each(CASES)('{{ %s }} is %j', (source, text) => {
  expect(renderedTexts({ row: ROW, sources: [`{{ ${source} }}`] })).toEqual([text]);
});

/** Every template that stands in the tests and in the documentation; of the clock and of chance there are two answers anyhow. */
function templatesOfTheSuite(): string[] {
  const files = readdirSync(__dirname).filter((name) => name.includes('template') || name.includes('documentation'));
  const texts = [...files.map((name) => join(__dirname, name)), join(__dirname, '../../../docs/templates.md')].map((path) =>
    readFileSync(path, 'utf8'),
  );
  const written = texts.flatMap((text) =>
    [...text.matchAll(/'((?:[^'\\\n]|\\.)*\{[{%](?:[^'\\\n]|\\.)*)'|^(.*\{\{.*\}\}.*?) +# /gm)].map(
      ([, quoted, documented]) => quoted ?? documented ?? '',
    ),
  );
  return [...outputs, ...new Set(written)].filter((source) => !/now|today|sample/.test(source) && source.length < 1_000);
}

test('every template gives the same text in New York, Kolkata and Kiritimati, whatever the language of the machine', async () => {
  const texts: Texts = { row: ROW, sources: templatesOfTheSuite() };
  expect(texts.sources.length).toBeGreaterThan(200);
  const run = promisify(execFile);
  const zones = [
    ['America/New_York', 'en_US.UTF-8'],
    ['Asia/Kolkata', 'de_DE.UTF-8'],
    ['Pacific/Kiritimati', 'fr_FR.UTF-8'],
  ] as const;
  const [first, ...others] = await Promise.all(
    zones.map(async ([TZ, language]) => {
      const { PATH } = process.env;
      const started = run(
        process.execPath,
        [join(__dirname, '../../support/typescript-child.cjs'), join(__dirname, '../../support/rendered-texts.ts'), 'renderedTexts'],
        {
          env: { PATH, TZ, LANG: language, LC_ALL: language },
          maxBuffer: 100_000_000,
        },
      );
      started.child.stdin?.end(JSON.stringify(texts));
      // Which limit ends what goes on for ever is a matter of speed.
      return (JSON.parse((await started).stdout) as string[]).map((text) =>
        text.replace(/(template render|memory alloc) limit/, 'a limit'),
      );
    }),
  );
  for (const other of others)
    expect(Object.fromEntries(texts.sources.map((source, i) => [source, other[i]]))).toEqual(
      Object.fromEntries(texts.sources.map((source, i) => [source, first?.[i]])),
    );
  expect(first?.slice(0, CASES.length)).toEqual(CASES.map(([, text]) => text));
});

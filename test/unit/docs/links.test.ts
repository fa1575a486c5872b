import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const ROOT = join(__dirname, '../../..');
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'helm/README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

const textOf = (page: string): string => readFileSync(join(ROOT, page), 'utf8').replace(/^```[^]*?^```/gm, '');

/** What follows # in a link to a heading, as GitHub makes it. */
const anchorOf = (heading: string): string =>
  heading.trim().toLowerCase().replace(/[^\p{L}\p{N}_\s-]/gu, '').replaceAll(' ', '-'); // prettier-ignore

test('every link of a page leads to a file that there is, and to a heading that it has', () => {
  const broken = PAGES.flatMap((page) =>
    [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link]) => {
      if (/^(https?|mailto):/.test(link!)) return [];
      const [path = '', anchor] = link!.split('#');
      const target = path === '' ? page : normalize(join(dirname(page), path));
      const isThere = existsSync(join(ROOT, target));
      const headings =
        isThere && target.endsWith('.md') ? [...textOf(target).matchAll(/^#+ (.*)$/gm)].map(([, one]) => anchorOf(one!)) : [];
      return isThere && (anchor === undefined || headings.includes(anchor)) ? [] : [`${page}: ${link}`];
    }),
  );
  expect(PAGES.length).toBeGreaterThan(80);
  expect(broken).toEqual([]);
});

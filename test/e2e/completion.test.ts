import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BARE, MAIN, run } from '../support/program';
import { describeWith, program } from '../support/missing-server';

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'observers-completion-'));
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { out, code } = await run(process.execPath, [MAIN, 'completion', shell], { cwd: folder });
    expect(code).toBe(0);
    writeFileSync(join(folder, shell), out);
  }
  writeFileSync(join(folder, 'my observers.yaml'), '');
  mkdirSync(join(folder, 'home'));
});

afterAll(() => rmSync(folder, { recursive: true }));

/** What a shell prints, in a folder with one file; the program itself cannot be found there, so that nothing can be started at TAB. */
function inShell(shell: string, args: readonly string[], script: string): string[] {
  const env = { ...BARE, HOME: join(folder, 'home') };
  const { stdout, stderr, status } = spawnSync(shell, [...args, script], { cwd: folder, env, encoding: 'utf8' });
  expect([stderr, status]).toEqual(['', 0]);
  return stdout.split('\n').filter((line) => line !== '');
}

/** Each case: the words of a line, the last one unfinished; some of what must be offered; what must not be. */
const CASES: [words: string[], offered: string[], not: string[]][] = [
  [['sta'], ['start', 'status'], ['dlq']],
  [
    ['dlq', ''],
    ['list', 'show', 'retry', 'retry-all', 'remove', 'stats', '--help'],
    ['status', '--observer'],
  ],
  [['dlq', 're'], ['retry', 'retry-all', 'remove'], ['list']],
  [['dlq', 'list', '--ob'], ['--observer'], ['--offset']],
  [['status', '--'], ['--detailed', '--listener', '--watch', '--format', '--config'], ['--dry-run']],
  [['tail', '--outcome', ''], ['succeeded', 'retry', 'dead', 'skipped', 'quarantined', 'discarded'], ['--outcome']],
  [['status', '--format', 'j'], ['json'], ['text']],
  [['completion', ''], ['bash', 'zsh', 'fish'], []],
  [['status', '--config', 'my'], ['my observers.yaml'], []],
];

function expectOffered(answers: readonly string[], [words, offered, not]: (typeof CASES)[number]): void {
  expect({ words, answers }).toEqual({ words, answers: expect.arrayContaining(offered) as string[] });
  for (const word of not) expect(answers).not.toContain(word);
}

test.each(CASES)('bash completes %j', (...one) => {
  const line = ['fraiseql-observers', ...one[0]].map((word) => `'${word}'`).join(' ');
  const script = `source ./bash
    complete -p fraiseql-observers >/dev/null || exit 1
    COMP_WORDS=(${line}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _fraiseql_observers; printf '%s\\n' "\${COMPREPLY[@]}"`;
  expectOffered(inShell('bash', ['--norc', '-c'], script), one);
});

test('bash completes the value behind an equals sign, which it takes for a word', () => {
  const script = `source ./bash; COMP_WORDS=(fraiseql-observers status --format = j); COMP_CWORD=4; _fraiseql_observers; printf '%s\\n' "\${COMPREPLY[@]}"`;
  expect(inShell('bash', ['--norc', '-c'], script)).toEqual(['json']);
});

describeWith(program('zsh'), () => {
  // What it would show is caught where it would be shown: there is no terminal here. Files are asked for by a function of zsh's own.
  test.each(CASES.slice(0, -1))('zsh completes %j', (...one) => {
    const line = ['fraiseql-observers', ...one[0]].map((word) => `'${word}'`).join(' ');
    const script = `compdef() { [[ $2 == fraiseql-observers ]] || exit 1 }
      _describe() { local -a all; all=("\${(@P)2}"); print -l -- "\${(@)all%%:*}" }
      compadd() { shift; print -l -- "$@" }
      source ./zsh
      words=(${line}); CURRENT=\${#words}; _fraiseql_observers`;
    expectOffered(
      inShell('zsh', ['-f', '-c'], script).filter((word) => word.startsWith(one[0].at(-1) ?? '')),
      one,
    );
  });
});

describeWith(program('fish'), () => {
  test.each(CASES)('fish completes %j', (...one) => {
    const [words, offered, not] = one;
    const line = ['fraiseql-observers', ...words].join(' ');
    const answers = inShell('fish', ['--no-config', '-c'], `source ./fish; complete -C '${line}'`).map(
      (answer) => answer.split('\t')[0] ?? '',
    );
    // Flags are offered where one is begun.
    const begun = words.at(-1)?.startsWith('-') === true;
    expectOffered(answers, [words, begun ? offered : offered.filter((word) => !word.startsWith('-')), not]);
  });
});

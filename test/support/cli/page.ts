import { definitionOf, OUTPUTS } from './schemas';
import { NOT_CALLED, type Step } from './steps';

/** A call, and what came of it: normalised. */
export interface Shown {
  readonly step: Step;
  readonly line: string;
  readonly output: string;
}

const HEAD = `# Commands

Every output on this page is a real one: \`test/e2e/cli-reference.test.ts\` runs all commands on one small shop, and compares. Ids, times, ports, durations, sizes and
peaks are made alike from run to run.

Commands that only look work with the service running or stopped; what only the service could know is said to be unknown. All take \`--config FILE\`,
\`--format text|json\` and \`--verbose\`. What \`--format json\` gives is described by [cli.schema.json](cli.schema.json), a definition a command; every field is always there
unless it is said to be optional.

## Exit codes

| code | what | example |
| ---- | ---- | ------- |
`;

/** Code, what it means, and the command whose call is the example. */
const CODES: readonly (readonly [code: number, what: string, command: string])[] = [
  [0, 'done', 'status'],
  [1, 'error; or something is not as it should be', 'audit verify'],
  [2, 'the configuration is wrong', 'validate-config'],
  [3, 'the database or the service does not answer', 'status'],
  [4, 'a check has found something', 'capture check'],
  [5, 'there is no such thing', 'dlq show'],
];

/** docs/cli.md. @param helps by command, in the order of the program's own help */
export function pageOf(helps: ReadonlyMap<string, string>, calls: readonly Shown[]): string {
  const sections = [...helps].map(([command, help]) =>
    section(
      command,
      help,
      calls.filter(({ step }) => step.command === command),
    ),
  );
  return `${HEAD}${codes(calls)}\n\n130: stopped by Ctrl-C.\n\n${sections.join('\n')}`;
}

function codes(calls: readonly Shown[]): string {
  return CODES.map(([code, what, command]) => {
    const example = calls.find(({ step }) => step.command === command && (step.code ?? 0) === code);
    if (example === undefined) throw new Error(`no step of ${command} ends with ${code}`);
    return `| ${code} | ${what} | \`${example.line}\` |`;
  }).join('\n');
}

function section(command: string, help: string, calls: readonly Shown[]): string {
  const said = NOT_CALLED[command] ?? '';
  const schema =
    OUTPUTS[command] === undefined
      ? ''
      : `\`--format json\`: \`#/$defs/${definitionOf(command)}\` in [cli.schema.json](cli.schema.json).\n\n`;
  return `## ${command}\n\n${fenced(help)}\n${said === '' ? '' : `${said}\n\n`}${schema}${calls.map(shownCall).join('')}`;
}

function shownCall({ step, line, output }: Shown): string {
  const exit = step.code === undefined ? '' : `[exit code ${step.code}]\n`;
  return `${step.says === undefined ? '' : `${step.says}\n\n`}${fenced(`$ ${line}\n${output}${exit}`)}\n`;
}

function fenced(text: string): string {
  return `\`\`\`text\n${text.replace(/[ \t]+$/gm, '').trimEnd()}\n\`\`\`\n`;
}
